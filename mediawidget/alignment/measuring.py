"""What a part of a site carries, by real runs: interchange accuracy and share of the effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..edits import Edit, Patch, Subspace, Within
from ..edits.part import Part
from ..inputs import InputPair
from ..readouts import ANSWER, WRONG
from ..runs import Run
from ..sites import Site
from ..study import Study
from ..token_pairs import TokenPair

Array = NDArray[np.float64]

CONTROLS = 5
"""Random subspaces, whose mean is reported."""

CANCELLED = 0.1
"""Where the pairs' total effects sum to less than this part of their sizes, no share is given."""


@dataclass(frozen=True)
class Measured:
    """What runs came to, (run, pair) each.

    Attributes:
        exact: the likeliest of all classes is the pair's answer, or of a set one of its members.
        chosen: the answer has a larger logit than the wrong answer (of sets: logsumexp).
        gained: by how much the metric rose over the base; ``whole`` (pair,) is TE.
    """

    exact: Array
    chosen: Array
    gained: Array
    whole: Array

    def row(self, runs: Sequence[int], pairs: Sequence[int]) -> dict[str, float]:
        """Means over some runs, on some pairs."""
        at = np.ix_(list(runs), list(pairs))
        total = self.whole[list(pairs)]
        told = abs(total.sum()) > CANCELLED * np.abs(total).sum()
        return {
            "n": len(pairs),
            "iia": float(self.exact[at].mean()),
            "iia_alternatives": float(self.chosen[at].mean()),
            "share": float(self.gained[at].mean(0).sum() / total.sum()) if told else np.nan,
        }


def classes_of(pair: TokenPair | InputPair) -> Sequence[Sequence[int]]:
    """The classes of the answer and of the wrong answer: one each, or the members of two sets."""
    return ((pair.answer,), (pair.wrong,)) if isinstance(pair, InputPair) else pair.answers


def measured(study: Study, site: Site, parts: Sequence[Part | None]) -> Measured:
    """The corrupt prompt with some parts of a site from the clean one; None is the whole of it."""
    edits: list[Edit] = [
        Patch("clean") if part is None else Within(part, Patch("clean")) for part in parts
    ]
    runs = [Run("corrupt"), *(Run("corrupt", {site: edit}) for edit in edits)]
    outcomes = study.engine.evaluate(runs, top=2)
    exact = [
        [
            _says(outcomes.top[run, i], classes_of(pair)[0])
            for i, pair in enumerate(study.token_pairs)
        ]
        for run in range(len(runs))
    ]
    chosen = outcomes.kept[..., ANSWER] > outcomes.kept[..., WRONG]
    bases = study.metric.read(outcomes.bases, outcomes.columns)
    values = study.metric.read(outcomes.kept, outcomes.columns)
    return Measured(
        np.array(exact, dtype=np.float64),
        chosen.astype(np.float64),
        values - bases[:, 1],
        bases[:, 0] - bases[:, 1],
    )


def _says(likeliest: Sequence[tuple[int, float]], answers: Sequence[int]) -> bool:
    """Whether the likeliest class is an answer; of a tie with another class none is."""
    (first, chance), *rest = likeliest
    tied = [other for other, as_likely in rest if as_likely >= chance]
    return first in answers and all(other in answers for other in tied)


def scores(
    study: Study,
    site: Site,
    learned: Subspace,
    change: Array,
    pairs: Mapping[str, Sequence[int]],
    seed: int,
) -> pd.DataFrame:
    """What a subspace carries, beside what others of its size do.

    Args:
        study: the pairs.
        site: where.
        learned: the subspace.
        change: (pair, entry, width) source less base, on all pairs.
        pairs: name to numbers; "train" are those that the comparisons are made of, too.
        seed: of the random ones.

    Returns:
        A row per set of pairs and part: ``pairs``, ``part``, ``n``, ``iia``,
        ``iia_alternatives``, ``share`` of the total effect.
    """
    k, width = learned.k, learned.width
    moved = change[list(pairs["train"])].reshape(-1, width)
    others: dict[str, list[Part | None]] = {
        "learned": [learned],
        "principal": [principal(moved, k)],
        "mean difference": [Subspace.spanned(moved.mean(0))] if np.abs(moved.mean(0)).any() else [],
        "random": [Subspace.random(k, width, seed + 1 + i) for i in range(CONTROLS)],
        "whole": [None],
    }
    found = measured(study, site, [part for some in others.values() for part in some])
    runs: dict[str, list[int]] = {"nothing": [0]}
    at = 1
    for name, some in others.items():
        if some:
            runs[name] = list(range(at, at + len(some)))
        at += len(some)
    rows = [
        {"pairs": which, "part": name, **found.row(index, some)}
        for which, some in pairs.items()
        for name, index in runs.items()
    ]
    return pd.DataFrame(rows)


def principal(moved: Array, k: int) -> Subspace:
    """The k directions along which source and base differ most: (entry, width)."""
    return Subspace(np.linalg.svd(moved, full_matrices=len(moved) < k)[2][:k])
