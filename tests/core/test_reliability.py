"""Whatever happens around a sweep, its numbers are those of a quiet one; nothing stays behind."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from nnsight import NNsight, save

import mediawidget as mw
from mediawidget.jobs import Job
from tests.asking import raised
from tests.engine.cases import random_pair
from tests.small_models import KINDS, random_model, tokenizer_of

HEAD = mw.Site("head", 1, head=1)
SWEPT = ("head", "mlp_out")


SEVERAL_RUNS = 300_000
"""Bytes: a budget that some runs fit, and a whole grid does not."""


def quiet(kind: str = "gpt2", n: int = 2, budget: int | None = SEVERAL_RUNS) -> mw.Study:
    """Of a model of its own, which sweeps in many chunks."""
    pairs = [random_pair(kind, 470 + i, length=6, first=2) for i in range(n)]
    study = mw.Study(mw.load(random_model(kind), tokenizer=tokenizer_of(kind)), pairs)
    study.engine.budget = budget
    return study


@lru_cache
def answers_of(kind: str = "gpt2") -> dict[str, np.ndarray]:
    """What a quiet study answers, whole."""
    return numbers(quiet(kind, budget=None))


def numbers(study: mw.Study) -> dict[str, np.ndarray]:
    """What a study answers."""
    found = {kind: study.sweep(kind, progress=False).edited for kind in SWEPT}
    click = study.intervene(HEAD)
    return found | {"click": click.edited, "bases": click.bases}


def equal(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-11, rtol=0)


class Watch:
    """What a model has on it: it must be the same after as it was before."""

    def __init__(self, lm: mw.LM) -> None:
        self.lm, self.before = lm, self.seen(lm)

    @staticmethod
    def seen(lm: mw.LM) -> dict[str, Any]:
        hf: Any = lm.hf
        hooked = {
            name: [
                len(hooks)
                for hooks in (
                    *(module._forward_hooks, module._forward_pre_hooks),
                    *(module._backward_hooks, module._backward_pre_hooks),
                )
            ]
            for name, module in hf.named_modules()
        }
        weights = {name: (id(p), p._version) for name, p in hf.named_parameters()}
        flags = (hf.config._attn_implementation, hf.config.use_cache, hf.training)
        return {"hooks": hooked, "weights": weights, "flags": flags}

    def nothing_stayed(self) -> None:
        assert self.seen(self.lm) == self.before
        assert self.lm.lock.acquire(blocking=False), "the lock was left behind"
        self.lm.lock.release()


@pytest.mark.parametrize("kind", KINDS)
def test_sweeps_and_clicks_within_a_sweep(kind: str) -> None:
    """A watcher asks the study, which is in the middle of a job, for more."""
    expected = answers_of(kind)
    study = quiet(kind)
    watch, job = Watch(study.lm), study.job("head")
    inner: list[mw.Effect] = []
    clicks: list[mw.Effect] = []

    def ask(running: Job[mw.Effect]) -> None:
        if running.state == "running" and len(inner) < 3:
            inner.append(study.sweep("mlp_out", progress=False))
            clicks.append(study.intervene(HEAD))

    job.watch(ask)
    effect = job.result()
    assert effect.facts["passes"] > 3
    equal(effect.edited, expected["head"])
    assert len(inner) == 3
    for found in inner:
        equal(found.edited, expected["mlp_out"])
    for found in clicks:
        equal(found.edited, expected["click"])
    assert set(study.grids) == set(SWEPT)
    watch.nothing_stayed()


def test_a_job_finished_by_its_own_watcher() -> None:
    expected = answers_of()
    study = quiet()
    job = study.job("head")
    seen: list[mw.Effect] = []
    job.watch(lambda running: seen.append(running.result()) if not seen else None)
    equal(job.result().edited, expected["head"])
    equal(seen[0].edited, expected["head"])
    assert job.progress == (job.total, job.total)


@pytest.mark.parametrize("kind", KINDS)
def test_two_studies_of_one_model_take_turns(kind: str) -> None:
    one = quiet(kind)
    other = [random_pair(kind, 480 + i, length=7, first=3) for i in range(2)]
    two = mw.Study(one.lm, other, edit=mw.Zero())
    two.engine.budget = SEVERAL_RUNS
    expected = answers_of(kind), numbers(two)
    jobs = [study.job(mediator) for mediator in SWEPT for study in (one, two)]
    watch = Watch(one.lm)
    while not all(job.finished for job in jobs):
        for job in jobs:
            job.step()
        for study, answers in zip((one, two), expected, strict=True):
            equal(study.intervene(HEAD).edited, answers["click"])
    for job, mediator, answers in zip(jobs, np.repeat(SWEPT, 2), expected * 2, strict=True):
        equal(job.result().edited, answers[mediator])
    watch.nothing_stayed()


class Nth:
    """Raises at the n-th call."""

    def __init__(self, n: int, error: BaseException) -> None:
        self.left, self.error = n, error

    def __call__(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error


ASKED: dict[str, Callable[[mw.Study], object]] = {
    "sweep": lambda study: study.sweep("head", progress=False),
    "pattern": lambda study: study.sweep("pattern", progress=False),
    "mean": lambda study: study.sweep("head", edit=mw.Mean(), progress=False),
    "click": lambda study: study.intervene(mw.Site("head", 2, head=0)),
    "pattern click": lambda study: study.intervene(mw.Site("pattern", 2, head=0)),
    "activations": lambda study: study.activations(HEAD),
    "total": lambda study: study.total,
}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("mine")], ids=repr)
@pytest.mark.parametrize("asked", ASKED)
def test_an_interrupt_in_the_middle_of_a_pass(asked: str, error: BaseException) -> None:
    """Wherever it strikes: in the traced pass, in a plain one, under another attention."""
    expected = answers_of()
    for n in (1, 3):
        study = quiet()
        first = study.sweep("mlp_out", progress=False)
        hf: Any = study.lm.hf
        watch = Watch(study.lm)
        handle = hf.transformer.h[2].mlp.register_forward_hook(Nth(n, error))
        struck = False
        try:
            ASKED[asked](study)
        except type(error):
            struck = True
        finally:
            handle.remove()
        assert struck or n > 1
        watch.nothing_stayed()
        assert study.grids["mlp_out"] is first
        study.engine.budget = None
        for name, values in numbers(study).items():
            equal(values, expected[name])


def test_an_interrupted_job_says_so_and_another_one_runs() -> None:
    study = quiet()
    expected = answers_of()
    hf: Any = study.lm.hf
    handle = hf.transformer.h[2].mlp.register_forward_hook(Nth(3, KeyboardInterrupt()))
    job = study.job("head")
    with pytest.raises(KeyboardInterrupt):
        job.result()
    handle.remove()
    assert job.state == "failed"
    with pytest.raises(KeyboardInterrupt):
        job.result()
    equal(study.sweep("head", progress=False).edited, expected["head"])


def test_the_users_own_traces_between_chunks() -> None:
    """Of the same module: with an edit, with one that fails, and without any."""
    expected = answers_of()
    study = quiet()
    ids = study.engine.groups[0].ids[0, :1]
    own: Any = NNsight(study.lm.hf)
    with torch.no_grad(), own.trace(input_ids=ids):
        plain = save(own.output.logits)
    job = study.job("head")
    seen: list[float] = []
    while job.step():
        with torch.no_grad(), own.trace(input_ids=ids):
            own.transformer.h[1].mlp.output[:] = 0
            changed = save(own.output.logits)
        with torch.no_grad(), own.trace(input_ids=ids):
            again = save(own.output.logits)
        with pytest.raises(IndexError), torch.no_grad(), own.trace(input_ids=ids):
            own.transformer.h[1].mlp.output[9, 9, 9] = 0
        seen.append(float((changed - plain).abs().max()))
        np.testing.assert_array_equal(again, plain)
        equal(study.intervene(HEAD).edited, expected["click"])
    assert min(seen) > 1e-3
    equal(job.result().edited, expected["head"])


# --- code of the user's ------------------------------------------------------------------------


def failing(_: object) -> Any:
    raise ZeroDivisionError("in my metric")


@pytest.mark.parametrize("swept", [True, False])
def test_a_metric_that_fails_changes_nothing(swept: bool) -> None:
    study = quiet()
    if swept:
        numbers(study)
    before = study.metric, dict(study.grids), study.revision, len(study.history)
    for metric in (
        mw.Function(failing),
        mw.Function(lambda kept: kept["answer"].sum()),
        mw.Function(lambda kept: kept["answer"], tokens=["zeppelin"]),
        mw.Function(lambda kept: kept["no such column"]),
        "prob",
    ):
        raised(partial(setattr, study, "metric", metric))
        raised(partial(mw.Study, study.lm, study.contrast, metric=metric))  # type: ignore[arg-type]
        assert (study.metric, dict(study.grids), study.revision, len(study.history)) == before
    study.metric = mw.Prob()
    equal(study.sweep("head", progress=False).edited, answers_of()["head"])
    assert study.total.metric == mw.Prob()


def test_a_metric_that_begins_to_fail_loses_no_run() -> None:
    """It worked when it was set, and fails on what comes out."""
    answers: list[Exception] = []

    def moody(kept: Any) -> Any:
        if answers:
            raise answers[0]
        return kept["answer"]

    study = quiet()
    study.metric = mw.Function(moody)
    grid = study.sweep("head", progress=False)
    answers.append(ZeroDivisionError("now"))
    raised(lambda: study.sweep("mlp_out", progress=False))
    raised(lambda: study.intervene(HEAD))
    raised(lambda: grid["PIE"])
    study.metric = mw.LogitDiff()
    expected = answers_of()
    equal(study.grids["head"].edited, expected["head"])
    for name, values in numbers(study).items():
        equal(values, expected[name])


def test_subscribers_and_watchers_that_fail(caplog: pytest.LogCaptureFixture) -> None:
    """They are told on, and everybody else goes on."""
    expected = answers_of()
    study = quiet()
    told: list[str] = []

    def fail(what: object) -> None:
        raise ZeroDivisionError(f"told {what}")

    study.subscribe(fail)
    study.subscribe(told.append)
    with caplog.at_level(logging.WARNING):
        for name, values in numbers(study).items():
            equal(values, expected[name])
        job = study.job("attn_out")
        job.watch(fail)
        assert job.result().shape == (5,)
        study.metric = mw.Prob()
        study.edit = mw.Zero()
        study.swap()
    assert told == ["grid:head", "grid:mlp_out", "result", "grid:attn_out", *["prompts"] * 3]
    assert job.state == "done"
    assert "told grid:head" in caplog.text
    assert "a watcher of a job failed" in caplog.text


def test_a_subscriber_that_asks_for_more() -> None:
    """Once: else the two would go on for ever."""
    expected = answers_of()
    study = quiet()
    found: list[mw.Effect] = []

    def ask(event: str) -> None:
        if event == "grid:head" and not found:
            found.append(study.sweep("mlp_out", progress=False))
            found.append(study.intervene(HEAD))

    study.subscribe(ask)
    equal(study.sweep("head", progress=False).edited, expected["head"])
    equal(found[0].edited, expected["mlp_out"])
    equal(found[1].edited, expected["click"])


# --- memory ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_does_not_grow() -> None:
    """500 sweeps with clicks between them, old grids and jobs let go."""
    study = quiet(n=1, budget=None)
    process = psutil.Process()
    resident: dict[int, int] = {}
    for i in range(1, 501):
        study.sweep("mlp_out", progress=False)
        if i % 5 == 0:
            study.clear()
            study.intervene(mw.Site("head", i % 4, head=1))
            study.edit = (mw.Zero(), mw.Patch())[i % 2]
        if i in (100, 500):
            resident[i] = process.memory_info().rss
    assert resident[500] - resident[100] < 8 * 2**20, resident


#: Runs by itself: one core, and no more memory of its own than the first argument says.
CHILD = """
import json, os, resource, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
import mediawidget as mw
lm = mw.load()
study = mw.Study(lm, mw.tasks.ioi(lm, n=100, seed=0))
effect = study.sweep("head", progress=False)
strongest = [int(i) for i in abs(effect["PIE"]).argmax(keepdims=True).ravel()]
# Not ru_maxrss, which begins with what the process that started this one held.
held = dict(line.split(":") for line in open("/proc/self/status"))
peak = 1024 * int(held["VmHWM"].split()[0])
print(json.dumps({"peak": peak, "pairs": effect.n_pairs, "passes": effect.facts["passes"],
                  "seconds": effect.facts["seconds"], "strongest": strongest,
                  "exact": bool((effect.status == 1).all())}))
"""


def in_a_child(limit: int) -> dict[str, Any]:
    """The hundred pairs of the teaching model in a process of one core and so many bytes."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(limit)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_a_hundred_pairs_on_one_core_in_a_gigabyte(record_property: Callable[..., None]) -> None:
    """RLIMIT_DATA bounds what a process maps for itself; files it maps are not counted."""
    found = in_a_child(2**30)
    for name, value in found.items():
        record_property(name, value)
    assert found["exact"]
    assert found["pairs"] == 100
    assert found["peak"] < 2**30, f"{found['peak'] / 2**20:.0f} MiB"
