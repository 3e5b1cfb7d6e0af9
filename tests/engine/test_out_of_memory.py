"""A device that runs out of memory: less at once, the same numbers, and a study that goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mediawidget as mw
from mediawidget.edits.base import BASES
from mediawidget.effects import Status
from mediawidget.memory import out_of_memory
from tests.asking import raised
from tests.engine.cases import random_pair
from tests.small_models import random_model, tokenizer_of

N_PAIRS = 4
HEAD = mw.Site("head", 1, head=1)

#: How devices say it: a GPU, torch's allocator on a CPU, Apple's devices, Python itself.
DEVICES: tuple[BaseException, ...] = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ..."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
)
GPU = DEVICES[0]


class Small(nn.Module):
    """A module with room for some rows of a batch, which keeps count of what it was given.

    No hook, for a model with hooks keeps nothing between clicks.
    """

    def __init__(self, inside: nn.Module, rows: int, error: BaseException) -> None:
        super().__init__()
        self.inside = inside
        self.room, self.error = rows, error
        self.refused: list[int] = []
        self.done: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.room:
            self.refused.append(len(x))
            raise self.error
        self.done.append(len(x))
        output: Tensor = self.inside(x)
        return output


def new_study(kind: str = "gpt2", n: int = N_PAIRS, **more: Any) -> mw.Study:
    """Of a model that no other test has."""
    pairs = [random_pair(kind, 170 + i, length=6 + i % 2, first=2) for i in range(n)]
    return mw.Study(mw.load(random_model(kind), tokenizer=tokenizer_of(kind)), pairs, **more)


@contextmanager
def room_for(study: mw.Study, rows: int, error: BaseException = GPU) -> Iterator[Small]:
    """Inside, a pass with more rows than that at the fourth block's MLP has no memory."""
    hf: Any = study.lm.hf
    gpt2 = hasattr(hf, "transformer")
    mlp = hf.transformer.h[3].mlp if gpt2 else hf.model.layers[3].mlp
    name = "dropout" if gpt2 else "act_fn"
    inside = getattr(mlp, name)
    small = Small(inside, rows, error)
    setattr(mlp, name, small)
    try:
        yield small
    finally:
        setattr(mlp, name, inside)


def same(one: mw.Effect, two: mw.Effect) -> None:
    np.testing.assert_allclose(one.edited, two.edited, atol=1e-11, rtol=0)
    np.testing.assert_allclose(one.bases, two.bases, atol=1e-11, rtol=0)
    np.testing.assert_array_equal(one.status, two.status)


@pytest.mark.parametrize("error", DEVICES, ids=lambda error: str(error)[:12] or "MemoryError")
def test_every_device_says_it_in_its_own_words(error: BaseException) -> None:
    study = new_study()
    whole = study.sweep("head", progress=False)
    with room_for(study, 9, error) as small:
        cut = study.sweep("head", progress=False)
    assert small.refused
    assert max(small.done) <= 9
    same(cut, whole)


@pytest.mark.parametrize(
    ("mediator", "options"),
    [
        ("head", {}),
        ("residual", {"by": "position"}),
        ("pattern", {}),
        ("mlp_out", {"edit": mw.Mean()}),
        ("mlp_out", {"edit": mw.Noise(1.0)}),
        ("attn_out", {"edit": mw.Resample(seed=1)}),
        ("head", {"freeze": ("mlp_out",)}),
    ],
    ids=str,
)
def test_halves_give_the_same_grid(mediator: str, options: dict[str, Any]) -> None:
    study = new_study("llama" if mediator == "head" else "gpt2")
    if options.get("by"):
        study = mw.Study(study.lm, study.contrast[::2])
    whole = study.sweep(mediator, progress=False, **options)
    with room_for(study, 5) as small:
        cut = study.sweep(mediator, progress=False, **options)
    assert small.refused
    # Eager attention takes its softmax in single precision, which rounds by the batch's size.
    atol = 2e-5 if mediator == "pattern" else 1e-11
    np.testing.assert_allclose(cut.edited, whole.edited, atol=atol, rtol=0)
    np.testing.assert_array_equal(cut.status, whole.status)
    assert cut.facts["passes"] >= whole.facts["passes"]


