"""The hierarchical-equality network: it does the task, and where it keeps a == b is known."""

from itertools import combinations

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


def test_the_answer_of_a_pair_is_that_of_one_equality_exchanged() -> None:
    contrast = mw.models.equality_counterfactuals("c == d", 200, seed=3)
    for pair in contrast:
        a, b, _, _ = np.reshape(pair.corrupt, (4, 4))
        _, _, c, d = np.reshape(pair.clean, (4, 4))
        assert pair.answer == ((a == b).all() == (c == d).all())


def test_another_variable_is_refused() -> None:
    with pytest.raises(mw.MediationError, match="a == c"):
        mw.models.equality_counterfactuals("a == c")
