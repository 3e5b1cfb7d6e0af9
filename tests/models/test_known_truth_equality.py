"""The hierarchical-equality network: it does the task, and where it keeps a == b is known."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.models._equality import inputs
from tests.alignment.known import directions, equality


@pytest.mark.parametrize("rotated", [True, False])
def test_the_network_does_the_task_on_new_objects(rotated: bool) -> None:
    x, equal = inputs(4000, torch.Generator().manual_seed(5))
    with torch.no_grad():
        said = mw.models.hierarchical_equality(rotated=rotated)(x).argmax(-1)
    assert ((said == 1) == (equal[:, 0] == equal[:, 1])).double().mean() > 0.999


def test_half_of_the_pairs_of_objects_are_equal() -> None:
    x, equal = inputs(2000, torch.Generator().manual_seed(0))
    a, b, c, d = x.reshape(-1, 4, 4).unbind(1)
    np.testing.assert_array_equal(equal[:, 0], (a == b).all(1))
    np.testing.assert_array_equal(equal[:, 1], (c == d).all(1))
    np.testing.assert_allclose(equal.double().mean(0), 0.5, atol=0.05)


def accuracies(parts: list[mw.Subspace], n: int = 512) -> np.ndarray:
    study, site = equality(n=n)
    runs = [mw.Run("corrupt", {site: mw.Within(part, mw.Patch("clean"))}) for part in parts]
    kept = study.engine.evaluate(runs).kept
    return np.asarray((kept[..., 0] > kept[..., 1]).mean(1))


def test_rows_0_to_3_are_the_first_pair_and_no_set_of_neurons_is() -> None:
    study, _ = equality(n=512)
    truth = mw.Subspace(directions(study)[:4])
    assert accuracies([truth])[0] > 0.995
    chosen = [list(some) for k in range(1, 9) for some in combinations(range(8), k)]
    assert accuracies([mw.Subspace(np.eye(8)[some]) for some in chosen]).max() < 0.8


@pytest.mark.parametrize(("named", "variable"), [("a == b", "left"), ("c == d", "right")])
def test_the_answers_of_pairs_are_those_of_the_causal_model(named: str, variable: str) -> None:
    model = mw.abstraction.CausalModel(
        dict.fromkeys("abcd", ((0.0,) * 4, (1.0,) * 4)),
        {
            "left": lambda a, b: a == b,
            "right": lambda c, d: c == d,
            "same": lambda left, right: left == right,
        },
        "same",
    )

    def objects(x: Any) -> dict[str, tuple[float, ...]]:
        return dict(zip("abcd", map(tuple, np.reshape(x, (4, 4)).tolist()), strict=True))

    for pair in mw.models.equality_counterfactuals(named, 100, seed=3):
        predicted = model.interchange(objects(pair.corrupt), {variable: objects(pair.clean)})
        assert pair.answer == predicted


def test_another_variable_is_refused() -> None:
    with pytest.raises(mw.MediationError, match="a == c"):
        mw.models.equality_counterfactuals("a == c")
