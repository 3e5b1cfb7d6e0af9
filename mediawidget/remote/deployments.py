"""Whether a server has a model ready, before anything is asked of it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch

from ..errors import MediationError
from .server import Patience
from .trouble import ServerError
from .wire import Wire

if TYPE_CHECKING:
    from ..lm import LM
    from .connection import Remote

_WORDS = {
    ("HOT", "RUNNING"): "running",
    ("HOT", "DEPLOYING"): "being loaded",
    ("WARM", "RUNNING"): "asleep: the first request wakes it",
}
_BRIEF = Patience(connect=3.0, answer=5.0, away=0.0)
"""For what is good to know, and is done without where nobody answers."""
_ABSENT = "not there: the first request asks for it, which takes minutes, or is refused"


def status(lm: LM) -> str:
    """What a server says of a model that it may have, in words; nothing is run.

    Raises:
        MediationError: a model that is here, or a server that does not answer.

    Example:
        >>> mw.remote.status(far)
        'running'
    """
    remote: Remote | None = getattr(lm, "remote", None)
    if remote is None:
        raise MediationError(
            "A server is asked for its own models.",
            value=repr(lm)[:200],
            expected="a model on a server",
            fix="mw.load(name, remote=True)",
        )
    with (
        remote.waiting() as stop,
        Wire(remote.server, remote.statuses.tell, stop, remote.counter) as wire,
    ):
        found = wire.ask("/status")
    said = {
        (str(one.get("deployment_level")), str(one.get("application_state")))
        for one in _copies(found, remote)
    }
    return next((words for state, words in _WORDS.items() if state in said), _ABSENT)


def other_precision(remote: Remote, asked: torch.dtype | None) -> torch.dtype | None:
    """The precision that the server has a model in, where that is another than it has here.

    None also where the server does not say it: one that is being loaded or asleep, a quantised
    one, or nobody answers. Then first contact finds it.

    Args:
        remote: the model as it was loaded.
        asked: what the user asked for; None, what its config says.

    Raises:
        MediationError: the user asked for another.
    """
    there = _precision(remote)
    weights = (weight for weight in remote.model._module.parameters())  # noqa: SLF001 - as its backends do
    here = next(weight.dtype for weight in weights if weight.is_floating_point())
    if there in (None, here):
        return None
    if asked is not None:
        raise MediationError(
            "The server has this model in another precision.",
            value=f"dtype={asked}; {remote.server.host} has {remote.name} in {there}",
            expected=f"{there}, or nothing",
            fix=f"mw.load({remote.name!r}, remote=..., dtype={there})",
        )
    warnings.warn(
        f"{remote.server.host} has {remote.name} in {there}, its config says {here}: it is taken "
        f"in {there}. mw.load(..., dtype={there}) says the same, without this warning.",
        stacklevel=4,
    )
    return there


def _precision(remote: Remote) -> torch.dtype | None:
    """What every copy of the model computes in; None where that is not known."""
    try:
        stop, counter = threading.Event(), remote.counter
        with Wire(remote.server, _nobody, stop, counter, patience=_BRIEF) as wire:
            found = wire.ask("/status")
    except ServerError:
        # Whoever asks for something is told.
        return None
    names = {str(one.get("dtype")).removeprefix("torch.") for one in _copies(found, remote)}
    told = getattr(torch, names.pop(), None) if len(names) == 1 else None
    return told if isinstance(told, torch.dtype) and told.is_floating_point else None


def _copies(found: Any, remote: Remote) -> Iterator[Mapping[str, Any]]:
    """What a server says of every copy of the model."""
    listed = found.get("deployments") if isinstance(found, Mapping) else None
    for one in listed.values() if isinstance(listed, Mapping) else ():
        if isinstance(one, Mapping) and one.get("model_key") == remote.model_key:
            yield one


def _nobody(words: str) -> None:
    """Nobody waits for this."""
