"""What labels may be: anything that is one of a few kinds, and nothing that is missing."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.erasure.labelled import labelled, of_pairs
from mediawidget.erasure.naming import kinds, numbered, one_each
from mediawidget.erasure.readers import cross_validated
from tests.asking import raised
from tests.directions.known import small

N = 200
CODES = np.arange(N) % 2
VALUES = np.random.default_rng(0).normal(size=(N, 5)) + 4 * CODES[:, None]
SITE = mw.Site("residual", 2, position=5)


def of(first: object, second: object) -> list[Any]:
    return [(first, second)[code] for code in CODES]


MISSING: dict[str, Any] = {
    "NaN beside numbers": np.where(CODES, 1.0, np.nan),
    "NaN beside texts": of(float("nan"), "a"),
    "None beside texts": of(None, "a"),
    "None in an array": np.array(of(None, "a"), dtype=object),
    "None in a tuple": of(("a", None), ("b", "c")),
}


@pytest.mark.parametrize("method", ["leace", "inlp"])
@pytest.mark.parametrize("name", MISSING)
def test_a_missing_label_is_none(method: str, name: str) -> None:
    error = raised(lambda: getattr(mw.erasure, method)(VALUES, MISSING[name]))
    assert "100 of 200" in str(error)
    assert "None or NaN" in str(error)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_prompt_without_a_label_is_refused(missing: Any) -> None:
    study = small(n=8)
    both = [("a", missing)] * 8
    assert "8 of 16" in str(raised(lambda: mw.erasure.leace(study, SITE, labels=both)))
    eraser = mw.erasure.leace(study, SITE)
    raised(lambda: mw.erasure.probed(study, eraser, labels=lambda _: ("a", missing), folds=2))


KINDS: dict[str, Any] = {
    "tuples": of(("a", "b"), ("c", "d")),
    "tuples of several lengths": of(("a", "b"), ("c",)),
    "texts and tuples": of("a", ("b", "c")),
    "numbers and texts": np.array(of(1, "a"), dtype=object),
    "numbers as objects": np.array(of(0, 1), dtype=object),
    "fractions": of(0.5, 1.7),
    "frozen sets": of(frozenset("ab"), frozenset("cd")),
}


@pytest.mark.parametrize("method", ["leace", "inlp"])
@pytest.mark.parametrize("name", KINDS)
def test_a_label_may_be_of_any_kind(method: str, name: str) -> None:
    """The same is erased as of numbers, up to the sign of what tells the two apart."""
    eraser = getattr(mw.erasure, method)(VALUES, KINDS[name])
    plain = getattr(mw.erasure, method)(VALUES, CODES)
    assert len(eraser.classes) == 2
    np.testing.assert_allclose(eraser(VALUES), plain(VALUES), atol=1e-6)
    assert cross_validated(labelled(VALUES, KINDS[name]), "radial", 5, 0).accuracy > 0.95


NO_LABELS: list[Any] = [
    of([1], [1, 2]),
    np.array(of([1], {}), dtype=object),
    of(("a", [1]), ("b", [2])),
    of(("a", np.zeros(2)), ("b", np.ones(2))),
    [("a", torch.ones(1)) for _ in CODES],
]


@pytest.mark.parametrize("labels", NO_LABELS)
def test_what_is_no_label_is_refused(labels: Any) -> None:
    for method in (mw.erasure.leace, mw.erasure.inlp):
        error = raised(partial(method, VALUES, labels))
        assert "label" in error.message


def test_labels_are_numbered_in_order() -> None:
    assert numbered(one_each(["b", "a", "b"])).tolist() == [1, 0, 1]
    assert kinds(one_each([("b",), "a", ("b",)])) == ["a", ("b",)]


def test_labels_of_both_prompts_may_be_tuples() -> None:
    pairs = list(small(n=4).contrast)
    both = [(("a", "b"), ("c", "d"))] * 4
    for given in (both, lambda _: both[0]):
        clean, corrupt = of_pairs(pairs, given)
        assert clean.tolist() == [("a", "b")] * 4
        assert corrupt.tolist() == [("c", "d")] * 4
    clean, corrupt = of_pairs(pairs, np.array([[1, 2]] * 4))
    assert (clean.tolist(), corrupt.tolist()) == ([1] * 4, [2] * 4)
    raised(lambda: of_pairs(pairs, ["ab"] * 4))


def test_probes_draw_nobody_s_random_numbers() -> None:
    study = small(n=8)
    eraser = mw.erasure.leace(study, SITE)
    drawn = []
    for probing in (False, True):
        np.random.seed(0)  # noqa: NPY002 - the global one is what is watched
        if probing:
            mw.erasure.probed(study, eraser, folds=2)
        drawn.append(np.random.rand())  # noqa: NPY002
    assert drawn[0] == drawn[1]
