"""Checks of the engine, told of numbers that are off: each notices what it is there for."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.checks import (
    MANY,
    agreement,
    broken,
    check_runs,
    engine_checks,
    full_cut,
    proofs,
    refused_plainly,
    with_checks,
)
from mediawidget.outcomes import Outcomes
from mediawidget.runs import both_directions
from mediawidget.validity import Check
from tests.engine.cases import case, lm_of, random_pair

SITES = [mw.Site("attn_out", layer) for layer in range(5)]
CELLS: list[dict[mw.Site, mw.Edit]] = [{site: mw.Patch()} for site in SITES]
PATCHED = f"Patching {SITES[2].label()} with its own value"


@lru_cache
def measured() -> tuple[mw.Study, mw.Effect, Outcomes]:
    """Five layers of attention both ways, and behind them the runs whose outcome is known."""
    study = case("gpt2", [random_pair("gpt2", seed, length=7, first=3) for seed in (1, 2)]).study
    runs = [*both_directions(CELLS), *check_runs(study.lm, CELLS)]
    outcomes = study.engine.evaluate(runs)
    sweep = study.sweep("attn_out", layers=range(5), progress=False)
    return study, sweep, outcomes


def off(outcomes: Outcomes, run: int, pair: int, by: float = 0.5) -> Outcomes:
    """The same with one number of one run moved."""
    kept = outcomes.kept.copy()
    kept[run, pair, 1] += by
    return replace(outcomes, kept=kept)


def test_what_is_known_before_it_is_run() -> None:
    """A self-patch of the cell in the middle, everywhere, and a cut through all of the stream."""
    lm = lm_of("gpt2")
    placed = [{replace(site, position=2): mw.Zero(), SITES[0]: mw.Zero()} for site in SITES]
    cut, last = mw.Site("residual", lm.n_layers // 2), mw.Site("residual", lm.n_layers)
    assert check_runs(lm, placed) == [
        *(
            mw.Run("clean", {SITES[2]: mw.Patch("clean")}),
            mw.Run("corrupt", {SITES[2]: mw.Patch("corrupt")}),
        ),
        *(mw.Run("clean", {cut: mw.Patch()}), mw.Run("corrupt", {cut: mw.Patch()})),
    ]
    assert check_runs(lm, placed, equal=False)[2:] == [
        *(mw.Run("clean", {last: mw.Patch()}), mw.Run("corrupt", {last: mw.Patch()}))
    ]
    assert lm.n_layers // 2 != lm.n_layers // 3
    assert full_cut(lm_of("t5"), equal=True) == mw.Site("residual", lm_of("t5").n_layers)
    # Attention weights are looked at through the heads that they belong to.
    for site, head in (
        (mw.Site("pattern", 1, head=2), 2),
        (mw.Site("edge", 1, head=2, position=3, key=1), 2),
        (mw.Site("edge", 1, position=3, key=1), 0),
    ):
        (run, _, _, _) = check_runs(lm, [{site: mw.Zero()}])
        assert run == mw.Run("clean", {mw.Site("head", 1, head=head): mw.Patch("clean")})


def test_a_self_patch_and_a_full_cut_are_told_apart() -> None:
    study, _, outcomes = measured()

    def told(some: Outcomes) -> list[tuple[bool | None, str]]:
        checks = engine_checks(study.engine, CELLS, some)
        assert [check.name for check in checks] == ["self-patch", "full cut"]
        return [(check.ok, check.words) for check in checks]

    cut = f"Patching the whole residual stream before layer {study.lm.n_layers // 2}"
    (sound, own), (also, other) = told(outcomes)
    assert sound is also is True
    assert own.startswith(f"{PATCHED} gives its own run's logits (off by ")
    assert other.startswith(f"{cut} gives the other prompt's logits (off by ")
    for run in (10, 11):  # the self-patches, on either prompt
        for pair in (0, 1):
            (bad, words), (good, _) = told(off(outcomes, run, pair))
            assert (bad, good) == (False, True)
            assert words.startswith(f"{PATCHED} should give its own run's logits (off by 0.5,")
    for run in (12, 13):
        (good, _), (bad, words) = told(off(outcomes, run, 1))
        assert (bad, good) == (False, True)
        assert words.startswith(f"{cut} should give the other prompt's logits (off by 0.5,")
    assert told(off(outcomes, 12, 0, np.nan))[1][0] is False
    # A pair whose runs were cancelled is left out; with none there is nothing to say.
    left = outcomes.left.copy()
    left[13, 0] = 1
    some = replace(off(outcomes, 10, 0), left=left)
    assert [ok for ok, _ in told(some)] == [True, True]
    none = replace(outcomes, left=np.ones_like(outcomes.left))
    assert told(none) == [(None, "Nothing was run that could be checked.")] * 2


def test_one_number_off_in_the_strongest_cell_is_told() -> None:
    """The cell that moves the metric of the first pair most is run once more, alone."""
    study, effect, outcomes = measured()
    freezes: list[Any] = [()] * 5
    strongest = int(np.argmax(np.abs(_moved(effect))))
    label = effect.labels[strongest]

    def told(some: mw.Effect, held: Any = freezes) -> Check:
        checks = proofs(study.engine, some, outcomes, CELLS, held)
        assert [check.name for check in checks] == ["self-patch", "full cut", "plain forward"]
        return checks[-1]

    assert told(effect).ok
    assert told(effect).words.startswith(
        f"{label} run alone by a plain forward pass gives the same"
    )
    assert not told(_with(effect, strongest, 0.01)).ok
    assert not told(_with(effect, strongest, np.nan)).ok
    weakest = int(np.argmin(np.abs(_moved(effect))))
    assert told(_with(effect, weakest, 1e-6)).ok, "the others are not looked at"
    # Of what is held the strongest is looked at by itself: here a cell that holds what it says not.
    wrong = list(freezes)
    wrong[weakest] = ("head", "mlp_out")
    failed = told(effect, wrong)
    assert failed.ok is False
    assert failed.words.startswith(effect.labels[weakest])
    unlabelled = replace(effect, labels=())
    assert told(unlabelled).words.startswith("The strongest cell run alone")


def test_what_is_allowed_is_that_of_the_cell_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cells are run alone, one that holds something and one that does not."""
    study, effect, outcomes = measured()
    strongest, weakest = (int(pick(np.abs(_moved(effect)))) for pick in (np.argmax, np.argmin))
    freezes: list[Any] = [()] * 5
    freezes[weakest] = ("mlp_out",)
    seen: list[np.ndarray] = []

    def watched(_: mw.LM, logits: np.ndarray) -> float:
        seen.append(np.asarray(logits))
        return 1e-9

    monkeypatch.setattr("mediawidget.checks.tolerance", watched)
    proofs(study.engine, _with(effect, strongest, 50.0), outcomes, CELLS, freezes)
    expected = effect.edited[0, 1].reshape(5, -1)[strongest]
    np.testing.assert_allclose(seen[0], expected, atol=1e-9)


