"""What is shown can be trusted: other precisions, broken numbers, changed weights, cancelling."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.chunks import cut
from mediawidget.commands.study import strongest_heads
from mediawidget.effects import Status
from mediawidget.jobs import Job
from mediawidget.mediators import Shape
from mediawidget.plain import plain_run
from mediawidget.plan import Frame, make_template
from mediawidget.runs import both_directions

HEAD = mw.Site("head", layer=3, head=1)


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load()


@pytest.fixture
def own() -> mw.LM:
    """A model that a test may change."""
    return mw.load()


def study_of(lm: mw.LM, n: int = 1) -> mw.Study:
    return mw.Study(lm, mw.tasks.ioi(lm, n=n, seed=0))


def module(lm: mw.LM, path: str) -> Any:
    return lm.hf.get_submodule(path)


# --- precision -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_clicks_in_half_precision_leave_the_grid_alone(dtype: torch.dtype) -> None:
    study = study_of(mw.load(dtype=dtype), n=8)
    study.sweep("head", progress=False)
    revision = study.revision
    for layer in range(3):
        study.intervene(mw.Site("head", layer, head=0))
    assert study.revision == revision
    assert (study.grids["head"].status == Status.EXACT).all()


def test_the_mean_of_large_half_precision_values_is_finite() -> None:
    lm = mw.load(dtype=torch.float16)
    bias = module(lm, "transformer.h.5.mlp.c_proj").bias
    bias.data[0] = 3000.0
    study = mw.Study(lm, mw.tasks.ioi(lm, n=32, seed=0), edit=mw.Mean())
    assert np.isfinite(study.sweep("mlp_out", progress=False)["clean"]).all()


# --- numbers that are none -----------------------------------------------------------------


def test_nan_is_a_failure_and_not_something_that_was_not_run(own: mw.LM) -> None:
    def spoil(_module: object, _args: object, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[6:] = torch.nan
        return output

    module(own, "transformer.h.2.mlp").register_forward_hook(spoil)
    effect = study_of(own).sweep("head", progress=False)
    assert (effect.status == Status.FAILED).any()
    assert not (effect.status == Status.NOT_RUN).any()
    assert any(check.ok is False for check in effect.checks)


def test_a_failed_check_says_what_went_wrong_and_is_not_remembered(own: mw.LM) -> None:
    study = study_of(own)

    def feels_its_row(_module: object, _args: object, output: torch.Tensor) -> torch.Tensor:
        return output * (1 + torch.arange(len(output))[:, None, None])

    hook = module(own, "transformer.h.3.mlp").register_forward_hook(feels_its_row)
    broken = study.intervene(HEAD)
    hook.remove()
    assert broken.status == Status.FAILED
    failed = [check for check in broken.checks if check.ok is False]
    assert failed
    assert all("should give" in check.words for check in failed if check.name != "clean answer")
    assert study.intervene(HEAD).status == Status.EXACT


def test_a_cell_that_ran_nothing_proves_nothing_for_the_next(lm: mw.LM) -> None:
    study = study_of(lm)
    assert study.intervene(mw.Site("residual", 1, position=1)).status == Status.IMPLIED_ZERO
    effect = study.intervene(mw.Site("residual", 1, position=10))
    (plain,) = [check for check in effect.checks if check.name == "plain forward"]
    assert plain.ok is True


def test_the_first_study_prints_a_failed_grid(lm: mw.LM) -> None:
    effect = study_of(lm).sweep("head", progress=False)
    failed = replace(
        effect,
        edited=np.full_like(effect.edited, np.nan),
        status=np.full_like(effect.status, Status.FAILED),
    )
    assert len(list(strongest_heads(failed))) > 3


# --- weights that change --------------------------------------------------------------------


def test_undo_never_goes_back_to_other_weights(own: mw.LM) -> None:
    study = study_of(own)
    study.intervene(HEAD)
    own.hf.get_parameter("transformer.h.1.mlp.c_fc.weight").data.mul_(2)
    study.intervene(HEAD)
    assert study.undo()
    assert study.last is None
    assert not study.undo()


def test_weights_written_between_chunks_are_refused(own: mw.LM) -> None:
    study = study_of(own)
    study.engine.budget = 1
    job = study.job("head")
    job.step()
    own.hf.get_parameter("transformer.h.1.mlp.c_fc.weight").data.mul_(2)
    with pytest.raises(mw.MediationError, match="weights changed"):
        job.result()
    assert "head" not in study.grids


def test_a_module_put_in_after_loading_is_traced(own: mw.LM) -> None:
    study = study_of(own)
    study.sweep("head", progress=False)
    block = module(own, "transformer.h.1")
    block.mlp = copy.deepcopy(block.mlp)
    block.mlp.c_fc.weight.data.mul_(1.5)
    effect = study.sweep("mlp_out", progress=False)
    run = mw.Run("corrupt", {mw.Site("mlp_out", 1): mw.Patch()})
    plain = plain_run(study.engine, run)
    np.testing.assert_allclose(effect.edited[0, 1, 1], plain, atol=1e-3)


# --- chunks and cancelling -------------------------------------------------------------------


@pytest.mark.parametrize("room", [5, 9, 14, 40, 400])
def test_chunks_hold_every_run_once_and_no_more_rows_than_fit(
    lm: mw.LM, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr("mediawidget.chunks.max_rows", lambda *_: room)
    shape = Shape(lm.n_layers, lm.n_heads)
    sites = mw.Sweep("residual", by="position").sites(shape, 15)
    runs = both_directions([{site: mw.Patch()} for site in sites])
    template = make_template(runs, Frame(shape, n_positions=15, first_difference=10))
    seen = np.zeros((len(runs), 3), dtype=int)
    for chunk in cut(lm, template, 3):
        seen[np.ix_(np.concatenate([chunk.runs, chunk.idle]), chunk.pairs)] += 1
        assert len(chunk.pairs) * (len(chunk.runs) + 2) <= max(room, 3)
    assert (seen == 1).all()


def test_cancelling_a_second_sweep_keeps_the_first(lm: mw.LM) -> None:
    study = study_of(lm)
    whole = study.sweep("residual", by="position", progress=False)
    study.engine.budget = 1
    job = study.job("residual", by="position")
    for _ in range(5):
        job.step()
    job.cancel()
    grid = study.grids["residual@position"]
    np.testing.assert_array_equal(grid.status, whole.status)
    np.testing.assert_allclose(grid["PIE"], whole["PIE"], atol=1e-3)


def test_a_sweep_cancelled_at_once_claims_nothing(lm: mw.LM) -> None:
    job = study_of(lm).job("head")
    job.cancel()
    checks = job.result().checks
    assert [check.ok for check in checks] == [None] * len(checks)
    assert all("Nothing was run" in check.words for check in checks)


def test_a_result_that_cannot_be_made_fails_the_job() -> None:
    def broken() -> None:
        raise ZeroDivisionError("no result")

    def work() -> Iterator[int]:
        yield 1

    states: list[str] = []
    job: Job[None] = Job(work(), 1, broken)
    job.watch(lambda j: states.append(j.state))
    with pytest.raises(ZeroDivisionError):
        job.result()
    assert states[-1] == "failed"
    with pytest.raises(ZeroDivisionError):
        job.result()


# --- words and arguments ----------------------------------------------------------------------


def test_another_metric_brings_its_own_premises(lm: mw.LM) -> None:
    study = study_of(lm)
    study.sweep("head", progress=False)
    study.metric = mw.Prob()
    for effect in (study.known_total, study.grids["head"]):
        (words,) = [check.words for check in effect.checks if check.name == "total effect"]
        assert "probability" in words


def test_arguments_that_are_none_of_ours(lm: mw.LM) -> None:
    study = study_of(lm)
    effect = study.sweep("head", progress=False)
    with pytest.raises(mw.MediationError, match="no edit"):
        study.edit = "zero"  # type: ignore[assignment]
    with pytest.raises(mw.MediationError, match="no edit"):
        mw.Study(lm, study.contrast, edit=mw.Zero)  # type: ignore[arg-type]
    with pytest.raises(mw.MediationError, match="no such cell"):
        effect.cell(9, 9)
    with pytest.raises(mw.MediationError, match="on sites"):
        study.intervene(3)  # type: ignore[arg-type]
    with pytest.raises(mw.MediationError, match="made of prompt pairs"):
        mw.Contrast(study.contrast[0])  # type: ignore[arg-type]
    assert effect.top(3, by="Y01")["Y01"].abs().is_monotonic_decreasing
    again = mw.Contrast.from_json(study.contrast.to_json())
    assert again == study.contrast
