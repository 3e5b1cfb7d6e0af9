"""LEACE: the smallest change of values after which no linear reader can tell labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..edits import Projection
from ..errors import require
from .erasers import Eraser, fitted_on
from .labelled import Labelled, labelled
from .libraries import library

NOTHING = 1e-9
"""A whitened covariance with a label below this is rounding."""


@dataclass(frozen=True, eq=False, repr=False)
class Leace(Eraser):
    """r(x) = x - W^-1 U U^T W (x - mean), an oblique projection (``mw.Projection``).

    W whitens the values and U spans what they then share with the labels, so among all affine maps
    after which the classes have one mean this one moves the values least, in the mean square.
    """

    method: ClassVar[str] = "LEACE"

    part: Projection


def leace(values: Any, site: Any = None, labels: Any = None, *, shrinkage: bool = False) -> Leace:
    """Least-squares concept erasure, by the library concept-erasure.

    On the values that it is fitted on every class has the same mean afterwards, so no linear
    reader, whatever its loss, does better than one that knows the commonest label alone. On other
    values as far as their covariances are the same; a non-linear reader may still tell.

    Args:
        values: a study, or (n, width) numbers, or ``mw.Values``.
        site: where, in a study; for arrays the labels.
        labels: of a study: None tells the clean prompts from the corrupt ones; "answers" goes by
            each prompt's answer; or two labels a pair, as a list or a function of the pair.
        shrinkage: whether the covariance of the values is drawn toward a multiple of the identity
            (Ledoit and Wolf's optimum), which tames it where values are few beside their width;
            then it is not the smallest change any more, but the means of classes are still equal.

    Raises:
        MediationError: an uncorrelated label, as many labels as directions, no library.

    Source: Belrose et al. 2023.

    Example:
        >>> fit = mw.Study(lm, mw.tasks.agreement(lm, n=48))
        >>> eraser = mw.erasure.leace(fit, site, labels="answers")
        >>> fit.intervene({site: eraser.edit})
    """
    given: object = shrinkage
    require(
        isinstance(given, bool | np.bool_),
        "Covariances are shrunk or not.",
        value=shrinkage,
        expected="True or False",
        fix="mw.erasure.leace(study, site, shrinkage=True)",
    )
    found = labelled(values, site, labels)
    writers, readers = _projection(found, shrinkage=shrinkage)
    return Leace(Projection(writers, readers), **fitted_on(found, labels))


def _projection(found: Labelled, *, shrinkage: bool) -> tuple[Any, Any]:
    """Writers and readers, (k, width) each."""
    torch, fitter = library("torch"), library("concept_erasure").LeaceFitter
    require(
        len(found.classes) <= found.array.shape[1],
        "There are fewer labels than directions, or nothing is left.",
        value=f"{len(found.classes)} labels of {found.array.shape[1]} numbers a value",
        expected="labels that several values share",
        fix="labels that are kinds, not measurements",
    )
    # The last class is what none of the others is.
    one_hot = found.codes[:, None] == np.arange(len(found.classes) - 1)
    eraser = fitter.fit(
        torch.from_numpy(np.ascontiguousarray(found.array)),
        torch.from_numpy(one_hot.astype(np.float64)),
        shrinkage=shrinkage,
        svd_tol=NOTHING,
        # It would give up the equality of means for a smaller trace.
        constrain_cov_trace=False,
    ).eraser
    writers, readers = eraser.proj_left.T.numpy(), eraser.proj_right.numpy()
    kept = np.abs(readers).max(1) > 0
    require(
        bool(kept.any()),
        "No linear reader tells these labels in the first place.",
        value=f"{len(found.array)} values of {len(found.classes)} labels, whose means are equal",
        expected="labels that the values covary with",
        fix="a site after the first difference of the prompts, or other labels",
    )
    return writers[kept], readers[kept]
