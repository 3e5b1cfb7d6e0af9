"""Pairs of inputs are values, and their roles name positions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.effects import Status
from tests.networks.nets import made
from tests.networks.oracle import EXACT, asked


def test_a_pair_is_a_value() -> None:
    x, y = torch.arange(6).view(2, 3), torch.ones(2, 3, dtype=torch.int64)
    answer: Any = torch.tensor(2)
    pair = mw.InputPair(x, y, answer, 0, roles={"cue": 1}, template="t", group="g")
    again = mw.InputPair.from_json(json.loads(json.dumps(pair.to_json())))
    assert again == pair
    assert hash(again) == hash(pair)
    assert again.clean.dtype == np.int64
    assert pair.swapped() != pair
    assert pair.swapped().swapped() == pair
    assert pair.swapped().answer == 0
    x[0, 0] = 9
    assert pair.clean[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        pair.clean[0, 0] = 1
    contrast = mw.Contrast([pair], "one")
    assert mw.Contrast.from_json(json.loads(json.dumps(contrast.to_json()))) == contrast


def test_an_input_in_half_precision_is_read() -> None:
    x, y = torch.zeros(3, dtype=torch.bfloat16), torch.ones(3, dtype=torch.bfloat16)
    assert mw.InputPair(x, y, 0, 1) == mw.InputPair(x.float(), y.float(), 0, 1)


def test_roles_are_swept_and_named() -> None:
    network = asked("lstm")[0].lm
    pairs = [
        mw.InputPair(p.clean, p.corrupt, p.answer, p.wrong, roles={"cue": 0, "end": (4, 5)})
        for p in asked("lstm")[1].pairs
    ]
    study = mw.Study(network, pairs)
    effect = study.sweep("cell", by="role")
    assert effect.axes["position"] == ("cue", "end")
    wanted = study.intervene(mw.Site("cell", 1, position=(4, 5)))
    assert abs(effect["PIE"][1, 1] - wanted["PIE"]) < EXACT
    assert effect.labels[3] == "memory.c1 @ end"
    groups = study.sweep("cell", by={"early": (0, 1), "late": (4, 5)})
    assert abs(groups["PIE"][1, 1] - wanted["PIE"]) < EXACT


def test_a_role_that_a_point_has_not_is_an_empty_cell() -> None:
    shape = made("mixer").shape
    draw = np.random.default_rng(0)
    clean, corrupt = draw.random((2, *shape))
    pair = mw.InputPair(clean, corrupt, 0, 1, roles={"end": 5})
    net = torch.nn.Sequential(made("mixer").net, torch.nn.Linear(3, 3).double())
    study = mw.Study(mw.load(net, points={"read": "0.read", "out": "0"}), pair)
    effect = study.sweep("unit", by="role")
    assert effect.status[0].ravel().tolist() == [Status.EXACT] * 5
    assert effect.status[1].ravel().tolist() == [Status.IMPOSSIBLE] * 5


def test_roles_at_several_places_are_refused() -> None:
    pairs = [
        mw.InputPair(p.clean, p.corrupt, p.answer, p.wrong, roles={"cue": i})
        for i, p in enumerate(asked("lstm")[1].pairs)
    ]
    with pytest.raises(mw.MediationError, match="same positions in every pair"):
        mw.Study(asked("lstm")[0].lm, pairs)


def test_windows_edit_neighbouring_points() -> None:
    study, _ = asked("mlp")
    effect = study.sweep("layer", window=3)
    both = study.intervene([mw.Site("layer", 0), mw.Site("layer", 1)])
    assert abs(effect["PIE"][0] - both["PIE"]) < EXACT
    # Behind the first point nothing of a later one is left to set.
    assert abs(effect["TIE"][1] - study.total["TE"]) < EXACT
