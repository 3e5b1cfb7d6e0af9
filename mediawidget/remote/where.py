"""What ``load(remote=...)`` may be: where a model runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from ..errors import MediationError, require
from .keeping import Cache, is_name
from .server import Server

Where = Server | Literal["local"] | None


@runtime_checkable
class Serving(Protocol):
    """Something that has a server, as a loopback does, whose module is not loaded for this."""

    @property
    def server(self) -> Server:
        """Its address and its key."""


def where(remote: object, cache: object) -> tuple[Where, Cache | None]:
    """A server; "local", here but written as for a server; or None, here. And what is kept.

    Raises:
        MediationError: nothing of the kind.
    """
    found: Where = None
    if isinstance(remote, Serving):
        remote = remote.server
    if remote == "local" or isinstance(remote, Server):
        found = remote
    elif remote is True:
        found = Server()
    elif isinstance(remote, str) and remote.strip().startswith(("http:", "https:")):
        found = Server(remote)
    elif remote is not None and remote is not False:
        raise MediationError(
            "A model runs here or on a server.",
            value=repr(remote)[:200],
            expected="True for NDIF, an address, mw.remote.Server(...), or 'local'",
            fix="mw.load('openai-community/gpt2', remote=True)",
        )
    return found, _kept(cache, found)


def refuse_of_here(source: object, device: object) -> None:
    """Raise for what a model on a server cannot have: weights that are here, and their device."""
    require(
        isinstance(source, str | Path),
        "A server knows a model by its name.",
        value=type(source).__name__ if source is not None else None,
        expected="the name of a model on the hub, or a folder that the server has",
        fix="mw.load('openai-community/gpt2', remote=True); remote='local' tries it here",
    )
    require(
        device is None,
        "The server says where the weights are.",
        value=device,
        expected="None",
        fix="leave device out",
    )


def _kept(cache: object, found: Where) -> Cache | None:
    if cache is None:
        return None
    require(
        isinstance(cache, Cache) or is_name(cache),
        "What a server answered is kept in a folder.",
        value=cache,
        expected="the path of a folder, mw.remote.Cache(...), or None",
        fix="mw.load(..., remote=True, cache='answers')",
    )
    require(
        isinstance(found, Server),
        "What a server answered can be kept; what is run here is not.",
        value=f"cache={cache!r}"[:200],
        expected="None, or remote=True beside it",
        fix="leave cache out",
    )
    kept = cache if isinstance(cache, Cache) else Cache(cache)  # type: ignore[arg-type]
    try:
        kept.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediationError(
            "The folder cannot be made.",
            value=f"{kept.folder}: {error}",
            expected="a folder that can be written to",
            fix="cache='answers'",
        ) from error
    return kept
