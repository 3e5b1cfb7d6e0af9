"""A kind of mediator of one's own is known by its name, and takes nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import mediawidget as mw
from mediawidget.mediators import MEDIATORS, Mediator, mediator_named, register


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    before = dict(MEDIATORS)
    yield
    MEDIATORS.clear()
    MEDIATORS.update(before)


def pair_of_heads(name: str = "head_pair") -> Mediator:
    return Mediator(name, "Two heads", "attn_z", "unit", lambda shape: shape.n_heads // 2)


def test_it_is_known_by_its_name() -> None:
    with pytest.raises(mw.MediationError, match="Unknown mediator"):
        mediator_named("head_pair")
    mine = register(pair_of_heads())
    assert mediator_named("head_pair") is mine
    assert mw.Site("head_pair", 2, unit=1).label() == "head_pair2[1]"


def test_a_cell_may_be_run_twice() -> None:
    register(pair_of_heads())
    again = register(pair_of_heads())
    assert mediator_named("head_pair") is again


@pytest.mark.parametrize("name", ["head", "channel", "two heads", ""])
def test_a_name_that_is_taken_or_no_name_is_refused(name: str) -> None:
    before = dict(MEDIATORS)
    with pytest.raises(mw.MediationError, match="name cannot be given"):
        register(pair_of_heads(name))
    assert before == MEDIATORS


@pytest.mark.parametrize("thing", ["head_pair", Mediator("x", "X", "nowhere")])  # type: ignore[arg-type]
def test_what_has_no_point_is_refused(thing: Any) -> None:
    with pytest.raises(mw.MediationError, match="has a point"):
        register(thing)


def test_two_heads_at_once_are_two_heads_together() -> None:
    register(pair_of_heads())
    pair = mw.PromptPair(
        clean="When Mary and John went to the store, John gave a book to",
        corrupt="When Mary and John went to the store, Mary gave a book to",
        answer="Mary",
        wrong="John",
    )
    study = mw.Study(mw.load(), pair)
    effect = study.sweep("head_pair", progress=False)
    together = study.intervene([mw.Site("head", 3, head=0), mw.Site("head", 3, head=1)])
    assert abs(effect["PIE"][3, 0] - together["PIE"]) < 1e-4
    assert abs(together["PIE"]) > 1
