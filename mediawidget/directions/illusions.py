"""A direction that is made to fool: its patch works, and the network does not use it."""

from __future__ import annotations

import numpy as np

from ..errors import require
from ..sites import Site
from ..study import Study
from .found import Array, Direction
from .makers import components
from .row_spaces import row_space, slopes
from .samples import samples

MOVED = 0.99
"""Of what prompts move in the row space, squared, that the dormant part is kept clear of."""


def illusion(study: Study, site: Site) -> Direction:
    """Makelov's construction: half a direction that is not read, half one that nothing moves.

    v = (n + d) / sqrt(2). n is the difference of means within the null space of what reads the
    site: it tells the prompts apart, and nothing reads it. d is the metric's slope within the row
    space, clear of all that tells the prompts apart there: it is read, and they do not move it. A
    patch along v moves the site along d by half the distance along n.

    Args:
        study: on whose pairs.
        site: of a space with a null space: the neurons of an MLP that is wider than the stream.

    Raises:
        MediationError: everything at the site is read; what ``row_space`` raises.

    Source: Makelov, Lange and Nanda 2023.
    """
    reads = row_space(study, site)
    here = samples(study, site)
    here.refuse_flat()
    inside, rest = reads.parts(here.differences)
    null = rest.mean(0)
    require(
        reads.subspace.k < reads.subspace.width and bool(np.abs(null).max() > 0),
        "All of this site is read, so no direction of it is hidden.",
        value=reads,
        expected="a site with a null space",
        fix="mw.Site('neurons', 5, position='END')",
    )
    up, _ = reads.parts(slopes(study, site).mean(0)[None])
    moved = _largest(inside, MOVED, reads.subspace.k // 2)
    dormant = (up - up @ moved.T @ moved)[0]
    v = null / np.linalg.norm(null) + dormant / np.linalg.norm(dormant)
    subspace = type(reads.subspace).spanned(v)
    return here.direction(subspace, "a planted illusion", here.n_pairs)


def _largest(rows: Array, share: float, most: int) -> Array:
    """(k, width) the directions that hold a share of the rows' square, at most so many."""
    basis = components(rows)
    power = ((rows @ basis.T) ** 2).sum(0).cumsum()
    return basis[: min(most, int(np.searchsorted(power, share * power[-1])) + 1)]
