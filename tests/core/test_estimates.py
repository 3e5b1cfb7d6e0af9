"""A study's estimates: when they hold, when they go, and what is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import attribution, checks
from mediawidget.effects import Status
from mediawidget.plain import plain_run
from tests.engine.cases import lm_of, random_pair
from tests.small_models import random_model, tokenizer_of


@pytest.fixture
def study() -> mw.Study:
    return mw.Study(lm_of("gpt2"), [random_pair("gpt2", seed) for seed in range(4)])


def test_an_estimate_is_an_effect_like_any_other(study: mw.Study, tmp_path: Path) -> None:
    effect = study.estimate("head", by="position", layers=[1, 3])
    assert dict(effect.axes) == {"layer": (1, 3), "head": (0, 1, 2), "position": tuple(range(8))}
    assert effect["INT"].shape == effect.shape
    assert effect.pairs("TIE").shape == (4, *effect.shape)
    assert effect.ci("PIE").shape == (2, *effect.shape)
    assert effect.top(1)["status"].tolist() == ["estimate"]
    np.testing.assert_allclose(effect["Y11"] - effect["Y10"], effect["TIE"])
    np.testing.assert_allclose(effect["TE"].flat[0], study.total["TE"], atol=1e-9)
    assert effect.of_pairs([2, 0]).pairs("PIE").shape[0] == 2
    read = mw.Effect.load(effect.save(tmp_path / "estimate.npz"))
    np.testing.assert_array_equal(read["PIE"], effect["PIE"])
    assert read.metric == effect.metric
    assert list(study.estimates) == ["head@position:1,3"]
    assert not study.grids


def test_another_metric_needs_another_estimate(study: mw.Study) -> None:
    effect = study.estimate("head")
    assert effect.rescore(mw.LogitDiff())["PIE"] == pytest.approx(effect["PIE"])
    with pytest.raises(mw.MediationError, match="one metric whose gradient was taken") as caught:
        effect.rescore(mw.Prob())
    assert "study.metric = mw.Prob" in str(caught.value.fix)


def test_estimates_go_with_their_question(study: mw.Study) -> None:
    told: list[str] = []
    study.subscribe(told.append)
    study.estimate("head")
    assert told == ["grid:head"]
    study.metric = mw.LogitDiff()
    assert list(study.estimates) == ["head"]
    study.edit = mw.Zero()
    assert not study.estimates
    study.edit = mw.Patch()
    assert list(study.estimates) == ["head"]
    study.metric = mw.LogProb()
    assert not study.estimates
    study.estimate("head")
    study.swap()
    assert not study.estimates


def test_other_weights_drop_them() -> None:
    model: Any = random_model("gpt2")
    study = mw.Study(mw.load(model, tokenizer=tokenizer_of("gpt2")), random_pair("gpt2", 0))
    before = study.estimate("head")["PIE"]
    model.transformer.h[1].mlp.c_proj.weight.data *= 1.5
    after = study.estimate("mlp_out")
    assert list(study.estimates) == ["mlp_out"]
    assert np.abs(study.estimate("head")["PIE"] - before).max() > 1e-3
    assert (after.status == Status.ESTIMATE).all()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "patterns": ({"mediator": "pattern"}, "pattern cannot be estimated"),
    "edges": ({"mediator": "edge"}, "pattern cannot be estimated"),
    "noise": ({"mediator": "head", "edit": mw.Noise(sigma=1.0)}, "edit cannot be estimated"),
    "resampling": ({"mediator": "head", "edit": mw.Resample(seed=0)}, "edit cannot be estimated"),
    "what another run lends": (
        {
            "mediator": "head",
            "edit": mw.Patch(mw.Run("clean", {mw.Site("head", 0, head=0): mw.Zero()})),
        },
        "edit cannot be estimated",
    ),
    "no such layer": ({"mediator": "head", "layers": 9}, "no such layer"),
    "no such mediator": ({"mediator": "soul"}, "mediator"),
    "no such way": ({"mediator": "head", "by": "token"}, "whole components or by position"),
    "no roles": ({"mediator": "head", "by": "role"}, "no role in common"),
    "a narrow vector": (
        {"mediator": "head", "edit": mw.Steer([1.0, 2.0, 3.0])},
        "not as wide as the site",
    ),
}


@pytest.mark.parametrize("asked", REFUSED)
def test_what_has_no_estimate_is_refused_in_words(study: mw.Study, asked: str) -> None:
    arguments, words = REFUSED[asked]
    with pytest.raises(mw.MediationError, match=words):
        study.estimate(**arguments)
    assert not study.estimates


def test_counted_metrics_training_and_servers_are_refused(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.metric = mw.Rank()
    with pytest.raises(mw.MediationError, match="no slope"):
        study.estimate("head")
    study.metric = mw.LogitDiff()
    monkeypatch.setattr(study.lm.hf, "training", True)
    with pytest.raises(mw.MediationError, match="training mode"):
        study.estimate("head")
    monkeypatch.setattr(study.lm.hf, "training", False)
    monkeypatch.setattr(study.lm, "backend", lambda: None)
    with pytest.raises(mw.MediationError, match="remote model gives no gradients"):
        study.estimate("head")


def test_prompts_that_are_the_same_have_nothing_to_estimate() -> None:
    pair = mw.PromptPair("ant bee cat", "ant bee dog", "hen", "ibis")
    effect = mw.Study(lm_of("gpt2"), pair).estimate("residual", by={"before": (0, 1)})
    assert (effect.status == Status.IMPLIED_ZERO).all()
    assert (effect["PIE"] == 0).all()
    assert next(check.ok for check in effect.checks if check.name == "estimate") is None


def test_many_prompts_are_not_averaged_one_by_one_for_a_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = [random_pair("gpt2", seed) for seed in range(checks.MANY + 1)]
    study = mw.Study(lm_of("gpt2"), pairs)
    asked: list[object] = []

    def counting(engine: Any, run: mw.Run) -> Any:
        asked.append(run)
        return plain_run(engine, run)

    monkeypatch.setattr(attribution, "plain_run", counting)
    effect = study.estimate("head", edit=mw.Mean())
    assert (effect.status == Status.ESTIMATE).all()
    (check,) = (check for check in effect.checks if check.name == "estimate")
    assert check.ok is None
    assert f"average {len(pairs)} prompts singly" in check.words
    assert not asked
    study.contrast = study.contrast[: checks.MANY]
    study.estimate("head", edit=mw.Mean())
    assert len(asked) == 2


def test_a_cell_without_a_number_says_why(study: mw.Study) -> None:
    vector = [1e308, *[0.0] * (study.lm.d_model - 1)]
    effect = study.estimate("residual", edit=mw.Steer(vector, scale=1e10))
    assert (effect.status == Status.FAILED).any()
    (check,) = (check for check in effect.checks if check.name == "finite numbers")
    assert check.ok is False
    assert "the gradient or the new value overflows there" in check.words
    assert not any(c.name == "finite numbers" for c in study.estimate("residual").checks)


METHODS = ("attribution", "relp", "ig", "atp*")


def lonely(*, with_good: bool) -> mw.Study:
    """A pair whose position 10 has no partner, by itself or beside one where all have one."""
    lm = mw.load()
    text = "When Mary and John went to the store, John gave a book to"
    given = {"answer": "Mary", "wrong": "John", "roles": {"S2": 10}}
    pairs = [mw.PromptPair(text, text.replace(", John", ", Mary and Mary"), **given)]  # type: ignore[arg-type]
    if with_good:
        pairs.insert(0, mw.PromptPair(text, text.replace(", John", ", Mary"), **given))  # type: ignore[arg-type]
    return mw.Study(lm, pairs)


@pytest.mark.parametrize("with_good", [False, True], ids=["alone", "beside a good pair"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("kind", "by"), [("head", "role"), ("query", {"x": 10}), ("mlp_out", {"x": 10})]
)
def test_cells_without_a_partner_are_impossible(
    kind: str, by: Any, method: str, with_good: bool
) -> None:
    study = lonely(with_good=with_good)
    effect = study.estimate(kind, by, layers=[1, 2], method=method)
    assert (effect.status == Status.IMPOSSIBLE).all()
    assert effect.shape == study.sweep(kind, by, layers=[1, 2], progress=False).shape
    assert np.isnan(effect["TIE"]).all()
    assert not [check for check in effect.checks if check.ok is False]


def test_nothing_that_can_be_run_is_nothing_to_check() -> None:
    with pytest.raises(mw.MediationError, match="no estimate to check"):
        lonely(with_good=False).check_estimate("head", "role", progress=False)


def test_cells_that_have_partners_are_estimated_beside_others() -> None:
    study = lonely(with_good=False)
    effect = study.estimate("residual", {"x": 10, "end": 14}, method="ig", layers=[5])
    assert effect.status.tolist() == [[Status.IMPOSSIBLE, Status.ESTIMATE]]
    alone = study.estimate("residual", {"end": 14}, method="ig", layers=[5])
    np.testing.assert_allclose(effect["TIE"][0, 1], alone["TIE"][0, 0])


FLAT: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in ("attribution", "relp", "relp-ah", "atp*")),
    ("ig-inputs", {"steps": 1}),
]


@pytest.mark.parametrize("base", ["clean", "corrupt"])
@pytest.mark.parametrize(("method", "options"), FLAT, ids=[name for name, _ in FLAT])
def test_a_divergence_has_no_slope_at_its_own_base(
    study: mw.Study, base: Any, method: str, options: dict[str, Any]
) -> None:
    study.metric = mw.KL(base)
    with pytest.raises(mw.MediationError, match="no slope at that prompt") as caught:
        study.estimate("head", method=method, **options)
    assert "study.sweep('head')" in caught.value.fix
    assert not study.estimates


def test_a_divergence_has_slopes_on_the_way(study: mw.Study) -> None:
    study.metric = mw.KL("clean")
    exact = study.sweep("head", progress=False)
    assert np.abs(exact["TIE"]).max() > 1e-3
    for key in ("TIE", "PIE"):
        found = study.estimate("head", method="ig", steps=40)[key]
        np.testing.assert_allclose(found, exact[key], atol=0.02 * np.abs(exact[key]).max())
    assert np.abs(study.estimate("head", method="ig-inputs", steps=2)["TIE"]).max() > 1e-4
