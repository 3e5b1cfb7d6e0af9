"""The same runs on other scales: what interacts on one may add up on another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MediationError, require
from ..metrics import Logit, LogitDiff, LogOdds, LogProb, Metric, Prob, ProbDiff
from .base import Array, OnPairs

if TYPE_CHECKING:
    import pandas as pd

SCALES: tuple[Metric, ...] = (LogitDiff(), LogOdds(), LogProb(), Logit(), Prob(), ProbDiff())


class Scales(OnPairs):
    """Odds in place of log odds, and every metric that the runs can be read by."""

    def pairs_ratio(self, key: str) -> Array:
        """A quantity as a relative change of the odds, for every pair: (pair, *axes), no unit.

        With y = exp(metric), the odds of the answer, it is the quantity of y over the y of the
        corrupt prompt: PIE is y01 / y00 - 1 = expm1(PIE of the log odds), and TE = PDE + PIE +
        INT holds as ever. 0 is no change, 1 is odds twice as large, -1 odds of nothing.

        Source: Vig et al. 2020, whose NIE is PIE and whose NDE is PDE.

        Raises:
            MediationError: the metric is no log odds; the quantity does not exist.
        """
        require(
            isinstance(self.metric, LogitDiff | LogOdds),
            "Only log odds become odds.",
            value=self.metric.name,
            expected="logit_diff or log_odds",
            fix="effect.rescore(mw.LogitDiff()).ratio('PIE')",
        )
        corners = self.corners()
        with np.errstate(over="ignore", invalid="ignore"):
            # One is taken off all four, which no difference of them notices.
            odds = {name: np.expm1(value - corners["Y00"]) for name, value in corners.items()}
            change = self.quantity(key, odds)
        require(
            key not in corners,
            "A relative change is one of effects.",
            value=key,
            expected="an effect, as PIE or TE",
            fix=f"np.exp(effect.pairs({key!r})) are its odds",
        )
        return change

    def ratio(self, key: str) -> Any:
        """The mean over pairs of ``pairs_ratio(key)``: an array on the axes, or a float.

        A few pairs with small odds on the corrupt prompt can rule this mean; the effect of the
        log odds, ``effect[key]``, has no such pairs.

        Source: Vig et al. 2020.

        Raises:
            MediationError: the metric is no log odds; the quantity does not exist.
        """
        return self._on_axes(self.pairs_ratio(key).reshape(self.n_pairs, -1).mean(axis=0))

    def by_metric(self, key: str = "INT", metrics: Sequence[Metric] | None = None) -> pd.DataFrame:
        """A quantity under several metrics: a row per cell, a column per metric's name.

        Each column's mean over pairs is in its own metric's unit, so columns are compared by sign
        and by what is 0. Whether there is an interaction depends on the scale: effects that add
        up in log odds interact in probabilities (VanderWeele 2014).

        Args:
            key: a quantity, as in ``pairs``.
            metrics: default the ones of logits, log odds and probabilities that can be read.

        Raises:
            MediationError: a metric that the runs kept no numbers for; two of one name.
        """
        kept = set(self.columns)
        if metrics is None:
            metrics = [metric for metric in SCALES if set(metric.columns) <= kept]
        given: object = metrics
        known = isinstance(given, list | tuple) and all(isinstance(m, Metric) for m in given)
        names = [metric.name for metric in metrics] if known else []
        if not names or len(set(names)) < len(names):
            raise MediationError(
                "Columns are metrics of different names.",
                value=repr(metrics)[:200],
                expected="a list of metrics, each name once",
                fix="effect.by_metric('INT', [mw.LogitDiff(), mw.Prob()])",
            )
        return self._table(
            **{
                metric.name: self.rescore(metric).pairs(key).reshape(self.n_pairs, -1).mean(axis=0)
                for metric in metrics
            }
        )
