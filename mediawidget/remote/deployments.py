"""Whether a server has a model ready, before anything is asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MediationError
from .wire import Wire

if TYPE_CHECKING:
    from ..lm import LM
    from .connection import Remote

_WORDS = {
    ("HOT", "RUNNING"): "running",
    ("HOT", "DEPLOYING"): "being loaded",
    ("WARM", "RUNNING"): "asleep: the first request wakes it",
}
_ABSENT = "not there: the first request asks for it, which takes minutes, or is refused"


def status(lm: LM) -> str:
    """What a server says of a model that it may have, in words; nothing is run.

    Raises:
        MediationError: a model that is here, or a server that does not answer.

    Example:
        >>> mw.remote.status(lm)
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
    said = set(_states(found, remote))
    return next((words for state, words in _WORDS.items() if state in said), _ABSENT)


def _states(found: Any, remote: Remote) -> Iterator[tuple[str, str]]:
    """Level and state of every copy of the model."""
    listed = found.get("deployments") if isinstance(found, Mapping) else None
    for one in listed.values() if isinstance(listed, Mapping) else ():
        if isinstance(one, Mapping) and one.get("model_key") == remote.model_key:
            yield str(one.get("deployment_level")), str(one.get("application_state"))
