"""Amnesic probing: the loss of a task, its controls, and how they are told."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.charts.base import MIME
from mediawidget.statistics import clusters_of, mean_interval
from tests.asking import raised

SITE = mw.Site("residual", 5, position="END")
EARLY = mw.Site("residual", 3, position="END")


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load()


@pytest.fixture(scope="module")
def studies(lm: mw.LM) -> tuple[mw.Study, mw.Study]:
    contrasts = [mw.tasks.agreement(lm, n=n, seed=seed) for n, seed in ((96, 0), (24, 1))]
    one, other = (mw.Study(lm, contrast) for contrast in contrasts)
    return one, other


@pytest.fixture(scope="module")
def eraser(studies: tuple[mw.Study, mw.Study]) -> mw.erasure.Leace:
    return mw.erasure.leace(studies[0], SITE, "answers")


@pytest.fixture(scope="module")
def result(studies: tuple[mw.Study, mw.Study], eraser: mw.erasure.Leace) -> mw.erasure.Amnesic:
    return mw.erasure.amnesic(studies[1], eraser, controls=8, progress=False)


def test_the_numbers_are_those_of_the_runs(
    studies: tuple[mw.Study, mw.Study], eraser: mw.erasure.Leace, result: mw.erasure.Amnesic
) -> None:
    study = studies[1]
    effect = study.intervene({SITE: eraser.edit})
    for quantity in ("clean", "corrupt", "difference"):
        wanted = effect.pairs(quantity)
        np.testing.assert_allclose(result.pairs("erased", quantity), wanted, atol=1e-3)
    np.testing.assert_allclose(result.share, effect["difference"] / effect["TE"], atol=1e-4)
    drawn = mw.Subspace.random(eraser.k, eraser.width, 3)
    third = study.intervene({SITE: mw.Within(drawn, mw.Clamp(eraser.mean))})
    assert result.draws()[3] == pytest.approx(third["difference"], abs=1e-3)
    values = study.activations(SITE).array, study.activations(SITE, "corrupt").array
    lengths = [np.linalg.norm(eraser(v) - v, axis=-1).mean() for v in values]
    assert result.moved["erased"] == pytest.approx(np.mean(lengths), rel=1e-6)


def test_random_moves_are_as_long_value_by_value(
    studies: tuple[mw.Study, mw.Study], eraser: mw.erasure.Leace, result: mw.erasure.Amnesic
) -> None:
    own = studies[1].activations(SITE).array.astype(float)
    change = eraser(own) - own
    (move,) = mw.Subspace.random(1, eraser.width, 3).basis
    (along,) = mw.Subspace.spanned(eraser.part.written).basis
    moved = own + (change @ along)[..., None] * move
    np.testing.assert_allclose(
        np.linalg.norm(moved - own, axis=-1), np.linalg.norm(change, axis=-1), rtol=1e-6
    )
    patch = mw.Patch(mw.Values(SITE, moved))
    outcomes = studies[1].engine.evaluate([mw.Run("clean", {SITE: patch})])
    np.testing.assert_allclose(
        result.moves[3, :, 0], outcomes.values(studies[1].metric)[0], atol=1e-3
    )


def test_the_task_needs_the_number_late_and_finds_it_elsewhere_early(
    studies: tuple[mw.Study, mw.Study], result: mw.erasure.Amnesic
) -> None:
    """In the teaching model: erased before the verb at layer 5 it is gone, at layer 3 not yet."""
    assert result.share > 0.7
    assert result.against() == result.against("random moves as long") == pytest.approx(1 / 9)
    assert np.abs(result.draws()).max() < 0.1 * result.pairs("erased").mean()
    early = mw.erasure.leace(studies[0], EARLY, "answers")
    assert mw.erasure.probed(studies[1], early)["before", "linear"].auc > 0.99
    assert mw.erasure.amnesic(studies[1], early, controls=1, progress=False).share < 0.2


def test_giving_the_property_back_gives_the_task_back(result: mw.erasure.Amnesic) -> None:
    assert result.back is not None
    assert abs(result.pairs("property given back").mean()) < 0.1 * result.pairs("erased").mean()
    assert result.moved["property given back"] < result.moved["erased"]


def test_without_labels_of_these_prompts_nothing_is_given_back(
    studies: tuple[mw.Study, mw.Study], eraser: mw.erasure.Leace
) -> None:
    study = studies[1]
    of_arrays = replace(eraser, site=None)
    raised(lambda: mw.erasure.amnesic(study, of_arrays))
    listed = replace(eraser, labels=[("a", "b")])
    for one in (of_arrays, listed, replace(eraser, classes=("is", "are"))):
        found = mw.erasure.amnesic(study, one, SITE, controls=1, progress=False)
        assert found.back is None
        assert "given back" not in repr(found)
        raised(partial(found.pairs, "property given back"))
    told = [(p.answer_text, p.wrong_text) for p in study.contrast]
    again = mw.erasure.amnesic(study, of_arrays, SITE, told, controls=1, progress=False)
    assert again.back is not None


def test_tables_and_words_have_n_intervals_and_controls(
    studies: tuple[mw.Study, mw.Study], result: mw.erasure.Amnesic
) -> None:
    table = result.to_dataframe()
    whats = ["erased", "random directions", "random moves as long", "property given back"]
    assert list(table["what"].unique()) == whats
    row = table[(table["what"] == "erased") & (table["quantity"] == "clean")].iloc[0]
    ends = mean_interval(result.pairs("erased", "clean"), clusters_of(studies[1].contrast), 0.95)
    np.testing.assert_allclose([row["low"], row["high"]], ends)
    assert (table["n"] == 24).all()
    low, high = result.share_ci()
    assert low < result.share < high
    for said in ("LEACE", "L5 @ END", "n=24 pairs", "8 draws", "given back", "fitted on"):
        assert said in repr(result)
    raised(lambda: result.pairs("erased", "TIE"))
    same = replace(result, bases=np.zeros_like(result.bases))
    assert np.isnan(same.share)


def test_clusters_are_drawn_whole(result: mw.erasure.Amnesic) -> None:
    two = replace(result, clusters=("a", "b") * 12)
    assert np.isnan(two.share_ci()).all()
    assert two.share == result.share


def test_charts_draw_the_table(
    studies: tuple[mw.Study, mw.Study], result: mw.erasure.Amnesic
) -> None:
    import vl_convert

    chart = mw.charts.amnesic(result)
    data: Any = [d for d in chart.to_dict()["datasets"].values() if "mean" in d[0]]
    some = result.to_dataframe().query("quantity == 'difference'")
    np.testing.assert_allclose([row["mean"] for row in data[0]], some["mean"])
    inlp = mw.erasure.inlp(studies[0], SITE, "answers")
    for one in (chart, mw.charts.amnesic(result, "clean"), mw.charts.rounds(inlp)):
        svg = vl_convert.vegalite_to_svg(one._repr_mimebundle_()[MIME], vl_version="5.20")
        assert "NaN" not in svg
        assert "null" not in svg
    raised(lambda: mw.charts.amnesic(result, "TIE"))
    raised(lambda: mw.charts.amnesic(inlp))  # type: ignore[arg-type]
    raised(lambda: mw.charts.rounds(None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda s, e: mw.erasure.amnesic(s, e.part),
        lambda s, e: mw.erasure.amnesic(s, e, "L5"),  # type: ignore[arg-type]
        lambda s, e: mw.erasure.amnesic(s, e, controls=0),
        lambda s, e: mw.erasure.amnesic(s, e, seed=-1),
        lambda s, e: mw.erasure.amnesic(s.lm, e),
        lambda s, e: mw.erasure.amnesic(s, e, mw.Site("head", 1, head=0)),
    ],
)
def test_what_is_no_eraser_or_site_is_refused(
    studies: tuple[mw.Study, mw.Study], eraser: mw.erasure.Leace, call: Any
) -> None:
    raised(lambda: call(studies[1], eraser))


def test_inputs_of_other_networks_are_told_from_those_that_were_fitted_on() -> None:
    network = mw.load(mw.models.planted("AND"), points={"hidden": "turn"})
    one, other = (
        mw.Study(network, mw.models.planted_counterfactuals("AND", "z1", 32, seed=seed))
        for seed in (0, 3)
    )
    site = network.site("layer", "hidden")
    eraser = mw.erasure.leace(one, site, lambda pair: (pair.clean[0] > 0, pair.corrupt[0] > 0))
    found = [mw.erasure.amnesic(s, eraser, controls=2, progress=False) for s in (one, other)]
    assert [each.seen for each in found] == [64, 0]
    assert mw.erasure.probed(other, eraser)["before", "linear"].auc > 0.6
    told = found[1]  # of one bit of two the answers go either way
    assert np.isnan([told.share, *told.share_ci()]).all()
    assert "no share is given" in repr(told)