def _moved(effect: mw.Effect) -> np.ndarray:
    edited = effect.edited[0, 1].reshape(-1, len(effect.columns))
    moved = effect.metric.read(edited, effect.columns)
    return np.asarray(moved - effect.metric.read(effect.bases[0, 1], effect.columns))


def _with(effect: mw.Effect, cell: int, by: float) -> mw.Effect:
    edited = effect.edited.copy()
    edited.reshape(*edited.shape[:2], -1, edited.shape[-1])[0, 1, cell, 0] += by
    return replace(effect, edited=edited)


def test_what_cannot_be_compared_says_why() -> None:
    study, effect, outcomes = measured()
    nothing = proofs(study.engine, effect, outcomes, [], [])
    assert [(check.name, check.ok) for check in nothing] == [
        *(("self-patch", None), ("full cut", None), ("plain forward", None))
    ]
    means: list[mw.Edit] = [mw.Zero(), mw.Within(mw.Subspace([[1.0]]), mw.Mean())]
    assert refused_plainly(means, MANY) == ""
    assert refused_plainly(means[:1], MANY + 1) == ""
    assert "average 65 prompts" in refused_plainly(means, MANY + 1)
    assert "average 65 prompts" in refused_plainly([mw.Mean(), mw.Zero()], MANY + 1)
    unread = replace(effect, status=np.full_like(effect.status, mw.Status.NOT_RUN))
    plain = proofs(study.engine, unread, outcomes, CELLS, [()] * 5)[-1]
    assert (plain.ok, plain.words) == (None, "Nothing was run that could be compared.")


@pytest.mark.parametrize(("gap", "ok"), [(0.0, True), (0.25, True), (0.26, False), (np.nan, False)])
def test_what_agrees(gap: float, ok: bool) -> None:
    found = agreement("name", "A deed", "a result", gap, 0.25)
    verb = "gives" if ok else "should give"
    assert (found.name, found.ok) == ("name", ok)
    assert found.words == f"A deed {verb} a result (off by {gap:.1g}, allowed 0.2)."


def test_numbers_are_kept_back_where_the_engine_failed() -> None:
    _, effect, outcomes = measured()
    good, bad = Check("self-patch", ok=True, words="."), Check("full cut", ok=False, words=".")
    unknown, precision = Check("full cut", ok=None, words="."), replace(bad, name="precision")
    status = effect.status.copy()
    status[0], status[1] = mw.Status.NOT_RUN, mw.Status.IMPOSSIBLE
    some = replace(effect, status=status)
    for proven in ([good], [good, unknown], [good, precision]):
        sound = with_checks(some, outcomes, proven)
        np.testing.assert_array_equal(sound.status, status)
        np.testing.assert_array_equal(sound.edited, some.edited)
        assert sound.checks[-len(proven) :] == tuple(proven)
        assert "clean prompt" in sound.checks[0].words
        assert "clean input" in with_checks(some, outcomes, proven, "input").checks[0].words
    failed = with_checks(some, outcomes, [good, bad])
    assert np.isnan(failed.edited).all()
    assert failed.status.reshape(-1).tolist() == [
        *(mw.Status.NOT_RUN, mw.Status.IMPOSSIBLE),
        *[mw.Status.FAILED] * 3,
    ]


def test_cells_that_came_to_no_number_are_counted() -> None:
    _, effect, outcomes = measured()
    assert broken(effect, "why") == []
    status = effect.status.copy()
    status.reshape(-1)[[1, 3]] = mw.Status.FAILED
    (found,) = broken(replace(effect, status=status), "it overflows")
    assert (found.name, found.ok) == ("finite numbers", False)
    assert found.words == "2 of 5 cells came to NaN or infinity: it overflows."
    checks = with_checks(replace(effect, status=status), outcomes, []).checks
    assert [c.name for c in checks] == [
        "clean answer",
        "total effect",
        "edit fired",
        "finite numbers",
    ]
