"""A picture of a view as it is now."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ...effect_files import writing
from ...errors import MediationError, require
from ..drawing.sheet import describe
from ..drawing.text import plain
from .png import can_draw, png_of

Writer = Callable[[], str | bytes]


@dataclass(frozen=True)
class Snapshot:
    """A view as it was when this was taken; it shows itself in a notebook.

    Attributes:
        svg: the picture, which stands alone: text is text, nothing is fetched.
        facts: what it is of: model, prompts, metric, edit, n, version.

    Example:
        >>> view.snapshot("figure.svg")
    """

    svg: str
    facts: Mapping[str, Any]

    def png(self, scale: float = 2.0) -> bytes:
        """The picture as PNG, with ``scale`` pixels per CSS pixel.

        Raises:
            MediationError: the extra "png" is not installed.
        """
        given: object = scale
        require(
            isinstance(given, int | float) and 0 < given <= 10,
            "A picture is scaled by a number.",
            value=scale,
            expected="more than 0, at most 10",
            fix="snapshot.png(2)",
        )
        return png_of(self.svg, float(scale))

    @property
    def html(self) -> str:
        """A page of the picture alone, with what it is of in its head."""
        facts = json.dumps(self.facts).replace("<", "\\u003c")
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            f"<title>{escape(describe(self.facts))}</title>"
            f'<script type="application/json" id="facts">{facts}</script>'
            "<style>body{margin:24px;background:#fff}svg{max-width:100%;height:auto}</style>"
            f"</head><body>{self.svg}</body></html>\n"
        )

    def save(self, path: str | Path) -> Path:
        """Write it as .svg, .png or .html.

        Raises:
            MediationError: another ending, or a place that cannot be written to.
        """
        writers: dict[str, Writer] = {
            ".svg": lambda: self.svg,
            ".png": self.png,
            ".html": lambda: self.html,
        }
        return write(path, writers, "view.snapshot('figure.svg')")

    def image(self) -> str:
        """The picture as an HTML element, whose words are in its ``alt``."""
        data = base64.b64encode(self.svg.encode()).decode()
        words = escape(describe(self.facts))
        return f'<img alt="{words}" src="data:image/svg+xml;base64,{data}" width="{self._width}">'

    @property
    def _width(self) -> str:
        return self.svg.partition('width="')[2].partition('"')[0]

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """HTML that notebooks of other people show too, and a PNG where one can be made."""
        data: dict[str, Any] = {"text/html": self.image(), "text/plain": repr(self)}
        if can_draw():
            data["image/png"] = base64.b64encode(self.png()).decode()
        return data, {"image/png": {"width": float(self._width)}}

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Snapshot({plain(describe(self.facts), 400)})"


def write(path: object, writers: Mapping[str, Writer], fix: str) -> Path:
    """Write what belongs to a path's ending.

    Raises:
        MediationError: no path, another ending, or a place that cannot be written to.
    """
    require(
        isinstance(path, str | Path) and bool(str(path)),
        "An export goes into a file.",
        value=path,
        expected="a path that ends in " + ", ".join(writers),
        fix=fix,
    )
    target = Path(str(path))
    writer = writers.get(target.suffix.lower())
    if writer is None:
        raise MediationError(
            "The file's ending says what is written, and this one says nothing.",
            value=str(path),
            expected="one of " + ", ".join(writers),
            fix=fix,
        )
    content = writer()
    with writing(target, "The export", fix):
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            target.write_text(content, encoding="utf-8", newline="")
    return target
