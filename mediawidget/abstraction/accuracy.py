"""Interchange intervention accuracy: how often a site does as a variable of the model would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import require
from ..results import Axes
from ..statistics.resampling import refuse_no_share, whole
from .cells import Cell
from .drawing import Counterfactual

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class IIA:
    """Interchange intervention accuracy of one hypothesis, at one site or many.

    Attributes:
        name: of the hypothesis.
        axes: names to coordinates, such as layer and position.
        labels: the cells' names, in row-major order.
        cells: what each cell sets; None where there is nothing to set.
        hits: (pair, *axes) 1 where the network says what is predicted, NaN where it was not run.
        stays: (pair, *axes) 1 where it still says what the base says by itself.
        follows: (pair, *axes) 1 where it says what the (first) source says.
        base_right: (pair,) whether it says by itself what the model says on the base.
        solved: (pair,) whether it does so on the base and on every source.
        unmoved: (pair,) whether the base run, nothing being interchanged, says what is predicted.
        pairs: the counterfactuals.
        network: its name.
        among: "vocabulary" or "outputs": of what the network says the likeliest.
        chance: 1 / their number.
    """

    name: str
    axes: Axes
    labels: tuple[str, ...]
    cells: tuple[Cell | None, ...]
    hits: Array
    stays: Array
    follows: Array
    base_right: NDArray[np.bool_]
    solved: NDArray[np.bool_]
    unmoved: NDArray[np.bool_]
    pairs: tuple[Counterfactual, ...]
    network: str
    among: str
    chance: float

    @property
    def n(self) -> int:
        """How many pairs."""
        return len(self.pairs)

    @property
    def iia(self) -> Array:
        """(*axes) the share of all pairs on which the output is the predicted one."""
        return np.asarray(self.hits.mean(axis=0))

    @property
    def on_solved(self) -> Array:
        """(*axes) the same among the pairs that the network solves by itself; NaN for none.

        Where it does not, no interchange says what its parts compute for the task.
        """
        if not self.solved.any():
            return np.full(self.hits.shape[1:], np.nan)
        return np.asarray(self.hits[self.solved].mean(axis=0))

    @property
    def accuracy(self) -> float:
        """The share of pairs that the network solves by itself, on the base and every source."""
        return float(self.solved.mean())

    def ci(self, level: float = 0.95) -> Array:
        """(2, *axes) the interval of ``iia`` over pairs of prompts (Wilson 1927).

        Pairs that share a prompt are taken for independent. It does not know that a cell was
        chosen as the best of many: that is what held-out pairs are for.

        Raises:
            MediationError: a level that is no share.
        """
        refuse_no_share("level", level)
        return wilson(self.hits, level)

    @property
    def best(self) -> int:
        """Which cell is the most accurate, the first of equal ones; an index into ``labels``.

        Raises:
            MediationError: no cell was run.
        """
        require(
            self._ran,
            "No cell was run, so none is the best.",
            value=", ".join(self.labels[:8]),
            expected="a site that the network has and whose value differs between the prompts",
            fix="other sites, layers or roles",
        )
        return int(np.nanargmax(np.reshape(self.iia, -1)))

    @property
    def _ran(self) -> bool:
        """Whether any cell was run."""
        return not bool(np.isnan(self.iia).all())

    def at(self, index: int) -> IIA:
        """One cell alone, under the axis ``site``; negative numbers count from the last.

        Raises:
            MediationError: no number of a cell.
        """
        count = len(self.labels)
        require(
            whole(index, -count) and index < count,
            "Cells are numbered, in the order of their labels.",
            value=index,
            expected=f"an int from {-count} to {count - 1}",
            fix="result.at(result.best)",
        )
        label = self.labels[index]

        def column(values: Array) -> Array:
            return values.reshape(self.n, -1)[:, [index]]

        return replace(
            self,
            axes={"site": (label,)},
            labels=(label,),
            cells=(self.cells[index],),
            hits=column(self.hits),
            stays=column(self.stays),
            follows=column(self.follows),
        )

    def to_dataframe(self) -> pd.DataFrame:
        """A row per cell.

        Returns:
            Coordinates, hypothesis, label; ``iia``, its interval ``low`` to ``high``, ``n``;
            ``on_solved``, the iia among the ``n_solved`` pairs that the network solves itself; and
            the shares that ``stays`` with the base's output or ``follows`` the source's.
        """
        names, shape = list(self.axes), self.hits.shape[1:]
        places = [
            [self.axes[name][i] for name, i in zip(names, at, strict=True)]
            for at in np.ndindex(*shape)
        ]
        low, high = self.ci().reshape(2, -1)
        table = pd.DataFrame(places, columns=names)
        return table.assign(
            hypothesis=self.name,
            label=list(self.labels),
            iia=self.iia.reshape(-1),
            low=low,
            high=high,
            n=self.n,
            on_solved=self.on_solved.reshape(-1),
            n_solved=int(self.solved.sum()),
            stays=self.stays.mean(axis=0).reshape(-1),
            follows=self.follows.mean(axis=0).reshape(-1),
        )

    @property
    def best_words(self) -> str:
        """The best cell's accuracy and where it is, for people."""
        if not self._ran:
            return "no cell was run"
        return f"{self.iia.reshape(-1)[self.best]:.2f} at {self.labels[self.best]}"

    def __repr__(self) -> str:
        if not self._ran:
            return f"IIA({self.name}: no cell was run; n={self.n} pairs)"
        best = self.best
        low, high = self.ci().reshape(2, -1)[:, best]
        of = "of the vocabulary" if self.among == "vocabulary" else "among the outputs"
        where = f"at {self.labels[best]}"
        where += f", the best of {len(self.labels)} cells" if len(self.labels) > 1 else ""
        return (
            f"IIA({self.name}: {self.iia.reshape(-1)[best]:.2f} [{low:.2f}, {high:.2f}] {where}; "
            f"n={self.n} pairs, {int(self.solved.sum())} of them solved by {self.network} itself; "
            f"likeliest token {of}, chance {self.chance:.2g})"
        )


