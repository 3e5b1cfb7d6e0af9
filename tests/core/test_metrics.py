"""Metrics against probabilities worked out directly, in double precision."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mediawidget.metrics import (
    BASE_COLUMNS,
    KL,
    METRICS,
    Function,
    Logit,
    LogitDiff,
    LogOdds,
    LogProb,
    Metric,
    Prob,
    ProbDiff,
    Rank,
    as_metric,
    metric_from_json,
    metric_named,
)
from tests.asking import raised

Array = NDArray[np.float64]
COLUMNS = (*BASE_COLUMNS, "kl_clean", "rank", "kl_corrupt", "logit: hay", "logit:<b>")

logits = st.lists(st.floats(-30, 30), min_size=4, max_size=9).map(np.array)


def log_softmax(values: Array) -> Array:
    top = values.max()
    return np.asarray(values - top - np.log(np.exp(values - top).sum()))


def kept(values: Array) -> Array:
    """What a run with these logits keeps; token 0 is the answer, token 1 the wrong one."""
    top = values.max()
    return np.array([values[0], values[1], top + np.log(np.exp(values - top).sum())])


DIRECT: dict[Metric, Callable[[Array], float]] = {
    LogitDiff(): lambda v: float(v[0] - v[1]),
    Logit(): lambda v: float(v[0]),
    LogProb(): lambda v: float(log_softmax(v)[0]),
    Prob(): lambda v: float(np.exp(log_softmax(v)[0])),
    ProbDiff(): lambda v: float(np.exp(log_softmax(v)[0]) - np.exp(log_softmax(v)[1])),
}


@pytest.mark.parametrize("metric", DIRECT, ids=lambda metric: metric.name)
@given(values=logits)
def test_metrics_are_what_their_names_say(metric: Metric, values: Array) -> None:
    assert float(metric(kept(values))) == pytest.approx(DIRECT[metric](values), abs=1e-12)


@given(values=logits)
def test_log_odds_are_the_odds_against_all_other_tokens(values: Array) -> None:
    top = values[1:].max()
    others = top + np.log(np.exp(values[1:] - top).sum())
    odds = float(LogOdds()(kept(values)))
    if values[0] - others < 20:
        assert odds == pytest.approx(values[0] - others, abs=1e-6, rel=1e-9)
    else:  # 1 - p is at the end of double precision
        assert 19 < odds < 37


@given(values=logits, shift=st.floats(-50, 50))
def test_a_constant_added_to_all_logits_changes_nothing_but_the_logit(
    values: Array, shift: float
) -> None:
    for metric in DIRECT:
        moved = float(metric(kept(values + shift)) - metric(kept(values)))
        assert moved == pytest.approx(shift if metric == Logit() else 0.0, abs=1e-9)


def test_log_odds_far_out_are_finite() -> None:
    sure, never = LogOdds()(np.array([[50.0, 0.0, 50.0], [-900.0, 0.0, 0.0]]))
    assert sure == pytest.approx(36.04, abs=0.01)
    assert never == -900.0
    # 1 - p = 1e-12 is known to 12 digits, though p itself shows only 4 of them.
    near = LogOdds()(np.array([-1e-12, 0.0, 0.0]))
    assert near == pytest.approx(12 * np.log(10), abs=1e-9)


def test_metrics_read_columns_by_name_wherever_they_stand() -> None:
    numbers = np.arange(2.0 * 8).reshape(2, 8)
    for metric, at in ((KL(), 3), (Rank(), 4), (KL("corrupt"), 5), (Logit(), 0)):
        np.testing.assert_array_equal(metric.read(numbers, COLUMNS), numbers[:, at])
    turned = tuple(reversed(COLUMNS))
    np.testing.assert_array_equal(
        LogitDiff().read(numbers[:, ::-1], turned), numbers[:, 0] - numbers[:, 1]
    )


@pytest.mark.parametrize(
    "metric", [KL(), Rank(), Function(lambda kept: kept["answer"], tokens=["hay"])]
)
def test_a_column_that_was_not_kept_is_named(metric: Metric) -> None:
    error = raised(lambda: metric(np.zeros((2, 3))))
    assert metric.columns[-1] in error.expected
    assert type(metric).__name__ in error.fix


def test_not_a_number_stays_none() -> None:
    gap = np.full((2, len(COLUMNS)), np.nan)
    for kind in METRICS.values():
        assert np.isnan(kind().read(gap, COLUMNS)).all(), kind


def test_kl_is_from_a_prompt() -> None:
    assert "base='clear'" in str(raised(lambda: KL("clear")).value)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", [kind() for kind in METRICS.values()] + [KL("corrupt")])
def test_metrics_go_to_json_and_back(metric: Metric) -> None:
    assert metric_from_json(metric.to_json()) == metric
    assert metric_named(metric.name).name == metric.name
    assert metric.label("a", "b")


def test_what_is_no_metric() -> None:
    error = raised(lambda: as_metric(KL))
    assert "KL()" in error.expected
    assert "speed" in str(raised(lambda: metric_named("speed")).value)


# --- the user's own ------------------------------------------------------------------------------


def test_a_function_gets_columns_by_name_and_only_its_own() -> None:
    seen: dict[str, tuple[int, ...]] = {}

    def against_hay(columns: dict[str, Array]) -> Array:
        seen.update({name: column.shape for name, column in columns.items()})
        return columns["answer"] - columns["logit:<b>"]

    metric = Function(against_hay, unit="nats", tokens=["<b>", " hay"])  # type: ignore[arg-type]
    numbers = np.random.default_rng(0).normal(size=(3, 2, 5, len(COLUMNS)))
    np.testing.assert_array_equal(metric.read(numbers, COLUMNS), numbers[..., 0] - numbers[..., 7])
    assert seen == dict.fromkeys((*BASE_COLUMNS, "logit:<b>", "logit: hay"), (3, 2, 5))
    assert metric.name == metric.label("a", "b") == "against_hay"
    assert metric.unit == "nats"


def test_a_function_that_averages_is_refused() -> None:
    error = raised(lambda: Function(lambda kept: kept["answer"].mean())(np.zeros((4, 3))))
    assert "()" in str(error.value)
    assert "(4,)" in str(error.value)


def test_a_function_that_fails_says_how() -> None:
    with_typo = Function(lambda kept: kept["anser"], name="mine")
    error = raised(lambda: with_typo(np.zeros((4, 3))))
    assert "mine" in error.message
    assert "anser" in str(error.value)
    assert "answer" in error.expected
    assert isinstance(error.__cause__, KeyError)
    words = Function(lambda kept: np.full(kept["answer"].shape, "many"))
    assert "many" in str(raised(lambda: words(np.zeros((4, 3)))).value)


@pytest.mark.parametrize("tokens", ["hay", [""], [3], {"hay"}])
def test_what_are_no_tokens(tokens: object) -> None:
    raised(lambda: Function(np.sum, tokens=tokens))  # type: ignore[arg-type]


def test_what_is_no_function() -> None:
    raised(lambda: Function("answer - wrong"))  # type: ignore[arg-type]


def test_a_function_comes_back_from_json_without_its_numbers() -> None:
    mine = Function(lambda kept: kept["answer"], name="mine", unit="nats", tokens=["<b>"])
    back = metric_from_json(mine.to_json())
    assert (back.name, back.unit, back.columns) == ("mine", "nats", mine.columns)
    error = raised(lambda: back.read(np.zeros((4, len(COLUMNS))), COLUMNS))
    assert "mine" in str(error.value)
    assert "<b>" in error.fix
    assert metric_from_json(back.to_json()) == back
