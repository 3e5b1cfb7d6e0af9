"""What the statistics of an effect need of it, and what they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..edits import Edit
from ..errors import require
from ..metrics import Metric
from ..statistics import bootstrap_ratio, cluster_codes, cluster_sums
from ..statistics.clusters import Codes

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

ROUNDING = 1e-9
"""A quantity that is a smaller share of the largest Y it is the difference of is 0."""


class OnPairs(ABC):
    """Values of every pair at every cell of some named axes: what an ``Effect`` is.

    The methods of statistics stand in classes below it, one for each question that is asked.
    """

    axes: Mapping[str, tuple[int | str, ...]]
    bases: Array
    status: NDArray[np.uint8]
    edit: Edit
    metric: Metric
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    clusters: tuple[str, ...]
    groups: tuple[str, ...]
    facts: Mapping[str, Any]

    @property
    def held(self) -> str:
        """What the runs held at the base, ``frozen: head``; empty where all was recomputed.

        Frozen and recomputed are two quantities.
        """
        downstream = str(self.facts.get("downstream", ""))
        return downstream if downstream.startswith("frozen") else ""

    @property
    @abstractmethod
    def n_pairs(self) -> int:
        """How many pairs there are."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    @abstractmethod
    def pairs(self, key: str) -> Array:
        """A quantity for every pair: (pair, *axes)."""

    @abstractmethod
    def rescore(self, metric: Metric) -> Self:
        """The same runs read by another metric."""

    @abstractmethod
    def corners(self) -> dict[str, Array]:
        """What the four runs gave, for every pair: shapes that broadcast to (pair, *axes)."""

    @abstractmethod
    def quantity(self, key: str, corners: Mapping[str, Array]) -> Array:
        """What ``key`` is of four corners, under this edit."""

    @abstractmethod
    def of_pairs(self, index: NDArray[np.intp]) -> Self:
        """The effect on some of the pairs."""

    @property
    def n_clusters(self) -> int:
        """How many independent units there are: what an interval draws and a test flips.

        Pairs of one cluster are one unit; without clusters every pair is. The pairs of a study
        that are all of one template have no clusters, and nothing is said of other templates. What
        the unit is goes along into ``of_pairs``, ``split`` and ``by_group``: a part of the pairs
        that is all of one cluster is one unit.
        """
        return int(self._codes().max()) + 1

    def _codes(self) -> Codes:
        return cluster_codes(self.clusters, self.n_pairs)

    def _flat(self, key: str) -> Array:
        """(pair, cell): a quantity with its axes made one, in row-major order.

        Cells of no more than rounding in every pair are 0, so that no statistic finds an effect
        in them: what is below 1e-9 of the cell's largest Y11, Y10, Y01 or Y00.
        """
        corners = self.corners()
        values = self.quantity(key, corners)
        largest = np.zeros(values.shape[1:])
        for corner in corners.values():
            if corner.size <= values.size:  # TE has none of the edited corners, nor their shape
                largest = np.maximum(largest, np.abs(corner).max(axis=0))
        nothing = np.abs(values).max(axis=0) <= ROUNDING * largest
        return np.where(nothing, 0.0, values).reshape(self.n_pairs, -1)

    def _sizes(self, codes: Codes) -> Array:
        """How many pairs each cluster has: (cluster, 1)."""
        return cluster_sums(np.ones((self.n_pairs, 1)), codes)

    def _interval(self, values: Array, level: float, resamples: int, seed: int) -> Array:
        """Bootstrap interval of the mean over pairs, clusters whole: (pair, cell) to (2, cell)."""
        codes = self._codes()
        sums = cluster_sums(values, codes)
        return bootstrap_ratio(sums, self._sizes(codes), level, resamples, seed)

    def _on_axes(self, values: Array) -> Any:
        """(cell,) as an array on the axes, a float without axes."""
        return values.reshape(self.shape) if self.axes else float(values[0])

    def _table(self, **columns: Any) -> pd.DataFrame:
        """A row per cell: its coordinates and label, then ``columns``, (cell,) or one for all."""
        import pandas as pd

        n = self.status.size
        cells = {name: np.broadcast_to(values, n) for name, values in columns.items()}
        return pd.DataFrame({**cell_columns(self), **cells})


def count(n: object, of: str, example: str) -> int:
    """``n`` as an int, refused unless it is one from 0."""
    require(
        isinstance(n, int | np.integer) and not isinstance(n, bool) and bool(n >= 0),
        f"The strongest {of} are counted.",
        value=n,
        expected="an int from 0",
        fix=example,
    )
    return int(n)  # type: ignore[call-overload, no-any-return]


def cell_columns(effect: OnPairs) -> dict[str, Any]:
    """Per cell, in row-major order, its coordinates, its label and what its runs held frozen.

    The latter two where there is one.
    """
    coordinates = zip(*product(*effect.axes.values()), strict=True)
    columns: dict[str, Any] = dict(zip(effect.axes, coordinates, strict=True))
    if effect.labels:
        columns["site"] = list(effect.labels)
    if effect.held:
        columns["downstream"] = [effect.held] * effect.status.size
    return columns
