"""What amnesic probing came to: the task without a property, beside its controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import require
from ..evaluation.shares import ratio_interval
from ..sites import Site
from ..statistics import mean_interval
from ..validity import too_near_zero
from .erasers import Eraser
from .labelled import Array

QUANTITIES = ("clean", "corrupt", "difference")
ERASED, RANDOM, MOVED, BACK = (
    "erased",
    "random directions",
    "random moves as long",
    "property given back",
)


@dataclass(frozen=True, eq=False)
class Amnesic:
    """The metric with a property erased from a site, beside its controls.

    Attributes:
        eraser: what was erased.
        site: where.
        bases: (pair, 2) the metric on the clean and on the corrupt prompt, nothing erased.
        erased: (pair, 2) the property erased.
        random: (draw, pair, 2) as many random directions set to their mean instead.
        moves: (draw, pair, 2) every value moved exactly as far as by the erasure, but along as
            many random directions: what any change of that size does.
        back: (pair, 2) the erased part set to the mean of each prompt's own label, so that the
            property is there and all else that was erased with it is not; None where some prompts
            have labels that the eraser was not fitted on.
        moved: what was done -> how far the site moves, the mean over prompts of the length of the
            change, in the activation's unit.
        size: the mean length of the site's deviation from its mean, to hold ``moved`` against.
        unit: of the metric.
        clusters: per pair the name of its cluster; () where every pair is its own.
        seen: how many of these prompts the eraser was fitted on; figures are of others where 0.
    """

    eraser: Eraser
    site: Site
    bases: Array
    erased: Array
    random: Array
    moves: Array
    back: Array | None
    moved: Mapping[str, float]
    size: float
    unit: str
    clusters: tuple[str, ...]
    seen: int

    @property
    def n(self) -> int:
        """How many pairs."""
        return len(self.bases)

    def pairs(self, what: str, quantity: str = "difference") -> Array:
        """(pair,) an effect; of random directions and moves the mean over draws.

        Args:
            what: "erased", "random directions", "random moves as long", "property given back".
            quantity: "clean" or "corrupt": Y(base) - Y(base, do); "difference", clean - corrupt:
                how much of the total effect is gone.

        Raises:
            MediationError: what was not run.
        """
        runs = self._runs()
        require(
            all(isinstance(name, str) for name in (what, quantity))
            and what in runs
            and quantity in QUANTITIES,
            "There is no such effect.",
            value=(what, quantity),
            expected=f"one of {tuple(runs)}, and of {QUANTITIES}",
            fix=f"result.pairs({ERASED!r}, 'difference')",
        )
        effect = self._effect(runs[what], quantity)
        return np.asarray(effect.mean(0) if effect.ndim > 1 else effect)

    @property
    def share(self) -> float:
        """The share of the total effect that is gone: ratio of the means over pairs.

        NaN where the total effect is too near 0 to divide by, or its interval holds 0.
        """
        return float(self.pairs(ERASED).mean() / self._total.mean()) if self._shared else np.nan

    def share_ci(self, level: float = 0.95) -> Array:
        """(2,) its bootstrap interval over pairs; NaN below three of them, or without a share.

        Raises:
            MediationError: a level that is not between 0 and 1.
        """
        if not self._shared:
            return np.full(2, np.nan)
        return ratio_interval(self.pairs(ERASED), self._total, self.clusters, level)

    def against(self, control: str = RANDOM) -> float:
        """The p value of the loss: how often a random draw takes away as much.

        (1 + draws that do) / (1 + draws), of the size of the mean difference.

        Args:
            control: "random directions" or "random moves as long".

        Raises:
            MediationError: no such control.
        """
        own = abs(self.pairs(ERASED).mean())
        drawn = np.abs(self.draws(control=control))
        return float((1 + (drawn >= own).sum()) / (1 + len(drawn)))

    def draws(self, quantity: str = "difference", control: str = RANDOM) -> Array:
        """(draw,) the mean over pairs of each draw of a control.

        Args:
            quantity: "clean" or "corrupt": Y(base) - Y(base, do); "difference", clean - corrupt.
            control: "random directions" or "random moves as long".

        Raises:
            MediationError: no such quantity, or no such control.
        """
        runs = {RANDOM: self.random, MOVED: self.moves}
        require(
            all(isinstance(name, str) for name in (control, quantity))
            and control in runs
            and quantity in QUANTITIES,
            "There are no such draws.",
            value=(quantity, control),
            expected=f"one of {QUANTITIES}, and of {tuple(runs)}",
            fix=f"result.draws('difference', {RANDOM!r})",
        )
        return np.asarray(self._effect(runs[control], quantity).mean(-1))

    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame:
        """A row per thing done and quantity: mean over pairs, its interval, n, how far it moved.

        ``smallest`` and ``largest`` are the means of single draws, of what is drawn.

        Raises:
            MediationError: a level that is not between 0 and 1.
        """
        rows = []
        for what in self._runs():
            for quantity in QUANTITIES:
                values = self.pairs(what, quantity)
                low, high = mean_interval(values, self.clusters, level)
                row = {"what": what, "quantity": quantity, "mean": values.mean()}
                row |= {
                    "low": float(low),
                    "high": float(high),
                    "n": self.n,
                    "moved": self.moved[what],
                }
                drawn = what in (RANDOM, MOVED)
                some = self.draws(quantity, what) if drawn else np.array([np.nan])
                rows.append(row | {"smallest": some.min(), "largest": some.max()})
        table = pd.DataFrame(rows)
        table.attrs = {"unit": self.unit, "level": level, "site": self.site.label()}
        return table

    def __repr__(self) -> str:
        total = float(self._total.mean())
        gone = self.pairs(ERASED).mean()
        chance, far = self.pairs(RANDOM).mean(), self.pairs(MOVED).mean()
        low, high = self.share_ci()
        ends = f" [{low:.0%}, {high:.0%}]" if np.isfinite(low) else ""
        words = f"{self.share:.0%}{ends} of TE {total:.3g} {self.unit} is gone"
        if not self._shared:
            words = f"no share is given of TE {total:.3g} {self.unit}, which may be 0; gone"
        back = ""
        if self.back is not None:
            back = f"; with the property given back {self.pairs(BACK).mean():+.3g}"
        return (
            f"Amnesic({self.eraser.words} at {self.site.label()}: "
            f"{words} ({gone:+.3g}), with as many random ones {chance:+.3g} "
            f"(p {self.against():.2g}), moved as far at random {far:+.3g} "
            f"(p {self.against(MOVED):.2g}), {len(self.random)} draws{back}; n={self.n} pairs, "
            f"{self.seen} of {2 * self.n} prompts fitted on)"
        )

    @property
    def _total(self) -> Array:
        """(pair,) TE."""
        return np.asarray(self.bases[:, 0] - self.bases[:, 1])

    @property
    def _shared(self) -> bool:
        """Whether there is a total effect to give shares of."""
        high, low = self.bases.mean(0)
        ends = mean_interval(self._total, self.clusters, 0.95)
        return not (too_near_zero(float(high), float(low)) or ends[0] <= 0 <= ends[1])

    def _runs(self) -> dict[str, Array]:
        runs = {ERASED: self.erased, RANDOM: self.random, MOVED: self.moves}
        return runs | ({} if self.back is None else {BACK: self.back})

    def _effect(self, done: Array, quantity: str) -> Array:
        """(..., pair) of runs (..., pair, 2)."""
        lost = self.bases - done
        if quantity == "difference":
            return np.asarray(lost[..., 0] - lost[..., 1])
        return np.asarray(lost[..., QUANTITIES.index(quantity)])
