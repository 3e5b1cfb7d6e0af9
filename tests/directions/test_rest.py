"""Whatever is done in a subspace, the rest of the site stays the run's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget import directions
from tests.directions.known import small

SITES = (
    mw.Site("residual", 2, position=(4, 6)),
    mw.Site("head", 1, head=1, position=5),
    mw.Site("neurons", 1, position=6),
)


def within(site: mw.Site, kind: str, k: int, seed: int) -> tuple[mw.Study, directions.Direction]:
    study = small(kind)
    return study, directions.random(study, site, k, seed)


def parts(array: np.ndarray, subspace: mw.Subspace) -> tuple[np.ndarray, np.ndarray]:
    """What of (pair, position, width) is inside, (.., k), and the rest."""
    inside = array @ subspace.basis.T
    return inside, array - inside @ subspace.basis


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("edit", ["patch", "zero", "mean", "scale", "steer"])
@settings(max_examples=3, deadline=None)
@given(k=st.integers(1, 4), seed=st.integers(0, 99), which=st.sampled_from(SITES))
def test_inside_it_is_set_and_outside_it_is_not(
    kind: str, edit: str, k: int, seed: int, which: mw.Site
) -> None:
    study, found = within(which, kind, k, seed)
    own, other = (study.activations(which, base).array for base in ("corrupt", "clean"))
    edits = {
        "patch": (found.within(), other),
        "zero": (found.within(mw.Zero()), 0 * own),
        "mean": (found.within(mw.Mean("clean")), np.broadcast_to(other.mean(0), own.shape)),
        "scale": (found.within(mw.Scale(-2.0)), -2.0 * own),
        "steer": (found.steer(3.0), own + 3.0 * found.unit),
    }
    made, expected = edits[edit]
    seen = study.activations(which, mw.Run("corrupt", {which: made})).array
    inside, rest = parts(seen, found.subspace)
    np.testing.assert_allclose(inside, parts(expected, found.subspace)[0], atol=1e-9)
    np.testing.assert_allclose(rest, parts(own, found.subspace)[1], atol=1e-9)


def test_positions_that_are_not_the_site_s_stay() -> None:
    site = SITES[0]
    study, found = within(site, "gpt2", 2, 0)
    whole = mw.Site("residual", 2)
    own = study.activations(whole, "corrupt").array
    seen = study.activations(whole, mw.Run("corrupt", {site: found.within(mw.Zero())})).array
    moved = np.abs(seen - own).max((0, 2)) > 1e-9
    assert np.flatnonzero(moved).tolist() == [4, 6]
