"""GatePlayground: predict the four runs of a gate, then read PIE, TIE and INT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import numpy as np
import traitlets as t

from ..errors import MediationError, is_one_of, require
from ..estimands import estimand
from ..pictures import signed
from ._page import Page, front_end

GateFunction = Callable[[int, int], float]

GATES: dict[str, tuple[GateFunction, str]] = {
    "ADD": (lambda m, b: m + b, "the sum of M and the bypass"),
    "AND": (lambda m, b: m & b, "1 only where both are 1"),
    "OR": (lambda m, b: m | b, "1 where at least one is 1"),
    "XOR": (lambda m, b: m ^ b, "1 where the two differ"),
}
"""Output of a mediator and a bypass that are 1 (clean) or 0 (corrupt), and in words."""

CORNERS = ("y11", "y10", "y01", "y00")


class Guesses(t.Dict):
    """What was predicted; whatever else is set raises, also what a page sends.

    It is not said with ``t.validate``: what a page sends is set before that is asked.
    """

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is no prediction of a gate that there is."""
        given: Any = super().validate(obj, value)
        names = [gate["name"] for gate in obj.gates]
        require(
            all(name in names and _is_guess(guess) for name, guess in given.items()),
            "These are no predictions of the gates.",
            value=given,
            expected="{gate: {corner: number}}, gates of "
            + ", ".join(names)
            + "; corners of "
            + ", ".join(CORNERS),
            fix="playground.guesses = {'AND': {'y11': 1}}",
        )
        return given


class GatePlayground(Page):
    """A mediator M and a bypass meet in a gate: what does each of the four runs put out?

    No model is needed. The reader predicts each run before it is shown; then restoring (PIE),
    breaking (TIE) and their difference (INT) are read off.

    Args:
        gate: which one to begin with.
        gates: further gates, name to function of (m, bypass), each 0 or 1, that gives a number.

    Attributes:
        guesses: what was predicted, ``{gate: {"y11": number, ...}}``; anything else raises.
        score: (right, asked).

    Example:
        >>> mw.GatePlayground("OR").score
        (0, 0)
    """

    _esm, _css = front_end("gate_playground")

    gate = t.Unicode().tag(sync=True)
    gates: t.List[dict[str, Any]] = t.List(read_only=True).tag(sync=True)
    guesses = Guesses().tag(sync=True)

    def __init__(self, gate: str = "AND", gates: Mapping[str, GateFunction] | None = None) -> None:
        functions = {name: function for name, (function, _) in GATES.items()} | dict(gates or {})
        known = [_payload(name, function) for name, function in functions.items()]
        self.set_trait("gates", known)
        super().__init__(gate=gate)

    @t.validate("gate")
    def _known_gate(self, proposal: Any) -> Any:
        names = [gate["name"] for gate in self.gates]
        require(
            proposal["value"] in names,
            "There is no such gate.",
            value=proposal["value"],
            expected="one of " + ", ".join(names),
            fix="GatePlayground('AND')",
        )
        return proposal["value"]

    @t.observe("gate", "guesses")
    def _redraw(self, _change: Any) -> None:
        self._saved.soon()

    @property
    def score(self) -> tuple[int, int]:
        """How many predictions were right, and how many there were."""
        judged = [
            gate["corners"][corner] == guess
            for gate in self.gates
            for corner, guess in self.guesses.get(gate["name"], {}).items()
        ]
        return sum(judged), len(judged)

    def _html(self) -> str:
        rows = "".join(_row(gate) for gate in self.gates)
        names = ("gate", "Y11", "Y10", "Y01", "Y00", "PIE", "TIE", "INT")
        head = "".join(f"<th>{name}</th>" for name in names)
        return f"<table><tr>{head}</tr>{rows}</table>"


def _is_guess(guess: object) -> bool:
    """Whether it is a finite number for some of the four runs."""
    return isinstance(guess, Mapping) and all(
        is_one_of(corner, CORNERS)
        and isinstance(number, int | float)
        and not isinstance(number, bool)
        and bool(np.isfinite(number))
        for corner, number in guess.items()
    )


def corners_of(function: GateFunction) -> dict[str, float]:
    """The gate run on its four inputs: y11, y10, y01, y00, the bypass first, then M."""
    return {f"y{b}{m}": float(function(m, b)) for b in (1, 0) for m in (1, 0)}


def _payload(name: str, function: GateFunction) -> dict[str, Any]:
    try:
        corners = corners_of(function)
    except Exception as error:
        raise MediationError(
            "A gate is a function of a mediator and a bypass.",
            value=f"{name}: {type(error).__name__}: {error}",
            expected="a function of two ints, each 0 or 1, that gives a number",
            fix="GatePlayground(gates={'MINE': lambda m, bypass: m * bypass})",
        ) from error
    require(
        bool(np.isfinite(list(corners.values())).all()),
        "A gate puts out finite numbers.",
        value=corners,
        expected="a number for each of the four inputs",
        fix="GatePlayground(gates={'MINE': lambda m, bypass: m * bypass})",
    )
    words = GATES[name][1] if name in GATES and GATES[name][0] is function else "a gate of your own"
    return {"name": name, "words": words, "corners": corners}


def _row(gate: Mapping[str, Any]) -> str:
    corners = {key.upper(): np.array(value) for key, value in gate["corners"].items()}
    effects = [float(estimand(key, corners)) for key in ("PIE", "TIE", "INT")]
    numbers = [f"{gate['corners'][key]:g}" for key in CORNERS]
    cells = [escape(gate["name"]), *numbers, *(signed(effect) for effect in effects)]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
