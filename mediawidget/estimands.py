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
    if key not in _ESTIMANDS:
        raise MediationError(
            "Unknown estimand.",
            value=repr(key),
            expected="one of " + ", ".join((*ESTIMANDS, *CORNERS)),
            fix="effect['PIE'] restores, effect['TIE'] breaks, effect['INT'] is their difference",
        )
    return np.broadcast_to(_ESTIMANDS[key](corners), shape)
