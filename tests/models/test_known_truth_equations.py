"""Structural equations: every estimand is a polynomial of the coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from tests.asking import raised

few = settings(max_examples=30, deadline=None, derandomize=True, database=None)
number = st.floats(-3, 3).map(lambda value: round(value, 3))
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Truth:
    """The equations once more, from their definition."""

    lines: list[tuple[float, float]]
    b: list[float]
    b0: float
    c: float
    d: list[float]
    dij: dict[tuple[int, int], float]

    def m(self, x: float) -> list[float]:
        return [a0 + a1 * x for a0, a1 in self.lines]

    def y(self, x: float, m: list[float]) -> float:
        """Y(x, m)."""
        own = sum(b * m_i for b, m_i in zip(self.b, m, strict=True))
        with_x = sum(d * x * m_i for d, m_i in zip(self.d, m, strict=True))
        both = sum(d * m[i] * m[j] for (i, j), d in self.dij.items())
        return self.b0 + self.c * x + own + with_x + both

    def corners(self, sites: tuple[int, ...], x1: float, x0: float) -> list[float]:
        """Y11, Y10, Y01, Y00 where the mediators ``sites`` are patched together."""

        def at(x: float, other: float) -> float:
            mixed = [
                there if i in sites else here
                for i, (here, there) in enumerate(zip(self.m(x), self.m(other), strict=True))
            ]
            return self.y(x, mixed)

        return [at(x1, x1), at(x1, x0), at(x0, x1), at(x0, x0)]

    def model(self, **more: Any) -> mw.LM:
        return mw.models.equations(
            self.lines,
            self.b,
            intercept=self.b0,
            direct=self.c,
            moderation=self.d,
            interactions=self.dij,
            **more,
        )


@st.composite
def truths(draw: Any, least: int = 1, most: int = 4) -> Truth:
    n = draw(st.integers(least, most))
    numbers = st.lists(number, min_size=n, max_size=n)
    pairs = list(combinations(range(n), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return Truth(
        lines=list(zip(draw(numbers), draw(numbers), strict=True)),
        b=draw(numbers),
        b0=draw(number),
        c=draw(number),
        d=draw(numbers),
        dij={pair: draw(number) for pair in chosen},
    )


def head(i: int) -> mw.Site:
    return mw.Site("head", 0, head=i)


@few
@given(truths(1, 1))
def test_one_mediator(truth: Truth) -> None:
    """The closed forms of one mediator with an interaction, from x = 1 to x = 0."""
    study = mw.Study(truth.model(), mw.models.equation_pairs())
    effect = study.intervene(head(0))
    ((a0, a1),), (b,), c, (d,) = truth.lines, truth.b, truth.c, truth.d
    closed = {
        "TE": c + b * a1 + d * (a0 + a1),
        "PDE": c + d * a0,
        "TDE": c + d * (a0 + a1),
        "PIE": b * a1,
        "TIE": (b + d) * a1,
        "INT": d * a1,
        "Y00": truth.b0 + b * a0,
    }
    for key, value in closed.items():
        assert effect[key] == pytest.approx(value, abs=TOLERANCE), key
    for m in (0.0, 1.0, -2.5):
        values = mw.Values(head(0), np.full((1, 2, 1), m))
        held = study.intervene({head(0): mw.Patch(values)})
        assert held["CDE"] == pytest.approx(c + d * m, abs=TOLERANCE)


@few
@given(truths(), number, number)
def test_the_engine_measures_the_equations(truth: Truth, x1: float, x0: float) -> None:
    """Each mediator alone, and a random set of them, at any two doses: all four corners."""
    study = mw.Study(truth.model(values=[x0, x1]), mw.models.equation_pairs())
    keys = ("Y11", "Y10", "Y01", "Y00")
    effect = study.sweep("head", progress=False)
    for i in range(len(truth.lines)):
        found = [np.broadcast_to(effect[key], effect.shape)[0, i] for key in keys]
        np.testing.assert_allclose(found, truth.corners((i,), x1, x0), atol=TOLERANCE)
    some = tuple(range(0, len(truth.lines), 2))
    joint = study.intervene([head(i) for i in some])
    found = [joint[key] for key in keys]
    np.testing.assert_allclose(found, truth.corners(some, x1, x0), atol=TOLERANCE)


@few
@given(st.lists(number, min_size=3, max_size=3), st.lists(number, min_size=3, max_size=3))
def test_dividends_of_binary_mediators(b: list[float], d: list[float]) -> None:
    """With M_i = x and nothing beside, v(S) = PIE(S) has the dividends b_i, d_ij and no more."""
    pairs = list(combinations(range(3), 2))
    truth = Truth([(0.0, 1.0)] * 3, b, 0.0, 0.0, [0.0] * 3, dict(zip(pairs, d, strict=True)))
    study = mw.Study(truth.model(), mw.models.equation_pairs())
    sets = [s for size in (1, 2, 3) for s in combinations(range(3), size)]
    v = {s: study.intervene([head(i) for i in s])["PIE"] for s in sets}
    dividend: dict[tuple[int, ...], float] = {}
    for s in sets:
        parts = sum(dividend[t] for t in dividend if set(t) < set(s))
        dividend[s] = v[s] - parts
    expected = {(i,): b[i] for i in range(3)} | truth.dij | {(0, 1, 2): 0.0}
    for s, value in expected.items():
        assert dividend[s] == pytest.approx(value, abs=TOLERANCE), s


def test_a_heads_z_is_its_mediator() -> None:
    truth = Truth([(0.5, 2.0), (-1.0, 0.25)], [1.0, 1.0], 0.0, 0.0, [0.0, 0.0], {})
    study = mw.Study(truth.model(values=[0.5, 3.0]), mw.models.equation_pairs())
    for base, x in (("clean", 3.0), ("corrupt", 0.5)):
        for i, expected in enumerate(truth.m(x)):
            values = study.activations(mw.Site("head", 0, head=i, position=1), base)  # type: ignore[arg-type]
            assert values.array.shape == (1, 1, 1)
            assert values.array.item() == pytest.approx(expected, abs=1e-14)


def test_a_neuron_is_a_term() -> None:
    """In the order b0, c, b_i, d_i, d_ij; each has the change of its term and no INT."""
    truth = Truth([(0.5, 2.0), (-1.0, 3.0)], [0.7, -0.2], 5.0, 1.5, [0.3, 0.9], {(0, 1): -0.4})
    study = mw.Study(truth.model(), mw.models.equation_pairs())
    effect = study.sweep("neuron", progress=False)
    (p0, q0), (p1, q1) = truth.m(0), truth.m(1)
    changes = [
        *(0, 1.5, 0.7 * (p1 - p0), -0.2 * (q1 - q0)),
        *(0.3 * p1, 0.9 * q1, -0.4 * (p1 * q1 - p0 * q0)),
    ]
    np.testing.assert_allclose(effect["PIE"], [changes], atol=TOLERANCE)
    np.testing.assert_allclose(effect["INT"], 0, atol=TOLERANCE)


def test_the_direct_path_is_the_residual_stream() -> None:
    """All heads patched leave c x and d x M; frozen or not is the same, for they are parallel."""
    truth = Truth([(0.5, 2.0), (-1.0, 3.0)], [0.7, -0.2], 5.0, 1.5, [0.3, 0.9], {})
    study = mw.Study(truth.model(), mw.models.equation_pairs())
    heads = [head(0), head(1)]
    m0 = truth.m(0)
    direct = 1.5 + 0.3 * m0[0] + 0.9 * m0[1]
    assert study.intervene(heads)["PDE"] == pytest.approx(direct, abs=TOLERANCE)
    one, frozen = study.intervene(head(0)), study.intervene(head(0), freeze="head")
    for key in ("Y11", "Y00"):
        assert frozen[key] == pytest.approx(one[key], abs=TOLERANCE)
    assert one["PIE"] == pytest.approx(0.7 * 2, abs=TOLERANCE)
    assert frozen["PIE"] == pytest.approx(0.7 * 2, abs=TOLERANCE)


def test_probabilities_are_those_of_two_answers() -> None:
    lm = mw.models.equations(weights=[2.0], values=[0.0, 1.0, 0.5, 7.0])
    study = mw.Study(lm, mw.models.equation_pairs(2), mw.Prob())
    expected = [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-14))]
    np.testing.assert_allclose(study.total.pairs("Y11"), expected, atol=1e-12)


def test_an_array_is_a_list_of_numbers() -> None:
    lm = mw.models.equations(np.array([[0.0, 1.0]]).tolist(), np.array([2.0]), values=np.eye(2)[0])  # type: ignore[arg-type]
    assert mw.Study(lm, mw.models.equation_pairs()).total["TE"] == pytest.approx(-2)


def test_single_precision_is_near() -> None:
    lm = mw.models.equations([(0.3, 1.1)], [0.7], moderation=[0.9])
    single = mw.load(lm.hf, tokenizer=lm.tokenizer, paths=lm.paths, dtype=torch.float32)
    effect = mw.Study(single, mw.models.equation_pairs()).intervene(head(0))
    assert effect["TIE"] == pytest.approx(1.6 * 1.1, abs=1e-5)


@pytest.mark.parametrize(
    "given",
    [
        {"mediators": []},
        {"mediators": [1.0]},
        {"mediators": [(0.0, 1.0, 2.0)]},
        {"mediators": [("a", 1.0)]},
        {"mediators": "ab"},
        {"mediators": [(0.0, 1.0)] * 40, "weights": [1.0] * 40},
        {"weights": [1.0, 2.0]},
        {"weights": [float("nan")]},
        {"weights": 1.0},
        {"intercept": "1"},
        {"intercept": 10**400},
        {"direct": 1e7},
        {"direct": float("inf")},
        {"moderation": [1.0, 2.0]},
        {"interactions": {(0, 0): 1.0}},
        {"interactions": {(0, 1): 1.0}},
        {"interactions": [(0, 1, 1.0)]},
        {"values": [1.0]},
        {"values": 3},
    ],
)
def test_equations_that_are_none(given: dict[str, Any]) -> None:
    raised(lambda: mw.models.equations(**given))


def test_interactions_go_up_and_have_numbers() -> None:
    two: dict[str, Any] = {"mediators": [(0.0, 1.0)] * 2, "weights": [1.0, 1.0]}
    raised(lambda: mw.models.equations(**two, interactions={(1, 0): 1.0}))
    raised(lambda: mw.models.equations(**two, interactions={(0, 1): True}))


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True, 10**12])
def test_numbers_of_pairs_that_are_none(n: Any) -> None:
    raised(lambda: mw.models.equation_pairs(n))
    raised(lambda: mw.models.planted_pairs(n))
