"""A linear probe's direction: what a classifier reads, which need not be what the network reads."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edits import Subspace
from ..erasure.naming import numbered
from ..erasure.readers import refuse_no_strength
from ..errors import MediationError
from ..sites import Site
from ..study import Study
from .found import Array, Direction
from .makers import components, first
from .samples import Labels, samples

FOLDS = 5
STEPS = 2_000
"""Of the solver; it ends long before where the labels can be told."""


def probe(
    study: Study, site: Site, labels: Labels = None, k: int | None = None, strength: float = 1.0
) -> Direction:
    """The direction of a logistic regression that tells labels from a site's values.

    That a probe tells them does not say that the network uses what it reads: patch the direction
    and see. The values are divided by one number, their root mean square, so that the penalty
    means the same at every site and no axis is special.

    Args:
        study: on whose pairs.
        site: where; several positions are samples of one space.
        labels: as in ``difference_of_means``: None tells clean from corrupt.
        k: how many directions of more than two labels; None: all, one less than there are labels.
        strength: how little the weights are held small: scikit-learn's C.

    Returns:
        With ``accuracy``: of prompts that had no part in the fit, pairs and their clusters whole
        where they do not share too many prompts, over five folds; NaN for a single one.

    Raises:
        MediationError: scikit-learn is not installed; labels that are none; a site that is the same
            on both prompts.

    Source: Alain and Bengio 2016; Belinkov 2022 for what a probe does not say.
    """
    refuse_no_strength(strength)
    models = _sklearn("linear_model")
    here = samples(study, site)
    values, names, clusters = here.labelled(labels)
    if labels is None:
        here.refuse_flat()
    codes = numbered(names)
    scaled = values / max(float(np.sqrt((values**2).mean())), np.finfo(np.float64).tiny)

    def fitted(some: Any) -> Any:
        return models.LogisticRegression(C=strength, max_iter=STEPS).fit(scaled[some], codes[some])

    weights = np.asarray(fitted(slice(None)).coef_, dtype=np.float64)
    rows = weights if len(weights) == 1 else weights - weights.mean(0)
    basis = components(rows)
    counts = np.bincount(codes)
    return here.direction(
        Subspace(first(basis, k, site)),
        "probe" if labels is None else f"probe of {len(counts)} labels",
        here.n_pairs,
        accuracy=_accuracy(scaled, codes, clusters, fitted),
        chance=float(counts.max() / counts.sum()),
    )


def _accuracy(
    values: Array, codes: NDArray[np.intp], clusters: NDArray[np.intp], fitted: Any
) -> float:
    """The share of values that a fit without their cluster tells right."""
    n = len(np.unique(clusters))
    if n < 2:
        return float("nan")
    told = np.empty_like(codes)
    folds = _sklearn("model_selection").GroupKFold(min(FOLDS, n))
    for train, rest in folds.split(values, groups=clusters):
        known = set(codes[train].tolist())
        told[rest] = fitted(train).predict(values[rest]) if len(known) > 1 else known.pop()
    return float((told == codes).mean())


def _sklearn(name: str) -> Any:
    """A module of scikit-learn, which ships no types."""
    try:
        return import_module(f"sklearn.{name}")
    except ImportError as error:
        raise MediationError(
            "A probe needs scikit-learn.",
            value=f"import sklearn: {error}",
            expected="the extra 'probes'",
            fix="pip install 'mediawidget[probes]'; or mw.directions.difference_of_means, which "
            "needs nothing",
        ) from error
