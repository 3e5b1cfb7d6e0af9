"""The kinds of component that can be intervened on. One kind a file."""

from ..errors import MediationError
from .attn_out import ATTN_OUT
from .base import POINTS, Layout, Mediator, Place, Point, Shape
from .cross import CROSS_HEAD, CROSS_OUT
from .embedding import EMBEDDING, EMBEDDING_UNIT
from .head import HEAD
from .mixer import MIXER_CHANNEL, MIXER_OUT
from .mlp_out import MLP_OUT, MLP_UNIT
from .neuron import NEURON, NEURONS
from .of_networks import OF_NETWORKS, PointMediator, PointShape, PointSize
from .pattern import EDGE, PATTERN
from .query_key_value import KEY, QUERY, VALUE
from .residual import RESIDUAL, RESIDUAL_MID, RESIDUAL_POST

_ALL = (
    *(RESIDUAL, RESIDUAL_MID, RESIDUAL_POST, EMBEDDING, EMBEDDING_UNIT),
    *(ATTN_OUT, HEAD, QUERY, KEY, VALUE, PATTERN, EDGE),
    *(CROSS_OUT, CROSS_HEAD, MIXER_OUT, MIXER_CHANNEL),
    *(MLP_OUT, MLP_UNIT, NEURON, NEURONS),
)
MEDIATORS: dict[str, Mediator] = {mediator.name: mediator for mediator in _ALL}


def mediator_named(name: str) -> Mediator:
    """The mediator of that name.

    Raises:
        MediationError: no mediator has it.
    """
    known: object = name
    if isinstance(known, str) and known in OF_NETWORKS:
        return OF_NETWORKS[known]
    if not isinstance(known, str) or known not in MEDIATORS:
        raise MediationError(
            "Unknown mediator.",
            value=repr(name),
            expected="one of " + ", ".join(MEDIATORS),
            fix="'head' sweeps attention heads, 'residual' the residual stream",
        )
    return MEDIATORS[name]


__all__ = [
    "MEDIATORS",
    "OF_NETWORKS",
    "POINTS",
    "Layout",
    "Mediator",
    "Place",
    "Point",
    "PointMediator",
    "PointShape",
    "PointSize",
    "Shape",
    "mediator_named",
]
