"""What came out: values on named axes, every pair kept, a status per cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .edits import Edit, Patch
from .errors import MediationError, require
from .estimands import ESTIMANDS, estimand
from .metrics import BASE_COLUMNS, LogitDiff, Metric, SavedFunction, refuse_no_metric
from .statistics import bootstrap_ratio, refuse_no_names
from .validity import PREMISES, Check, premises, too_near_zero

Array = NDArray[np.float64]


class Status(IntEnum):
    """How a cell came by its number."""

    NOT_RUN = 0
    EXACT = 1
    ESTIMATE = 2
    IMPLIED_ZERO = 3
    FAILED = 4
    IMPOSSIBLE = 5


SHOWN = (Status.EXACT, Status.ESTIMATE, Status.IMPLIED_ZERO)


@dataclass(frozen=True, eq=False)
class Effect:
    """The effect of an edit at every cell of some named axes.

    Attributes:
        axes: name -> coordinates, in order; empty for a single number.
        bases: what the unedited runs kept, (pair, 2, K): clean, corrupt.
        edited: what the edited runs kept, (pair, 2, *axes, K): on the clean base, on the corrupt
            base. NaN where not run.
        status: per cell, shape of the axes.
        edit: what the sites were set to; it decides which quantities exist.
        metric: how kept numbers become one number a pair.
        labels: the sites' labels in row-major order.
        checks: what was verified.
        facts: model, prompts, counts, seconds: what a reader needs to trust or repeat it.
        columns: what the K kept numbers are: answer logit, wrong logit, logsumexp, and what else a
            metric asked for.
        clusters: per pair the name of its cluster, () if every pair is its own, as is a pair of
            the name "". Statistics draw and flip clusters whole.
        groups: per pair what it is shown side by side as, () for no groups.

    Raises:
        MediationError: kept numbers that are not as many as the columns, names of clusters or
            groups that are not as many as the pairs.
    """

    axes: Mapping[str, tuple[int | str, ...]]
    bases: Array
    edited: Array
    status: NDArray[np.uint8]
    edit: Edit = field(default_factory=Patch)
    metric: Metric = field(default_factory=LogitDiff)
    labels: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = BASE_COLUMNS
    clusters: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named = len(self.columns)
        if self.bases.shape[-1] != named or self.edited.shape[-1] != named:
            raise MediationError(
                "An effect names every number that its runs kept.",
                value=f"columns {', '.join(self.columns)}; bases {self.bases.shape}, "
                f"edited {self.edited.shape}",
                expected="a last axis as long as the columns",
                fix="Effect(..., columns=(...))",
            )
        n, shape = len(self.bases), self.shape
        wanted = ((n, 2, named), (n, 2, *shape, named), shape)
        found = (self.bases.shape, self.edited.shape, np.shape(self.status))
        n_labels = len(self.labels)
        require(
            found == wanted and n > 0 and n_labels in (0, int(np.prod(shape))),
            "An effect has a number for every pair, base and cell.",
            value=(*found, n_labels),
            expected=f"bases, edited, status of shapes {wanted}; a label for every cell or none",
            fix="study.sweep and study.intervene make effects",
        )
        refuse_no_names("clusters", self.clusters, n)
        refuse_no_names("groups", self.groups, n)

    # --- numbers ---------------------------------------------------------------------------

    @property
    def n_pairs(self) -> int:
        """How many pairs there are: the n of every statistic."""
        return int(self.bases.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(len(labels) for labels in self.axes.values())

    def pairs(self, key: str) -> Array:
        """A quantity for every pair: shape (pair, *axes), in the metric's unit.

        Args:
            key: for patches Y11, Y10, Y01, Y00 or TE, TIE, PIE, PDE, TDE, INT; for edits to a
                constant ``clean`` or ``corrupt`` (Y(base) - Y(base, do)) or ``difference``
                (clean - corrupt). Cells that were not run are NaN.

        Raises:
            MediationError: the quantity does not exist under this edit.
        """
        if self.edit.corners:
            return estimand(key, self._corners())
        return self._constant_effect(key)

    def __getitem__(self, key: str) -> Any:
        """The mean over pairs of ``pairs(key)``: an array on the axes, a float without axes."""
        mean = self.pairs(key).mean(axis=0)
        return mean if self.axes else float(mean)

    def normalized(self, key: str) -> Any:
        """The quantity as a share of the total effect: ratio of the means over pairs.

        Raises:
            MediationError: the total effect is too near 0 to divide by.
        """
        y11, y00 = self._base_values().mean(axis=0)
        total = y11 - y00
        if too_near_zero(float(y11), float(y00)):
            raise MediationError(
                "The total effect is too near 0 to normalise by.",
                value=f"TE = {total:.3g} {self.metric.unit}",
                expected="prompts on which the metric differs",
                fix=f"read effect[{key!r}] in {self.metric.unit}, or choose other answers",
            )
        return self[key] / total

    def ci(self, key: str, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Array:
        """A bootstrap interval for the mean over pairs: (2, *axes), lower then upper end.

        Pairs are resampled, whole (BCa, Efron 1987; ``scipy.stats.bootstrap``). Cells that are
        the same for every pair have an interval of no width; cells not run are NaN.

        Raises:
            MediationError: fewer than three pairs.
        """
        return bootstrap_ratio(self.pairs(key), np.ones(()), level, resamples, seed)

    def scores(self, kept: Array) -> Array:
        """The metric of kept numbers, ``bases`` or ``edited``: (..., K) to (...)."""
        return self.metric.read(kept, self.columns)

    def rescore(self, metric: Metric) -> Effect:
        """The same runs read by another metric. Runs no model.

        Raises:
            MediationError: the metric is read from numbers that these runs did not keep.
        """
        refuse_no_metric(metric).refuse_missing(self.columns)
        others = (check for check in self.checks if check.name not in PREMISES)
        checks = (*premises(self.bases, metric.over(self.columns)), *others) if self.checks else ()
        return replace(self, metric=metric, checks=checks)

    def pair(self, index: int) -> Effect:
        """The effect on one pair alone."""
        given: object = index
        whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
        at = int(index) if whole else -1
        if not 0 <= at < self.n_pairs:
            raise MediationError(
                "There is no such pair.",
                value=repr(index),
                expected=f"0 to {self.n_pairs - 1}",
                fix="pairs count from 0",
            )
        return self._of_pairs(np.array([at]))

    def cell(self, *coordinates: int | str) -> Effect:
        """The effect of one cell, as an effect without axes."""
        named = ", ".join(f"{name} of {labels}" for name, labels in self.axes.items())
        require(
            all(isinstance(one, int | np.integer | str) for one in coordinates)
            and coordinates in set(product(*self.axes.values())),
            "There is no such cell.",
            value=coordinates,
            expected=named or "no coordinates, for this effect has no axes",
            fix="effect.axes names the coordinates",
        )
        index: tuple[Any, ...] = tuple(
            labels.index(coordinate)
            for labels, coordinate in zip(self.axes.values(), coordinates, strict=True)
        )
        flat = int(np.ravel_multi_index(index, self.shape))
        return replace(
            self,
            axes={},
            edited=self.edited[(slice(None), slice(None), *index)],
            status=np.asarray(self.status[index]),
            labels=(self.labels[flat],) if self.labels else (),
        )

    def quantities(self) -> tuple[str, ...]:
        """The effects that exist under this edit."""
        return ESTIMANDS if self.edit.corners else ("clean", "corrupt", "difference")

    # --- tables ------------------------------------------------------------------------------

    def to_dataframe(self) -> pd.DataFrame:
        """A row per cell: its coordinates, label, status and every quantity's mean over pairs."""
        columns: dict[str, Any] = dict(
            zip(self.axes, zip(*product(*self.axes.values()), strict=True), strict=True)
        )
        if self.labels:
            columns["site"] = list(self.labels)
        columns["status"] = [Status(int(code)).name.lower() for code in self.status.flat]
        for key in self.quantities():
            columns[key] = np.broadcast_to(self[key], self.shape).reshape(-1)
        return pd.DataFrame(columns)

    def top(self, n: int = 10, by: str | None = None) -> pd.DataFrame:
        """The ``n`` cells of largest size of ``by`` (PIE, or the effect on the clean base)."""
        count: object = n
        require(
            isinstance(count, int | np.integer) and not isinstance(count, bool) and n >= 0,
            "The strongest cells are counted.",
            value=n,
            expected="an int from 0",
            fix="effect.top(10)",
        )
        table = self.to_dataframe()
        key = ("PIE" if self.edit.corners else "clean") if by is None else by
        self[key]
        table[key] = np.broadcast_to(self[key], self.shape).reshape(-1)
        return table.sort_values(key, key=np.abs, ascending=False, na_position="last").head(n)

    # --- files ---------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write it as .json or .npz (no pickle); ``Effect.load`` reads it back without torch."""
        from .effect_files import as_path, save

        return save(self, as_path(path))

    @classmethod
    def load(cls, path: str | Path) -> Effect:
        """Read what ``save`` wrote."""
        from .effect_files import as_path, load

        return load(as_path(path))

    # --- views ---------------------------------------------------------------------------------

    def show(self) -> None:
        """Draw it in the notebook."""
        from IPython.display import display

        display(self)  # type: ignore[no-untyped-call]

    def _repr_html_(self) -> str:
        from .pictures import effect_html

        return effect_html(self)

    def __repr__(self) -> str:
        axes = " x ".join(f"{name} {len(labels)}" for name, labels in self.axes.items())
        named = f"{axes or 'one number'}; {self.edit.kind}; {self.metric.name}; n={self.n_pairs}"
        if isinstance(self.metric, SavedFunction):
            return f"Effect({named}; give the function again: effect.rescore(Function(...)))"
        y11, y00 = self._base_values().mean(axis=0)
        return f"Effect({named}; clean {y11:+.3f}, corrupt {y00:+.3f}, TE {y11 - y00:+.3f})"

    # --- inside --------------------------------------------------------------------------------

    def _of_pairs(self, index: NDArray[np.intp]) -> Effect:
        """The effect on some of the pairs, in the order of ``index``."""
        return replace(
            self,
            bases=self.bases[index],
            edited=self.edited[index],
            clusters=tuple(self.clusters[i] for i in index) if self.clusters else (),
            groups=tuple(self.groups[i] for i in index) if self.groups else (),
        )

    def _base_values(self) -> Array:
        """(pair, 2): the metric on the clean and on the corrupt prompt."""
        return self.scores(self.bases)

    def _corners(self) -> dict[str, Array]:
        ones = (1,) * len(self.axes)
        base = self._base_values()
        edited = self.scores(self.edited)
        return {
            "Y11": base[:, 0].reshape(-1, *ones),
            "Y10": edited[:, 0],
            "Y01": edited[:, 1],
            "Y00": base[:, 1].reshape(-1, *ones),
        }

    def _constant_effect(self, key: str) -> Array:
        y = self._corners()
        effects = {
            "clean": y["Y11"] - y["Y10"],
            "corrupt": y["Y00"] - y["Y01"],
            "difference": y["Y11"] - y["Y10"] - y["Y00"] + y["Y01"],
        }
        name: object = key
        if not isinstance(name, str) or name in ("TE", "Y11", "Y00"):
            return estimand(key, y)
        if key not in effects:
            raise MediationError(
                f"{key} does not exist under a {self.edit.kind} edit.",
                value=repr(key),
                expected="'clean', 'corrupt' or 'difference': Y(base) \N{MINUS SIGN} Y(base, do)",
                fix="a constant is not the value on the other prompt; "
                "use Patch() for TIE, PIE and INT",
            )
        return effects[key]