def test_the_progress_of_halves_is_that_of_the_whole() -> None:
    study = new_study(n=2)
    with room_for(study, 4):
        job = study.job("attn_out")
        while job.step():
            assert job.done <= job.total
    assert job.done == job.total


@pytest.mark.parametrize("rows", [3, 4])
def test_a_click_that_does_not_fit_at_once_is_done_in_parts(rows: int) -> None:
    """What is kept of four prompts does not fit, or it does and the runs' own rows do not."""
    study = new_study()
    sites = [mw.Site("mlp_out", layer) for layer in (1, 2)]
    runs = [mw.Run(base, {site: mw.Patch()}) for base in BASES for site in sites]
    first, second = (study.intervene(site) for site in sites)
    whole = study.engine.evaluate(runs, top=3)
    study.engine._kept.clear()
    with room_for(study, rows) as small:
        parts = study.engine.recall(runs, top=3)
        same(study.intervene(sites[1]), second)
        same(study.intervene(sites[0]), first)
    assert small.refused
    assert not study.engine._kept or rows > 3
    np.testing.assert_allclose(parts.kept, whole.kept, atol=1e-11, rtol=0)
    assert parts.top.keys() == whole.top.keys()


@pytest.mark.parametrize("site", [HEAD, mw.Site("residual", 3), mw.Site("neuron", 1, unit=2)])
def test_activations_in_parts(site: mw.Site) -> None:
    study = new_study()
    study = mw.Study(study.lm, study.contrast[::2])
    whole = study.activations(site).array
    with room_for(study, 3) as small:
        np.testing.assert_allclose(study.activations(site).array, whole, atol=1e-12, rtol=0)
    assert small.refused


ASKED: dict[str, Callable[[mw.Study], object]] = {
    "sweep": lambda study: study.sweep("head", progress=False),
    "mean": lambda study: study.sweep("head", edit=mw.Mean(), progress=False),
    "click": lambda study: study.intervene(HEAD),
    "total": lambda study: study.total,
    "evaluate": lambda study: study.engine.evaluate([mw.Run("corrupt", {HEAD: mw.Patch()})]),
    "recall": lambda study: study.engine.recall([mw.Run("corrupt", {HEAD: mw.Patch()})]),
    "activations": lambda study: mw.Study(study.lm, study.contrast[:1]).activations(HEAD),
}


@pytest.mark.parametrize("asked", ASKED)
def test_one_run_that_does_not_fit_is_told_and_nothing_is_lost(asked: str) -> None:
    study = new_study()
    grid = study.sweep("head", progress=False)
    click = study.intervene(HEAD)
    with room_for(study, 0):
        error = raised(lambda: ASKED[asked](study))
    assert "does not fit" in error.message
    assert "tokens: CUDA out of memory" in str(error.value)
    assert study.history.current is not None
    assert study.history.current.effect is click
    same(study.grids["head"], grid)
    same(study.sweep("head", progress=False), grid)
    same(study.intervene(HEAD), click)
    assert (study.grids["head"].status == Status.EXACT).all()


def test_memory_that_runs_out_midway_loses_only_the_sweep_that_runs() -> None:
    study = new_study()
    grid = study.sweep("head", progress=False)
    study.engine.budget = 1
    job = study.job("mlp_out")
    assert job.step()
    assert job.step()
    with room_for(study, 0):
        raised(job.result)
    assert job.state == "failed"
    raised(job.result)
    assert set(study.grids) == {"head"}
    study.engine.budget = None
    same(study.sweep("head", progress=False), grid)


def test_other_errors_of_a_model_are_its_own() -> None:
    study = new_study()
    mine = RuntimeError("expected scalar type Half but found Float")
    assert not out_of_memory(mine)
    for name in ("sweep", "click", "recall", "activations"):
        with room_for(study, 0, mine), pytest.raises(RuntimeError, match="scalar type"):
            ASKED[name](study)
