"""How runs are cut into batches: by what fits in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..edits.base import BASES
from ..plan.frame import Ints
from .recording import Recorded

MOST_ROWS = 4096
"""Of a batch, so that a job can be watched and cancelled."""

BASE_MARGIN = 3
"""Times what the modules give that a pass may take: what is between them, and what is written."""


@dataclass(frozen=True)
class Chunk:
    """Runs on some pairs, for one batch: indices into the recorded runs, and into the pairs."""

    runs: Ints
    pairs: Ints

    def halves(self) -> tuple[Chunk, ...] | None:
        """The same work in two, by pairs or else by runs; None for a single run on a pair."""
        if len(self.pairs) > 1:
            return tuple(Chunk(self.runs, some) for some in np.array_split(self.pairs, 2))
        if len(self.runs) > 1:
            return tuple(Chunk(some, self.pairs) for some in np.array_split(self.runs, 2))
        return None


def cut(plan: Recorded, n_pairs: int, room: int, n_once: int) -> Iterator[Chunk]:
    """Chunks that fit: as many pairs as do with one run each, then as many runs.

    Args:
        plan: the runs; the last ``n_once`` of those asked for are of the first pairs alone.
        n_pairs: how many pairs there are.
        room: rows that fit.
        n_once: how many runs are checks.
    """
    once = np.arange(plan.n_asked - n_once, plan.n_asked)
    runs = np.arange(plan.n_asked - n_once)
    extra = len(BASES) + len(plan.donors) + len(plan.runs) - plan.n_asked
    at_once = max(1, min(n_pairs, room // (extra + 1 + len(once))))
    first = True
    for pairs in np.array_split(np.arange(n_pairs), -(-n_pairs // at_once)):
        per_part = max(1, room // len(pairs) - extra - len(once))
        for some in np.array_split(runs, max(1, -(-len(runs) // per_part))):
            yield Chunk(np.concatenate([some, once]) if first else some, pairs)
            first = False
