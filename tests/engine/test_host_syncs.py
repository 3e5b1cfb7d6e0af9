"""Inside a chunk nothing waits for the device: no value of a tensor is looked at before the end."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import mediawidget as mw
from tests.engine.cases import lm_of, random_pair

WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "_unique2")
"""What a GPU would have to answer before Python can go on."""


class Waiting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes each of them, and whose line it was."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0]
        picks = args[1] if name == "index" else ()
        by_mask = any(isinstance(one, torch.Tensor) and one.dtype == torch.bool for one in picks)
        if name in WAITS or by_mask:
            frames = [f for f in traceback.extract_stack() if "site-packages" not in f.filename]
            self.seen.append(f"{name}: {frames[-2].filename}:{frames[-2].lineno}")
        return func(*args, **(kwargs or {}))


def runs_of(lm: mw.LM) -> list[mw.Run]:
    edits = (mw.Patch(), mw.Mean(), mw.Noise(1.0), mw.Patch(alpha=0.5), mw.Resample())
    sites = [mw.Site("head", layer, head=0) for layer in range(lm.n_layers)]
    return [
        *(mw.Run(base, {s: e}) for base in ("clean", "corrupt") for s in sites for e in edits),
        mw.Run("clean", {mw.Site("edge", 1, head=0, position=5, key=2): mw.Knockout()}),
        mw.Run("corrupt", {mw.Site("mlp_out", 0): mw.Zero()}, freeze=("head",)),
    ]


@pytest.mark.parametrize("kind", ["gpt2", "gpt_neox", "llama", "gemma2", "falcon", "bloom", "opt"])
def test_no_value_is_waited_for(kind: str) -> None:
    lm = lm_of(kind)
    pairs = [random_pair(kind, seed, length=8, first=3) for seed in range(3)]
    engine = mw.Study(lm, pairs, metric=mw.KL()).engine
    engine.evaluate(runs_of(lm))
    with Waiting() as waiting:
        engine.evaluate(runs_of(lm))
    assert waiting.seen == []


def test_a_wait_is_seen() -> None:
    with Waiting() as waiting:
        assert torch.arange(3)[torch.tensor([True, False, True])].sum().item() == 2
    assert len(waiting.seen) == 2
