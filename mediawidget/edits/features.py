"""Features of a sparse autoencoder as a part of a site's value: codes are set, the rest stays.

A code that moves by c' - c moves the value by (c' - c) times its decoder row, and the error that
the autoencoder makes is a node of its own, one a position. What is not named, other features and
the error, stays the run's own (Marks et al. 2024).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import MediationError, reading, require
from .base import Edit, as_number
from .part import Arrays, Part
from .sparse import SAE, encoded, refuse_no_sae
from .steer import Steer
from .within import Within


@dataclass(frozen=True)
class Features(Part):
    """Some features of a site, and with ``error`` what the autoencoder leaves out of its value.

    ``Within(Features(sae, 12))`` sets feature 12 to what it is on the pair's other prompt.

    Args:
        sae: of that site.
        units: which features, one or several.
        error: whether the error node is among what is set.
        codes: what the features are set to, instead of what they are in the edit's value.
        rest: (width,) what the error is then set to; default 0.

    Raises:
        MediationError: nothing to set, no such features, or not as many codes as features.

    Example:
        >>> mw.Within(mw.features.Features(sae, [3, 12])).corners
        True
    """

    kind: ClassVar[str] = "features"

    sae: SAE
    units: tuple[int, ...]
    error: bool
    codes: tuple[float, ...] | None
    rest: tuple[float, ...] | None

    def __init__(
        self,
        sae: SAE,
        units: int | Iterable[int] = (),
        error: bool = False,
        codes: Sequence[float] | None = None,
        rest: Sequence[float] | None = None,
    ) -> None:
        refuse_no_sae(sae)
        chosen = _units(units, sae)
        given: object = error
        require(
            isinstance(given, bool | np.bool_),
            "The error is set or left.",
            value=error,
            expected="True or False",
            fix="Features(sae, [12], error=True)",
        )
        require(
            bool(chosen) or bool(error),
            "There is no feature to set.",
            value=units,
            expected="at least one feature, or error=True",
            fix="Features(sae, [12]), or Features(sae, error=True)",
        )
        fixed = _fixed(codes, len(chosen), "codes, one a feature")
        left = _fixed(rest, sae.width, "numbers, as many as the site is wide")
        require(
            left is None or (fixed is not None and bool(error)),
            "An error is set to numbers where the codes are.",
            value=f"error={error!r}, codes={codes!r}",
            expected="error=True and codes=[...]",
            fix="Features(sae, error=True, codes=[], rest=mean_error)",
        )
        for name, value in {"sae": sae, "units": chosen, "codes": fixed, "rest": left}.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "error", bool(error))

    @property
    def width(self) -> int:
        """How many numbers a value of the site has."""
        return self.sae.width

    @property
    def words(self) -> str:
        n = len(self.units)
        named = f"feature {self.units[0]}" if n == 1 else f"{n} features"
        return " and ".join([named] * (n > 0) + ["the error"] * self.error)

    @property
    def goal(self) -> str:
        """What fixed codes are, for people: "a code of 2.5", "given codes"."""
        alone = self.codes is not None and len(self.codes) == 1 and not self.error
        return f"a code of {self.codes[0]:g}" if alone and self.codes else "given codes"

    @property
    def fixed(self) -> bool:
        return self.codes is not None

    @property
    def family(self) -> Hashable:
        return "features", self.sae, self.codes is None

    def shared(self) -> dict[str, NDArray[Any]]:
        return self.sae.shared

    def own(self) -> dict[str, NDArray[Any]]:
        dtype = self.sae.w_dec.dtype
        mask = np.zeros(self.sae.n_features, dtype)
        mask[list(self.units)] = 1.0
        found = {"units": mask, "error": np.full(1, self.error, dtype)}
        if self.codes is None:
            return found
        to = np.zeros(self.sae.n_features)
        to[list(self.units)] = self.codes
        left = np.zeros(self.width) if self.rest is None else np.array(self.rest)
        return {**found, "to": to, "rest": left}

    @staticmethod
    def moved(old: Any, new: Any, arrays: Arrays) -> Any:
        own = encoded(old, arrays)
        to = arrays["to"] if "to" in arrays else encoded(new, arrays)
        moved = ((to - own) * arrays["units"]) @ arrays["w_dec"]
        if "to" in arrays:
            error = arrays["rest"] - (old - own @ arrays["w_dec"] - arrays["b_dec"])
        else:
            error = new - old - (to - own) @ arrays["w_dec"]
        return moved + arrays["error"] * error

    def __repr__(self) -> str:
        named = [f"F{unit}" for unit in self.units] + ["error"] * self.error
        listed = ", ".join(named[:6]) + (f", ... {len(named)} in all" if len(named) > 6 else "")
        to = "" if self.codes is None else f" to {list(self.codes[:6])}"
        return f"Features({self.sae.site.label()}: {listed}{to})"

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Features.from_json`` reads back."""
        lists = {name: getattr(self, name) for name in ("units", "codes", "rest")}
        plain = {name: None if some is None else list(some) for name, some in lists.items()}
        return {"kind": self.kind, "sae": self.sae.to_json(), "error": self.error, **plain}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Features:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved setting of features, or one that could not be made anew.
        """
        with reading("part", data):
            given = {name: value for name, value in data.items() if name != "kind"}
            return cls(**{**given, "sae": SAE.from_json(data["sae"])})


def error(sae: SAE) -> Features:
    """The error node alone: what the autoencoder leaves out of the site's value."""
    return Features(sae, error=True)


