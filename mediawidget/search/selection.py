"""What a selection of sites came to: the sites in order, and what they do together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..circuit import Circuit
from ..errors import MediationError, is_one_of, require
from ..evaluation.shares import no_divisor
from ..sites import Site
from ..statistics import mean_interval

Array = NDArray[np.float64]
Direction = Literal["restore", "break"]


def refuse_no_direction(direction: object, fix: str) -> None:
    """Raise unless sites are to be set in the corrupt run, or in the clean one."""
    require(
        is_one_of(direction, get_args(Direction)),
        "Sites are restored or broken.",
        value=direction,
        expected="'restore' or 'break'",
        fix=fix,
    )


@dataclass(frozen=True, eq=False)
class Selection:
    """Sites in the order in which they were chosen.

    Attributes:
        method: "greedy" or "top-k".
        direction: "restore": sites are set in the corrupt run, and the effect is what they gain
            (PIE); "break": in the clean run, and the effect is what is lost (TIE).
        sites: the chosen ones, the first first. A cancelled search has fewer than were asked for.
        labels: their names.
        joint: (site, pair) the effect of all sites up to this one together.
        single: (site, pair) the effect of each by itself.
        singles: of every candidate by itself, the mean over the pairs that selected; NaN where a
            cancelled search did not come to it.
        total: (pair,) TE.
        select_on: numbers of the pairs that chose.
        report_on: of those that the figures are means over; the same where nothing was held out.
        unit: of all numbers, the metric's.
        clusters: per pair, as ``Effect.clusters``.
        passes: forward passes that it took.
        rows: rows of their batches.
        seconds: wall time.
    """

    method: str
    direction: Direction
    sites: tuple[Site, ...]
    labels: tuple[str, ...]
    joint: Array
    single: Array
    singles: Mapping[Site, float]
    total: Array
    select_on: tuple[int, ...]
    report_on: tuple[int, ...]
    unit: str
    clusters: tuple[str, ...] = ()
    passes: int = 0
    rows: int = 0
    seconds: float = 0.0

    @property
    def held_out(self) -> bool:
        """Whether the figures are of pairs that chose nothing."""
        return not set(self.select_on) & set(self.report_on)

    @property
    def joint_mean(self) -> Array:
        """(site,) the mean of ``joint`` over the pairs that are reported on."""
        return np.asarray(self.joint[:, list(self.report_on)].mean(axis=1))

    @property
    def picked(self) -> Array:
        """(site,) the same over the pairs that chose: too large, for they chose what is large."""
        return np.asarray(self.joint[:, list(self.select_on)].mean(axis=1))

    @property
    def shares(self) -> Array:
        """(site,) the joint effect as a share of TE, a ratio of means over ``report_on``.

        NaN where ``effect.normalized`` refuses: TE is near 0, or its 95% interval holds 0.
        """
        total = self.total[list(self.report_on)]
        none = no_divisor(total, np.zeros_like(total), self._reported, "TE", self.unit)
        return self.joint_mean / (np.nan if none else float(total.mean()))

    @property
    def _reported(self) -> tuple[str, ...]:
        """The clusters of the pairs that are reported on."""
        return tuple(self.clusters[i] for i in self.report_on) if self.clusters else ()

    def joint_ci(self, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Array:
        """(2, site) interval of ``joint_mean``; NaN for fewer than three clusters.

        Args:
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Raises:
            MediationError: a level that is not between 0 and 1, or resamples or a seed that are no
                counts.
        """
        some = list(self.report_on)
        return mean_interval(self.joint[:, some].T, self._reported, level, resamples, seed)

    def circuit(self, n: int | None = None) -> Circuit:
        """The first ``n`` sites, default all, as a circuit of nodes.

        Raises:
            MediationError: not so many sites, or sites that are no heads or MLPs.
        """
        known = isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= len(self.sites)
        require(
            n is None or known,
            "A circuit is made of the first sites of a selection.",
            value=n,
            expected=f"0 to {len(self.sites)}",
            fix="selection.circuit(3)",
        )
        chosen = self.sites[:n]
        way = "restored" if self.direction == "restore" else "broken"
        return Circuit(
            chosen, name=self.method, source=f"{self.method}, {way}, first {len(chosen)}"
        )

    def to_dataframe(self) -> pd.DataFrame:
        """A row per site: its name, alone, together with those above it, interval and share."""
        low, high = self.joint_ci() if len(self.sites) else np.zeros((2, 0))
        return pd.DataFrame(
            {
                "site": list(self.labels),
                "single": self.single[:, list(self.report_on)].mean(axis=1),
                "joint": self.joint_mean,
                "low": low,
                "high": high,
                "share": self.shares,
                "picked": self.picked,
            }
        )

    @property
    def title(self) -> str:
        """What was done, on how many pairs, in one sentence."""
        key = "PIE" if self.direction == "restore" else "TIE"
        n = len(self.report_on)
        where = f"{n} held-out pairs" if self.held_out else f"{n} pair" + "s" * (n != 1)
        return f"{self.method}, joint {key} in {self.unit}, mean over {where}"

    def __repr__(self) -> str:
        shares = self.shares
        steps = [
            f"{label} {joint:+.3f}" + (f" ({share:.0%} of TE)" if np.isfinite(share) else "")
            for label, joint, share in zip(self.labels, self.joint_mean, shares, strict=True)
        ]
        return f"Selection({self.title}: {', then '.join(steps) or 'nothing was chosen'})"

    def _repr_html_(self) -> str:
        table = self.to_dataframe().to_html(float_format="{:+.3f}".format, index=False)
        return f"<p>{escape(self.title)}</p>{table}"


def refuse_no_count(k: object, n_candidates: int) -> None:
    """Raise unless ``k`` candidates can be chosen."""
    whole = isinstance(k, int) and not isinstance(k, bool)
    if not whole or not 1 <= k <= n_candidates:  # type: ignore[operator]
        raise MediationError(
            "A selection has a number of sites.",
            value=f"k={k!r}",
            expected=f"an int from 1 to {n_candidates}, the number of candidates",
            fix="mw.search.greedy(study, 5)",
        )
