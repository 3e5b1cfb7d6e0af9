"""Puts what a chunk came to where it belongs among the outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .edits.base import BASES
from .errors import MediationError
from .groups import Group
from .lm import LM
from .outcomes import Outcomes, filed
from .plan.frame import Ints
from .precision import logits_of, tolerance
from .runner import Result


@dataclass(frozen=True)
class Filing:
    """Outcomes of a model's runs, filled group by group.

    Attributes:
        top: how many of the likeliest next tokens are kept.
    """

    lm: LM
    outcomes: Outcomes
    top: int

    def add(self, group: Group, index: Ints, pairs: Ints, runs: Ints, result: Result) -> None:
        """What some runs of a group came to on some of its pairs; ``index``: which runs they are.

        Raises:
            MediationError: the base runs are not what they were in an earlier chunk.
        """
        outcomes = self.outcomes
        here, there = filed(group.gives, len(outcomes.columns))
        columns = np.arange(len(outcomes.columns))[here]
        members = group.members[pairs]
        bases = result.bases[..., there]
        at = (members[:, None, None], group.bases[None, :, None], columns)
        names = [outcomes.columns[one] for one in columns]
        self._refuse_moved(logits_of(outcomes.bases[at], names), logits_of(bases, names))
        outcomes.bases[at] = bases
        rows = index[runs][:, None]
        outcomes.kept[rows[..., None], members[:, None], columns] = result.kept[runs][..., there]
        outcomes.left[rows, members] -= 1
        fired = np.nan_to_num(outcomes.fired[rows, members])
        outcomes.fired[rows, members] = np.maximum(fired, result.fired[runs])
        outcomes.passes += 1
        outcomes.rows += result.rows
        if self.top and group.gives != "wrong":
            self._keep_top(group, index, runs, members, result)

    def _keep_top(
        self, group: Group, index: Ints, runs: Ints, members: Ints, result: Result
    ) -> None:
        """The likeliest tokens of the bases and of each run, under their pair."""
        for column, member in enumerate(members.tolist()):
            named: list[tuple[int | str, int]] = [
                (BASES[b], int(rows[column]))
                for b, rows in zip(group.bases, result.base_rows, strict=True)
            ]
            named += [(int(index[run]), int(result.end[run, column])) for run in runs]
            for name, row in named:
                chances = np.exp(result.top_logprobs[row]).tolist()
                both = zip(result.top_ids[row].tolist(), chances, strict=True)
                self.outcomes.top[(name, member)] = list(both)

    def _refuse_moved(self, before: NDArray[np.float64], now: NDArray[np.float64]) -> None:
        """Weights written behind the version counter: the base runs show it."""
        known = ~np.isnan(before)
        if known.any() and not np.abs(before - now)[known].max() <= tolerance(self.lm, now):
            raise weights_changed(self.lm)


def weights_changed(lm: LM) -> MediationError:
    """One result is of one set of weights."""
    return MediationError(
        "The model's weights changed while this was running.",
        value=lm.name,
        expected="weights that stay as they are until the result is there",
        fix="run it again",
    )
