"""Elements of an SVG, collected as text. Every text is escaped on its way in."""

from __future__ import annotations

from dataclasses import dataclass

from .colours import INK, SOFT, SURFACE
from .text import MONO, SANS, width, xml

SPACE_WIDTH = 7.0
NBSP = "\N{NO-BREAK SPACE}"


def number(value: float) -> str:
    """A coordinate with at most one decimal, which is a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True)
class Piece:
    """A text among others on a line; ``gap`` is between it and the one before it."""

    text: str
    size: float = 13
    fill: str = INK
    bold: bool = False
    gap: float = 0

    def span(self, *, first: bool) -> str:
        """As an element. The gap is spaces: not every renderer has ``dx`` in a text's width."""
        spaces = 0 if first else round(self.gap / width(NBSP, self.size))
        given = f' font-size="{number(self.size)}"' if self.size != 13 else ""
        given += f' fill="{self.fill}"' if self.fill != INK else ""
        given += ' font-weight="600"' if self.bold else ""
        return f"<tspan{given}>{xml(spaces * NBSP + self.text)}</tspan>"


class Canvas:
    """What was drawn so far; ``svg`` closes it."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 13,
        fill: str = INK,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """A line of text whose baseline starts (or ends, or is centred) at x, y."""
        given = f' font-size="{number(size)}"' if size != 13 else ""
        given += f' fill="{fill}"' if fill != INK else ""
        given += f' text-anchor="{anchor}"' if anchor != "start" else ""
        given += ' font-weight="600"' if bold else ""
        self.parts.append(f'<text x="{number(x)}" y="{number(y)}"{given}>{xml(text)}</text>')

    def flow(self, x: float, y: float, *pieces: Piece, anchor: str = "start") -> None:
        """Texts after each other on one line, each where the one before it ends in any font."""
        given = f' text-anchor="{anchor}"' if anchor != "start" else ""
        spans = "".join(piece.span(first=piece is pieces[0]) for piece in pieces)
        self.parts.append(f'<text x="{number(x)}" y="{number(y)}"{given}>{spans}</text>')

    def mono(self, x: float, y: float, text: str, *, size: float = 13, bold: bool = False) -> None:
        """A line of text in a monospaced font."""
        self.begin(font_family=MONO)
        self.text(x, y, text, size=size, bold=bold)
        self.end()

    def token(self, x: float, y: float, text: str, *, size: float = 13, bold: bool = False) -> None:
        """A token in a monospaced font; each space at either end is a small mark."""
        body = text.strip(" ")
        at = x
        for _ in range(len(text) - len(text.lstrip(" ")) if body else len(text)):
            self._space(at, y)
            at += SPACE_WIDTH
        if not body:
            return
        self.mono(at, y, body, size=size, bold=bold)
        at += width(body, size, mono=True)
        for _ in range(len(text) - len(text.rstrip(" "))):
            self._space(at + 1, y)
            at += SPACE_WIDTH

    def _space(self, x: float, y: float) -> None:
        path = f"M{number(x + 0.5)} {number(y - 2.5)}v3h5v-3"
        self.parts.append(f'<path d="{path}" fill="none" stroke="{SOFT}"/>')

    def rect(self, x: float, y: float, w: float, h: float, **attributes: str) -> None:
        """A rectangle; attributes by their names, ``_`` for ``-``."""
        box = f'x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}"'
        self.parts.append(f"<rect {box}{named(attributes)}/>")

    def path(self, d: str, **attributes: str) -> None:
        """A path; attributes by their names, ``_`` for ``-``."""
        self.parts.append(f'<path d="{d}"{named(attributes)}/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, **attributes: str) -> None:
        """A line from one point to another."""
        self.path(f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", **attributes)

    def circle(self, x: float, y: float, r: float, **attributes: str) -> None:
        """A circle around x, y."""
        place = f'cx="{number(x)}" cy="{number(y)}" r="{number(r)}"'
        self.parts.append(f"<circle {place}{named(attributes)}/>")

    def begin(self, **attributes: str) -> None:
        """Open a group; what it sets holds for what is drawn until ``end``."""
        self.parts.append(f"<g{named(attributes)}>")

    def end(self) -> None:
        """Close the group."""
        self.parts.append("</g>")

    def svg(self, w: float, h: float, *, title: str, metadata: str, defs: str) -> str:
        """The whole picture, w by h pixels; ``metadata`` and ``title`` are text."""
        size = f'width="{number(w)}" height="{number(h)}" viewBox="0 0 {number(w)} {number(h)}"'
        name = f'<title id="mw-title">{xml(title)}</title>'
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="mw-title">'
            f"{name}<metadata>{xml(metadata)}</metadata><defs>{defs}</defs>"
            f'<rect width="{number(w)}" height="{number(h)}" fill="{SURFACE}"/>'
            f'<g font-family="{SANS}" font-size="13" fill="{INK}">'
        )
        return f"{head}{''.join(self.parts)}</g></svg>\n"


def token_width(text: str, size: float = 13) -> float:
    """How wide ``Canvas.token`` draws a text, in pixels."""
    body = text.strip(" ")
    spaces = len(text) - len(body)
    return spaces * SPACE_WIDTH + width(body, size, mono=True)


def named(attributes: dict[str, str]) -> str:
    """Attributes as they stand in a tag."""
    return "".join(f' {name.replace("_", "-")}="{xml(v)}"' for name, v in attributes.items())
