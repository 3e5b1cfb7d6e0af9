"""Whether names inside a module's forward lead to what they are said to be, at their first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnsight.intervention.interleaver import OutOfOrderError
from nnsight.intervention.source import SourceNotAvailable
from torch import Tensor

from .errors import MediationError
from .path_checks import refuse_no_keyword
from .two_texts import n_positions

if TYPE_CHECKING:
    from .lm import LM
    from .taps import Tap

_OF_NAMES = (
    *(AttributeError, LookupError, TypeError, ValueError),
    *(OutOfOrderError, SourceNotAvailable),
)
"""What nnsight raises of a name that leads nowhere. What a model itself raises is its own."""
_SUM = 1e-2
"""How far from 1 a row of attention may be in half precision."""


def refuse_other_place(lm: LM, place: Tap, point: str) -> None:
    """Raise unless a tap's keyword or names are there. A pattern costs a short pass, once a model.

    Raises:
        MediationError: names the field of ``ModulePaths``.
    """
    module = place.envoy._module  # noqa: SLF001 - nnsight has no public name for it
    if point == "mask" and place.side == "arguments":
        refuse_no_keyword(module, "mask", lm.paths.mask)
    if not place.source:
        return
    field = "mid" if place.side == "assigned" else "pattern"
    known = (field, type(module), place.source)
    if known in lm.known_places:
        return
    _refuse_no_name(place, field, (), _names(place, field))
    if field == "pattern" and lm.backend is None:
        _refuse_other_pattern(lm, place)
    lm.known_places.add(known)


def _names(place: Tap, field: str) -> tuple[str, ...]:
    """What the forward of a module has names for."""
    try:
        names: tuple[str, ...] = place.envoy.source.names
    except SourceNotAvailable as error:
        raise _wrong(place, field, f"{error}"[:200]) from error
    return names


def _refuse_no_name(
    place: Tap, field: str, passed: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """Raise unless the next name is among those that are there."""
    name = place.source[len(passed)]
    if name not in names:
        inside = " in ".join(reversed((type(place.envoy._module).__name__, *passed)))  # noqa: SLF001
        raise _wrong(place, field, f"no {name!r} in the forward of {inside}", names)


def _refuse_other_pattern(lm: LM, place: Tap) -> None:
    """Go through the names in a pass over one token, and look at what is there."""
    from .trace import inside  # which needs to know what a model is

    try:
        levels, found = inside(lm, place.envoy, place.source)
    except _OF_NAMES as error:
        said = (str(error).strip().splitlines() or [""])[-1]
        raise _wrong(place, "pattern", said[:200]) from error
    if not found:
        passed = place.source[: len(levels) - 1]
        _refuse_no_name(place, "pattern", passed, levels[-1])
    _refuse_no_pattern(lm, place, found[0])


def _refuse_no_pattern(lm: LM, place: Tap, found: Any) -> None:
    n = n_positions(lm, lm.blank)
    if not isinstance(found, Tensor):
        raise _wrong(place, "pattern", f"what is there is a {type(found).__name__}")
    if tuple(found.shape) != (1, lm.n_heads, n, n):
        raise _wrong(place, "pattern", f"what is there has shape {tuple(found.shape)}")
    if float((found.double().sum(-1) - 1).abs().max()) > _SUM:
        raise _wrong(place, "pattern", "what is there does not sum to 1 over the keys")


def _wrong(place: Tap, field: str, why: str, names: tuple[str, ...] = ()) -> MediationError:
    value = place.source if field == "pattern" else place.source[0]
    what = {
        "pattern": "names that lead to the softmax's output (row, head, query, key)",
        "mid": "the name of the sum of residual and attention in the block's forward",
    }[field]
    known = f": one of {', '.join(names)}" if names else ""
    module = "its attention" if field == "pattern" else "a block"
    return MediationError(
        f"ModulePaths.{field} leads nowhere.",
        value=f"{field}={value!r}: {why}",
        expected=f"{what}{known}",
        fix=f"ModulePaths({field}=...): print(nnsight.NNsight(model)....source) of {module} shows "
        f"its names; {field}=None gives up what needs it",
    )
