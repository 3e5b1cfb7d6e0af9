"""What runs came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import Metric
from .readouts import ANSWER, BASE_COLUMNS, WRONG


@dataclass
class Outcomes:
    """What runs came to. NaN where not run.

    Attributes:
        columns: names of the K numbers that are kept.
        bases: (pair, 2, K) what the clean and the corrupt prompt kept.
        kept: (run, pair, K) what each run kept.
        fired: (run, pair) the largest change its edits made to any value; 0 changed nothing.
        left: (run, pair) how many rows are still to be read before the pair is complete.
        implied: (run, pair) the run equals its base by construction, and nothing was run.
        top: (run or base, pair) -> likeliest next tokens, where they were asked for.
        passes, rows, seconds: what it cost: forward passes and the rows of their batches; the pass
            over a shared prefix, one row a prompt, is in the seconds alone.
        backward: backward passes, of estimates alone.
    """

    columns: tuple[str, ...]
    bases: NDArray[np.float64]
    kept: NDArray[np.float64]
    fired: NDArray[np.float64]
    left: NDArray[np.int64]
    implied: NDArray[np.bool_]
    top: dict[tuple[int | str, int], list[tuple[int, float]]] = field(default_factory=dict)
    passes: int = 0
    backward: int = 0
    rows: int = 0
    seconds: float = 0.0

    @classmethod
    def empty(cls, n_runs: int, n_pairs: int, columns: tuple[str, ...]) -> Outcomes:
        """Nothing run yet."""
        k = len(columns)
        return cls(
            columns=columns,
            bases=np.full((n_pairs, 2, k), np.nan),
            kept=np.full((n_runs, n_pairs, k), np.nan),
            fired=np.full((n_runs, n_pairs), np.nan),
            left=np.zeros((n_runs, n_pairs), dtype=np.int64),
            implied=np.ones((n_runs, n_pairs), dtype=bool),
        )

    @property
    def ran(self) -> NDArray[np.bool_]:
        """(run, pair) the run has its outcome, be it by construction or NaN."""
        return np.asarray(self.left == 0)

    def values(self, metric: Metric) -> NDArray[np.float64]:
        """The metric of every run: (run, pair)."""
        return metric.read(self.kept, self.columns)


def filed(gives: str, n_columns: int) -> tuple[Any, Any]:
    """Which columns of a pair are filled from which columns of a strand's row."""
    if gives == "both":
        return slice(None), slice(None)
    if gives == "wrong":
        return [WRONG], [ANSWER]
    others = [ANSWER, *range(WRONG + 1, n_columns)]
    return others, others


__all__ = ["BASE_COLUMNS", "Outcomes", "filed"]
