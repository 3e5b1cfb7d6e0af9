"""INLP: probe after probe, and what each reads is taken out before the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..edits import Subspace
from ..errors import require
from ..statistics.resampling import refuse_no_share, whole
from .erasers import Eraser, fitted_on
from .labelled import Array, Labelled, labelled
from .libraries import library
from .naming import kinds
from .readers import fresh, refuse_no_split, refuse_no_strength, rounding_of, scale_of

MOST = 32
"""Rounds after which there is no end in sight."""

LUCK = 0.05
"""At chance: always saying the commonest label would do as well this often, by luck."""


@dataclass(frozen=True)
class Round:
    """A probe, and what was gone before it was fitted.

    Attributes:
        k: directions removed before.
        train: the share of labels it told right, of the values that it was fitted on.
        held_out: the same of those that no probe is fitted on.
        chance: the share of the commonest label of the held-out values.
        at_chance: whether the probe is no better than that on held-out values (one-sided binomial
            test at 5%, which takes each value for an independent one).
    """

    k: int
    train: float
    held_out: float
    chance: float
    at_chance: bool


@dataclass(frozen=True, eq=False, repr=False)
class Inlp(Eraser):
    """The span of what probe after probe read, set to its mean.

    Attributes:
        rounds: every probe; the last one has nothing removed after it.

    ``mw.Within(eraser.part, mw.Zero())`` is the null-space projection of the paper, which moves the
    mean as well.
    """

    method: ClassVar[str] = "INLP"

    part: Subspace
    rounds: tuple[Round, ...]

    @property
    def done(self) -> bool:
        """Whether the last probe was at chance on held-out values."""
        return self.rounds[-1].at_chance

    def to_dataframe(self) -> pd.DataFrame:
        """A row per round: directions removed before it, accuracies, chance."""
        return pd.DataFrame(self.rounds)

    def __repr__(self) -> str:
        first, last = self.rounds[0], self.rounds[-1]
        end = "at chance" if self.done else "NOT at chance"
        return (
            f"{super().__repr__()[:-1]}; accuracy on the values held out to end it "
            f"{first.held_out:.2f} before, {last.held_out:.2f} after {len(self.rounds) - 1} "
            f"rounds, {end} {last.chance:.2f})"
        )


def inlp(
    values: Any,
    site: Any = None,
    labels: Any = None,
    *,
    rounds: int = MOST,
    held_out: float = 0.3,
    strength: float = 1.0,
    seed: int = 0,
) -> Inlp:
    """Iterative null-space projection: fit a linear probe, remove its directions, again.

    Until a probe is at chance on held-out values, which are those that end it: what fresh probes
    tell on other prompts, ``probed`` says. That no such probe does better is of this
    probe, these values: few values beside their width end it early, and a non-linear reader may
    still tell. It removes more directions than LEACE and so more besides.

    Args:
        values: a study, or (n, width) numbers, or ``mw.Values``.
        site: where, in a study; for arrays the labels.
        labels: of a study: None tells the clean prompts from the corrupt ones; "answers" goes by
            each prompt's answer; or two labels a pair, as a list or a function of the pair.
        rounds: probes at most.
        held_out: the share of pairs (clusters whole) that no probe is fitted on.
        strength: how little the probe's weights are held small: scikit-learn's C.
        seed: of the split.

    Raises:
        MediationError: labels that are told by nothing from the start, groups too few to split.

    Source: Ravfogel et al. 2020.

    Example:
        >>> fit = mw.Study(lm, mw.tasks.agreement(lm, n=48))
        >>> eraser = mw.erasure.inlp(fit, site, labels="answers")
        >>> eraser.to_dataframe()[["k", "held_out", "chance"]]
    """
    _refuse(rounds, held_out, strength, seed)
    found = labelled(values, site, labels)
    train, rest = _split(found, held_out, seed)
    told, basis = [], np.empty((0, found.array.shape[1]))
    centred = found.array - found.array.mean(0)
    rounding, codes = rounding_of(found.array), found.codes
    for _ in range(rounds + 1):
        left = centred - centred @ basis.T @ basis
        size = scale_of(left)
        # What is left is smaller each time; the penalty is to weigh the same. Of rounding nothing
        # is left: a probe would read it as it would read anything of full size.
        scaled = left / size if size > rounding else np.zeros_like(left)
        probe = fresh("linear", strength).fit(scaled[train], codes[train])
        told.append(_round(probe, scaled, codes, train, rest, len(basis)))
        if told[-1].at_chance or len(told) > rounds:
            break
        grown = _extended(basis, probe.coef_, left, rounding)
        if len(grown) == len(basis):
            break
        basis = grown
    require(
        len(basis) > 0,
        "A linear probe is at chance from the start, so there is nothing to remove.",
        value=told[0],
        expected="labels that a probe tells on held-out prompts",
        fix="another site, other labels, or more pairs",
    )
    return Inlp(Subspace(basis), **fitted_on(found, labels), rounds=tuple(told))


def _round(
    probe: Any, values: Array, codes: NDArray[np.intp], train: Any, rest: Any, removed: int
) -> Round:
    right = probe.predict(values) == codes
    n = len(codes[rest])
    chance = float(np.bincount(codes[rest]).max() / n)
    binomial = library("scipy.stats").binom
    luck = float(binomial.sf(int(right[rest].sum()) - 1, n, chance))
    shares = (float(right[train].mean()), float(right[rest].mean()))
    return Round(removed, *shares, chance, luck > LUCK)


def _extended(basis: Array, weights: Array, left: Array, rounding: float) -> Array:
    """The basis with what the probe reads beyond it, of what is left more than rounding."""
    rows = weights if len(weights) == 1 else weights - weights.mean(0)
    rows = rows - rows @ basis.T @ basis
    _, sizes, right = np.linalg.svd(rows, full_matrices=False)
    new = right[sizes > 1e-8 * sizes.max()]
    # Rounding is taken out again: hundreds of rounds would let it grow.
    new = new - new @ basis.T @ basis
    new = new[np.sqrt(((left @ new.T) ** 2).mean(0)) > rounding]
    joined = np.concatenate([basis, np.linalg.qr(new.T)[0].T])
    return joined[: basis.shape[1]]


def _split(found: Labelled, held_out: float, seed: int) -> tuple[Any, Any]:
    """The numbers of the values to fit on and of those held out, groups whole."""
    n_groups = len(np.unique(found.groups))
    fix = "more pairs, or a contrast whose pairs have no prompt in common"
    require(
        n_groups >= 4,
        "A probe is tested on prompts that share nothing with those it was fitted on.",
        value=f"{n_groups} groups of prompts that share nothing",
        expected="at least 4",
        fix=fix,
    )
    splitter = library("sklearn.model_selection").GroupShuffleSplit(
        1, test_size=held_out, random_state=seed
    )
    train, rest = next(splitter.split(found.array, groups=found.groups))
    require(
        len(kinds(found.names[train])) > 1,
        "The values that are fitted on are all of one label.",
        value=kinds(found.names[train]),
        expected="several labels on both sides of the split",
        fix=fix,
    )
    return train, rest


def _refuse(rounds: object, held_out: object, strength: object, seed: object) -> None:
    require(
        whole(rounds, 1),
        "Rounds are counted.",
        value=rounds,
        expected="an int, at least 1",
        fix=f"rounds={MOST}",
    )
    refuse_no_share("held_out", held_out)
    refuse_no_strength(strength)
    refuse_no_split(seed)
