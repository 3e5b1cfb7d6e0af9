"""Probes: classifiers that try to tell labels from values, and how well they do on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..edits.base import as_number
from ..errors import require
from ..statistics import FEWEST
from ..statistics.resampling import whole
from .labelled import Array, Labelled
from .libraries import library

Reader = Literal["linear", "radial"]
READERS: tuple[Reader, Reader] = ("linear", "radial")

DRAWS = 200
"""Of the bootstrap of an AUC."""

STEPS = 2_000
"""Of the solver; it ends long before where the labels can be told."""

FOLDS = 5
"""Of what probes are tested on, unless told otherwise."""

_ROUNDED = 1e-10
"""Of the spread of values: no sum in double precision is as far off as this."""

_STEPS_OFF = 4
"""In steps between neighbouring numbers: how far off values are that were computed, at most."""

_MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Score:
    """How well a probe told labels of values that had no part in its fit.

    Attributes:
        accuracy: the share told right.
        chance: the share of the commonest label.
        auc: the area under the ROC curve; of more than two labels the mean over one against the
            rest. 0.5 is chance whatever the shares of the labels.
        low: the lower end of the 95% bootstrap interval of ``auc``, groups of prompts drawn whole,
            the probes as they were; NaN for fewer than three groups.
        high: its upper end.
        n: how many values.
    """

    accuracy: float
    chance: float
    auc: float
    low: float
    high: float
    n: int


def fresh(reader: Reader, strength: float = 1.0) -> Any:
    """A probe that is not fitted: logistic regression, or a support vector machine (RBF kernel)."""
    if reader == "linear":
        return library("sklearn.linear_model").LogisticRegression(C=strength, max_iter=STEPS)
    # The seed has no part in the fit, but without one it is drawn from numpy's global generator.
    return library("sklearn.svm").SVC(C=10.0 * strength, random_state=0)


def scale_of(values: Array) -> float:
    """One number for all columns, so that no axis is special: the root mean square."""
    centred = values - values.mean(0)
    return float(max(np.sqrt((centred**2).mean()), np.finfo(np.float64).tiny))


def rounding_of(values: Array) -> float:
    """Beside these values a root mean square up to this is rounding.

    Of this arithmetic, which is as coarse as they are spread, or of how they were kept, which is
    as coarse as they are large. Whoever made doubles of single precision has its rounding still.
    """
    with np.errstate(over="ignore"):
        kept = np.float32 if np.array_equal(values, values.astype(np.float32)) else np.float64
    size = float(np.sqrt((values**2).mean()))
    return max(_ROUNDED * scale_of(values), _STEPS_OFF * float(np.finfo(kept).eps) * size)


def cross_validated(found: Labelled, reader: Reader, folds: int, seed: int) -> Score:
    """A probe fitted on the groups of all folds but one tells those of that one; every fold once.

    Raises:
        MediationError: fewer groups than folds.
    """
    n_groups = len(np.unique(found.groups))
    require(
        n_groups >= folds,
        "A probe is tested on prompts that share nothing with those it was fitted on.",
        value=f"{n_groups} groups of prompts that share nothing",
        expected=f"at least {folds}: pairs that have no prompt or template in common",
        fix="more pairs, or fewer folds",
    )
    values = found.array / scale_of(found.array)
    codes, n_classes = found.codes, len(found.classes)
    votes = np.zeros((len(values), n_classes))
    kinds = library("sklearn.model_selection")
    split = kinds.GroupKFold(folds, shuffle=True, random_state=seed)
    for train, rest in split.split(values, groups=found.groups):
        votes[rest] = _votes(reader, values[train], codes[train], values[rest], n_classes)
    return scored(votes, found)


def _votes(
    reader: Reader, values: Array, codes: NDArray[np.intp], others: Array, n_classes: int
) -> Array:
    """(n, class) how much speaks for each class, of values that had no part in the fit."""
    votes = np.full((len(others), n_classes), -np.inf)
    known = np.unique(codes)
    if len(known) == 1:
        votes[:, known] = 0.0
        return votes
    decided = fresh(reader).fit(values, codes).decision_function(others)
    votes[:, known] = np.stack([-decided, decided], 1) if len(known) == 2 else decided
    return votes


def scored(votes: Array, found: Labelled) -> Score:
    """What votes (n, class) come to."""
    codes = found.codes
    accuracy = float((votes.argmax(1) == codes).mean())
    return Score(accuracy, found.chance, auc(votes, codes), *_ends(votes, found), len(codes))


def _ends(votes: Array, found: Labelled) -> tuple[float, float]:
    """The interval of the AUC: percentiles over draws of groups."""
    numbers = np.unique(found.groups)
    if len(numbers) < FEWEST:
        return float("nan"), float("nan")
    members = [np.flatnonzero(found.groups == number) for number in numbers]
    rng, drawn, codes, n_classes = np.random.default_rng(0), [], found.codes, len(found.classes)
    for _ in range(DRAWS):
        some = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        if len(np.unique(codes[some])) == n_classes:
            drawn.append(auc(votes[some], codes[some]))
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (float("nan"), float("nan"))
    return float(low), float(high)


def auc(votes: Array, names: NDArray[Any]) -> float:
    """The area under the ROC curve, one against the rest, the mean over classes."""
    from scipy.stats import rankdata

    areas = []
    for i, name in enumerate(np.unique(names)):
        here = names == name
        n, ranks = int(here.sum()), rankdata(votes[:, i])
        areas.append((ranks[here].sum() - n * (n + 1) / 2) / (n * (len(names) - n)))
    return float(np.mean(areas))


def refuse_no_folds(folds: object) -> None:
    """Raise unless ``folds`` is a number of parts to test on in turn."""
    require(
        whole(folds, 2),
        "Folds are counted.",
        value=folds,
        expected="an int, at least 2",
        fix=f"folds={FOLDS}",
    )


def refuse_no_split(seed: object) -> None:
    """Raise unless ``seed`` is one that scikit-learn takes."""
    require(
        whole(seed, 0) and int(seed) <= _MOST_SEED,  # type: ignore[call-overload]
        "A seed is a number.",
        value=seed,
        expected=f"an int from 0 to {_MOST_SEED}",
        fix="seed=0",
    )


def refuse_no_strength(strength: object) -> None:
    """Raise unless ``strength`` is a number above 0."""
    number = isinstance(strength, int | float) and not isinstance(strength, bool)
    require(
        number and 0 < as_number(strength) < float("inf"),
        "The strength of a probe is a number.",
        value=strength,
        expected="a finite number above 0; smaller holds the weights smaller",
        fix="strength=1.0",
    )
