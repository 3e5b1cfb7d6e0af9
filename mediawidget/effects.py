"""What came out: values on named axes, every pair kept, a status per cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .edits import Edit, Mixed, Patch, Within
from .edits.base import BASES
from .effect_parts import Parts
from .errors import MediationError, require
from .estimands import A_CONSTANT, CONSTANT_EFFECTS, ESTIMANDS, constant_effect, estimand
from .estimated import Estimated
from .inference import Diagnostics, Samples, Scales, cell_columns, count
from .metrics import BASE_COLUMNS, LogitDiff, Metric, SavedFunction, refuse_no_metric
from .sites import Site
from .statistics import refuse_no_names
from .status import SHOWN, Status
from .validity import Check

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SHOWN", "Effect", "Status"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Effect(Parts, Samples, Scales, Diagnostics):
    """The effect of an edit at every cell of some named axes.

    ``effect["PIE"]`` is the mean of a quantity over pairs: an array on the axes, a number without
    axes. ``pairs`` says which quantities there are and what their signs mean.

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
            the name "". Statistics draw and flip clusters whole; pairs that are all of one cluster
            are a single unit, of which they say nothing.
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

        Y(x, m) is the metric when the network reads prompt x and the site is set to its value on
        prompt m, 1 the clean and 0 the corrupt one; Yxm is short for it. TE = Y11 - Y00,
        PIE = Y01 - Y00 (what restoring the site gains), TIE = Y11 - Y10 (what breaking it loses),
        PDE = Y10 - Y00, TDE = Y11 - Y01, INT = TIE - PIE. A positive PIE or TIE: the site supports
        the clean behaviour; under a metric that falls (KL, rank) a negative one does.

        Args:
            key: for patches Y11, Y10, Y01, Y00 or TE, TIE, PIE, PDE, TDE, INT; for other edits
                ``clean`` or ``corrupt`` (Y(base) - Y(base, do)) or ``difference`` (clean -
                corrupt = TE - CDE, the portion eliminated), and where both prompts get the same
                value m CDE = Y(1, m) - Y(0, m). Cells that were not run are NaN.

        Raises:
            MediationError: the quantity does not exist under this edit.
        """
        return self.quantity(key, self.corners())

    def __getitem__(self, key: str) -> Any:
        """The mean over pairs of ``pairs(key)``: an array on the axes, a float without axes.

        Raises:
            MediationError: the quantity does not exist under this edit.
        """
        mean = self.pairs(key).mean(axis=0)
        return mean if self.axes else float(mean)

    def scores(self, kept: Array) -> Array:
        """The metric of kept numbers, ``bases`` or ``edited``: (..., K) to (...)."""
        return self.metric.read(kept, self.columns)

    def rescore(self, metric: Metric) -> Effect:
        """The same runs read by another metric. Runs no model.

        Raises:
            MediationError: the metric is read from numbers that these runs did not keep.
        """
        if isinstance(self.metric, Estimated):
            metric = self.metric.again(refuse_no_metric(metric))
        refuse_no_metric(metric).refuse_missing(self.columns)
        return replace(self, metric=metric, checks=self._checks(self.bases, metric))

    def quantities(self) -> tuple[str, ...]:
        """The effects that exist under this edit."""
        if self.edit.corners:
            return ESTIMANDS
        return (*CONSTANT_EFFECTS, "CDE") if _sets_one_value(self.edit) else CONSTANT_EFFECTS

    def quantity(self, key: str, corners: Mapping[str, Array]) -> Array:
        """What ``key`` is of four corners, under this edit: of their broadcast shape.

        Args:
            key: as in ``pairs``.
            corners: Y11, Y10, Y01 and Y00, of shapes that broadcast, in the metric's unit.

        Raises:
            MediationError: the quantity does not exist under this edit.
        """
        if self.edit.corners:
            return estimand(key, corners)
        one, why = _sets_one_value(self.edit), _why_no_corners(self.edit)
        return constant_effect(key, corners, self.edit.kind, one_value=one, why=why)

    def corners(self) -> dict[str, Array]:
        """The metric of the four runs, for every pair: Y11, Y10, Y01, Y00.

        Shapes (pair, *axes); of length 1 on the axes for Y11 and Y00, which no edit changes.
        Under an edit that has no corners Y10 and Y01 are Y(clean, do) and Y(corrupt, do).
        """
        ones = (1,) * len(self.axes)
        base = self._base_values()
        edited = self.scores(self.edited)
        return {
            "Y11": base[:, 0].reshape(-1, *ones),
            "Y10": edited[:, 0],
            "Y01": edited[:, 1],
            "Y00": base[:, 1].reshape(-1, *ones),
        }

    # --- tables ------------------------------------------------------------------------------

    def to_dataframe(self) -> pd.DataFrame:
        """A row per cell: its coordinates, label, status and every quantity's mean over pairs.

        Where something was held frozen, the column ``downstream`` says what.
        """
        import pandas as pd

        columns = cell_columns(self)
        columns["status"] = [Status(int(code)).name.lower() for code in self.status.flat]
        for key in self.quantities():
            columns[key] = np.broadcast_to(self[key], self.shape).reshape(-1)
        return pd.DataFrame(columns)

    def top(self, n: int = 10, by: str | None = None) -> pd.DataFrame:
        """The ``n`` cells of largest size of ``by`` (PIE, or the effect on the clean base).

        Args:
            n: how many cells.
            by: a quantity, as in ``pairs``; default: PIE, or under an edit that has none the effect
                on the clean base.

        Returns:
            ``to_dataframe`` of these cells, with the means of ``by`` in a column of its own; NaN
            comes last.

        Raises:
            MediationError: a number of cells that is none, or a quantity that there is not under
                this edit.
        """
        n = count(n, "cells", "effect.top(10)")
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
        edit = f"{self.edit.kind}, {self.held}" if self.held else self.edit.kind
        named = f"{axes or 'one number'}; {edit}; {self.metric.name}; n={self.n_pairs}"
        if isinstance(self.metric, SavedFunction):
            return f"Effect({named}; give the function again: effect.rescore(Function(...)))"
        y11, y00 = self._base_values().mean(axis=0)
        said = {"clean": y11, "corrupt": y00, "TE": y11 - y00}
        if not self.axes and int(self.status) in SHOWN:
            edited = {"PIE": "PIE", "TIE": "TIE"}
            if not self.edit.corners:
                edited = {"on clean": "clean", "on corrupt": "corrupt"}
            said |= {name: self[key] for name, key in edited.items()}
        return f"Effect({named}; {', '.join(f'{k} {v:+.3f}' for k, v in said.items())})"

    # --- inside --------------------------------------------------------------------------------

    def _base_values(self) -> Array:
        """(pair, 2): the metric on the clean and on the corrupt prompt."""
        return self.scores(self.bases)


def _why_no_corners(edit: Edit) -> str:
    """Why an edit does not give a run the value on the other prompt."""
    inner = edit.edit if isinstance(edit, Within) else edit
    if not isinstance(inner, Patch):
        return A_CONSTANT
    if inner.source is not None:
        return "a source that is the same on both prompts is not the value on the other prompt"
    share = f"alpha={inner.alpha:g} is {inner.alpha:g} of the way to the value on the other prompt"
    return f"{share}, not all of it (mw.dose_curve asks every share)"


def _sets_one_value(edit: Edit) -> bool:
    """Whether a site gets the same value on both prompts of a pair, whatever it was there."""
    if isinstance(edit, Mixed):
        return all(_sets_one_value(part) for part in edit.parts)
    site = Site("head", layer=0, head=0)
    clean, corrupt = (edit.recipe(base, site) for base in BASES)
    return clean.keep == 0 and clean == corrupt
