"""Which pairs choose, and which pairs the choice is reported on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..errors import MediationError, require
from ..statistics import cluster_codes, clusters_of, halves, refuse_no_seed
from ..study import Study, refuse_no_study

Numbers = tuple[int, ...]
Split = Sequence[int] | Literal["half"] | None


def split(
    study: Study, choose: Split, report: Sequence[int] | None, seed: int
) -> tuple[Numbers, Numbers]:
    """Numbers of the pairs that choose, and of those that are reported on.

    What is chosen for being large on some pairs looks larger there than it is (the winner's
    curse), so figures are of other pairs where there are some.

    Args:
        study: whose pairs they are.
        choose: numbers, "half" (at random, clusters whole), or None for all.
        report: numbers; default those that do not choose, or all if all do.
        seed: of the draw.

    Raises:
        MediationError: no study, no such pairs, or a half of a single pair or cluster.
    """
    refuse_no_study(study)
    refuse_no_seed(seed)
    n = len(study.contrast)
    if isinstance(choose, str):
        first = _half(study, choose, seed)
    else:
        first = tuple(range(n)) if choose is None else numbers_of(choose, n)
    if report is not None:
        return first, numbers_of(report, n)
    rest = tuple(i for i in range(n) if i not in first)
    return first, rest or first


def _half(study: Study, choose: str, seed: int) -> Numbers:
    n = len(study.contrast)
    codes = cluster_codes(clusters_of(study.contrast), n)
    units = int(codes.max()) + 1
    if choose != "half" or units < 2:
        raise MediationError(
            "Some of the pairs choose, and the others are reported on.",
            value=f"{choose!r} of {n} pairs, {units} independent",
            expected="'half' of at least 2 pairs, numbers of pairs, or None for all",
            fix="mw.tasks.ioi(lm, n=64) makes a contrast of many",
        )
    return tuple(int(i) for i in np.sort(halves(codes, seed)[0]))


def numbers_of(given: Any, n: int) -> Numbers:
    """Different numbers of some of ``n`` pairs.

    Raises:
        MediationError: none, twice the same, or what is no number of a pair.
    """
    several = given.tolist() if isinstance(given, np.ndarray) else given
    whole = isinstance(several, list | tuple | range) and all(
        isinstance(i, int | np.integer) and not isinstance(i, bool) for i in several
    )
    require(
        whole
        and len(several) > 0
        and all(0 <= i < n for i in several)
        and len(set(several)) == len(several),
        "Pairs are picked by their numbers.",
        value=given,
        expected=f"different ints from 0 to {n - 1}, at least one",
        fix="mw.search.greedy(study, 5, select_on=range(8))",
    )
    return tuple(int(i) for i in several)
