"""How a metric moves with what it is read from: its slopes against differences of its values."""

import numpy as np
import pytest
from numpy.typing import NDArray

import mediawidget as mw
from mediawidget.metrics import BASE_COLUMNS, KL, METRICS, Metric, Rank, metric_from_json
from tests.asking import raised

Array = NDArray[np.float64]
COLUMNS = (*BASE_COLUMNS, "kl_clean", "rank", "kl_corrupt")
SMOOTH = [kind() for kind in METRICS.values() if kind is not Rank] + [KL("corrupt")]
STEP = 1e-6


def kept() -> dict[str, Array]:
    """Answers of probability 0.02 to 0.9 in a vocabulary of more than two."""
    p, q = np.array([[0.02, 0.3], [0.9, 0.55]]), np.array([[0.5, 0.6], [0.05, 0.4]])
    total = np.array([[1.0, -2], [0.5, 7]])
    answer, wrong = np.log(p) + total, np.log(q) + total
    more = {name: p + i for i, name in enumerate(COLUMNS[3:])}
    return {"answer": answer, "wrong": wrong, "logsumexp": total, **more}


@pytest.mark.parametrize("metric", SMOOTH, ids=repr)
def test_a_slope_is_the_value_s_own(metric: Metric) -> None:
    here = kept()
    slopes = metric.slopes(here)
    assert set(slopes) <= set(metric.columns)
    for name in metric.columns:
        above, below = ({**here, name: here[name] + step} for step in (STEP, -STEP))
        expected = (metric.compute(above) - metric.compute(below)) / (2 * STEP)
        found = slopes.get(name, np.zeros((2, 2)))
        assert found.shape == (2, 2)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_log_odds_at_a_probability_of_1_have_a_slope() -> None:
    """The value stops where 1 - p is 2.2e-16, and the slope at 1 / (1 - p)."""
    sure = {name: np.array([5.0, 5.0]) for name in BASE_COLUMNS} | {"answer": np.array([5.0, 5.1])}
    slopes = mw.LogOdds().slopes(sure)
    np.testing.assert_allclose(slopes["answer"], 2.0**52)
    np.testing.assert_allclose(slopes["logsumexp"], -(2.0**52))


def test_a_rank_has_no_slope() -> None:
    error = raised(lambda: Rank().slopes(kept()))
    assert error.message.startswith("rank has no slope")


@pytest.mark.parametrize("metric", [*SMOOTH, Rank()], ids=repr)
def test_a_metric_over_columns_is_the_metric(metric: Metric) -> None:
    turned = tuple(reversed(COLUMNS))
    numbers = np.stack([kept()[name] for name in turned], axis=-1)
    over = metric.over(turned)
    for values in (over(numbers), over.read(numbers, turned), over.compute(kept())):
        np.testing.assert_array_equal(values, metric.read(numbers, turned))
    assert (over.name, over.unit, over.columns) == (metric.name, metric.unit, metric.columns)
    assert over.label("a", "b") == metric.label("a", "b")
    assert over.to_json() == metric.to_json()


def test_labels_name_what_they_are_of() -> None:
    said = {kind().name: kind().label("Ann", "Bob") for kind in METRICS.values()}
    assert said == {
        "logit_diff": "logit(Ann) \N{MINUS SIGN} logit(Bob)",
        "logit": "logit(Ann)",
        "log_prob": "log p(Ann)",
        "prob": "p(Ann)",
        "prob_diff": "p(Ann) \N{MINUS SIGN} p(Bob)",
        "log_odds": "log odds of Ann",
        "kl": "KL(clean || run)",
        "rank": "rank of Ann",
    }


def test_what_is_no_saved_metric_says_what_it_is() -> None:
    error = raised(lambda: metric_from_json({"name": "kl", "bass": "clean"}))
    assert error.message == "This is no metric that was saved."
    assert "{'name': 'kl', 'bass': 'clean'}: TypeError" in str(error.value)
    error = raised(lambda: metric_from_json({"base": "clean"}))
    assert (error.message, error.value) == ("Unknown metric.", "None")


@pytest.mark.parametrize(
    "kept", [3.0, [[1.0, 2, 3], [1.0, 2]], [["a", "b", "c"]], np.zeros((4, 2)), np.zeros((3, 0))]
)
def test_what_are_no_kept_numbers_is_refused(kept: object) -> None:
    error = raised(lambda: mw.Logit().read(kept))  # type: ignore[arg-type]
    assert error.message == "A metric is read off kept numbers."
    assert error.expected == "an array (..., 3): answer, wrong, logsumexp"


@pytest.mark.parametrize("columns", ["answer", {"answer"}, [1, 2, 3], None])
def test_columns_are_names(columns: object) -> None:
    error = raised(lambda: mw.Logit().read(np.zeros((2, 3)), columns))  # type: ignore[arg-type]
    assert error.message == "Kept numbers are named by their columns."


def test_kept_numbers_become_floats() -> None:
    read = mw.Logit().read([[1, 2, 3], [4, 5, 6]])  # type: ignore[arg-type]
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read, [1, 4])
