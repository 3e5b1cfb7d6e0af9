"""The metric of an estimate: its value was written down, not read off logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import MediationError
from .metric_base import Array, Columns, Metric

ESTIMATE = "estimate"

ESTIMATE_COLUMNS = ("base_answer", "base_wrong", ESTIMATE)
"""What an estimate keeps of a run: the two answers' logits of its unedited base, for the premises,
and the estimated metric. There are no logits of a run that was not run."""


@dataclass(frozen=True)
class Estimated(Metric):
    """A metric estimated to first order; another metric has to be estimated anew.

    Args:
        of: the metric.
    """

    of: Metric

    kind = "estimated"

    @property
    def name(self) -> str:  # type: ignore[override]
        """The metric's name, and that it is an estimate."""
        return f"estimated {self.of.name}"

    @property
    def unit(self) -> str:  # type: ignore[override]
        """The metric's own."""
        return self.of.unit

    @property
    def columns(self) -> tuple[str, ...]:
        return (ESTIMATE,)

    def compute(self, kept: Columns) -> Array:
        return kept[ESTIMATE]

    def label(self, answer: str, wrong: str) -> str:
        return f"estimate of {self.of.label(answer, wrong)}"

    def again(self, metric: Metric) -> Estimated:
        """Itself, for the metric that it is an estimate of.

        Raises:
            MediationError: for any other, of which no gradient was taken.
        """
        if metric not in (self, self.of):
            raise MediationError(
                "An estimate is of the one metric whose gradient was taken.",
                value=metric.name,
                expected=self.of.name,
                fix=f"study.metric = mw.{type(metric).__name__}(...), then "
                "study.estimate(...) again",
            )
        return self

    def to_json(self) -> dict[str, Any]:
        return {"name": self.kind, "of": self.of.to_json()}
