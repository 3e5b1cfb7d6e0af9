"""The kinds of component that can be intervened on. One kind a file."""

from ..errors import MediationError, require
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
"""Every kind by its name, those that ``register`` added too."""


def register(mediator: Mediator) -> Mediator:
    """Make a kind of your own known: from then on ``Site``, sweeps and files take its name.

    It may be registered again, as when a cell is run twice. Files that name it are read where it
    was registered before.

    Raises:
        MediationError: no mediator, or one with a name or a point that it cannot have.

    Example:
        >>> from mediawidget.mediators import Mediator, register
        >>> half = Mediator("head_half", "Half a head", "attn_z", "unit", lambda s: s.n_heads * 2)
        >>> register(half).name
        'head_half'
        >>> mw.Site("head_half", 3, unit=2).label()
    """
    given: object = mediator
    require(
        isinstance(given, Mediator) and given.point in POINTS,
        "A kind of mediator has a point in the network.",
        value=given,
        expected="Mediator(name, title, point), its point one of " + ", ".join(POINTS),
        fix="register(Mediator('head_pair', 'Two heads', 'attn_z', 'unit', units))",
    )
    taken = {one.name for one in _ALL} | set(OF_NETWORKS)
    require(
        mediator.name.isidentifier() and mediator.name not in taken,
        "This name cannot be given to a mediator.",
        value=repr(mediator.name),
        expected="a name like 'head_pair', and none of " + ", ".join(sorted(taken)),
        fix="Mediator('head_pair', ...)",
    )
    MEDIATORS[mediator.name] = mediator
    return mediator


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
    "register",
]
