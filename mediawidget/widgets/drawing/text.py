"""Texts and numbers as they stand in a picture, and nothing that XML cannot hold.

The same rules as the page's (js/src/text.ts, numbers.ts).
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from xml.sax.saxutils import escape

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
LONGEST = 48

MONO = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
SANS = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

# Lone surrogates, and what XML 1.0 has no place for.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MONO_WIDTH = 0.602
_WIDTHS = {
    **dict.fromkeys("ijl'", 0.222),
    **dict.fromkeys("ftI.,:;/!| \N{NO-BREAK SPACE}\N{MIDDLE DOT}", 0.278),
    **dict.fromkeys("()r-", 0.333),
    **dict.fromkeys("Jcksvxyz", 0.5),
    **dict.fromkeys("+=<>~\N{MINUS SIGN}\N{ALMOST EQUAL TO}\N{MULTIPLICATION SIGN}", 0.584),
    **dict.fromkeys("ABEKPSVXY&", 0.667),
    **dict.fromkeys("CDHNRUw", 0.722),
    **dict.fromkeys("GOQ", 0.778),
    **dict.fromkeys("mM", 0.833),
    **dict.fromkeys("%", 0.889),
    **dict.fromkeys("W@\N{HORIZONTAL ELLIPSIS}\N{RIGHTWARDS ARROW}", 1.0),
}
_OTHER_WIDTH = 0.556
_BOLD = 1.06
# DejaVu Sans, which stands in for Helvetica on many Linux machines, measured on what is drawn.
_WIDER_WORD, _WIDER_LINE = 1.22, 1.16
_SHORT_LINE = 0.3
# Spaces, but those around a minus: a difference of two logits is one thing.
_BREAKS = re.compile(f"(?<! {MINUS}) (?!{MINUS} )")


def plain(text: str, longest: int = LONGEST) -> str:
    """Invisible and direction-changing characters spelled out, long texts cut."""
    cut = text[:longest] + "\N{HORIZONTAL ELLIPSIS}" if len(text) > longest else text
    cut = cut.replace("\r\n", "\u23ce").replace("\n", "\u23ce").replace("\t", "\u21e5")
    spelled = (f"\\u{ord(c):04x}" if unicodedata.category(c) in ("Cc", "Cf") else c for c in cut)
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", "".join(spelled))


def xml(text: str) -> str:
    """Text as it stands between tags or in quoted attributes."""
    return escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text), {'"': "&quot;"})


def width(text: str, size: float, *, mono: bool = False, bold: bool = False) -> float:
    """About how wide a text is, in pixels: Helvetica's widths, or a monospaced font's."""
    total = 0.0
    for character in text:
        if unicodedata.east_asian_width(character) in ("W", "F"):
            total += 1.0
        else:
            total += _MONO_WIDTH if mono else _WIDTHS.get(character, _OTHER_WIDTH)
    return total * size * (_BOLD if bold and not mono else 1.0)


def reserved(text: str, size: float, *, bold: bool = False) -> float:
    """The room of a few words: so much at most, in a font that is wider than Helvetica too."""
    return _WIDER_WORD * width(text, size, bold=bold)


def wrapped(text: str, room: float, size: float) -> list[str]:
    """Lines of words that fit in ``room`` pixels, also in a font that is wider than Helvetica."""
    lines = _lines(text, room, size)
    # No word or two alone on the last line: narrower lines, as long as they are no more.
    for share in (0.9, 0.8):
        if len(lines) < 2 or width(lines[-1], size) > _SHORT_LINE * room:
            break
        narrower = _lines(text, share * room, size)
        if len(narrower) == len(lines):
            lines = narrower
    return lines


def _lines(text: str, room: float, size: float) -> list[str]:
    lines: list[str] = []
    for word in _BREAKS.split(text):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and _WIDER_LINE * width(joined, size) <= room:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def shortened(text: str, room: float, size: float, *, mono: bool = False) -> str:
    """The text, cut to about ``room`` pixels."""
    if width(text, size, mono=mono) <= room:
        return text
    kept = text
    while kept and width(kept + "\N{HORIZONTAL ELLIPSIS}", size, mono=mono) > room:
        kept = kept[:-1]
    return kept + "\N{HORIZONTAL ELLIPSIS}"


# --- numbers -----------------------------------------------------------------------------------


def fixed(value: float, places: int, *, sign: bool = True) -> str:
    """Rounded as a page rounds it, with a real minus; a dash where there is no number."""
    if not math.isfinite(value):
        return DASH
    size = Decimal(abs(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    if size == 0:
        return f"{size}"
    return f"{MINUS if value < 0 else '+' if sign else ''}{size}"


def raw(value: float, *, sign: bool = True) -> str:
    """A value in the metric's unit: +11.0, -5.2, +0.43."""
    size = abs(value)
    places = 3 if size != 0 and size < 0.1 else 2 if size < 1 else 1 if size < 100 else 0
    return fixed(value, places, sign=sign)


def percent(value: float, *, sign: bool = True) -> str:
    """Percent points: whole; one decimal below 1."""
    return fixed(value, 1 if value != 0 and abs(value) < 0.95 else 0, sign=sign)


def in_cell(value: float, *, share: bool) -> str:
    """At most three digits: +16, -5.2, 0."""
    if share:
        return percent(math.floor(value + 0.5))
    tenths = float(Decimal(value).quantize(Decimal("0.1"), ROUND_HALF_UP))
    return fixed(tenths, 0 if abs(tenths) >= 10 or tenths == 0 else 1)


def probability(p: float) -> str:
    """As percent: 93%, 0.4%, <0.1%."""
    value = 100 * p
    return "<0.1%" if 0 < value < 0.1 else f"{fixed(value, 1 if value < 1 else 0, sign=False)}%"


def count(n: int, noun: str) -> str:
    """A number of things: 1 pair, 64 pairs."""
    return f"{n} {noun if n == 1 else noun + 's'}"
