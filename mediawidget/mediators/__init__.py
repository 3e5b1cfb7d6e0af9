"""The kinds of component that can be intervened on. One kind a file."""

from ..errors import MediationError
from .attn_out import ATTN_OUT
from .base import POINTS, Mediator, Point, Shape
from .head import HEAD
from .mlp_out import MLP_OUT
from .residual import RESIDUAL

MEDIATORS: dict[str, Mediator] = {m.name: m for m in (RESIDUAL, ATTN_OUT, MLP_OUT, HEAD)}


def mediator_named(name: str) -> Mediator:
    """The mediator of that name.

    Raises:
        MediationError: no mediator has it.
    """
    if name not in MEDIATORS:
        raise MediationError(
            "Unknown mediator.",
            value=repr(name),
            expected="one of " + ", ".join(MEDIATORS),
            fix="'head' sweeps attention heads, 'residual' the residual stream",
        )
    return MEDIATORS[name]


__all__ = ["MEDIATORS", "POINTS", "Mediator", "Point", "Shape", "mediator_named"]