def clamp(sae: SAE, codes: Mapping[int, float], rest: Any = None) -> Edit:
    """Set features to numbers, the error with ``rest`` to its own; all else stays the run's own.

    Args:
        sae: of the site that is edited.
        codes: {feature: code}; 0 ablates it.
        rest: (width,) numbers for the error node, 0 for none of it; None leaves it.

    Raises:
        MediationError: no autoencoder, no mapping, features that it does not have.

    Example:
        >>> study.intervene({sae.at(14): mw.features.clamp(sae, {12: 0.0})})
    """
    refuse_no_sae(sae)
    require(
        isinstance(codes, Mapping),
        "Features are clamped to numbers by their own.",
        value=codes,
        expected="{feature: code}",
        fix="mw.features.clamp(sae, {12: 0.0})",
    )
    part = Features(
        sae,
        list(codes),
        error=rest is not None,
        codes=list(codes.values()),
        rest=None if rest is None else _spread(rest, sae.width),
    )
    return Within(part)


def steer(sae: SAE, unit: int, amount: float) -> Steer:
    """Add ``amount`` to a feature's code, whatever it is: that much of its decoder row.

    Args:
        sae: of the site that is edited.
        unit: the feature's number.
        amount: in the code's unit; negative takes away.

    Raises:
        MediationError: no autoencoder, a feature that it does not have.

    Example:
        >>> study.intervene({sae.at(14): mw.features.steer(sae, 12, 5.0)})
    """
    part = Features(sae, unit)
    require(
        len(part.units) == 1,
        "A single feature is steered.",
        value=unit,
        expected="its number",
        fix="mw.features.steer(sae, 12, 5.0)",
    )
    (one,) = part.units
    return Steer(sae.w_dec[one], scale=amount)


def _units(given: object, sae: SAE) -> tuple[int, ...]:
    several = isinstance(given, Iterable) and getattr(given, "ndim", 1) > 0
    chosen: tuple[Any, ...] = tuple(given) if several else (given,)  # type: ignore[arg-type]
    whole = all(
        isinstance(unit, int | np.integer) and not isinstance(unit, bool) for unit in chosen
    )
    if not whole or not all(0 <= unit < sae.n_features for unit in chosen):
        raise MediationError(
            "There is no such feature.",
            value=repr(given)[:200],
            expected=f"whole numbers from 0 to {sae.n_features - 1}",
            fix="Features(sae, [3, 12])",
        )
    require(
        len(set(chosen)) == len(chosen),
        "Each feature is named once.",
        value=given,
        expected="different numbers",
        fix="Features(sae, sorted(set(units)))",
    )
    return tuple(int(unit) for unit in chosen)


def _spread(rest: Any, width: int) -> Any:
    """One number as that many; several as they are."""
    listed = rest.tolist() if hasattr(rest, "tolist") else rest
    alone = listed[0] if isinstance(listed, list | tuple) and len(listed) == 1 else listed
    return listed if isinstance(alone, list | tuple) else [alone] * width


def _fixed(given: Any, n: int, what: str) -> tuple[float, ...] | None:
    if given is None:
        return None
    try:
        numbers = tuple(as_number(number) for number in given)
    except TypeError:
        numbers = (float("nan"),)
    require(
        len(numbers) == n and bool(np.isfinite(numbers).all()),
        "A part is set to as many numbers as it has.",
        value=given,
        expected=f"{n} finite {what}",
        fix="mw.features.clamp(sae, {12: 0.0})",
    )
    return numbers
