"""What cross-model patching came to: the share of the effect that each donor restores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ..errors import MediationError, require
from ..evaluation.shares import ratio_interval
from ..statistics import mean_interval
from ..validity import too_near_zero
from .maps import Array

OWN, RAW = "own", "raw"
CONTROL = ", corrupt"


@dataclass(frozen=True, eq=False)
class CrossPatch:
    """The receiver's corrupt run with one site after another set to what a donor has there.

    Attributes:
        axes: name -> coordinates, as a sweep has them.
        labels: the sites', in row-major order.
        bases: (pair, 2) the receiver's metric on the clean and on the corrupt prompt.
        restored: donor -> (pair, *axes) the metric: "own", the receiver's clean value; "raw", the
            giver's clean value as it is; "least squares" and "procrustes", the same through a
            fitted map; and, of all but "own", ", corrupt" behind the name: the giver's value on
            the corrupt prompt, which restores nothing if the patch only carries what it should.
        fits: a row per map: where, on how many values it was fitted, and R^2 on the tested pairs.
        shared: how many of the tested prompts the maps were fitted on.
        unit: of the metric.
        clusters: per pair the name of its cluster; () where every pair is its own.
        names: giver and receiver.
    """

    axes: Mapping[str, tuple[int | str, ...]]
    labels: tuple[str, ...]
    bases: Array
    restored: Mapping[str, Array]
    fits: pd.DataFrame
    shared: int
    unit: str
    clusters: tuple[str, ...]
    names: tuple[str, str]

    @property
    def n(self) -> int:
        """How many pairs."""
        return len(self.bases)

    @property
    def donors(self) -> tuple[str, ...]:
        """What the sites were set to, the controls last."""
        return tuple(self.restored)

    def pairs(self, donor: str) -> Array:
        """(pair, *axes) Y(donor's value) - Y(corrupt), in the metric's unit.

        Raises:
            MediationError: no such donor.
        """
        require(
            donor in self.restored,
            "There is no such donor.",
            value=donor,
            expected=f"one of {self.donors}",
            fix="result.pairs('raw')",
        )
        start = self.bases[:, 1].reshape(-1, *(1,) * len(self.axes))
        return np.asarray(self.restored[donor] - start)

    def share(self, donor: str) -> Array:
        """(*axes) the share of the receiver's total effect that is restored.

        0: as the corrupt run, 1: as the clean one, below 0: worse than corrupt. A ratio of means
        over pairs. A value that only destroys what was there may come to 0.5, half way between two
        answers: read it beside its control.

        Raises:
            MediationError: no such donor, or the total effect is too near 0 to divide by.
        """
        return np.asarray(self.pairs(donor).mean(0) / self._total().mean())

    def share_ci(self, donor: str, level: float = 0.95) -> Array:
        """(2, *axes) its bootstrap interval over pairs; NaN below three of them.

        Args:
            donor: one of ``donors``.
            level: of the interval, between 0 and 1.

        Raises:
            MediationError: what ``share`` raises.
        """
        return ratio_interval(self.pairs(donor), self._total(), self.clusters, level)

    def carried(self, donor: str) -> Array:
        """(*axes) the share that the giver's clean value restores beyond its corrupt value.

        What any value of the giver does to the receiver, good or bad, is in both.

        Raises:
            MediationError: no such donor, or the total effect is too near 0 to divide by.
        """
        clean, corrupt = self.pairs(donor), self.pairs(donor + CONTROL)
        return np.asarray((clean - corrupt).mean(0) / self._total().mean())

    def carried_ci(self, donor: str, level: float = 0.95) -> Array:
        """(2, *axes) its bootstrap interval over pairs; NaN below three of them.

        Args:
            donor: one of ``donors``.
            level: of the interval, between 0 and 1.

        Raises:
            MediationError: what ``share`` raises.
        """
        difference = self.pairs(donor) - self.pairs(donor + CONTROL)
        return ratio_interval(difference, self._total(), self.clusters, level)

    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame:
        """A row per donor and cell: coordinates, label, share of TE restored, its interval, n.

        A donor is a ``value`` (own, raw, through a map) of a ``prompt`` (clean, corrupt).

        Raises:
            MediationError: what ``share`` raises.
        """
        cells = pd.DataFrame(list(product(*self.axes.values())), columns=list(self.axes))
        frames = []
        for donor in self.donors:
            low, high = self.share_ci(donor, level).reshape(2, -1)
            share = self.share(donor).reshape(-1)
            columns: dict[str, Any] = {"share": share, "low": low, "high": high, "n": self.n}
            columns |= {"value": donor.removesuffix(CONTROL)}
            columns |= {"prompt": "corrupt" if donor.endswith(CONTROL) else "clean"}
            frames.append(cells.assign(label=self.labels, donor=donor, **columns))
        return pd.concat(frames, ignore_index=True)

    def top(self, n: int = 5) -> pd.DataFrame:
        """The ``n`` cells whose own clean value restores most, and each donor's share there.

        Returns:
            A row per cell: ``label``, and a column per donor.

        Raises:
            MediationError: what ``share`` raises.
        """
        table = pd.DataFrame({donor: self.share(donor).reshape(-1) for donor in self.donors})
        table.insert(0, "label", list(self.labels))
        return table.sort_values(OWN, ascending=False, na_position="last").head(n)

    def __repr__(self) -> str:
        best = self.top(1).iloc[0]
        shares = [f"{donor} {best[donor]:.2f}" for donor in self.donors]
        low, high = mean_interval(self._total(), self.clusters, 0.95)
        ends = f" [{low:.3g}, {high:.3g}]" if np.isfinite(low) else ""
        fitted = f"; maps fitted on {self.shared} of the {2 * self.n} tested prompts"
        fitted = fitted if len(self.fits) else ""
        return (
            f"CrossPatch({self.names[0]} into {self.names[1]}; TE {self._total().mean():.3g}{ends} "
            f"{self.unit}; share of it restored at {best['label']}: {', '.join(shares)}{fitted}; "
            f"n={self.n} pairs)"
        )

    def _total(self) -> Array:
        high, low = self.bases.mean(0)
        if too_near_zero(float(high), float(low)):
            raise MediationError(
                "The total effect is too near 0 to give shares of it.",
                value=f"TE = {high - low:.3g} {self.unit}",
                expected="prompts on which the receiver's metric differs",
                fix="result.pairs('raw') is in the metric's unit",
            )
        return self.bases[:, 0] - self.bases[:, 1]
