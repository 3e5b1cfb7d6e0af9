"""The rail: corrupt at one end, clean at the other, a needle from the base run to the result."""

from __future__ import annotations

import math
from collections.abc import Callable

from .canvas import Canvas, Piece, number
from .colours import HATCH, INK, LINE, SOFT, SURFACE
from .reading import NAMES, Reading, Sheet, states
from .sentences import sentence
from .text import percent, plain, raw, reserved, shortened, wrapped

ROOM = 0.15
"""Beyond either end, as a share of the distance between them: the ends never move."""
_LINE_HEIGHT = 18


def draw_rail(canvas: Canvas, sheet: Sheet, x: float, y: float, room: float) -> float:
    """The metric, the figure, the track and the sentence from y on; where they end."""
    reading = sheet.reading
    _figure(canvas, sheet, x, y + 18, room)
    base = sheet.base()
    low, high = f"corrupt {raw(base.y00)}", f"{raw(base.y11)} clean"
    canvas.text(x, y + 44, low, size=12, fill=SOFT)
    canvas.text(x + room, y + 44, high, size=12, fill=SOFT, anchor="end")
    left = x + reserved(low, 12) + 8
    right = x + room - reserved(high, 12) - 8
    _track(canvas, sheet, left, right - left, y + 40)
    words = sentence(sheet, reading) if reading else "Nothing is selected."
    y += 78
    for line in wrapped(words, room, 13):
        canvas.text(x, y, line)
        y += _LINE_HEIGHT
    return y - 4


def _figure(canvas: Canvas, sheet: Sheet, x: float, y: float, room: float) -> None:
    reading = sheet.reading
    metric = plain(sheet.view["metric"]["label"], 120)
    edit = reading.edit if reading else sheet.view["edit"]
    short = NAMES[bool(edit["corners"]), sheet.direction][0]
    unit = plain(str(sheet.view["metric"]["unit"]))
    total = raw(sheet.base().total, sign=False)
    right = x + room
    if reading is None or not reading.shown:
        of = f"total effect {total} {unit}"
        badge = states(reading) if reading else ""
    else:
        share = sheet.unit == "percent"
        of = f"{short} of {total}" if share else f"{short}, {unit}"
        badge = f"{states(reading)} \N{MIDDLE DOT} {_pairs(sheet, reading)}"
    if badge:
        right = _badge(canvas, badge, right, y)
    pieces = [Piece(of, 12, SOFT, gap=10)]
    if reading is not None and reading.shown:
        value = float(sheet.value(reading.corners, reading.edit))
        figure = f"{percent(value)}%" if sheet.unit == "percent" else raw(value)
        pieces.insert(0, Piece(figure, 20, bold=True))
    canvas.flow(right, y, *pieces, anchor="end")
    right -= sum(reserved(one.text, one.size, bold=one.bold) + 10 for one in pieces)
    canvas.mono(x, y, shortened(metric, right - x, 13, mono=True))


def _badge(canvas: Canvas, words: str, right: float, y: float) -> float:
    """Words in a pill that ends at ``right``; where the text before it may end."""
    w = reserved(words, 12) + 10
    canvas.rect(right - w, y - 14, w, 19, rx="9.5", fill="none", stroke=LINE)
    canvas.text(right - w / 2, y, words, size=12, fill=SOFT, anchor="middle")
    return right - w - 10


def _pairs(sheet: Sheet, reading: Reading) -> str:
    if reading.n > 1:
        return f"n {reading.n}"
    return "this pair" if sheet.view["pairs"]["n"] > 1 else "1 pair"


# --- the track ---------------------------------------------------------------------------------


def rail_scale(y00: float, y11: float) -> Callable[[float], float]:
    """From the metric's values to places on the rail; corrupt is left.

    Below 0 and above 1 are beyond it: the rail ends there.
    """
    ends = abs(y11 - y00) > 1e-6 * max(1.0, abs(y11), abs(y00))
    # Where the ends coincide there is no distance between them to measure by.
    span = y11 - y00 if ends else max(1.0, abs(y11))
    return lambda value: ((value - y00) / span + ROOM) / (1 + 2 * ROOM)


def _track(canvas: Canvas, sheet: Sheet, x: float, room: float, y: float) -> None:
    base, reading = sheet.base(), sheet.reading
    if not math.isfinite(base.total):
        return  # no ends to draw a track between
    scale = rail_scale(base.y00, base.y11)

    def beyond(value: float) -> bool:
        return not 0 <= scale(value) <= 1

    def at(value: float) -> float:
        return x + room * min(1.0, max(0.0, scale(value)))

    dots = {"stroke": HATCH, "stroke_width": "2", "stroke_dasharray": "2 3"}
    canvas.line(at(base.y00), y, at(base.y11), y, **dots)
    if not beyond(0.0):
        canvas.line(at(0.0), y, at(0.0), y + 16, stroke=SOFT)
        canvas.text(at(0.0) + 4, y + 18, "0", size=11, fill=SOFT)
    for end in (base.y00, base.y11):
        canvas.circle(at(end), y, 4.5, fill=SURFACE, stroke=INK, stroke_width="2")
    if reading is None or not reading.shown:
        return
    up, down = (base.y00, reading.corners.y01), (base.y11, reading.corners.y10)
    moves = {"restore": [up], "break": [down]}.get(sheet.direction, [up, down])
    for i, (start, end) in enumerate(moves):
        lane = y if len(moves) == 1 else y - 5 + 10 * i
        _needle(canvas, at(start), at(end), lane, faint=reading.stale)
        if beyond(end):
            # Of two needles the upper one's number stands above it.
            line = lane - 10 if len(moves) > i + 1 else lane + 18
            _told_beyond(canvas, end, at(end), line, right=scale(end) > 1)


def _told_beyond(canvas: Canvas, value: float, x: float, y: float, *, right: bool) -> None:
    """The needle ends at the rail's end: the number says where it would."""
    words = f"{raw(value)} \N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"
    if not right:
        words = f"\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK} {raw(value)}"
    canvas.text(x, y, words, size=11, fill=SOFT, anchor="end" if right else "start")


def _needle(canvas: Canvas, start: float, end: float, y: float, *, faint: bool) -> None:
    """In ink: colours belong to cells, where blue is toward clean."""
    turn = 1 if end >= start else -1
    stop = end - 8 * turn
    shaft = f"M{number(start)} {number(y)}L{number(stop)} {number(y)}"
    head = f"M{number(end + 2 * turn)} {number(y)}l{-10 * turn} -7.5v15z"
    opacity = {"opacity": "0.35"} if faint else {}
    if abs(end - start) > 8:
        canvas.path(shaft, stroke=INK, stroke_width="5", **opacity)
    canvas.path(head, fill=INK, **opacity)
