"""A model of this process whose weights the client does not have: for tests of what is asked of it.

A request goes as it would go to a server: the body and all that it names as bytes, read again where
nothing of this project can be imported, and run on a copy of the model that only the server has.
"""

from __future__ import annotations

import copy
import linecache
from collections.abc import Callable
from typing import Any

import torch
from nnsight.intervention.backends.local import LocalSimulationBackend
from nnsight.modeling.transformers import TransformersModel
from nnsight.ndif import pull_env
from nnsight.schema.request import RequestModel
from nnsight.tracing.backend import Backend
from nnsight.tracing.tracer import _saves, dec, inc, save
from nnsight.tracing.util import push

import mediawidget as mw
from tests.small_models import random_model, tokenizer_of

Change = Callable[[dict[str, Any]], dict[str, Any]]


class Elsewhere:
    """A server with the random model of a kind.

    Attributes:
        hf: its weights, which the client's model has not.
        requests: how many it was asked.
        change: what it does to what a body saved: a server that lies.
    """

    def __init__(self, kind: str, dtype: torch.dtype = torch.float64) -> None:
        self.hf: Any = random_model(kind, dtype)
        self.tokenizer: Any = tokenizer_of(kind)
        self.model = self._traced(self.hf)
        self.requests = 0
        self.change: Change = lambda saved: saved

    def here(self) -> mw.LM:
        """The same model with its weights here."""
        return mw.load(self.hf, tokenizer=self.tokenizer)

    def there(self, dtype: torch.dtype | None = None) -> mw.LM:
        """The model without weights, in whatever precision, whose traces run on the server."""
        empty: Any = copy.deepcopy(self.hf).to(dtype or self.hf.dtype)
        traced = self._traced(empty)
        lm = mw.load(empty.to("meta"), tokenizer=self.tokenizer)
        assert all(parameter.is_meta for parameter in lm.hf.parameters())
        lm.traced, lm.backend = traced, lambda: _Asking(self, traced)
        return lm

    def _traced(self, module: Any) -> Any:
        return TransformersModel(module, tokenizer=self.tokenizer, task="text-generation")

    def answer(self, blob: bytes, env: dict[str, Any]) -> dict[str, Any]:
        """Run a request; return what its body saved."""
        self.requests += 1
        self.model._remoteable_set_env(env)
        simulated = LocalSimulationBackend(self.model)
        objects = self.model._remoteable_persistent_objects()
        lines = dict(linecache.cache)
        hidden = simulated._hide_local_modules()
        try:
            tracer = RequestModel.deserialize(blob, objects)
        finally:
            simulated._restore(hidden)
            linecache.cache.clear()
            linecache.cache.update(lines)
        inc()
        try:
            tracer.execute(tracer.info.code)
            saved = {
                name: value
                for name, value in tracer.info.frame.f_locals.items()
                if id(value) in _saves()
            }
        finally:
            dec()
        return self.change(saved)


class _Asking(Backend):  # type: ignore[misc]
    def __init__(self, server: Elsewhere, model: Any) -> None:
        self.server, self.model = server, model

    def __call__(self, tracer: Any) -> None:
        pull_env()
        blob = RequestModel.serialize(tracer)
        saved = self.server.answer(blob, self.model._remoteable_get_env())
        for value in saved.values():
            save(value)
        push(tracer.info.frame, saved)
