"""LEACE and INLP on arrays: what they promise, against closed formulas and a planted truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import fractional_matrix_power, svd

import mediawidget as mw
from mediawidget.erasure import readers
from mediawidget.erasure.labelled import labelled
from mediawidget.erasure.libraries import library
from mediawidget.erasure.readers import cross_validated
from tests.asking import raised

Array = NDArray[np.float64]


def planted(n: int, width: int = 12, seed: int = 0) -> tuple[Array, NDArray[np.int64], Array]:
    """h = Q^T [z1, z2, noise], the two variables independent: values, variables, Q."""
    rng = np.random.default_rng([seed, 7])
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(width, width)))[0]
    z = rng.integers(0, 2, (n, 2))
    rest = rng.normal(size=(n, width - 2))
    return np.concatenate([2.0 * z - 1 + 0.3 * rng.normal(size=z.shape), rest], 1) @ turn, z, turn


def mixed(seed: int, n: int, width: int, kinds: int) -> tuple[Array, NDArray[np.int64]]:
    """Values whose covariance is nothing in particular, and labels that they covary with."""
    rng = np.random.default_rng(seed)
    names = np.arange(n) % kinds
    values = rng.normal(size=(n, width)) @ rng.normal(size=(width, width)) * 3
    return values + rng.normal(size=(kinds, width))[names] + rng.normal(size=width) * 9, names


def covariance(values: Array, names: NDArray[Any]) -> Array:
    """(width, label)."""
    one_hot = (names[:, None] == np.unique(names)).astype(float)
    shared: Array = (values - values.mean(0)).T @ (one_hot - one_hot.mean(0)) / len(values)
    return shared


def means(values: Array, names: NDArray[Any]) -> Array:
    return np.stack([values[names == name].mean(0) for name in np.unique(names)])


@given(st.integers(0, 10_000), st.integers(3, 8), st.integers(2, 4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_leace_makes_the_means_of_classes_one(
    seed: int, width: int, kinds: int, shrinkage: bool
) -> None:
    values, names = mixed(seed, 60, width, min(kinds, width))
    eraser = mw.erasure.leace(values, names, shrinkage=shrinkage)
    erased, size = eraser(values), float(np.abs(values).max())
    assert eraser.k <= len(np.unique(names)) - 1
    assert np.abs(covariance(values, names)).max() > 1e-3
    assert np.abs(covariance(erased, names)).max() < 1e-9 * size
    np.testing.assert_allclose(
        means(erased, names), np.tile(values.mean(0), (len(np.unique(names)), 1)), atol=1e-8 * size
    )
    np.testing.assert_allclose(eraser(erased), erased, atol=1e-9 * size)
    np.testing.assert_allclose(erased.mean(0), values.mean(0), atol=1e-9 * size)


@given(st.integers(0, 10_000), st.integers(3, 8), st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_leace_is_the_closed_formula(seed: int, width: int, kinds: int) -> None:
    """r(x) = x - W^-1 U U^T W (x - mean), W = Sigma_xx^-1/2, U of W Sigma_xz (Belrose et al.)."""
    values, names = mixed(seed, 80, width, min(kinds, width))
    eraser = mw.erasure.leace(values, names)
    mean = values.mean(0)
    unwhiten = np.real(fractional_matrix_power(np.cov(values.T), 0.5))
    whiten = np.linalg.inv(unwhiten)
    left, sizes, _ = svd(whiten @ covariance(values, names), full_matrices=False)
    left = left[:, sizes > 1e-9]
    projection = unwhiten @ left @ left.T @ whiten
    wanted = values - (values - mean) @ projection.T
    np.testing.assert_allclose(eraser(values), wanted, atol=1e-6)
    np.testing.assert_allclose(eraser.part.matrix, projection.T, atol=1e-7)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_leace_moves_values_least(seed: int) -> None:
    """Less than the orthogonal projection along the difference of means, which erases too."""
    values, names = mixed(seed, 80, 6, 2)
    one, other = means(values, names)
    along = (other - one) / np.linalg.norm(other - one)
    flat = values - np.outer((values - values.mean(0)) @ along, along)
    flat_one, flat_other = means(flat, names)
    np.testing.assert_allclose(flat_one, flat_other, atol=1e-8)
    moved = ((mw.erasure.leace(values, names)(values) - values) ** 2).sum()
    assert moved <= ((flat - values) ** 2).sum() * (1 + 1e-9)


def auc(values: Array, names: NDArray[Any], reader: Any = "linear") -> float:
    return cross_validated(labelled(values, names), reader, 5, 0).auc


@pytest.mark.parametrize("method", ["leace", "inlp"])
def test_one_planted_variable_goes_and_the_other_stays(method: str) -> None:
    values, z, turn = planted(2000)
    others, other_z, _ = planted(2000, seed=1)
    eraser = getattr(mw.erasure, method)(values, z[:, 0])
    assert auc(others, other_z[:, 0]) > 0.99
    erased = eraser(others)
    assert auc(erased, other_z[:, 0]) == pytest.approx(0.5, abs=0.04)
    assert auc(erased, other_z[:, 1]) > 0.99
    # What reads the first variable is gone, what reads the second is hardly touched.
    lost = [((others - erased) @ row).std() / (others @ row).std() for row in turn[:2]]
    assert lost[0] > 0.95
    assert lost[1] < 0.15


def test_a_radial_probe_finds_what_no_linear_one_can() -> None:
    """Erasure is of what is linear: two rings have one mean, and LEACE has nothing to do."""
    rng = np.random.default_rng(0)
    names = np.arange(400) % 2
    angle = rng.uniform(0, 2 * np.pi, 400)
    rings = (1 + 2 * names)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    values = np.concatenate([rings, rng.normal(size=(400, 3))], 1)
    values[:, 2] += 3 * names
    erased = mw.erasure.leace(values, names)(values)
    assert auc(values, names) > 0.9
    assert auc(erased, names) < 0.55
    assert auc(erased, names, "radial") > 0.95


def test_the_area_is_that_of_the_library_and_its_interval_draws_groups() -> None:
    area = library("sklearn.metrics").roc_auc_score
    rng = np.random.default_rng(0)
    names = rng.integers(0, 3, 90)
    votes = rng.normal(size=(90, 3)).round(1) + 0.5 * np.eye(3)[names]
    wanted = [area(names == i, votes[:, i]) for i in range(3)]
    assert readers.auc(votes, names) == pytest.approx(np.mean(wanted))
    alone = labelled(votes, names)
    score = readers.scored(votes, alone)
    assert score.low < score.auc < score.high
    few = replace(alone, groups=np.arange(90) % 6)
    assert readers.scored(votes, few).high != score.high
    assert np.isnan(readers.scored(votes, replace(alone, groups=np.arange(90) % 2)).low)


def test_inlp_says_what_every_round_came_to() -> None:
    values, z, _ = planted(600)
    values = np.concatenate([values, values[:, ::-1] ** 2 + 2 * z[:, :1]], 1)
    eraser = mw.erasure.inlp(values, z[:, 0])
    table = eraser.to_dataframe()
    assert list(table.columns) == ["k", "train", "held_out", "chance", "at_chance"]
    assert list(table["k"]) == [round_.k for round_ in eraser.rounds]
    assert eraser.done
    assert table["held_out"].iloc[0] > 0.95
    assert not table["at_chance"].iloc[:-1].any()
    assert eraser.k == table["k"].iloc[-1]
    basis = eraser.part.basis
    np.testing.assert_allclose(basis @ basis.T, np.eye(eraser.k), atol=1e-9)
    assert f"{eraser.k} of 24 directions" in repr(eraser)
    short = mw.erasure.inlp(values, z[:, 0], rounds=1)
    assert len(short.rounds) == 2


def test_labels_of_several_kinds() -> None:
    values, names = mixed(3, 300, 8, 4)
    words = np.array(["ant", "bee", "cat", "dog"])[names]
    values[:, :4] += 20 * np.eye(4)[names]
    for eraser in (mw.erasure.leace(values, words), mw.erasure.inlp(values, words)):
        assert eraser.classes == ("ant", "bee", "cat", "dog")
        np.testing.assert_allclose(eraser.means, means(values, words))
        assert eraser.k >= 3
        assert auc(eraser(values), words) < 0.65
    assert mw.erasure.leace(values, words).k == 3


def test_values_of_a_capture_have_a_label_a_pair() -> None:
    values, z, _ = planted(120)
    captured = mw.Values(mw.Site("residual", 1), values.reshape(60, 2, -1))
    names = np.arange(60) % 2
    eraser = mw.erasure.leace(captured, names)
    plain = mw.erasure.leace(values, np.repeat(names, 2))
    np.testing.assert_allclose(eraser(values), plain(values), atol=1e-9)
    assert eraser.site == captured.site
    assert plain.site is None
    assert z.shape == (120, 2)


def test_equal_values_are_on_one_side_of_a_split() -> None:
    values, z, _ = planted(40)
    twice = labelled(np.concatenate([values, values]), np.tile(z[:, 0], 2))
    np.testing.assert_array_equal(twice.groups[:40], twice.groups[40:])
    assert len(np.unique(twice.groups)) == 40


VALUES, NAMES = planted(40)[0], np.arange(40) % 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: mw.erasure.leace(VALUES, NAMES[:-1]),
        lambda: mw.erasure.leace(VALUES, np.zeros(40)),
        lambda: mw.erasure.leace(VALUES, np.arange(40)),
        lambda: mw.erasure.leace(np.full((40, 2), np.nan), NAMES),
        lambda: mw.erasure.leace("values", NAMES),
        lambda: mw.erasure.leace(VALUES[:, 0], NAMES),
        lambda: mw.erasure.leace(np.repeat(VALUES, 2, 0), np.arange(80) % 2),
        lambda: mw.erasure.inlp(VALUES, NAMES, rounds=0),
        lambda: mw.erasure.inlp(VALUES, NAMES, held_out=1.0),
        lambda: mw.erasure.inlp(VALUES, NAMES, strength=-1.0),
        lambda: mw.erasure.inlp(VALUES, NAMES, seed=-1),
        lambda: mw.erasure.inlp(VALUES[:3], NAMES[:3]),
        lambda: mw.erasure.leace(VALUES, planted(40)[1][:, 0])(np.zeros(3)),
    ],
)
def test_what_cannot_be_erased_is_refused(call: Any) -> None:
    raised(call)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "concept_erasure", None)
    assert "probes" in str(raised(lambda: mw.erasure.leace(VALUES, planted(40)[1][:, 0])))


@pytest.mark.parametrize("method", ["leace", "inlp"])
@pytest.mark.parametrize("width", [4, 12])
def test_what_is_erased_once_is_erased(method: str, width: int) -> None:
    """P P = P, and a mean stays where it is; INLP's P is symmetric, LEACE's in whitened values."""
    values, z, _ = planted(200, width)
    eraser = getattr(mw.erasure, method)(values, labels=z[:, 0])
    once = eraser(values)
    assert not np.allclose(once, values, atol=0.1)
    np.testing.assert_allclose(eraser(once), once, atol=1e-9)
    np.testing.assert_allclose(eraser(eraser.mean), eraser.mean, atol=1e-12)
    np.testing.assert_allclose(once.mean(0), values.mean(0), atol=1e-9)
    part = eraser(np.eye(width)) - eraser(np.zeros(width))
    kept = part.T  # x to (1 - P) x
    np.testing.assert_allclose(kept @ kept, kept, atol=1e-9)
    assert np.linalg.matrix_rank(kept, tol=1e-6) == width - eraser.k
    spread = np.cov(values.T) if method == "leace" else np.eye(width)
    np.testing.assert_allclose(kept @ spread, spread @ kept.T, atol=1e-8)
