"""Labels, lengths and few prompts: a direction, or words that are true of what there is."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import directions
from tests.asking import raised
from tests.directions.known import small, verbs

SITE = mw.Site("residual", 4, position="END")
END_BEFORE = mw.Site("residual", 0, position="END")
EVERYWHERE = mw.Site("residual", 4)


@lru_cache
def ten() -> mw.Study:
    study = verbs()
    return mw.Study(study.lm, list(study.contrast)[:10])


@lru_cache
def unequal() -> mw.Study:
    """Pairs whose corrupt prompt is shorter."""
    pairs = [
        mw.PromptPair(
            f"When {io} and {s} went to the store, {s} gave a book to",
            f"When {io} went to the store, {io} gave a book to",
            answer=io,
            wrong=s,
        )
        for io, s in (("Mary", "John"), ("Anna", "Adam"))
    ]
    return mw.Study(verbs().lm, pairs)


@pytest.mark.parametrize("make", [directions.difference_of_means, directions.probe])
@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_label_is_none(make: Any, missing: Any) -> None:
    error = raised(lambda: make(ten(), SITE, labels=[missing, "x"] * 5))
    assert "5 of 10" in str(error)
    assert "None or NaN" in str(error)


@pytest.mark.parametrize("make", [directions.difference_of_means, directions.probe])
@pytest.mark.parametrize(
    "other", [("a", "b"), ("a",), frozenset("a"), 1.5], ids=["tuple", "short", "set", "number"]
)
def test_a_label_may_be_of_any_kind(make: Any, other: Any) -> None:
    """A tuple too, which is what an answer of several tokens is, and beside a text or a tuple."""
    plain = make(ten(), SITE, labels=["a", "z"] * 5)
    for first in (("x", "y"), "x"):
        found = make(ten(), SITE, labels=[first, other] * 5)
        np.testing.assert_allclose(np.abs(found.subspace.basis @ plain.subspace.basis.T), 1)
        assert "2 labels" in found.made
        assert found.accuracy == plain.accuracy


@pytest.mark.parametrize("make", [directions.difference_of_means, directions.probe])
def test_answers_of_several_tokens_are_labels(make: Any) -> None:
    answers = [pair.answer for pair in ten().contrast]
    assert isinstance(answers[0], tuple)
    found = make(ten(), SITE, labels=answers)
    assert found.k == len(set(answers)) - 1


FOUND: dict[str, Any] = {
    "leace": mw.erasure.leace,
    "inlp": mw.erasure.inlp,
    "difference_of_means": directions.difference_of_means,
    "principal": directions.principal,
    "probe": directions.probe,
    "random": directions.random,
    "sweep": lambda study, _: directions.sweep(study, "residual", by=None, progress=False),
}


@pytest.mark.parametrize("name", FOUND)
def test_prompts_of_unequal_length_have_no_positions_in_common(name: str) -> None:
    error = raised(lambda: FOUND[name](unequal(), EVERYWHERE))
    assert "15 on the clean and 13 on the corrupt" in str(error)
    assert "position" in error.fix


def test_a_position_that_both_have_is_enough() -> None:
    site = mw.Site("residual", 4, position=12)
    assert directions.difference_of_means(unequal(), site).k == 1


@pytest.mark.parametrize("labels", [None, "answers"])
def test_a_probe_where_prompts_agree_says_so(labels: Any) -> None:
    error = raised(lambda: directions.probe(ten(), END_BEFORE, labels))
    assert "tells" in error.message
    assert "apart there" in error.message
    assert "k=" not in error.fix


def test_a_probe_of_labels_where_all_values_are_one_says_so() -> None:
    site = mw.Site("residual", 0, position=0)
    labels = [0, 0, 1, 1, 1, 0]
    same = small(n=6)
    pairs = list(same.contrast)[:1] * 6
    study = mw.Study(same.lm, pairs)
    for make in (directions.probe, directions.difference_of_means):
        assert "same on all" in raised(partial(make, study, site, labels)).message


def test_a_probe_without_anybody_to_test_it_says_so() -> None:
    alone = mw.Study(ten().lm, list(ten().contrast)[:1])
    found = directions.probe(alone, SITE)
    assert found.accuracy is not None
    assert np.isnan(found.accuracy)
    assert "nan" not in repr(found)
    assert "no prompts could be held out" in repr(found)
