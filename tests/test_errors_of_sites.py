"""Sites and sweeps that do not exist are refused before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from tests.asking import pair, raised, study
from tests.engine.cases import random_pair


@pytest.mark.parametrize("call", ["sweep", "intervene", "run"])
def test_unknown_mediator(call: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "sweep": lambda: study().sweep("heads"),
        "intervene": lambda: study().intervene([mw.Site("heads", 1, head=1)]),
        "run": lambda: study().engine.evaluate(
            [mw.Run("clean", {mw.Site("heads", 1, head=1): mw.Patch()})]
        ),
    }
    error = raised(calls[call])
    assert "heads" in str(error.value)
    for name in ("head", "residual", "attn_out", "mlp_out"):
        assert name in error.expected


@pytest.mark.parametrize(
    ("site", "value", "limit"),
    [
        (mw.Site("head", 5, head=0), "5", "4"),
        (mw.Site("head", -1, head=0), "-1", "4"),
        (mw.Site("head", 0, head=3), "3", "2"),
        (mw.Site("head", 0, head=-1), "-1", "2"),
        (mw.Site("residual", 6), "6", "5"),
        (mw.Site("attn_out", 5), "5", "4"),
        (mw.Site("mlp_out", 5), "5", "4"),
        (mw.Site("mlp_out", 1, position=5), "5", "4"),
        (mw.Site("mlp_out", 1, position=(0, 7)), "7", "4"),
        (mw.Site("residual", 1, position=-1), "-1", "4"),
    ],
    ids=lambda item: item.label() if isinstance(item, mw.Site) else str(item),
)
def test_site_out_of_range(site: mw.Site, value: str, limit: str) -> None:
    error = raised(lambda: study().intervene([site]))
    assert value in str(error.value)
    assert limit in error.expected
    raised(lambda: study().engine.evaluate([mw.Run("corrupt", {site: mw.Zero()})]))


def test_a_head_site_needs_its_head_and_others_have_none() -> None:
    raised(lambda: study().intervene([mw.Site("head", 1)]))
    raised(lambda: study().intervene([mw.Site("mlp_out", 1, head=0)]))


def test_one_place_set_twice_in_a_run() -> None:
    """Two values for one place have no meaning, and no order that a reader could guess."""
    twice = {
        mw.Site("head", 1, head=0): mw.Zero(),
        mw.Site("head", 1, head=0, position=3): mw.Patch(),
    }
    raised(lambda: study().engine.evaluate([mw.Run("clean", twice)]))


@pytest.mark.parametrize("call", ["intervene", "sweep", "activations", "estimate"])
def test_a_role_that_the_pairs_do_not_have(call: str) -> None:
    some = study(pair(roles={"S2": 1, "END": 4}), pair(clean="ant hen", corrupt="ant gnu"))
    one = study(pair(roles={"S2": 1, "END": 4}))
    site = mw.Site("mlp_out", 1, position="end")
    calls: dict[str, Callable[[mw.Study], object]] = {
        "intervene": lambda study: study.intervene([site]),
        "sweep": lambda study: study.sweep("mlp_out", by={"here": "end"}),
        "activations": lambda study: study.activations(site, "clean"),
        "estimate": lambda study: study.estimate("mlp_out", by={"here": "end"}),
    }
    error = raised(lambda: calls[call](one))
    assert (str(error.value), error.expected) == ("'end'", "one of 'S2', 'END'")
    assert "no role is in every pair" in raised(lambda: calls[call](some)).expected


def test_an_empty_intervention() -> None:
    raised(lambda: study().intervene([]))


def test_a_mediator_the_model_does_not_have() -> None:
    """The hand-set induction model has no MLPs."""
    lm = mw.models.induction()
    asked = mw.Study(lm, mw.models.induction_pairs()["key swap"])
    for call in (
        lambda: asked.sweep("mlp_out"),
        lambda: asked.intervene([mw.Site("mlp_out", 0)]),
    ):
        error = raised(call)
        assert "mlp_out" in str(error)
        assert "attn_out" in error.expected


def test_numbers_of_numpy_and_ranges_are_numbers() -> None:
    """Loops over ``np.arange`` are common; a site is compared and saved by its plain numbers."""
    site = mw.Site("head", np.int64(1), head=np.int64(2), position=np.int64(3))  # type: ignore[arg-type]
    assert site == mw.Site("head", 1, head=2, position=3)
    assert json.loads(json.dumps(site.to_json())) == site.to_json()
    assert mw.Site("mlp_out", 1, position=range(2)) == mw.Site("mlp_out", 1, position=(0, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize("position", [1.0, True, "store", (), (1, 2.5), (2, 2)], ids=repr)
def test_positions_that_are_none(position: Any) -> None:
    raised(lambda: study().intervene([mw.Site("mlp_out", 1, position=position)]))


def test_by_position_needs_one_length() -> None:
    two = study(pair(), random_pair("gpt2", 61, length=6, first=2))
    error = raised(lambda: two.sweep("residual", by="position"))
    assert "5" in str(error.value)
    assert "6" in str(error.value)
    assert two.sweep("residual").n_pairs == 2


@pytest.mark.parametrize("layers", [[2, 2], (0, 1, 0)])
def test_a_layer_is_swept_once(layers: Sequence[int]) -> None:
    error = raised(lambda: study().sweep("head", layers=layers, progress=False))
    assert error.message == "A layer is asked for twice."
    assert f"layers={list(dict.fromkeys(layers))}" in error.fix


def test_an_option_that_a_sweep_has_not_is_refused_with_those_it_has() -> None:
    asked = study()
    for name in ("sweep", "start", "job"):
        error = raised(lambda name=name: getattr(asked, name)("head", layer=2))  # type: ignore[misc]
        assert error.value == "'layer'"
        assert error.expected == "one of by, edit, window, layers, freeze"
