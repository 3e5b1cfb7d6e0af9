"""A model that is made leaves torch's random numbers where they were, and is itself the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mediawidget import models

MADE: dict[str, Callable[[], object]] = {
    "arithmetic": models.arithmetic,
    "equations": models.equations,
    "gate": models.gate,
    "hierarchical_equality": models.hierarchical_equality,
    "induction": lambda: models.induction(decoys=1),
    "ioi_mini": lambda: models.ioi_mini(decoys=1),
    "lookback": models.lookback,
    "planted": models.planted,
    "planted_subspace": models.planted_subspace,
}


@pytest.mark.parametrize("name", MADE)
def test_nobody_s_random_numbers_are_drawn(name: str) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    MADE[name]()
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", ["planted", "hierarchical_equality"])
def test_weights_do_not_go_by_the_seed_that_is_set(name: str) -> None:
    weights = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = MADE[name]()
        assert isinstance(network, torch.nn.Module)
        weights.append(network.state_dict())
    for key, one in weights[0].items():
        assert torch.equal(one, weights[1][key])
