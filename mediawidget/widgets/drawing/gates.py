"""The picture of a gate and its four runs: what was predicted, and what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .canvas import Canvas, Piece
from .colours import AMBER, HATCH, INK, LINE, PALETTES, SOFT, SURFACE
from .sheet import MARGIN, NARROWEST, describe, draw_title
from .text import MINUS, plain, raw, wrapped

RUNS = (("y11", "y10"), ("y01", "y00"))
"""As they stand: the bypass down, the mediator across."""
_FORMULAS = {"PIE": "Y01 - Y00", "TIE": "Y11 - Y10", "INT": "TIE - PIE", "TE": "Y11 - Y00"}
_VERBS = {"PIE": "restore", "TIE": "break", "INT": "difference", "TE": "total"}
_LEFT, _RUN, _HIGH = 330, 190, 84
_UNKNOWN = "?"


@dataclass(frozen=True)
class Gate:
    """A gate as it is drawn.

    Attributes:
        name, words: what it is called, and what it does.
        corners: what each run puts out. guesses: what was predicted of it, so far.
        right: which predictions were right.
        effects: PIE, TIE, INT, TE; none as long as a run has not been predicted.
    """

    name: str
    words: str
    corners: Mapping[str, float]
    guesses: Mapping[str, float]
    right: frozenset[str]
    effects: Mapping[str, float]


def draw_gate(gate: Gate, facts: Mapping[str, Any], palette: str) -> str:
    """The SVG of a gate. Runs that nobody has predicted are a question mark, as on the page."""
    canvas = Canvas()
    room = float(NARROWEST - 2 * MARGIN)
    y = draw_title(canvas, facts, MARGIN, MARGIN, room) + 28
    for line in wrapped(plain(gate.words, 200), room, 13):
        canvas.text(MARGIN, y, line)
        y += 18
    y += 8
    _circuit(canvas, gate, MARGIN, y, PALETTES[palette][0])
    for row, runs in enumerate(RUNS):
        for column, key in enumerate(runs):
            _run(canvas, gate, key, MARGIN + _LEFT + column * (_RUN + 8), y + row * (_HIGH + 8))
    y += 2 * _HIGH + 8
    if gate.effects:
        y = _effects(canvas, gate, MARGIN, y + 32)
    told = {"title": describe(facts), "metadata": json.dumps(facts)}
    return canvas.svg(NARROWEST, y + MARGIN, defs="", **told)


def _circuit(canvas: Canvas, gate: Gate, x: float, y: float, lit: str) -> None:
    """Both wires at their clean value, and the gate (js/src/gate_picture.ts)."""
    for name, top in (("M", y + 16), ("bypass", y + 96)):
        middle = top + 19
        bend = y + (64 if name == "M" else 92)
        canvas.path(f"M{x + 80} {middle}h34V{bend}h24", fill="none", stroke=lit, stroke_width="2.5")
        canvas.rect(x, top, 80, 38, rx="6", fill=SURFACE, stroke=lit, stroke_width="2")
        canvas.text(x + 40, top + 17, name, anchor="middle", bold=True)
        canvas.text(x + 40, top + 31, "clean = 1", size=11, fill=SOFT, anchor="middle")
    canvas.path(f"M{x + 208} {y + 78}h30", fill="none", stroke=HATCH, stroke_width="2.5")
    canvas.rect(x + 138, y + 52, 70, 52, rx="10", fill=SURFACE, stroke=INK, stroke_width="2")
    canvas.text(x + 173, y + 83, plain(gate.name, 7), anchor="middle", bold=True)
    canvas.rect(x + 238, y + 58, 56, 40, rx="6", fill=SURFACE, stroke=LINE)
    canvas.text(x + 266, y + 74, "Y", size=11, fill=SOFT, anchor="middle")
    canvas.text(x + 266, y + 91, _answer(gate, "y11"), anchor="middle", bold=True)


def _run(canvas: Canvas, gate: Gate, key: str, x: float, y: float) -> None:
    """One run: its name, its inputs, what it put out, and whether that was said before."""
    known = key in gate.guesses
    ok = key in gate.right
    stroke = {"stroke": LINE if not known or ok else AMBER}
    canvas.rect(x, y, _RUN, _HIGH, rx="6", fill=SURFACE, **stroke)
    canvas.text(x + 10, y + 20, key.upper(), size=11, fill=SOFT)
    canvas.text(
        x + _RUN - 10, y + 20, f"bypass {key[1]}, M {key[2]}", size=11, fill=SOFT, anchor="end"
    )
    canvas.text(x + 10, y + 50, _answer(gate, key), size=20, bold=True)
    words, tint = "not predicted yet", SOFT
    if known:
        words = "as predicted" if ok else f"predicted {_number(gate.guesses[key])}"
        tint = SOFT if ok else AMBER
        # Apart from the words: few fonts have it, and the browser takes one that has for both.
        canvas.text(x + 10, y + 72, "\N{CHECK MARK}" if ok else "\N{BALLOT X}", size=12, fill=tint)
    canvas.text(x + (28 if known else 10), y + 72, words, size=12, fill=tint)


def _effects(canvas: Canvas, gate: Gate, x: float, y: float) -> float:
    """What restoring and breaking come to; where it ends."""
    for name, value in gate.effects.items():
        verb = Piece(_VERBS[name], 12, SOFT, gap=8)
        canvas.flow(x, y, Piece(name, bold=True), verb)
        canvas.text(x, y + 28, ("+" if value > 0 else "") + _number(value), size=20, bold=True)
        canvas.text(x, y + 46, _FORMULAS[name].replace("-", MINUS), size=12, fill=SOFT)
        x += 150
    return y + 46


def _answer(gate: Gate, key: str) -> str:
    return _number(gate.corners[key]) if key in gate.guesses else _UNKNOWN


def _number(value: float) -> str:
    """Whole numbers without a sign, as the page writes them (js/src/gates.ts)."""
    if value == int(value):
        return str(int(value)).replace("-", MINUS)
    return raw(value, sign=False) if value >= 0 else raw(value)