@dataclass(frozen=True, eq=False)
class Rivals:
    """The same interchanges held against several hypotheses.

    ``rivals["pointer"]`` is the IIA of the hypothesis of that name.

    Attributes:
        results: hypothesis -> its IIA; all of the same runs.
    """

    results: Mapping[str, IIA]

    def __getitem__(self, name: str) -> IIA:
        """The IIA of the hypothesis of that name."""
        return self.results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    @property
    def told_apart(self) -> int:
        """On how many pairs all hypotheses predict different outputs."""
        return sum(one.telling for one in next(iter(self.results.values())).pairs)

    def to_dataframe(self) -> pd.DataFrame:
        """The rows of every hypothesis, ``hypothesis`` naming it."""
        return pd.concat([one.to_dataframe() for one in self.results.values()], ignore_index=True)

    def __repr__(self) -> str:
        first = next(iter(self.results.values()))
        each = "; ".join(f"{name} {one.best_words}" for name, one in self.results.items())
        return (
            f"Rivals(best cells: {each}; n={first.n} pairs, {self.told_apart} tell all apart, "
            f"{int(first.solved.sum())} solved by {first.network} itself)"
        )


def wilson(hits: Array, level: float = 0.95) -> Array:
    """(2, *rest) interval of the share of ones over axis 0; NaN stays NaN."""
    from scipy.stats import binomtest  # takes a second to import

    n, counts = len(hits), hits.sum(axis=0)
    ends = np.full((2, *counts.shape), np.nan)
    for count in np.unique(counts[np.isfinite(counts)]):
        found = binomtest(int(count), n).proportion_ci(level, "wilson")
        ends[0][counts == count], ends[1][counts == count] = found.low, found.high
    return ends
