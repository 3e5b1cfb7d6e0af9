"""Relevance beside TIE and PIE of the same tokens: an attribution beside an intervention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..edits import Patch
from ..effects import Effect
from ..errors import is_one_of, require
from ..naming import spanned
from ..statistics import mean_interval
from ..study import Study, refuse_no_study
from .token_relevance import Relevance, relevance

Array = NDArray[np.float64]

QUANTITIES = ("relevance", "TIE", "PIE")


@dataclass(frozen=True, eq=False)
class BesideTIE:
    """Three numbers a token: one says what the clean run looked at, two what a patch does.

    Attributes:
        names: of the positions, or of the roles.
        relevance: (pair, name) shares of the metric, by attribution.
        effect: of patching the residual stream before ``start_layer`` there, one at a time.
        start_layer: of both.
    """

    names: tuple[str, ...]
    relevance: Array
    effect: Effect
    start_layer: int

    def pairs(self, quantity: str) -> Array:
        """(pair, name): relevance as a share, TIE and PIE in the metric's unit.

        Raises:
            MediationError: another quantity.
        """
        require(
            is_one_of(quantity, QUANTITIES),
            "A relevance stands beside two effects.",
            value=quantity,
            expected=" or ".join(QUANTITIES),
            fix="beside.pairs('TIE')",
        )
        if quantity == "relevance":
            return self.relevance
        return self.effect.pairs(quantity)[:, 0]

    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame:
        """A row per token and quantity: mean over pairs, its interval, and the share.

        The share of an effect is its mean over the mean TE; relevances are shares already. The
        interval (``low``, ``high``; NaN below 3 pairs) is the mean's.

        Raises:
            MediationError: a level that is not between 0 and 1.
        """
        clean, corrupt = self.effect.scores(self.effect.bases).mean(axis=0)
        total = float(clean - corrupt)
        frames = []
        for quantity in QUANTITIES:
            values = self.pairs(quantity)
            low, high = mean_interval(values, self.effect.clusters, level)
            whole = 1.0 if quantity == "relevance" else total
            columns = {
                "position": range(len(self.names)),
                "token": self.names,
                "quantity": quantity,
                "unit": "share" if quantity == "relevance" else self.effect.metric.unit,
                "mean": values.mean(axis=0),
                "low": low,
                "high": high,
                "share": values.mean(axis=0) / whole if whole else np.nan,
                "n": len(values),
            }
            frames.append(pd.DataFrame(columns))
        return pd.concat(frames, ignore_index=True)

    def __repr__(self) -> str:
        most = self.relevance.mean(axis=0)
        at, tie = int(most.argmax()), self.pairs("TIE").mean(axis=0)
        unit = self.effect.metric.unit
        return (
            f"BesideTIE(n={len(self.relevance)}: the most relevant is {self.names[at].strip()!r} "
            f"with {most[at]:.2f} of the relevance and a TIE of {tie[at]:+.3f} {unit}; "
            f"the largest TIE is {tie[np.abs(tie).argmax()]:+.3f})"
        )


def beside_tie(
    study: Study,
    by: Literal["position", "role"] = "position",
    start_layer: int = 0,
    *,
    progress: bool = True,
) -> BesideTIE:
    """Relevance of tokens, and what patching the residual stream at the same tokens does.

    They answer two questions. Relevance divides the clean run's own output among its tokens; TIE
    and PIE say what changes if a token's value is the one of the other prompt. Where the prompts
    agree a patch changes nothing, however relevant the token is; and where they differ the
    token may be looked at and yet make no difference.

    Args:
        study: its pairs and metric.
        by: "position", or "role": relevance is then added up over the role's positions.
        start_layer: the layer before which the stream is patched, and the product of layers
            starts; 0 means the tokens themselves.
        progress: whether to show a bar.

    Raises:
        MediationError: what ``relevance`` and ``Study.sweep`` raise.
    """
    refuse_no_study(study)
    require(
        is_one_of(by, ("position", "role")),
        "Tokens are told apart by position or by role.",
        value=by,
        expected="'position' or 'role'",
        fix="mw.contrasting.beside_tie(study, by='role')",
    )
    found = relevance(study, start_layer)
    effect = study.sweep("residual", by, Patch(), layers=(start_layer,), progress=progress)
    names = study.position_names if by == "position" else study.roles
    return BesideTIE(names, _at(study, found, by), effect, start_layer)


def _at(study: Study, found: Relevance, by: str) -> Array:
    """(pair, name): at every position, or added up over each role's."""
    if by == "position":
        return np.stack(found.values)
    return np.array(
        [
            [values[list(spanned(pair.roles[role]))].sum() for role in study.roles]
            for values, pair in zip(found.values, study.contrast, strict=True)
        ]
    )
