"""Traces of the user's own: while one of a model runs, nothing else can be run on that model.

nnsight hands what a module computes to whoever traces it. A second pass through the same modules
would serve the first one's blocks, or take them for its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from nnsight.intervention.source import STATE
from torch import nn

from .errors import MediationError


def refuser(model: Any) -> Callable[[], None]:
    """What raises while the user traces a model; it does not keep the model.

    Args:
        model: an ``LM``, or another network with its points.
    """
    here = ref(model)

    def refuse() -> None:
        known = here()
        if known is not None:
            refuse_inside_trace(known.hf, known.traced)

    return refuse


def refuse_inside_trace(module: nn.Module, root: Any) -> None:
    """Raise where a trace of the module is under way, on this thread or on another.

    Asked by whoever holds the model's lock, so that the trace is none of this package's.

    Args:
        module: of the model, which any wrapper may trace.
        root: the wrapper that this package traces.

    Raises:
        MediationError: a trace is under way.
    """
    routes = getattr(module.__dict__.get(STATE), "routes", ())
    wrappers = [route[0]() for route in routes]
    # Blocks that were handed to our wrapper and wait for their pass would run in ours.
    if root.interleaver.mediators or any(one is not None and one.interleaving for one in wrappers):
        raise MediationError(
            "This was asked inside a trace of your own, or while one runs.",
            value=f"a trace of {type(module).__name__} that is under way",
            expected="a model that nobody traces meanwhile",
            fix="ask it after the `with` of the trace",
        )
