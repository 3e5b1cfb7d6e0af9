"""Directions by arithmetic: differences of means, principal components, chance, your own."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..edits import Subspace
from ..erasure.naming import numbered
from ..errors import is_one_of, require
from ..sites import Site
from ..statistics import refuse_no_seed
from ..statistics.resampling import whole
from ..study import Study
from .found import Array, Direction
from .samples import Labels, samples

_SMALLEST = 1e-10
"""A principal component of a smaller share of the largest is rounding."""


def difference_of_means(
    study: Study, site: Site, labels: Labels = None, k: int | None = None
) -> Direction:
    """The direction from the mean of one kind of prompt to that of the other.

    Where the pairs come both ways round (either name may be the one that is repeated), clean and
    corrupt prompts have much the same mean and what tells a pair apart cancels: give labels, or
    take ``principal`` differences, which have no sign.

    Args:
        study: on whose pairs.
        site: where; several positions are samples of one space.
        labels: None tells clean from corrupt; "answers" goes by the prompts' answers, the corrupt
            prompts' being the wrong ones; or a label per pair, of the clean prompts.
        k: how many directions of more than two labels: the span of c means has c - 1, those
            along which the means differ most come first. None: all.

    Raises:
        MediationError: a site that is the same on both prompts, labels that are none, a k above
            what there is.

    Source: Marks and Tegmark 2023 (mass mean).

    Example:
        >>> found = mw.directions.difference_of_means(study, mw.Site("residual", 3, position="END"))
        >>> study.intervene({found.site: found.within()})["PIE"]
    """
    here = samples(study, site)
    values, names, _ = here.labelled(labels)
    if labels is None:
        here.refuse_flat()
    codes = numbered(names)
    means = np.stack([values[codes == i].mean(0) for i in dict.fromkeys(codes.tolist())])
    basis = Subspace.spanned(means - means.mean(0)).basis
    made = "difference of means" + ("" if labels is None else f" of {len(means)} labels")
    return here.direction(Subspace(first(basis, k, site)), made, here.n_pairs)


def principal(
    study: Study,
    site: Site,
    k: int = 1,
    of: Literal["differences", "values"] = "differences",
) -> Direction:
    """The first principal components, by numpy's singular value decomposition.

    Args:
        study: on whose pairs.
        site: where; several positions are samples of one space.
        k: how many.
        of: "differences", clean - corrupt, about 0 (which of the two prompts comes first is a
            convention, so their mean is not taken off); "values", of both prompts, about their
            mean.

    Raises:
        MediationError: more than the pairs have, a site that is the same on both prompts.
    """
    require(
        is_one_of(of, ("differences", "values")),
        "Principal components are those of differences or of values.",
        value=of,
        expected="'differences' or 'values'",
        fix="mw.directions.principal(study, site, 2, of='differences')",
    )
    here = samples(study, site)
    if of == "differences":
        here.refuse_flat()
        rows = here.differences
    else:
        both = np.concatenate([here.clean, here.corrupt])
        rows = both - both.mean(0)
    basis = components(rows)
    return here.direction(Subspace(first(basis, k, site)), f"principal {of}", here.n_pairs)


def random(study: Study, site: Site, k: int = 1, seed: int = 0) -> Direction:
    """A random subspace, uniform over all of its size: what any direction would do.

    Args:
        study: on whose pairs ``shift`` and ``norm`` are measured.
        site: where.
        k: how many directions.
        seed: of the draw.

    Raises:
        MediationError: a k that is none or above the site's width.
    """
    refuse_no_seed(seed)
    here = samples(study, site)
    return here.direction(Subspace.random(k, here.clean.shape[1], seed), "chance", 0)


def given(study: Study, site: Site, vectors: Any, made: str = "your own") -> Direction:
    """A subspace that is known already: learned elsewhere, or vectors that span it.

    Args:
        study: on whose pairs ``shift`` and ``norm`` are measured.
        site: where.
        vectors: an ``mw.Subspace``, or (n, width) or (width,) numbers.
        made: how, in words.

    Raises:
        MediationError: vectors that span nothing or are of another width, a site whose value is no
            vector, and what ``study.activations`` raises.

    Example:
        >>> trained = mw.alignment.das(study, site, k=1, progress=False)
        >>> mw.directions.given(study, site, trained.subspace, made="DAS")
    """
    subspace = vectors if isinstance(vectors, Subspace) else Subspace.spanned(vectors)
    return samples(study, site).direction(subspace, made, 0)


def components(rows: Array) -> Array:
    """(k, width) orthonormal, of rows (n, width): that along which they are largest first."""
    _, sizes, right = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(right[sizes > _SMALLEST * max(sizes[0], np.finfo(np.float64).tiny)])


def first(basis: Array, k: int | None, site: Site) -> Array:
    """The first ``k`` rows, or all; raise where there are not so many."""
    require(
        len(basis) > 0,
        "Nothing tells these prompts apart there, so there is no direction.",
        value=site.label(),
        expected="a site after the first difference of the prompts",
        fix="mw.Site('residual', 3, position='END')",
    )
    count: Any = len(basis) if k is None else k
    require(
        whole(count, 1) and count <= len(basis),
        "There are as many directions as the prompts differ in, and no more.",
        value=f"k={k!r} at {site.label()}",
        expected=f"an int from 1 to {len(basis)}",
        fix=f"k={len(basis)}, or more pairs",
    )
    return basis[:count]
