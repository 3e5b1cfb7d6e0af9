"""From the four corners to the quantities of mediation analysis.

Y(x, m) is the metric when the network reads prompt x and the mediator is forced to the value it
takes on prompt m; 1 is clean, 0 is corrupt. Positive TIE and PIE: the mediator supports the clean
behaviour. (Robins and Greenland 1992; Pearl 2001; VanderWeele 2014 for the interaction.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError, require

Array = NDArray[np.float64]

CORNERS = ("Y11", "Y10", "Y01", "Y00")

_ESTIMANDS: dict[str, Callable[[Mapping[str, Array]], Array]] = {
    "TE": lambda y: y["Y11"] - y["Y00"],
    "TIE": lambda y: y["Y11"] - y["Y10"],
    "PIE": lambda y: y["Y01"] - y["Y00"],
    "PDE": lambda y: y["Y10"] - y["Y00"],
    "TDE": lambda y: y["Y11"] - y["Y01"],
    "INT": lambda y: y["Y11"] - y["Y10"] - y["Y01"] + y["Y00"],
}

ESTIMANDS = tuple(_ESTIMANDS)

CONSTANT_EFFECTS = ("clean", "corrupt", "difference")
"""What exists under an edit that does not give a run the other prompt's value."""

A_CONSTANT = "a constant is not the value on the other prompt"
"""Why an edit has no corners."""

_MINUS = "\N{MINUS SIGN}"


def estimand(key: str, corners: Mapping[str, Array]) -> Array:
    """A corner or an estimand, in the metric's unit and the corners' broadcast shape.

    Args:
        key: one of ``CORNERS`` or ``ESTIMANDS``.
        corners: Y11, Y10, Y01, Y00, shapes that broadcast.

    Raises:
        MediationError: for another key; ``NIE`` is refused because two conventions share it.
    """
    require(
        isinstance(key, str),
        "A quantity is asked for by its name.",
        value=key,
        expected="one of " + ", ".join((*ESTIMANDS, *CORNERS)),
        fix="effect['PIE']",
    )
    shape = np.broadcast_shapes(*(np.shape(value) for value in corners.values()))
    if key in corners:
        return np.broadcast_to(corners[key], shape)
    if key == "NIE":
        raise MediationError(
            "'NIE' names two different quantities.",
            value="'NIE'",
            expected="'PIE' (the NIE of Pearl and Vig: Y01 \N{MINUS SIGN} Y00) or "
            "'TIE' (the NIE of VanderWeele: Y11 \N{MINUS SIGN} Y10)",
            fix="effect['PIE'] for denoising, effect['TIE'] for noising",
        )
    if key == "CDE":
        raise MediationError(
            "CDE holds the mediator at one value on both prompts; a patch has two.",
            value="'CDE'",
            expected=f"'PDE', which is CDE at the corrupt value (Y10 {_MINUS} Y00), or 'TDE', "
            f"which is CDE at the clean value (Y11 {_MINUS} Y01)",
            fix="effect['PDE'], or set it to a constant: study.sweep('head', edit=mw.Zero())",
        )
    if key not in _ESTIMANDS:
        raise MediationError(
            "Unknown estimand.",
            value=repr(key),
            expected="one of " + ", ".join((*ESTIMANDS, *CORNERS)),
            fix="effect['PIE'] restores, effect['TIE'] breaks, effect['INT'] is their difference",
        )
    return np.broadcast_to(_ESTIMANDS[key](corners), shape)


def constant_effect(
    key: str, corners: Mapping[str, Array], kind: str, *, one_value: bool, why: str = A_CONSTANT
) -> Array:
    """A quantity of an edit whose runs have no corners, in the corners' broadcast shape.

    Args:
        key: one of ``CONSTANT_EFFECTS``, CDE, or TE, Y11, Y00, which no edit changes.
        corners: Y11, Y00; Y10 and Y01 are Y(clean, do) and Y(corrupt, do).
        kind: of the edit, for messages.
        one_value: whether it sets both prompts to the same value, so that CDE exists.
        why: it has no corners, for messages.

    Raises:
        MediationError: for another key.
    """
    name: object = key
    if not isinstance(name, str) or name in ("TE", "Y11", "Y00"):
        return estimand(key, corners)
    y = corners
    effects = {
        "clean": lambda: y["Y11"] - y["Y10"],
        "corrupt": lambda: y["Y00"] - y["Y01"],
        "difference": lambda: y["Y11"] - y["Y10"] - y["Y00"] + y["Y01"],
    }
    if one_value:
        effects["CDE"] = lambda: y["Y10"] - y["Y01"]
    if key not in effects:
        named = ", ".join(map(repr, CONSTANT_EFFECTS))
        cde = f", or 'CDE': Y(clean, do) {_MINUS} Y(corrupt, do)" if one_value else ""
        raise MediationError(
            f"{key} does not exist under a {kind} edit.",
            value=repr(key),
            expected=f"{named}: Y(base) {_MINUS} Y(base, do){cde}",
            fix="CDE needs one value for both prompts: mw.Zero(), mw.Mean('corrupt')"
            if key == "CDE"
            else f"{why}; use Patch() for TIE, PIE and INT",
        )
    shape = np.broadcast_shapes(*(np.shape(value) for value in y.values()))
    return np.broadcast_to(effects[key](), shape)
