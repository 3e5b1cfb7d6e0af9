"""nnsight's own client of a loopback server, with no part of this package in it."""

from __future__ import annotations

import time
from typing import Any

import torch
from nnsight import save
from nnsight.intervention.backends.remote import RemoteBackend
from nnsight.modeling import huggingface
from nnsight.modeling.transformers import TransformersModel
from torch import Tensor

import mediawidget as mw
from mediawidget.remote.loopback import Loopback
from tests.small_models import random_model, tokenizer_of

IDS = torch.tensor([[2, 3, 4, 5, 6], [2, 7, 4, 5, 6]])
TOLERANCE = 1e-9
PAIR = mw.PromptPair("ant bee cat dog", "ant owl cat dog", "fox", "gnu")


class Client:
    """The same random model at the client's end, named as the server names it."""

    def __init__(self, server: Loopback, kind: str = "gpt2") -> None:
        self.hf: Any = random_model(kind)
        self.model = TransformersModel(
            self.hf, tokenizer=tokenizer_of(kind), task="text-generation"
        )
        self.model.repo_id = server.model
        huggingface._ID_CACHE[server.model] = server.model
        self.server = server

    def backend(self, kind: type[RemoteBackend] = RemoteBackend, **options: Any) -> Any:
        env = self.model._remoteable_get_env()
        given = {"host": self.server.host, "api_key": self.server.key, **options}
        backend = kind(self.model.to_model_key(), env=env, **given)
        backend.display.enabled = False
        return backend

    def patched(self, backend: Any = None) -> Tensor:
        """Logits where each prompt has the other's output of the second block's MLP."""
        model, mlp = self.model, self.model.transformer.h[1].mlp
        with torch.no_grad(), model.trace(IDS, backend=backend):
            mlp.output = mlp.output.flip(0)
            logits: Any = save(model.output.logits)
        return logits  # type: ignore[no-any-return]

    def submitted(self) -> Any:
        """The backend of the same trace, posted and not waited for."""
        backend = self.backend(blocking=False)
        model, mlp = self.model, self.model.transformer.h[1].mlp
        with model.trace(IDS, backend=backend):
            mlp.output = mlp.output.flip(0)
            logits = save(model.output.logits)  # noqa: F841 - comes back by its name
        return backend


def polled(backend: Any) -> Tensor:
    """What a posted trace gave."""
    end = time.monotonic() + 60
    while (saved := backend()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    logits: Tensor = saved["logits"]
    return logits


def assert_same(one: Tensor, other: Tensor) -> None:
    assert not one.requires_grad
    torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE)
