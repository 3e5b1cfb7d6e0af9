"""The study's state: what a click fills, what undo goes back to, what is forgotten when."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.checks import check_runs
from mediawidget.effects import Status
from mediawidget.plain import plain_run

HEAD = mw.Site("head", layer=3, head=1)


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load()


@pytest.fixture
def study(lm: mw.LM) -> mw.Study:
    return mw.Study(lm, mw.tasks.ioi(lm, n=2, seed=0)[0])


def test_a_click_fills_its_cell_and_only_it(study: mw.Study) -> None:
    effect = study.intervene(HEAD)
    grid = study.grids["head"]
    assert grid["PIE"][3, 1] == effect["PIE"]
    assert np.isnan(np.delete(grid["PIE"].reshape(-1), 13)).all()
    assert (grid.status == Status.EXACT).sum() == 1
    assert study.selection == (HEAD,)
    assert study.last is effect


def test_a_click_equals_the_sweeps_cell(study: mw.Study) -> None:
    clicked = study.intervene(HEAD)
    swept = study.sweep("head", progress=False)
    for key in ("Y10", "Y01", "INT"):
        assert swept[key][3, 1] == pytest.approx(clicked[key], abs=1e-4)


def test_undo_and_redo_walk_and_a_new_click_forgets_what_was_undone(study: mw.Study) -> None:
    first = study.intervene(HEAD)
    second = study.intervene([HEAD, mw.Site("mlp_out", 2)])
    assert study.undo()
    assert study.last is first
    assert study.undo()
    assert study.selection == ()
    assert study.history.current is None
    assert not study.undo()
    assert study.redo()
    assert study.redo()
    assert study.last is second
    assert not study.redo()
    study.undo()
    study.clear()
    assert not study.redo()
    assert study.undo()
    assert study.last is first


def test_an_error_changes_nothing(study: mw.Study) -> None:
    before = study.intervene(HEAD)
    bads: list[tuple[str, mw.Site | list[mw.Site]]] = [
        ("layer is out of range", mw.Site("head", 99, head=0)),
        ("comes per head", mw.Site("head", 0)),
        ("has no head", mw.Site("mlp_out", 0, head=1)),
        ("Unknown mediator", mw.Site("nonsense", 0)),
        ("position is out of range", mw.Site("residual", 0, position=400)),
        ("needs a site", []),
    ]
    for words, bad in bads:
        with pytest.raises(mw.MediationError, match=words):
            study.intervene(bad)
    assert study.last is before
    assert len(study.history) == 2


def test_results_under_another_edit_are_kept(study: mw.Study) -> None:
    patched = study.sweep("head", progress=False)
    study.edit = mw.Zero()
    assert study.grids == {}
    study.edit = mw.Patch()
    assert study.grids["head"] is patched


def test_an_edit_that_the_contrast_cannot_answer_is_refused_and_not_set(study: mw.Study) -> None:
    with pytest.raises(mw.MediationError, match="several prompts"):
        study.edit = mw.Mean()
    assert study.edit == mw.Patch()


def test_a_change_of_metric_runs_nothing(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    study.sweep("head", progress=False)
    study.intervene(HEAD)
    kept = study.grids["head"].edited
    monkeypatch.setattr(study.engine, "job", None)
    study.metric = mw.Prob()
    np.testing.assert_array_equal(study.grids["head"].edited, kept)
    assert study.grids["head"].metric == mw.Prob()
    assert study.last is not None
    assert study.last["Y01"] == pytest.approx(study.grids["head"]["Y01"][3, 1], abs=1e-5)


def test_swap_asks_from_the_other_side(study: mw.Study) -> None:
    before = study.sweep("head", progress=False)
    study.swap()
    assert study.grids == {}
    after = study.sweep("head", progress=False)
    assert after["TE"][0, 0] == pytest.approx(before["TE"][0, 0], abs=1e-4)
    np.testing.assert_allclose(after["PIE"], before["TIE"], atol=2e-4)
    np.testing.assert_allclose(after["INT"], -before["INT"], atol=4e-4)


def test_a_cancelled_sweep_shows_no_number_it_did_not_compute(lm: mw.LM) -> None:
    study = mw.Study(lm, mw.tasks.ioi(lm, n=64, seed=0))
    study.engine.budget = 20_000_000
    job = study.job("residual", by="position")
    job.step()
    job.cancel()
    partial = job.result()
    assert job.state == "cancelled"
    assert (partial.status == Status.NOT_RUN).any()
    assert np.isnan(partial["PIE"][partial.status == Status.NOT_RUN]).all()
    assert "residual@position" not in study.grids, "half a grid is not offered as one"


def test_subscribers_hear_of_what_changed(study: mw.Study) -> None:
    heard: list[str] = []
    stop = study.subscribe(heard.append)
    study.sweep("mlp_out", progress=False)
    study.intervene(HEAD)
    study.undo()
    stop()
    study.clear()
    assert heard == ["grid:mlp_out", "result", "result"]


def test_mixed_edits_have_no_corners(study: mw.Study) -> None:
    effect = study.intervene({HEAD: mw.Patch(), mw.Site("mlp_out", 4): mw.Zero()})
    assert np.isfinite(effect["clean"])
    with pytest.raises(mw.MediationError, match="PIE does not exist under a mixed edit"):
        effect["PIE"]


NAMES = [
    "clean answer",
    "total effect",
    "edit fired",
    "self-patch",
    "full cut",
    "plain forward",
]


def test_every_result_says_what_was_checked(study: mw.Study) -> None:
    pair = [HEAD, mw.Site("mlp_out", 2)]
    for effect in (study.sweep("head", progress=False), study.intervene(pair)):
        assert [check.name for check in effect.checks] == NAMES
        assert all(check.ok for check in effect.checks), effect.checks
        assert effect.facts["passes"] == 1


def test_a_mean_is_compared_with_a_plain_forward_too(lm: mw.LM) -> None:
    study = mw.Study(lm, mw.tasks.ioi(lm, n=3, seed=0), edit=mw.Mean())
    for effect in (study.sweep("mlp_out", progress=False), study.intervene(HEAD)):
        assert effect.checks[-1].name == "plain forward"
        assert effect.checks[-1].ok is True


def test_the_engine_is_proven_once_per_kind_and_anew_for_other_weights(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven: list[mw.Run] = []

    def spy(lm: mw.LM, cells: list[dict[mw.Site, mw.Edit]], equal: bool) -> list[mw.Run]:
        runs = check_runs(lm, cells, equal)
        proven.extend(runs)
        return runs

    monkeypatch.setattr("mediawidget.asking.check_runs", spy)
    study.intervene(HEAD)
    study.intervene(mw.Site("head", 0, head=0))
    assert len(proven) == 4
    study.intervene(mw.Site("mlp_out", 0))
    assert len(proven) == 8
    weight = study.lm.hf.get_parameter("transformer.h.1.mlp.c_fc.weight")
    before = weight.data.clone()
    weight.data.mul_(1.5)  # behind the back of torch's version counter
    try:
        effect = study.intervene(HEAD)
    finally:
        weight.data.copy_(before)
    assert len(proven) == 12
    assert [check.name for check in effect.checks] == NAMES


def test_a_failed_check_shows_no_number(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediawidget.checks.plain_run", lambda *_: np.array([1e3, 0.0, 0.0]))
    for effect in (study.sweep("head", progress=False), study.intervene(HEAD)):
        assert [check.name for check in effect.checks if check.ok is False] == ["plain forward"]
        assert (effect.status == Status.FAILED).all()
        assert np.isnan(effect["PIE"]).all()


def test_the_next_tokens_of_an_intervention(study: mw.Study) -> None:
    study.intervene(mw.Site("residual", 5))
    current = study.history.current
    assert current is not None
    tokens = current.next_tokens[0]
    pair = study.contrast[0]
    assert tokens["clean"][0][0].strip() == pair.answer
    assert tokens["corrupt"][0][0].strip() == pair.wrong
    assert tokens["restored"][0][0] == tokens["clean"][0][0], "a full cut restores the answer"
    assert sum(p for _, p in tokens["clean"]) <= 1.0 + 1e-6


def test_a_bare_study_draws_what_was_run(study: mw.Study) -> None:
    study.intervene(HEAD)
    html = study._repr_html_()
    assert "total effect" in html
    assert html.count('title="not run"') == 23


def test_the_bare_total_names_what_it_has(study: mw.Study) -> None:
    html = study.total._repr_html_()
    assert "Y11" in html
    assert "PIE" not in html


def test_different_edits_in_one_run_are_a_mixed_edit(study: mw.Study, tmp_path: Path) -> None:
    """What exists under all of them exists for the run: here no corners, and no CDE."""
    other = mw.Site("head", 0, head=0)
    effect = study.intervene({HEAD: mw.Zero(), other: mw.Patch()})
    assert effect.edit.kind == "mixed"
    assert not effect.edit.corners
    for key in ("PIE", "CDE"):
        with pytest.raises(mw.MediationError, match=f"{key} does not exist under a mixed edit"):
            effect[key]
    back = mw.Effect.load(effect.save(tmp_path / "mixed.json"))
    assert back.edit == effect.edit
    assert back["clean"] == effect["clean"]
    constants = study.intervene({HEAD: mw.Zero(), other: mw.Steer([0.5] * study.lm.d_head)})
    assert "CDE" not in constants.quantities()
    assert "CDE" in study.intervene({HEAD: mw.Zero(), other: mw.Patch("clean")}).quantities()
    with pytest.raises(mw.MediationError, match="its parts do"):
        study.intervene({HEAD: effect.edit})
    with pytest.raises(mw.MediationError, match="no edit of a site"):
        study.sweep("head", edit=effect.edit, progress=False)
    with pytest.raises(mw.MediationError, match="no edit of a site"):
        study.edit = effect.edit


def test_a_metric_that_comes_while_a_sweep_runs_loses_nothing(lm: mw.LM) -> None:
    """What was kept is read by the new one where it can be, else by the one that was asked for."""
    contrast = mw.tasks.ioi(lm, n=2)
    for metric, read_by in ((mw.Prob(), "prob"), (mw.KL(), "logit_diff")):
        study = mw.Study(lm, contrast)
        expected = study.sweep("head", layers=[1], progress=False)
        job = study.job("head", layers=[1])
        job.step()
        study.metric = metric
        found = job.result()
        assert found.metric.name == read_by
        np.testing.assert_allclose(found.edited, expected.edited, atol=1e-4)


def test_a_sweep_of_nothing_possible_says_so() -> None:
    """The only position that is asked for has no partner in the other prompt."""
    lm = mw.load()
    pair = mw.PromptPair(
        clean="When Mary and John went to the store, John gave a book to",
        corrupt="Mary and John went to the store, Mary gave a book to",
        answer="Mary",
        wrong="John",
    )
    effect = mw.Study(lm, pair).sweep("residual", by={"first": (1,)}, progress=False)
    assert (effect.status == Status.IMPOSSIBLE).all()
    assert np.isnan(effect["PIE"]).all()
    plain = next(check for check in effect.checks if check.name == "plain forward")
    assert plain.ok is None
    assert "nothing to run" in plain.words


def test_runs_that_hold_something_are_compared_with_a_plain_pass(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[mw.Run] = []

    def spy(engine: mw.Engine, run: mw.Run) -> np.ndarray:
        compared.append(run)
        return plain_run(engine, run)

    monkeypatch.setattr("mediawidget.checks.plain_run", spy)
    found = mw.routes(study, mw.Site("head", 2, head=1), progress=False)
    assert [bool(run.freeze) for run in compared] == [False, True]
    assert [check.ok for check in found.effect.checks if check.name == "plain forward"] == [True]


def test_every_result_knows_its_templates_and_groups(lm: mw.LM) -> None:
    """Without them an interval would take pairs of one template for independent ones."""
    pairs = [
        replace(pair, template=f"frame {i // 2}", group="odd" if i % 2 else "even")
        for i, pair in enumerate(mw.tasks.ioi(lm, n=6))
    ]
    study = mw.Study(lm, pairs)
    swept = study.sweep("head", layers=[3], progress=False)
    for effect in (study.total, swept, study.intervene(HEAD)):
        assert effect.clusters == tuple(pair.template for pair in pairs)
        assert effect.groups == ("even", "odd") * 3
        assert effect.n_clusters == 3


def test_another_edit_keeps_the_history_to_be_walked_back_to(study: mw.Study) -> None:
    patched = study.intervene(mw.Site("head", 1, head=1))
    study.edit = mw.Zero()
    assert (study.selection, study.last) == ((), None)
    zeroed = study.intervene(mw.Site("head", 1, head=2))
    study.walk(1)
    assert study.last is patched
    assert study.edit == mw.Zero()
    study.walk(3)
    assert study.last is zeroed


def test_the_same_again_is_one_entry(study: mw.Study) -> None:
    site = mw.Site("head", 1, head=1)
    for _ in range(3):
        study.intervene(site)
    assert len(study.history) == 2
    study.intervene(site, freeze=("mlp_out",))
    study.intervene({site: mw.Zero()})
    assert len(study.history) == 4
