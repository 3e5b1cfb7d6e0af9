"""One trace as one request: handed in, waited for by its id, its values pushed where they go."""

from __future__ import annotations

import ast
import io
import time
from typing import TYPE_CHECKING, Any

import torch
from nnsight.intervention.backends.remote import RemoteBackend
from nnsight.schema.request import RequestModel
from nnsight.schema.response import Status

from . import trouble
from .bodies import TooMuchError, decompressed, largest, lies_flat
from .digests import digest_of
from .statuses import AGAIN, FETCHING, SENDING, words_of
from .wire import Wire

if TYPE_CHECKING:
    from .connection import Remote

_PLAIN: list[Any] = [torch.return_types.topk]
"""What a result may hold beside tensors and plain values. Nothing that it brings is run."""


class Submitting(RemoteBackend):  # type: ignore[misc]
    """Runs one trace on a server. What was asked already is not asked again, but waited for."""

    def __init__(self, remote: Remote) -> None:
        env = remote.model._remoteable_get_env()  # noqa: SLF001 - as nnsight calls it
        super().__init__(remote.model_key, host=remote.server.host, env=env, blocking=False)
        # The key is looked up when something is sent, and is kept by nobody.
        self.api_key = ""
        self.display.enabled = False
        self.remote = remote

    def __call__(self, tracer: Any = None) -> Any:
        """Called by nnsight where the body of a trace ends."""
        remote = self.remote
        with remote.waiting() as stop:
            names = _saved_names(tracer.node)
            digest = digest_of(tracer, remote.whose, self.env)
            saved = remote.kept(digest, names)
            if saved is None:
                remote.refuse_unproven()
                with Wire(remote.server, remote.statuses.tell, stop, remote.counter) as wire:
                    saved = self._result(wire, tracer, digest, names)
        self._push(saved, tracer)
        return saved

    def _result(
        self, wire: Wire, tracer: Any, digest: str | None, names: frozenset[str]
    ) -> dict[str, Any]:
        ledger, gone = self.remote.ledger, set[str]()
        while True:
            with ledger.turn(digest, wire.stop):
                known = ledger.find(digest) if digest is not None else None
                if known in gone:
                    known = None  # of a folder that nobody may write to
                # Who had the turn before may have the answer by now.
                kept = self.remote.kept(digest, names, again=True) if known is None else None
                if kept is not None:
                    return kept
                wire.say(SENDING if known is None else AGAIN)
                job = known or self._handed_in(wire, tracer, digest)
            try:
                return self._values(wire, job, digest, names, old=known is not None)
            except (trouble.JobLostError, trouble.JobFailedError):
                if known is None:
                    raise
                # What became of it while nobody looked is no answer to who asks now.
                gone.add(known)

    def _handed_in(self, wire: Wire, tracer: Any, digest: str | None) -> str:
        """The id of a new job."""
        if wire.stop.is_set():
            raise trouble.gave_up(None)
        request = RequestModel(model_key=self.model_key, compress=self.compress, env=self.env)
        try:
            job = wire.submit(request, self._serialize(tracer))
        except trouble.ServerError as error:
            if error.job is not None:
                self.remote.ledger.add(_mark(digest, error.job), error.job)
            raise
        self.remote.ledger.add(_mark(digest, job), job)
        return job

    def _values(
        self, wire: Wire, job: str, digest: str | None, names: frozenset[str], *, old: bool
    ) -> dict[str, Any]:
        """Wait for a job. It is forgotten once it came to an end, good or bad."""
        mark = _mark(digest, job)
        try:
            place = _finished(wire, job, self.model_key, old=old)
            saved = wire.fetch(place, job, lambda data: _opened(data, compressed=self.compress))
            if not names <= saved.keys():
                missing = ", ".join(sorted(names - saved.keys()))
                raise trouble.unreadable(self.host, job, f"{missing} is not in it")
        except (trouble.JobLostError, trouble.JobFailedError, trouble.TooLargeError):
            self.remote.ledger.forget(mark, job)
            raise
        # Nothing else of the caller's is set, whatever the server sent.
        wanted = {name: saved[name] for name in names}
        # First, so that nobody finds neither the job nor its answer.
        self.remote.keep(digest, wanted)
        self.remote.ledger.forget(mark, job)
        return wanted


def _mark(digest: str | None, job: str) -> str:
    """What the ledger has a job under."""
    return digest or f"unnamed-{job}"


def _finished(wire: Wire, job: str, model: str, *, old: bool) -> object:
    """Look at a job until it is done; where its result lies."""
    patience, began = wire.server.patience, time.monotonic()
    pause, words = patience.least, ""
    while True:
        response = wire.look(job)
        seconds = time.monotonic() - began
        if response is None:
            if old and seconds >= patience.connect:
                raise trouble.lost(wire.server.host, job, "it does not know the id")
        else:
            words = words_of(response.status.value, response.description)
            if response.status == Status.COMPLETED:
                wire.say(FETCHING)
                return response.data
            if response.status == Status.ERROR:
                raise trouble.failed(wire.server.host, model, job, response.description)
            wire.say(words)
        if seconds >= patience.job:
            raise trouble.too_late(wire.server.host, job, seconds, words)
        if wire.stop.wait(pause):
            raise trouble.gave_up(job)
        pause = min(pause * 1.5, patience.most)


def _opened(content: bytes, *, compressed: bool) -> dict[str, Any] | None:
    """The values in a result, by name; None where it is no result, or not a whole one.

    Raises:
        TooMuchError: it would take more memory than there is room for.
    """
    try:
        file = decompressed(content, largest()) if compressed else io.BytesIO(content)
        if not lies_flat(file):
            return None
        with torch.serialization.safe_globals(_PLAIN):
            found = torch.load(file, map_location="cpu", weights_only=True)
    except TooMuchError:
        raise
    except Exception:  # noqa: BLE001 - a file that was cut or changed raises anything
        return None
    whole = isinstance(found, dict) and all(isinstance(name, str) for name in found)
    return found if whole else None


def _saved_names(node: ast.AST) -> frozenset[str]:
    """The names that a body gives to what it saves."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Assign | ast.AnnAssign) and _saves(part.value):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


def _saves(value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Call):
        return False
    name = value.func
    return (isinstance(name, ast.Name) and name.id == "save") or (
        isinstance(name, ast.Attribute) and name.attr == "save"
    )
