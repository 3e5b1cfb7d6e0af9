"""The same of networks that are no language models."""

from __future__ import annotations

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import directions
from mediawidget.directions.comparing import Maker
from tests.directions.known import values
from tests.networks.oracle import asked

SITES = {
    "mlp": mw.Site("layer", 1),
    "cnn": mw.Site("layer", 3, position=(0, 1)),
    "lstm": mw.Site("hidden", 0, position=4),
}


@pytest.mark.parametrize("kind", SITES)
def test_all_differences_are_the_whole_site(kind: str) -> None:
    study, _ = asked(kind)
    site = SITES[kind]
    most = np.linalg.matrix_rank(np.subtract(*values(study, site)))
    found = directions.principal(study, site, k=int(most))
    part, whole = study.intervene({site: found.within()}), study.intervene(site)
    np.testing.assert_allclose(part.pairs("PIE"), whole.pairs("PIE"), atol=1e-9)
    assert found.label == study.labels([site])[0]


@pytest.mark.parametrize("kind", SITES)
def test_compared_split_and_held_against_placebos(kind: str) -> None:
    study, _ = asked(kind)
    site = SITES[kind]
    made: dict[str, Maker] = {"means": directions.difference_of_means, "chance": directions.random}
    one = directions.compare(study, site, made, test=study, progress=False)
    effect = study.intervene({site: one.found["means"].within()})
    np.testing.assert_allclose(one.effect.pairs("PIE")[:, 1], effect.pairs("PIE"), atol=1e-9)
    split = directions.split(study, one.found["means"])
    assert 0 <= split.inside <= 1 + 1e-9
    placebos = directions.placebo(study, site, one.found["means"], n=2)
    np.testing.assert_allclose(placebos.effect.pairs("PIE")[:, 0], effect.pairs("PIE"), atol=1e-9)


def test_what_the_last_layer_reads_is_its_weights() -> None:
    """Behind the last point there is one linear map: the slopes are differences of its rows."""
    study, oracle = asked("mlp")
    site = mw.Site("layer", 2)
    reads = directions.row_space(study, site)
    last = study.lm.hf[4].weight.detach().double().numpy()  # type: ignore[index]
    rows = np.stack([last[pair.answer] - last[pair.wrong] for pair in oracle.pairs])
    inside, _ = reads.parts(rows)
    np.testing.assert_allclose(inside, rows, atol=1e-9)
    assert reads.subspace.k == np.linalg.matrix_rank(rows)


def test_a_sweep_over_states() -> None:
    study, _ = asked("lstm")
    effect = directions.sweep(study, "hidden", "position", test=study, progress=False)
    assert effect.axes["layer"] == ("memory.h0", "memory.h1")
    site = SITES["lstm"]
    found = directions.difference_of_means(study, site)
    one = study.intervene({site: found.within()})
    cell = effect.cell("memory.h0", 4)
    np.testing.assert_allclose(cell.pairs("PIE"), one.pairs("PIE"), atol=1e-9)
