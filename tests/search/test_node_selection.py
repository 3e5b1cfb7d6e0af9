"""Greedy and top-k: joint numbers are those of interventions, on gates, redundancy and backups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.errors import MediationError
from tests.engine.cases import lm_of, random_pair

HEADS = [mw.Site("head", 0, head=h) for h in range(3)]


@pytest.fixture
def study() -> mw.Study:
    return mw.Study(lm_of("gpt2"), [random_pair("gpt2", seed, 6, first=2) for seed in range(4)])


@pytest.fixture
def redundant() -> mw.Study:
    """Y = M0 OR M1, and half of M2."""
    lm = mw.models.equations([(0, 1)] * 3, [1, 1, 0.5], interactions={(0, 1): -1})
    return mw.Study(lm, mw.models.equation_pairs())


@pytest.mark.parametrize("method", ["greedy", "top_k"])
@pytest.mark.parametrize("direction", ["restore", "break"])
def test_joint_numbers_are_those_of_interventions(
    study: mw.Study, method: str, direction: Any
) -> None:
    found = getattr(mw.search, method)(study, 4, direction=direction, progress=False)
    key = "PIE" if direction == "restore" else "TIE"
    grid = study.sweep("head", progress=False)
    np.testing.assert_allclose(found.total, study.total.pairs("TE"), atol=1e-9)
    for n in range(1, 5):
        together = study.intervene(found.sites[:n]).pairs(key)
        np.testing.assert_allclose(found.joint[n - 1], together, rtol=0, atol=1e-9)
        alone = grid.cell(found.labels[n - 1]).pairs(key)
        np.testing.assert_allclose(found.single[n - 1], alone, rtol=0, atol=1e-9)
    singles = np.reshape(list(found.singles.values()), grid.shape)
    np.testing.assert_allclose(singles, grid[key], rtol=0, atol=1e-9)
    # Of two pairs TE has no interval that could hold 0; that of all four does.
    shares = found.joint[:, :2].mean(1) / found.total[:2].mean()
    np.testing.assert_allclose(replace(found, report_on=(0, 1)).shares, shares, rtol=1e-9)


def test_every_step_adds_the_best_of_all_that_are_left(study: mw.Study) -> None:
    found = mw.search.greedy(study, 3, ["head", "mlp_out"], direction="break", progress=False)
    heads = [mw.Site("head", layer, head=h) for layer in range(5) for h in range(3)]
    toward = np.sign(study.total["TE"])
    everyone = heads + [mw.Site("mlp_out", layer) for layer in range(5)]
    assert set(found.singles) == set(everyone)
    for n in range(3):
        before = list(found.sites[:n])
        gains = {
            site: study.intervene([*before, site])["TIE"] for site in everyone if site not in before
        }
        assert found.sites[n] == max(gains, key=lambda site: toward * gains[site])


def test_of_two_that_do_the_same_greedy_takes_one_and_top_k_both(redundant: mw.Study) -> None:
    best = mw.search.greedy(redundant, 2, progress=False)
    single = mw.search.top_k(redundant, 2, progress=False)
    assert set(single.sites) == set(HEADS[:2])
    assert best.sites[1] == HEADS[2]
    assert best.joint_mean == pytest.approx([1, 1.5])
    assert single.joint_mean == pytest.approx([1, 1])
    assert (best.joint_mean >= single.joint_mean - 1e-9).all()
    assert mw.search.greedy(redundant, 3, progress=False).shares[-1] == pytest.approx(1)


def test_broken_an_or_shows_nothing_until_both_are(redundant: mw.Study) -> None:
    found = mw.search.top_k(redundant, 3, direction="break", progress=False)
    assert found.sites[0] == HEADS[2]
    assert found.single[:, 0] == pytest.approx([0.5, 0, 0])
    assert found.joint_mean == pytest.approx([0.5, 0.5, 1.5])


def test_figures_are_of_pairs_that_did_not_choose(study: mw.Study) -> None:
    found = mw.search.greedy(study, 2, select_on=[0, 2], progress=False)
    assert (found.select_on, found.report_on, found.held_out) == ((0, 2), (1, 3), True)
    grid = study.sweep("head", progress=False).pairs("PIE")
    toward = np.sign(found.total[[0, 2]].mean())
    best = np.unravel_index((toward * grid[[0, 2]].mean(0)).argmax(), grid.shape[1:])
    assert found.sites[0] == mw.Site("head", int(best[0]), head=int(best[1]))
    assert found.picked[0] == pytest.approx(grid[[0, 2]].mean(0)[best])
    assert found.joint_mean[0] == pytest.approx(grid[[1, 3]].mean(0)[best])
    table = found.to_dataframe()
    assert table["joint"].tolist() == found.joint_mean.tolist()
    assert table["picked"].tolist() == found.picked.tolist()
    assert "held-out" in repr(found)
    half = mw.search.greedy(study, 1, select_on="half", seed=3, progress=False)
    assert sorted(half.select_on + half.report_on) == [0, 1, 2, 3]
    assert half.select_on == mw.search.top_k(study, 1, select_on="half", seed=3).select_on


def test_where_the_metric_falls_the_most_negative_effect_is_the_largest() -> None:
    pairs = [random_pair("gpt2", seed, 6, first=2) for seed in range(4)]
    study = mw.Study(lm_of("gpt2"), pairs, metric=mw.KL())
    assert study.total["TE"] < 0
    found = mw.search.greedy(study, 2, progress=False)
    assert found.joint_mean[0] == pytest.approx(study.sweep("head", progress=False)["PIE"].min())
    assert (found.shares > 0).all()


def test_a_step_is_one_question_to_the_engine(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    job = study.engine.job

    def counting(runs: Any, **options: Any) -> Any:
        asked.append(len(runs))
        return job(runs, **options)

    monkeypatch.setattr(study.engine, "job", counting)
    mw.search.greedy(study, 3, progress=False)
    assert asked == [15, 14, 13]
    asked.clear()
    mw.search.top_k(study, 3, progress=False)
    assert asked == [15, 2]


def test_cancelled_it_has_the_steps_that_were_finished(study: mw.Study) -> None:
    job = mw.search.greedy_job(study, 3)
    assert job.total == (15 + 14 + 13) * 4
    while job.done < 15 * 4:
        job.step()
    job.step()
    job.cancel()
    found = job.result()
    whole = mw.search.greedy(study, 3, progress=False)
    assert 1 <= len(found.sites) < 3
    assert found.sites == whole.sites[: len(found.sites)]
    nothing = mw.search.greedy_job(study, 3)
    nothing.cancel()
    assert nothing.result().sites == ()
    assert "nothing was chosen" in repr(nothing.result())
    assert nothing.result().to_dataframe().empty


def test_sites_at_positions_and_circuits(study: mw.Study) -> None:
    found = mw.search.top_k(study, 2, by="position", progress=False)
    assert all(isinstance(site.position, int) for site in found.sites)
    assert found.circuit(1).nodes == {found.sites[0]}
    assert found.circuit().size == 2
    among = mw.search.greedy(study, 1, HEADS[:2], progress=False)
    assert set(among.singles) == set(HEADS[:2])
    assert "joint" in found._repr_html_()
    with pytest.raises(MediationError, match="heads and MLPs"):
        mw.search.top_k(study, 1, "residual", progress=False).circuit()


def test_what_cannot_be_chosen_is_refused(study: mw.Study) -> None:
    for k in (0, 16, 1.5, True):
        with pytest.raises(MediationError, match="number of sites"):
            mw.search.greedy(study, k)  # type: ignore[arg-type]
    with pytest.raises(MediationError, match="restored or broken"):
        mw.search.top_k(study, 1, direction="both")  # type: ignore[arg-type]
    with pytest.raises(MediationError, match="one kind or of several"):
        mw.search.top_k(study, 1, ["head", "head"])
    for pairs in ([], [0, 0], [4], "first"):
        with pytest.raises(MediationError, match=r"[Pp]airs"):
            mw.search.greedy(study, 1, select_on=pairs)  # type: ignore[arg-type]
    with pytest.raises(MediationError, match="first sites"):
        mw.search.top_k(study, 1, progress=False).circuit(2)


def test_there_are_no_shares_of_a_total_effect_that_may_be_nothing() -> None:
    """As for ``effect.normalized``: of every other pair the answers are exchanged."""
    lm = mw.load()
    pairs = list(mw.tasks.ioi(lm, n=8))
    turned = [replace(one, answer=one.wrong, wrong=one.answer) for one in pairs]
    study = mw.Study(lm, [*pairs[::2], *turned[1::2]])
    found = mw.search.greedy(study, 2, progress=False)
    assert abs(found.total.mean()) > 1
    with pytest.raises(MediationError, match="too near 0"):
        study.sweep("head", progress=False).normalized("PIE")
    assert np.isnan(found.shares).all()
    assert found.to_dataframe()["share"].isna().all()
    assert "of TE" not in repr(found)
    assert f"{found.joint_mean[0]:+.3f}" in repr(found)
    # The pairs that are reported on decide, and fewer than three have no interval.
    sure = mw.search.greedy(study, 1, report_on=[0, 1, 2], progress=False)
    assert "of TE" in repr(sure)
    assert np.isfinite(mw.search.greedy(study, 1, report_on=[0, 5], progress=False).shares).all()
