"""A model as the server has it, and how a request is run on it."""

from __future__ import annotations

import copy
import io
import json
import linecache
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from nnsight.intervention.serialization import CustomCloudUnpickler, UnknownPersistentIdError, loads
from nnsight.intervention.source import STATE, Controller
from nnsight.modeling.transformers import TransformersModel
from nnsight.schema.request import RequestModel
from nnsight.tracing.globals import BLOCKS, SOURCES
from nnsight.tracing.tracer import _saves, dec, inc
from nnsight.tracing.util import clean_traceback, filter_traceback
from nnsight.util import to_import_path
from torch import nn

from ...calls import DoubleSoftmax
from ...lm import LM
from ..meta import quiet

_PACKAGE = __name__.partition(".")[0]

Say = Callable[[str], None]


class RefusedError(Exception):
    """A request that cannot be run, in a sentence: none of the sender's code was reached."""


class Deployed:
    """The model's modules anew, around the same weights: a trace here and one there are apart.

    Attributes:
        name, revision: what a client names the model by.
        model: as nnsight traces it.
    """

    def __init__(self, lm: LM, name: str, revision: str | None, place: str) -> None:
        self.name, self.revision = name, revision
        with lm.lock:
            module = _apart(lm.hf)
        # By its folder too, and by where it came from, though it may be saved there otherwise.
        origin = lm.origin or (place, None)
        self._known = {(name, revision or "main"), (name, "main"), (_full(place), "main")}
        self._known.add((_full(origin[0]), origin[1] or "main"))
        usual = getattr(lm.hf.config, "_attn_implementation", None)
        self._to_double = lm.dtype == torch.float64 and usual != "eager"
        # nnsight gives a tokenizer a padding token.
        tokenizer = copy.deepcopy(lm.tokenizer)
        with quiet():
            self.model = TransformersModel(module, tokenizer=tokenizer, device=lm.device)
        self._written = self._writes()

    @property
    def key(self) -> str:
        """What nnsight would call it, as ``to_model_key`` spells it."""
        named = {"repo_id": self.name, "revision": self.revision, "task": self.model.task}
        return f"{to_import_path(TransformersModel)}:{json.dumps(named)}"

    def refuse_another(self, key: str) -> None:
        """Raise unless the request is for this model.

        Raises:
            RefusedError: in the words in which a server says that it has no such model.
        """
        try:
            asked = json.loads(key.partition(":")[2])
            name, revision = str(asked["repo_id"]), asked.get("revision")
        except (KeyError, TypeError, ValueError):
            name, revision = key, None
        asked_for = revision or "main"
        if not {(name, asked_for), (_full(name), asked_for)} & self._known:
            raise RefusedError(
                f"Could not deploy this model. {name} ({revision or 'main'}) is not here: this "
                f"server has {self.name} ({self.revision or 'main'}) alone."
            )

    def refuse_changed(self) -> None:
        """Raise where a weight was written in place since: its name stands for those before.

        Raises:
            RefusedError: its answers would be kept as theirs.
        """
        if self._writes() != self._written:
            raise RefusedError(
                f"The weights of {self.name} were changed after the loopback was opened. Close it "
                "and open another: mw.remote.Loopback(lm).open()."
            )

    def _writes(self) -> list[int]:
        weights = self.model._module.parameters()  # noqa: SLF001 - nnsight has no public name for it
        return [0 if one.is_inference() else one._version for one in weights]  # noqa: SLF001

    def run(
        self, request: RequestModel, blob: bytes, label: str, log: Say, altered: Any = None
    ) -> bytes:
        """Run one request; its saved values, as the client reads them.

        Args:
            request: the envelope.
            blob: the body.
            label: what the body is called in a traceback.
            log: gets what the body prints.
            altered: what is done to the saved values before they leave.

        Raises:
            RefusedError: the request cannot be read, or not by this model.
            Exception: whatever the body raised.
        """
        self.model._remoteable_set_env(request.env)  # noqa: SLF001 - as a server calls it
        try:
            tracer = self._rebuilt(request, blob, label, log)
            with self._precision():
                saved = self._executed(tracer)
        finally:
            self.model.interleaver.cancel()
            _forget(label)
        buffer = io.BytesIO()
        torch.save(saved if altered is None else altered(saved), buffer)
        return _compressed(buffer.getvalue()) if request.compress else buffer.getvalue()

    def _rebuilt(self, request: RequestModel, blob: bytes, label: str, log: Say) -> Any:
        """What ``RequestModel.deserialize`` gives, under a file name of its own.

        The client's file may be open in this very process, where its lines are looked up too.
        """
        known = self.model._remoteable_persistent_objects()  # noqa: SLF001 - as a server calls it
        try:
            body = _plain(blob) if request.compress else blob
            tracer, (source, names, variables) = loads(body, known, _Elsewhere)
        except UnknownPersistentIdError as error:
            raise RefusedError(_MISMATCH.format(error)) from error
        except Exception as error:
            raise RefusedError(_UNREADABLE.format(type(error).__name__, error)) from error
        frame = tracer.info.frame
        frame.f_code.co_filename = label
        lines = source.splitlines(keepends=True)
        linecache.cache[label] = (len(source), None, lines, label)
        tracer.info.code = compile(source, label, "exec").replace(co_name=frame.f_code.co_name)
        names.setdefault("print", lambda *words, **_: log(" ".join(map(str, words))))
        frame.f_globals, frame.f_locals = names, variables
        return tracer

    def _precision(self) -> AbstractContextManager[object]:
        """Eager attention where the model has another is as exact as it: here as in a local run."""
        eager = self.model.attn_implementation == "eager"
        return DoubleSoftmax() if eager and self._to_double else nullcontext()

    def _executed(self, tracer: Any) -> dict[str, Any]:
        """The values that a body saved, by the names that it gave them."""
        inc()
        try:
            tracer.execute(tracer.info.code)
            marked = _saves()
            found = tracer.info.frame.f_locals.items()
            return {name: value for name, value in found if id(value) in marked}
        finally:
            dec()


