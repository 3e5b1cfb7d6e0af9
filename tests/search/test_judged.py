"""How far off an estimate is: what is run, what is said of it, and that it is one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import mediawidget as mw
from mediawidget.search.judged import Judged
from tests.engine.cases import lm_of, random_pair


@pytest.fixture
def study() -> mw.Study:
    return mw.Study(lm_of("gpt2"), [random_pair("gpt2", seed, 6, first=2) for seed in range(3)])


def test_the_largest_and_a_sample_are_run(study: mw.Study) -> None:
    judged = study.check_estimate("head", k=4, sample=5, seed=1, progress=False)
    estimate = study.estimates["head"]
    exact = study.sweep("head", progress=False)
    table = judged.table
    assert list(table.columns) == ["site", "estimate", "exact", "error", "chosen"]
    assert table["chosen"].tolist() == ["top"] * 4 + ["sample"] * 5
    top = estimate.to_dataframe().sort_values("PIE", key=np.abs, ascending=False)
    assert table["site"][:4].tolist() == top["site"][:4].tolist()
    assert set(table["site"][4:]) <= set(top["site"][4:])
    assert table["site"].is_unique
    assert judged.n_rest == 11
    runs = exact.to_dataframe().set_index("site")["PIE"]
    guesses = estimate.to_dataframe().set_index("site")["PIE"]
    np.testing.assert_allclose(table["exact"], runs[table["site"]], atol=1e-9)
    np.testing.assert_allclose(table["estimate"], guesses[table["site"]])
    np.testing.assert_allclose(table["error"], table["estimate"] - table["exact"])
    assert dict(judged.exact.axes) == {"site": tuple(table["site"])}


def test_all_sites_are_one_question_to_the_engine(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    job = study.engine.job

    def counting(runs: Any, **options: Any) -> Any:
        asked.append(len(runs))
        return job(runs, **options)

    monkeypatch.setattr(study.engine, "job", counting)
    study.check_estimate("head", k=3, sample=4, progress=False)
    assert [n for n in asked if n] == [14]


def test_the_sample_is_that_of_its_seed(study: mw.Study) -> None:
    def sites(seed: int) -> list[str]:
        judged = study.check_estimate("head", k=2, sample=4, seed=seed, progress=False)
        return list(judged.table["site"])

    assert sites(0) == sites(0)
    assert any(sites(seed) != sites(0) for seed in (1, 2, 3))


def test_any_method_quantity_edit_and_place(study: mw.Study) -> None:
    judged = study.check_estimate(
        "key",
        "position",
        k=3,
        sample=3,
        quantity="TIE",
        method="atp*",
        layers=[1, 2],
        progress=False,
    )
    assert (judged.quantity, judged.unit) == ("TIE", "logits")
    assert "AtP*" in judged.method
    assert list(study.estimates) == ["key@position:1,2 [atp*]"]
    other = study.check_estimate("mlp_out", edit=mw.Zero(), k=2, sample=2, progress=False)
    assert other.quantity == "clean"
    with pytest.raises(mw.MediationError, match="names two different quantities"):
        study.check_estimate("head", quantity="NIE", progress=False)


def test_of_few_sites_all_are_run(study: mw.Study) -> None:
    judged = study.check_estimate("mlp_out", k=3, sample=10, progress=False)
    assert len(judged.table) == 5
    assert judged.n_rest == 2
    alone = study.check_estimate("mlp_out", k=9, sample=0, progress=False)
    assert set(alone.table["chosen"]) == {"top"}
    assert np.isnan(alone.rank_correlation("sample"))
    assert np.isnan(alone.same_sign("sample"))


def made(estimate: list[float], exact: list[float], n_top: int, effect: Any) -> Judged:
    table = pd.DataFrame({"estimate": estimate, "exact": exact})
    table["site"] = [f"s{i}" for i in range(len(estimate))]
    table["error"] = table["estimate"] - table["exact"]
    table["chosen"] = ["top"] * n_top + ["sample"] * (len(estimate) - n_top)
    return Judged(table, "PIE", "logits", "a guess", 40, effect)


def test_what_is_said_of_it(study: mw.Study) -> None:
    guess, ran = [4.0, -3.0, 2.0, 1.0, 0.5, 0.0], [3.0, -1.0, 0.5, -2.0, 0.25, 0.0]
    judged = made(guess, ran, 3, study.total)
    assert judged.rank_correlation() == pytest.approx(spearmanr(guess, ran)[0])
    assert judged.rank_correlation("sample") == pytest.approx(spearmanr(guess[3:], ran[3:])[0])
    assert judged.same_sign() == pytest.approx(5 / 6)
    assert judged.same_sign("top") == 1.0
    assert judged.mean_error("sample") == pytest.approx((3.0 + 0.25) / 3)
    assert judged.missed["site"].tolist() == ["s3"]
    said = repr(judged)
    for words in ("a guess, PIE in logits", "3 largest", "3 of 40 others", "same sign 67%"):
        assert words in said
    assert "larger than one of the top: s3" in said
    assert np.isnan(made([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], 3, study.total).rank_correlation())
    with pytest.raises(mw.MediationError, match="two ways"):
        judged.rank_correlation("best")


def test_a_saturated_head_shows_up_among_the_others() -> None:
    """Attribution patching leaves the previous-token head off its list, and the sample finds it."""
    study = mw.Study(mw.models.induction(beta=8, decoys=4), mw.models.induction_pairs()["key swap"])
    plain = study.check_estimate("head", k=3, sample=7, quantity="TIE", progress=False)
    assert "L0H0" in plain.missed["site"].tolist()
    along = study.check_estimate(
        "head", k=3, sample=7, quantity="TIE", method="ig", steps=100, progress=False
    )
    assert along.missed.empty
    assert set(along.table["site"][:2]) == {"L0H0", "L1H0"}
    assert along.rank_correlation() > plain.rank_correlation()
    assert along.mean_error() < 1e-4


@pytest.mark.parametrize("asked", [{"k": 0}, {"sample": -1}, {"k": 2.5}, {"seed": "a"}], ids=str)
def test_counts_that_are_none_are_refused(study: mw.Study, asked: dict[str, Any]) -> None:
    with pytest.raises(mw.MediationError, match="are counted"):
        study.check_estimate("head", **asked)
    assert not study.estimates


def test_nothing_to_check_is_said() -> None:
    pair = mw.PromptPair("ant bee cat", "ant bee dog", "hen", "ibis")
    study = mw.Study(lm_of("gpt2"), pair)
    with pytest.raises(mw.MediationError, match="no estimate to check"):
        study.check_estimate("residual", {"before": (0, 1)})
