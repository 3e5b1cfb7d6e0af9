"""Directions that some pairs made, on others: tables, sweeps over sites, placebos, pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vl_convert

import mediawidget as mw
from mediawidget import directions
from mediawidget.charts.base import MIME
from mediawidget.effects import Status
from mediawidget.validity import PREMISES
from tests.asking import raised
from tests.directions.known import STREAM, block, ioi, small, values

SITE = mw.Site("residual", 2, position=5)
MADE: dict[str, directions.comparing.Maker] = {
    "means": directions.difference_of_means,
    "two": partial(directions.principal, k=2),
    "chance": directions.random,
    "probe": directions.probe,
}


@lru_cache
def compared() -> directions.Comparison:
    return directions.compare(small(n=8), SITE, MADE, progress=False)


@lru_cache
def held() -> directions.Placebos:
    return directions.placebo(ioi(), STREAM, block("inh"), n=6)


def refuse_no_proof(effect: mw.Effect) -> None:
    """The engine was compared with plain passes; a random model may prefer what it likes."""
    found = {check.name: check.ok for check in effect.checks if check.name not in PREMISES}
    assert found["plain forward"]
    assert False not in found.values()


# --- comparing --------------------------------------------------------------------------------


def test_halves_are_the_pairs_once_and_keep_the_question() -> None:
    study = mw.Study(small().lm, small(n=8).contrast, mw.LogProb())
    fit, test = directions.halves(study, seed=3)
    both = [*fit.contrast, *test.contrast]
    assert len(fit.contrast) == len(test.contrast) == 4
    assert sorted(map(repr, both)) == sorted(map(repr, study.contrast))
    assert fit.metric == test.metric == mw.LogProb()
    raised(lambda: directions.halves(small(n=1)))


def test_clusters_stay_whole() -> None:
    pairs = [replace(p, template="ab"[i % 2]) for i, p in enumerate(small(n=6).contrast)]
    fit, test = directions.halves(mw.Study(small().lm, pairs))
    assert len({p.template for p in fit.contrast} & {p.template for p in test.contrast}) == 0


def test_what_is_compared_is_what_is_run() -> None:
    """Directions of the one half, patched on the other: the same as one by one."""
    study, one = small(n=8), compared()
    fit, test = directions.halves(study)
    assert (one.n_fit, one.effect.n_pairs, one.held_out) == (4, 4, True)
    assert one.effect.axes["direction"] == ("whole site", *MADE)
    np.testing.assert_allclose(one.effect.pairs("PIE")[:, 0], test.intervene(SITE).pairs("PIE"))
    for i, (name, maker) in enumerate(MADE.items(), 1):
        again = maker(fit, SITE)
        effect = test.intervene({SITE: again.within()})
        assert again.subspace == one.found[name].subspace
        np.testing.assert_allclose(one.effect.pairs("TIE")[:, i], effect.pairs("TIE"), atol=1e-9)
    refuse_no_proof(one.effect)


def test_the_table_of_a_comparison() -> None:
    one, table = compared(), compared().to_dataframe().set_index("direction")
    assert table["k"].isna().sum() == 1
    assert table.loc["two", "k"] == 2
    assert (table["n"] == 4).all()
    for key in ("PIE", "TIE"):
        np.testing.assert_allclose(table[key], one.effect[key])
        assert (table[f"{key} low"] <= table[key] + 1e-9).all()
        assert (table[key] <= table[f"{key} high"] + 1e-9).all()
        shares = table[f"{key} share"] * one.effect["TE"][0]
        defined = shares.notna()
        np.testing.assert_allclose(shares[defined], table[key][defined])
    assert table["accuracy"].notna().tolist() == [False] * 4 + [True]


def test_known_truth_is_found_on_other_pairs() -> None:
    """Seven components of names' differences carry all of TE, three of eight names' do not."""
    made = {f"k={k}": partial(directions.principal, k=k) for k in (1, 4)}
    whole = directions.compare(ioi(), STREAM, made, test=ioi(), progress=False)
    assert not whole.held_out
    table = whole.to_dataframe().set_index("direction")
    assert table.loc["k=4", "PIE share"] == pytest.approx(1, abs=1e-3)
    assert table["PIE share"]["k=1"] < 0.7
    assert "pairs that may have made it" in repr(whole)


def test_standard_makers_are_those_that_the_pairs_have() -> None:
    one = directions.compare(small(n=6), SITE, progress=False)
    assert {found.k for found in one.found.values()} == {1, 2}, "three pairs make them"
    assert len(one.found) == 7


def test_what_cannot_be_compared_is_refused() -> None:
    study = small(n=4)
    makers: list[Any] = [
        *({}, [directions.probe], {"whole site": directions.probe}, {"mine": 3}),
        {"mine": lambda s, _: directions.random(s, mw.Site("residual", 1, position=5))},
        {"mine": lambda *_: mw.Subspace.random(1, 4)},
    ]
    for wrong in makers:
        raised(partial(directions.compare, study, SITE, wrong))
    raised(lambda: directions.compare(study, SITE, MADE, test="study"))  # type: ignore[arg-type]


# --- sweeps -----------------------------------------------------------------------------------


def test_a_sweep_patches_each_site_s_own_direction() -> None:
    study = small(n=6)
    fit, test = directions.halves(study)
    effect = directions.sweep(study, "residual", "position", layers=(1, 3), progress=False)
    assert effect.axes == {"layer": (1, 3), "position": tuple(range(7))}
    before = np.asarray(effect.status)[:, :3]
    assert (before == Status.IMPLIED_ZERO).all()
    assert (effect["PIE"][:, :3] == 0).all()
    for layer, position in ((1, 4), (3, 6)):
        site = mw.Site("residual", layer, position=position)
        found = directions.difference_of_means(fit, site)
        one = test.intervene({site: found.within()})
        cell = effect.cell(layer, position)
        np.testing.assert_allclose(cell.pairs("PIE"), one.pairs("PIE"), atol=1e-9)
        np.testing.assert_allclose(cell.pairs("TIE"), one.pairs("TIE"), atol=1e-9)
    assert effect.facts["direction"] == "difference of means"
    assert effect.facts["pairs that made it"] == 3
    refuse_no_proof(effect)


def test_a_sweep_of_heads_with_another_maker_and_edit() -> None:
    study = small(n=4)
    maker = partial(directions.principal, k=2)
    effect = directions.sweep(
        study, "head", make=maker, test=study, layers=(2,), edit=mw.Zero(), progress=False
    )
    site = mw.Site("head", 2, head=1)
    one = study.intervene({site: maker(study, site).within(mw.Zero())})
    np.testing.assert_allclose(effect.cell(2, 1).pairs("clean"), one.pairs("clean"), atol=1e-9)


def test_a_sweep_s_effect_is_saved(tmp_path: Path) -> None:
    effect = directions.sweep(small(n=4), "residual", layers=(2,), progress=False)
    again = mw.Effect.load(effect.save(tmp_path / "sweep.json"))
    np.testing.assert_array_equal(again.edited, effect.edited)
    assert again.edit == effect.edit


def test_sweeps_that_are_none_are_refused() -> None:
    raised(lambda: directions.sweep(small(n=4), "pattern", progress=False))
    raised(lambda: directions.sweep(small(n=4), "residual", edit=mw.Noise(samples=3)))


# --- placebos ---------------------------------------------------------------------------------


def test_the_true_one_is_the_patch_within_it() -> None:
    effect = ioi().intervene({STREAM: mw.Within(block("inh"))})
    for key in ("PIE", "TIE"):
        np.testing.assert_allclose(held().effect.pairs(key)[:, 0], effect.pairs(key), atol=1e-9)


def test_placebos_move_a_site_as_far() -> None:
    """Measured in the runs themselves: the patch of the true subspace, and what a placebo is."""
    study = small(n=4)
    site = mw.Site("residual", 2, position=(4, 6))
    found = directions.difference_of_means(study, site)
    placebos = directions.placebo(study, site, found, n=3, seed=5)
    clean, corrupt = values(study, site)
    patched = study.activations(site, mw.Run("corrupt", {site: found.within()})).array
    moved = np.linalg.norm(patched.reshape(corrupt.shape) - corrupt, axis=1)
    np.testing.assert_allclose(placebos.displacement, moved.reshape(4, 2).mean(1), atol=1e-9)
    seeds = np.random.default_rng(5).integers(2**31, size=3)
    for i, seed in enumerate(seeds.tolist(), 1):
        basis = mw.Subspace.random(1, clean.shape[1], seed).basis
        step = (clean - corrupt) @ basis.T @ basis
        step *= moved[:, None] / np.linalg.norm(step, axis=1, keepdims=True)
        array = (corrupt + step).reshape(4, 2, -1)
        effect = study.intervene({site: mw.Patch(mw.Values(site, array))})
        expected = effect.corners()["Y01"] - effect.corners()["Y00"]
        np.testing.assert_allclose(placebos.effect.pairs("PIE")[:, i], expected, atol=1e-9)


def test_the_known_block_stands_out_of_its_placebos() -> None:
    one = held()
    assert (one.n, one.k) == (6, block("inh").k)
    assert one.percentile() == 1
    assert one.p_value() == pytest.approx(1 / 7)
    table = one.to_dataframe()
    np.testing.assert_allclose(table["PIE per unit"] * table["displacement"], table["PIE"])
    assert table.loc[0, "subspace"] == "true"
    assert "in size above 100% of 6 random subspaces" in repr(one)


def test_placebos_are_drawn() -> None:
    one, again, other = (directions.placebo(ioi(), STREAM, block("inh"), 2, s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.effect.edited, again.effect.edited)
    assert np.abs(one.effect.edited - other.effect.edited).max() > 1e-6


def test_placebos_that_are_none_are_refused() -> None:
    study = small(n=4)
    found = directions.random(study, SITE)
    for call in (
        lambda: directions.placebo(study, SITE, found, n=0),
        lambda: directions.placebo(study, SITE, found, seed=-1),
        lambda: directions.placebo(study, SITE, mw.Subspace.random(1, 3)),
        lambda: directions.placebo(study, mw.Site("residual", 2, position=1), found),
    ):
        raised(call)


# --- pictures ---------------------------------------------------------------------------------

CHARTS: dict[str, Any] = {
    "directions": lambda: mw.charts.directions(compared()),
    "directions by TIE": lambda: mw.charts.directions(compared().to_dataframe(), "TIE"),
    "placebos": lambda: mw.charts.placebos(held()),
    "placebos by TIE": lambda: mw.charts.placebos(held(), "TIE", bins=4),
}


@pytest.mark.parametrize("name", CHARTS)
def test_vega_lite_5_draws_it_in_both_themes(name: str) -> None:
    """As JupyterLab does: the specification it is sent, and its own version of Vega-Lite."""
    bundle = CHARTS[name]()._repr_mimebundle_()
    for theme in (None, "dark"):
        assert vl_convert.vegalite_to_png(bundle[MIME], vl_version="5.20", theme=theme)
    svg = vl_convert.vegalite_to_svg(bundle[MIME], vl_version="5.20")
    assert bundle[MIME]["title"] in svg
    assert "NaN" not in svg


def test_the_charts_draw_what_the_tables_say() -> None:
    drawn = CHARTS["directions"]().to_dict()["datasets"].values()
    rows = {row["direction"]: row for table in drawn for row in table if "direction" in row}
    table = compared().to_dataframe().set_index("direction")
    assert set(rows) == set(MADE)
    for name, row in rows.items():
        assert row["share of TE"] == pytest.approx(table.loc[name, "PIE share"])
        assert row["low"] == pytest.approx(table.loc[name, "PIE share low"])
    bars = CHARTS["placebos"]().to_dict()["datasets"].values()
    counts = sum(row["count"] for table in bars for row in table if "count" in row)
    assert counts == 6


def test_what_cannot_be_drawn_is_refused() -> None:
    flat = compared().to_dataframe().assign(**{"PIE share": np.nan})
    for call in (
        lambda: mw.charts.directions(compared(), "TE"),
        lambda: mw.charts.directions(flat),
        lambda: mw.charts.directions("directions"),  # type: ignore[arg-type]
        lambda: mw.charts.placebos(compared()),  # type: ignore[arg-type]
        lambda: mw.charts.placebos(held(), "TE"),
    ):
        raised(call)


def test_all_positions_of_answers_of_several_tokens_are_refused() -> None:
    """The positions of a fed answer are none of the prompt's, and no placebo would move them."""
    study = small()
    first, second = (one.answer for one in study.contrast[:2])
    fed = mw.Study(study.lm, [replace(one, answer=f"{first} {second}") for one in study.contrast])
    subspace = mw.Subspace(np.eye(study.lm.d_model)[:2])
    error = raised(lambda: directions.placebo(fed, mw.Site("residual", 1), subspace, n=2))
    assert "an answer of several tokens" in str(error)
    directions.placebo(fed, mw.Site("residual", 1, position=3), subspace, n=2)
