"""Effects: quantities, axes, what is refused, files that come back whole."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.effects import Effect, Status
from mediawidget.metrics import KL, Function, Rank
from mediawidget.validity import Check

RNG = np.random.default_rng(0)


def grid(edit: mw.Edit | None = None, n_pairs: int = 7) -> Effect:
    """2 layers x 3 heads, so that a transposition cannot hide; one cell was not run."""
    edited = RNG.normal(size=(n_pairs, 2, 2, 3, 3))
    edited[:, :, 1, 2] = np.nan
    status = np.full((2, 3), Status.EXACT, dtype=np.uint8)
    status[1, 2] = Status.NOT_RUN
    return Effect(
        axes={"layer": (0, 1), "head": (0, 1, 2)},
        bases=RNG.normal(size=(n_pairs, 2, 3)) + np.array([[3, 0, 9], [0, 3, 9]]),
        edited=edited,
        status=status,
        edit=edit or mw.Patch(),
        labels=tuple(f"L{layer}H{head}" for layer in range(2) for head in range(3)),
        checks=(Check("self-patch", ok=True, words="fine"), Check("full cut", None, "n/a")),
        facts={"model": "made up", "seconds": 0.5},
    )


def test_estimands_are_the_differences_of_corners() -> None:
    effect = grid()
    diff = effect.edited[..., 0] - effect.edited[..., 1]
    base = effect.bases[..., 0] - effect.bases[..., 1]
    expected = diff[:, 1] - base[:, 1, None, None]
    np.testing.assert_allclose(effect.pairs("PIE"), expected)
    np.testing.assert_allclose(effect["PIE"], expected.mean(axis=0))
    np.testing.assert_allclose(effect["TIE"], (base[:, 0, None, None] - diff[:, 0]).mean(axis=0))
    np.testing.assert_allclose(effect["TIE"] - effect["PIE"], effect["INT"])


def test_a_cell_that_was_not_run_is_nan_never_zero() -> None:
    effect = grid()
    assert np.isnan(effect["PIE"][1, 2])
    assert np.isfinite(np.delete(effect["PIE"].reshape(-1), 5)).all()
    frame = effect.to_dataframe()
    assert frame.loc[frame["site"] == "L1H2", "status"].item() == "not_run"
    assert effect.top(6)["site"].iloc[-1] == "L1H2", "what has no number ranks last"


def test_dataframe_has_a_row_a_cell_in_row_major_order() -> None:
    effect = grid()
    frame = effect.to_dataframe()
    assert list(frame["site"]) == ["L0H0", "L0H1", "L0H2", "L1H0", "L1H1", "L1H2"]
    assert list(frame["head"]) == [0, 1, 2, 0, 1, 2]
    np.testing.assert_allclose(frame["INT"], effect["INT"].reshape(-1))


def test_one_number_has_a_table_too() -> None:
    one = grid().cell(1, 1)
    assert isinstance(one["PIE"], float)
    assert one.labels == ("L1H1",)
    assert len(one.to_dataframe()) == 1
    assert one["PIE"] == pytest.approx(grid_value(one))


def grid_value(one: Effect) -> float:
    values = one.metric(one.edited[:, 1]) - one.metric(one.bases[:, 1])
    return float(values.mean())


def test_a_constant_edit_has_two_effects_and_no_corners() -> None:
    effect = grid(mw.Zero())
    np.testing.assert_allclose(
        effect["difference"], effect["clean"] - effect["corrupt"], equal_nan=True
    )
    for key in ("TIE", "PIE", "INT", "PDE", "TDE", "Y10"):
        with pytest.raises(mw.MediationError, match="does not exist under a zero edit"):
            effect[key]


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (mw.Patch(alpha=0.5), "alpha=0.5 is 0.5 of the way"),
        (mw.Within(mw.Subspace([[1.0, 0.0]]), mw.Patch(alpha=0.5)), "alpha=0.5 is 0.5 of the way"),
        (mw.Patch("clean"), "a source that is the same on both prompts"),
        (mw.Zero(), "a constant is not the value on the other prompt"),
    ],
)
def test_an_edit_without_corners_says_why_it_has_none(edit: mw.Edit, why: str) -> None:
    effect = grid(edit)
    for key in ("TIE", "PIE", "INT"):
        with pytest.raises(mw.MediationError, match="does not exist under a") as caught:
            effect[key]
        assert caught.value.fix.startswith(why)
        assert "use Patch()" in caught.value.fix
        assert ("constant" in caught.value.fix) is (edit == mw.Zero())


def test_nie_names_both_conventions() -> None:
    with pytest.raises(mw.MediationError, match=r"PIE.*TIE") as caught:
        grid()["NIE"]
    assert "PIE" in caught.value.expected
    assert "TIE" in caught.value.expected


def test_normalized_is_the_ratio_of_means() -> None:
    effect = grid()
    np.testing.assert_allclose(effect.normalized("PIE"), effect["PIE"] / effect["TE"].flat[0])


def test_no_share_of_a_total_effect_near_zero() -> None:
    effect = grid()
    flat = replace(effect, bases=np.repeat(effect.bases[:, :1], 2, axis=1))
    with pytest.raises(mw.MediationError, match="too near 0"):
        flat.normalized("PIE")


def test_rescoring_reads_the_same_runs() -> None:
    effect = grid()
    prob = effect.rescore(mw.Prob())
    expected = np.exp(effect.edited[:, 1, 0, 0, 0] - effect.edited[:, 1, 0, 0, 2])
    np.testing.assert_allclose(prob.pairs("Y01")[:, 0, 0], expected)
    assert prob.edited is effect.edited


WIDER = ("answer", "wrong", "logsumexp", "rank", "logit:<b>")


def wider(metric: mw.Metric | None = None) -> Effect:
    """The grid whose runs kept two more numbers each."""
    plain = grid()
    more = [np.concatenate([a, a[..., :2] + 7.0], axis=-1) for a in (plain.bases, plain.edited)]
    effect = replace(plain, bases=more[0], edited=more[1], columns=WIDER)
    return effect.rescore(metric or mw.LogitDiff())


def test_a_metric_reads_its_column_of_bases_and_cells() -> None:
    effect = wider(Rank())
    np.testing.assert_allclose(effect.pairs("Y01"), effect.edited[:, 1, ..., 3])
    expected = effect.edited[:, 1, ..., 3] - effect.bases[:, 1, 3, None, None]
    np.testing.assert_allclose(effect.pairs("PIE"), expected)
    np.testing.assert_allclose(effect.scores(effect.bases), effect.bases[..., 3])
    assert "ranks" in next(check.words for check in effect.checks if check.name == "total effect")
    back = effect.rescore(mw.LogitDiff())
    diff = back.edited[..., 0] - back.edited[..., 1]
    np.testing.assert_allclose(back.pairs("Y10"), diff[:, 0])
    assert effect.cell(0, 1).columns == effect.pair(2).columns == WIDER


def test_a_function_is_rescored_without_a_run() -> None:
    against = Function(lambda kept: kept["answer"] - kept["logit:<b>"], tokens=["<b>"])
    effect = wider().rescore(against)
    kept = effect.edited[:, 0]
    np.testing.assert_allclose(effect.pairs("Y10"), kept[..., 0] - kept[..., 4])


@pytest.mark.parametrize("metric", [KL(), Rank(), Function(dict, "mine", tokens=["<b>"])])
def test_what_was_not_kept_cannot_be_read(metric: mw.Metric) -> None:
    with pytest.raises(mw.MediationError, match="did not keep") as caught:
        grid().rescore(metric)
    assert metric.columns[-1] in caught.value.expected
    assert "Study(lm, pairs, metric=" in caught.value.fix
    with pytest.raises(mw.MediationError, match="did not keep"):
        replace(grid(), checks=()).rescore(metric)


def test_as_many_names_as_numbers() -> None:
    with pytest.raises(mw.MediationError, match="names every number"):
        replace(wider(), columns=WIDER[:3])
    with pytest.raises(mw.MediationError, match="names every number"):
        replace(wider(), bases=wider().bases[..., :3])


def test_the_interval_holds_the_mean_and_narrows_with_pairs() -> None:
    few, many = grid(n_pairs=8), grid(n_pairs=200)
    for effect in (few, many):
        low, high = effect.ci("PIE")
        inside = np.isfinite(effect["PIE"])
        assert (low[inside] < effect["PIE"][inside]).all()
        assert (effect["PIE"][inside] < high[inside]).all()
        assert np.isnan(low[1, 2])
    width = [np.nanmean(np.subtract(*e.ci("PIE")[::-1])) for e in (few, many)]
    assert width[1] < width[0] / 2
    with pytest.raises(mw.MediationError, match="several pairs"):
        grid(n_pairs=2).ci("PIE")


@pytest.mark.parametrize("name", ["effect.json", "effect.npz"])
def test_files_come_back_whole(tmp_path: Path, name: str) -> None:
    effect = grid(mw.Mean("corrupt")).rescore(mw.LogProb())
    back = Effect.load(effect.save(tmp_path / name))
    np.testing.assert_array_equal(back.edited, effect.edited)
    np.testing.assert_array_equal(back.bases, effect.bases)
    np.testing.assert_array_equal(back.status, effect.status)
    for field in ("axes", "edit", "metric", "labels", "checks", "facts"):
        assert getattr(back, field) == getattr(effect, field), field


@pytest.mark.parametrize("name", ["effect.json", "effect.npz"])
@pytest.mark.parametrize("metric", [KL("corrupt"), Rank(), mw.Prob()])
def test_columns_and_options_of_a_metric_come_back(
    tmp_path: Path, name: str, metric: mw.Metric
) -> None:
    columns = ("answer", "wrong", "logsumexp", "rank", "kl_corrupt")
    effect = replace(wider(), columns=columns).rescore(metric)
    back = Effect.load(effect.save(tmp_path / name))
    assert (back.metric, back.columns) == (metric, columns)
    np.testing.assert_array_equal(back["PIE"], effect["PIE"])


@pytest.mark.parametrize("name", ["effect.json", "effect.npz"])
def test_a_function_is_not_in_the_file_and_its_numbers_are(tmp_path: Path, name: str) -> None:
    mine = Function(lambda kept: 2 * kept["logit:<b>"], "mine", "nats", ["<b>"])
    effect = wider(mine)
    back = Effect.load(effect.save(tmp_path / name))
    np.testing.assert_array_equal(back.edited, effect.edited)
    assert (back.metric.name, back.metric.unit) == ("mine", "nats")
    assert "mine" in repr(back)
    with pytest.raises(mw.MediationError, match="a file cannot hold a function") as caught:
        back["PIE"]
    assert "rescore(Function(fn, name='mine', tokens=['<b>'])" in caught.value.fix
    np.testing.assert_array_equal(back.rescore(mine)["PIE"], effect["PIE"])
    again = Effect.load(back.save(tmp_path / f"again-{name}"))
    assert again.metric == back.metric


@pytest.mark.parametrize("name", ["effect.json", "effect.npz"])
def test_a_file_from_before_there_were_columns_opens(tmp_path: Path, name: str) -> None:
    effect = grid()
    path = effect.save(tmp_path / name)
    if path.suffix == ".json":
        header = json.loads(path.read_text())
        path.write_text(json.dumps(_of_version_1(header)))
    else:
        with np.load(path) as stored:
            arrays = dict(stored)
        header = json.loads(str(arrays.pop("header")))
        np.savez(path, allow_pickle=False, header=json.dumps(_of_version_1(header)), **arrays)
    np.testing.assert_array_equal(Effect.load(path)["TIE"], effect["TIE"])


def _of_version_1(header: dict[str, Any]) -> dict[str, Any]:
    del header["columns"]
    return {**header, "format": "mediawidget-effect-1", "metric": "logit_diff"}


@pytest.mark.parametrize("name", ["x.pickle", "x.json", "x.npz"])
def test_what_is_no_effect_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("{}")
    with pytest.raises(mw.MediationError, match="no file of a saved effect") as caught:
        Effect.load(path)
    assert name in str(caught.value.value)


def test_the_static_picture_escapes_and_hatches() -> None:
    effect = replace(grid(), edit=mw.Patch(), labels=())
    html = effect._repr_html_()
    assert html.count("<td") == 6
    assert html.count('title="not run"') == 1
    one = replace(grid().cell(0, 0), labels=("<img onerror=alert(1)>",))
    assert "<img" not in one._repr_html_()


def test_a_cell_has_its_label_for_a_name_too() -> None:
    effect = grid()
    for label, at in zip(effect.labels, np.ndindex(2, 3), strict=True):
        np.testing.assert_array_equal(effect.cell(label).edited, effect.cell(*at).edited)
    twice = replace(effect, labels=("L0H0", *effect.labels[:-1]))
    for unknown in ("L9H9", "L0H0"):
        with pytest.raises(mw.MediationError, match="no such cell"):
            twice.cell(unknown)


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_numbers_that_overflowed_come_back(tmp_path: Path, ending: str) -> None:
    effect = grid()
    effect.edited[0, :, 0, 0] = [[np.inf, -np.inf, np.nan], [1 / 3, -0.0, 5e-324]]
    back = Effect.load(effect.save(tmp_path / f"a.{ending}"))
    np.testing.assert_array_equal(back.edited, effect.edited)
