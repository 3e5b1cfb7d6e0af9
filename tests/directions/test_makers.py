"""Directions are what their names say, and on known truth they carry what is known."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import directions
from mediawidget.directions.samples import samples
from tests.asking import raised
from tests.directions.known import STREAM, block, ioi, of_one_order, small, values

SITE = mw.Site("residual", 2, position=(4, 6))
LEAK = 1e-4
"""What the hand-set heads, whose softmax is sharp and not hard, let through: e^-10 a head."""

FLAT = mw.Site("residual", 2, position=1)


def same_span(found: mw.Subspace, expected: np.ndarray) -> None:
    projector = expected.T @ expected
    np.testing.assert_allclose(found.basis.T @ found.basis, projector, atol=1e-9)


# --- arithmetic -------------------------------------------------------------------------------


def test_the_difference_of_means() -> None:
    study = small()
    clean, corrupt = values(study, SITE)
    step = clean.mean(0) - corrupt.mean(0)
    found = directions.difference_of_means(study, SITE)
    same_span(found.subspace, step[None] / np.linalg.norm(step))
    np.testing.assert_allclose(found.shift, step, atol=1e-9)
    np.testing.assert_allclose(found.unit, step / np.linalg.norm(step), atol=1e-9)
    assert found.gap == pytest.approx(np.linalg.norm(step))
    assert found.norm == pytest.approx(np.linalg.norm(clean, axis=1).mean())
    assert (found.k, found.n_pairs, found.site) == (1, 4, SITE)


def test_means_of_several_labels() -> None:
    """c means span c - 1 directions; the corrupt prompts have no part in labels of the pairs."""
    study = small(n=6)
    labels = ["a", "b", "c", "a", "b", "c"]
    clean, _ = values(study, SITE)
    each = clean.reshape(6, 2, -1).mean(1)
    means = np.stack([each[[i, i + 3]].mean(0) for i in range(3)])
    found = directions.difference_of_means(study, SITE, labels)
    _, _, right = np.linalg.svd(means - means.mean(0), full_matrices=False)
    same_span(found.subspace, right[:2])
    same_span(directions.difference_of_means(study, SITE, labels, k=1).subspace, right[:1])
    assert "3 labels" in repr(found)


def test_answers_are_those_of_both_prompts() -> None:
    """Clean prompts go by the answer, corrupt ones by the wrong one: here both of two names."""
    study = small(n=2)
    one = study.contrast[0]
    pairs = [one, one.swapped()]
    study = mw.Study(study.lm, pairs)
    clean, corrupt = values(study, SITE)
    found = directions.difference_of_means(study, SITE, "answers")
    said = np.concatenate([clean[:2], corrupt[2:]]).mean(0)
    not_said = np.concatenate([clean[2:], corrupt[:2]]).mean(0)
    step = said - not_said
    same_span(found.subspace, step[None] / np.linalg.norm(step))
    assert found.gap < 1e-9 * found.norm, "clean and corrupt are the same prompts here"
    np.testing.assert_allclose(np.abs(found.unit @ step), np.linalg.norm(step))


@pytest.mark.parametrize("of", ["differences", "values"])
def test_principal_components(of: Any) -> None:
    """The eigenvectors of the second moment of differences, or of the covariance of values."""
    study = small(n=6)
    clean, corrupt = values(study, SITE)
    rows = clean - corrupt if of == "differences" else np.concatenate([clean, corrupt])
    rows = rows if of == "differences" else rows - rows.mean(0)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    for k in (1, 3):
        found = directions.principal(study, SITE, k, of)
        same_span(found.subspace, vectors.T[::-1][:k])


def test_all_differences_are_the_whole_site() -> None:
    """On the pairs that made them, a patch of all their components is one of the site."""
    study = small(n=3)
    found = directions.principal(study, SITE, k=6)
    part, whole = study.intervene({SITE: found.within()}), study.intervene(SITE)
    for corner in ("Y10", "Y01"):
        np.testing.assert_allclose(part.pairs(corner), whole.pairs(corner), atol=1e-9)


def test_random_and_given() -> None:
    study = small()
    width = values(study, SITE)[0].shape[1]
    one, again, other = (directions.random(study, SITE, 2, seed) for seed in (0, 0, 1))
    assert one.subspace == again.subspace == mw.Subspace.random(2, width, 0)
    assert one.subspace != other.subspace
    assert one.n_pairs == 0
    learned = directions.given(study, SITE, one.subspace, made="training")
    assert learned.subspace == one.subspace
    assert "by training" in repr(learned)
    vector = np.arange(width) + 1.0
    same_span(directions.given(study, SITE, vector).subspace, vector[None] / np.linalg.norm(vector))


def test_a_table_of_one() -> None:
    row = directions.difference_of_means(small(), SITE).to_dataframe().loc[0]
    assert (row["site"], row["k"], row["n"]) == ("L2 @ 4, 6", 1, 4)
    assert row["gap"] > 0
    assert row["accuracy"] is None


# --- known truth ------------------------------------------------------------------------------


def test_the_inhibition_block_carries_everything() -> None:
    """By construction: at END after layer 1 only ``inh`` tells which name is the answer."""
    study = of_one_order()
    found = directions.difference_of_means(study, STREAM)
    outside = (
        found.subspace.basis - found.subspace.basis @ block("inh").basis.T @ block("inh").basis
    )
    assert np.abs(outside).max() < LEAK
    whole = study.intervene(STREAM)
    np.testing.assert_allclose(whole.pairs("PIE"), whole.pairs("TE"), atol=LEAK)
    inhibition = directions.given(study, STREAM, block("inh"))
    effect = study.intervene({STREAM: inhibition.within()})
    for key in ("PIE", "TIE"):
        np.testing.assert_allclose(effect.pairs(key), effect.pairs("TE"), atol=LEAK)
    for name in ("tok", "pos", "dup", "out"):
        other = study.intervene({STREAM: mw.Within(block(name))})
        np.testing.assert_allclose(other.pairs("PIE"), 0, atol=LEAK)


def test_one_pair_of_names_has_one_direction() -> None:
    """Of two names, the direction between them carries all, and a random one next to nothing."""
    pairs = list(ioi().contrast)[:2]
    study = mw.Study(ioi().lm, pairs[:1])
    found = directions.difference_of_means(study, STREAM)
    effect = mw.Study(ioi().lm, pairs).intervene({STREAM: found.within()})
    np.testing.assert_allclose(effect.pairs("PIE"), effect.pairs("TE"), atol=LEAK)
    np.testing.assert_allclose(effect.pairs("TIE"), effect.pairs("TE"), atol=LEAK)
    for seed in range(3):
        chance = directions.random(study, STREAM, 1, seed)
        none = study.intervene({STREAM: chance.within()})
        assert abs(none["PIE"]) < 0.15 * none["TE"]


def test_steering_from_mean_to_mean() -> None:
    """On one pair the mean is the value: a step of the gap is the patch, and back again."""
    study = mw.Study(ioi().lm, list(ioi().contrast)[:1])
    found = directions.difference_of_means(study, STREAM)
    patched = study.intervene({STREAM: found.within()})
    up = study.intervene({STREAM: found.steer(found.gap)})
    down = study.intervene({STREAM: found.steer(-found.gap)})
    np.testing.assert_allclose(up.edited[:, 1], patched.edited[:, 1], atol=1e-9)
    np.testing.assert_allclose(down.edited[:, 0], patched.edited[:, 0], atol=1e-9)


# --- probes -----------------------------------------------------------------------------------


def planted(n: int = 48) -> tuple[mw.Study, mw.Site, list[str]]:
    study = mw.Study(mw.models.planted_subspace("AND"), mw.models.planted_pairs(n, seed=5))
    site = mw.Site("residual", 1, position=3)
    return study, site, [pair.clean.split()[1] for pair in study.contrast]


def test_a_probe_finds_a_planted_variable() -> None:
    study, site, labels = planted(96)
    found = directions.probe(study, site, labels)
    row = np.asarray(study.lm.hf.planted.numpy())[0]  # type: ignore[operator]
    assert abs(found.subspace.basis[0] @ row) > 0.9
    assert found.accuracy is not None
    assert found.accuracy > 0.9
    assert found.chance == max(labels.count("0"), labels.count("1")) / len(labels)
    assert f"tells {found.accuracy:.0%} of held-out prompts" in repr(found)


def test_held_out_accuracy_of_noise_is_chance() -> None:
    """Labels that go with nothing are told no better than by chance, however well they fit."""
    study, site, _ = planted(60)
    labels = np.random.default_rng(3).integers(0, 2, 60).tolist()
    found = directions.probe(study, site, labels, strength=1000.0)
    assert found.accuracy is not None
    assert found.accuracy < 0.7


def test_a_prompt_of_several_pairs_is_not_held_out_beside_itself() -> None:
    """Labels that are drawn for every prompt can be remembered, and not told."""
    noise = range(16)
    pairs = [
        mw.PromptPair(f"<s> 1 0 n{n}", f"<s> 0 0 n{m}", "yes", "no")
        for n in noise
        for m in range(4)
    ]
    study = mw.Study(mw.models.planted_subspace("AND"), pairs)
    labels = np.repeat(np.random.default_rng(0).permutation(np.arange(16) % 2), 4).tolist()
    found = directions.probe(study, mw.Site("residual", 1, position=3), labels, strength=1000.0)
    assert found.accuracy is not None
    assert found.accuracy < 0.7
    numbers = samples(study, found.site).labelled(labels)[2]
    np.testing.assert_array_equal(numbers, np.repeat(np.arange(16), 4))


def test_a_probe_of_clean_against_corrupt_and_of_many_labels() -> None:
    study = of_one_order()
    found = directions.probe(study, STREAM)
    assert (found.k, found.n_pairs) == (1, 4)
    # Its weights are made of differences of prompts, and these differ in one block alone.
    inside = found.subspace.basis @ block("inh").basis.T
    assert np.linalg.norm(inside) > 1 - LEAK
    names = directions.probe(ioi(), STREAM, "answers")
    assert (names.k, names.chance) == (7, 1 / 8)
    assert directions.probe(ioi(), STREAM, "answers", k=2).k == 2
    single = mw.Study(ioi().lm, list(ioi().contrast)[:1])
    alone = directions.probe(single, STREAM)
    assert alone.accuracy is not None
    assert np.isnan(alone.accuracy), "no other pair to be tested on"


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    error = raised(lambda: directions.probe(small(), SITE))
    assert "mediawidget[probes]" in error.fix


# --- what is refused --------------------------------------------------------------------------


def test_what_makes_no_direction_is_refused() -> None:
    study = small()
    for call in (
        lambda: directions.difference_of_means(study, FLAT),
        lambda: directions.principal(study, FLAT),
        lambda: directions.difference_of_means(study, SITE, ["a"] * 4),
        lambda: directions.difference_of_means(study, SITE, ["a", "b"]),
        lambda: directions.difference_of_means(study, SITE, "answer"),
        lambda: directions.difference_of_means(study, SITE, k=2),
        lambda: directions.difference_of_means(study, SITE, k=0),
        lambda: directions.difference_of_means(study, mw.Site("pattern", 1, head=0)),
        lambda: directions.difference_of_means("study", SITE),  # type: ignore[arg-type]
        lambda: directions.difference_of_means(study, "L2"),  # type: ignore[arg-type]
        lambda: directions.principal(study, SITE, 99),
        lambda: directions.principal(study, SITE, 1, "pairs"),  # type: ignore[arg-type]
        lambda: directions.random(study, SITE, 0),
        lambda: directions.random(study, SITE, 1, seed=-1),
        lambda: directions.given(study, SITE, np.zeros(3)),
        lambda: directions.given(study, SITE, mw.Subspace.random(1, 3)),
        lambda: directions.probe(study, SITE, strength=0),
        lambda: directions.probe(study, SITE, k=2),
    ):
        raised(call)


def test_weights_that_changed_are_read_anew() -> None:
    study = small()
    before = directions.difference_of_means(study, SITE).subspace
    weight = next(p for name, p in study.lm.hf.named_parameters() if "h.0.mlp" in name)
    kept = weight.data.clone()
    try:
        weight.data.mul_(-1.0)
        assert directions.difference_of_means(study, SITE).subspace != before
    finally:
        weight.data.copy_(kept)
    again = directions.difference_of_means(study, SITE).subspace
    np.testing.assert_allclose(again.basis, before.basis, atol=1e-12)
