"""What the tests of kept answers share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from nnsight import save
from torch import Tensor

import mediawidget as mw
from mediawidget.remote import Cache
from tests.remoting.faults import Faulty

IDS = torch.tensor([[2, 3, 4, 5, 6], [2, 7, 4, 5, 6]])


def there(server: Faulty, cache: Path | Cache | None) -> mw.LM:
    return mw.load(server.model, remote=server.server, cache=cache)


def asked(lm: mw.LM) -> Tensor:
    root: Any = lm.traced
    backend = lm.backend() if lm.backend else None
    with torch.no_grad(), root.trace(IDS, backend=backend):
        logits: Tensor = save(root.output.logits * 1.0)
    return logits


def kept(lm: mw.LM) -> Cache:
    assert lm.remote is not None
    assert lm.remote.cache is not None
    return lm.remote.cache


def posted(server: Faulty) -> int:
    return sum(exchange.method == "POST" for exchange in server.requests)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "answers").iterdir())


def same_bits(one: Tensor, other: Tensor) -> None:
    assert (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
    assert one.numpy().tobytes() == other.numpy().tobytes()