def _full(place: str) -> str:
    return str(Path(place).resolve())


def in_words(error: BaseException) -> str:
    """A failure as the client is told: a sentence, or the traceback of the sender's own code."""
    if isinstance(error, RefusedError):
        return str(error)
    trace = filter_traceback(
        clean_traceback(error.__traceback__), lambda frame: frame.f_code.co_filename != __file__
    )
    return "".join(traceback.format_exception(type(error), error, trace))


class _Elsewhere(CustomCloudUnpickler):  # type: ignore[misc]
    """As in another process, where this package is not installed."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == _PACKAGE:
            raise ModuleNotFoundError(f"No module named {module!r}")
        found = super().find_class(module, name)
        place = _TRACKED.get(name) if module == "cloudpickle.cloudpickle" else None
        return found if place is None else _untracked(found, place)


_TRACKED = {"_make_skeleton_class": 4, "_make_skeleton_enum": 5}
"""What makes a class that came by value, and which argument is its name in the sender's process."""


def _untracked(make: Callable[..., Any], place: int) -> Callable[..., Any]:
    """Makes a new class: by its name it would find the sender's own here, and write over it."""

    def made(*given: Any) -> Any:
        return make(*given[:place], None, *given[place + 1 :])

    return made


def _apart(module: nn.Module) -> nn.Module:
    """The same modules, without what nnsight keeps on them, around the same numbers."""
    shared: dict[int, Any] = {}
    for part in module.modules():
        for weight in part._parameters.values():  # noqa: SLF001 - one of them may be shared
            if type(weight) is nn.Parameter:
                shared[id(weight)] = nn.Parameter(weight.detach(), requires_grad=False)
        shared.update((id(value), value) for value in part._buffers.values())  # noqa: SLF001
        for kept in (part.__dict__.get(STATE), part.__dict__.get("forward")):
            if kept is not None and (
                isinstance(kept, Controller) or kept is part.__dict__.get(STATE)
            ):
                shared[id(kept)] = None
    twin = copy.deepcopy(module, shared)
    for part in twin.modules():
        for name in (STATE, "_persistent_id"):
            part.__dict__.pop(name, None)
        if part.__dict__.get("forward", part) is None:
            del part.__dict__["forward"]
    return twin


def _forget(label: str) -> None:
    """What nnsight and Python remember of a body's lines."""
    linecache.cache.pop(label, None)
    SOURCES.pop(label, None)
    # Listed at once, for other threads trace meanwhile.
    for site in list(BLOCKS):
        if site[0] == label:
            del BLOCKS[site]


def _plain(blob: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompress(blob)


def _compressed(blob: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=3).compress(blob)


# In NDIF's words, for a client knows them by these.
_MISMATCH = (
    "The model architecture on this server doesn't match the one your code was traced against: "
    "it has no module at '{}'.\n\nThis usually means the package versions differ between your "
    "machine and the server - most often `transformers`, which determines a checkpoint's module "
    "layout."
)
_UNREADABLE = (
    "Your request payload could not be read ({}: {}). It may be truncated or corrupted in "
    "transit, or compressed differently than the request declared. Re-sending it usually resolves "
    "this; if it persists, check that the client and server nnsight versions match."
)
