"""One number per pair, read off what every run keeps.

A run keeps three numbers per pair, in natural-log units: the answer's logit, the wrong answer's
logit and the logsumexp over the vocabulary. Every metric here is a function of these, so a change
of metric runs no model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError

Array = NDArray[np.float64]

ANSWER, WRONG, LOGSUMEXP = range(3)
"""Columns of the kept numbers, the last axis."""


@dataclass(frozen=True)
class Metric(ABC):
    """A number per pair. Subclasses say how it is read and in which unit."""

    name: ClassVar[str]
    unit: ClassVar[str]

    @abstractmethod
    def __call__(self, kept: Array) -> Array:
        """``kept`` of shape (..., 3) to values of shape (...)."""

    @abstractmethod
    def label(self, answer: str, wrong: str) -> str:
        """The formula as people read it, for these two answers."""


@dataclass(frozen=True)
class LogitDiff(Metric):
    """Logit of the answer minus logit of the wrong answer: their log odds. The default."""

    name: ClassVar[str] = "logit_diff"
    unit: ClassVar[str] = "logits"

    def __call__(self, kept: Array) -> Array:
        return np.asarray(kept[..., ANSWER] - kept[..., WRONG])

    def label(self, answer: str, wrong: str) -> str:
        return f"logit({answer}) \N{MINUS SIGN} logit({wrong})"


@dataclass(frozen=True)
class Logit(Metric):
    """Logit of the answer. Not invariant to a constant added to all logits."""

    name: ClassVar[str] = "logit"
    unit: ClassVar[str] = "logits"

    def __call__(self, kept: Array) -> Array:
        return np.asarray(kept[..., ANSWER])

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return f"logit({answer})"


@dataclass(frozen=True)
class LogProb(Metric):
    """Natural log of the answer's probability."""

    name: ClassVar[str] = "log_prob"
    unit: ClassVar[str] = "nats"

    def __call__(self, kept: Array) -> Array:
        return np.asarray(kept[..., ANSWER] - kept[..., LOGSUMEXP])

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return f"log p({answer})"


@dataclass(frozen=True)
class Prob(Metric):
    """Probability of the answer. Near 0 it cannot show a component that opposes the answer."""

    name: ClassVar[str] = "prob"
    unit: ClassVar[str] = "probability"

    def __call__(self, kept: Array) -> Array:
        return np.asarray(np.exp(kept[..., ANSWER] - kept[..., LOGSUMEXP]))

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return f"p({answer})"


METRICS: dict[str, type[Metric]] = {
    metric.name: metric for metric in (LogitDiff, Logit, LogProb, Prob)
}


def metric_named(name: str) -> Metric:
    """The metric of that name, as it stands in saved files."""
    if name not in METRICS:
        raise MediationError(
            "Unknown metric.",
            value=repr(name),
            expected="one of " + ", ".join(sorted(METRICS)),
            fix="LogitDiff() is the usual choice",
        )
    return METRICS[name]()


def as_metric(metric: object) -> Metric:
    """The metric, refused if it is none."""
    if not isinstance(metric, Metric):
        raise MediationError(
            "This is no metric.",
            value=repr(metric),
            expected="LogitDiff(), Logit(), LogProb() or Prob()",
            fix="metric=mw.LogitDiff(), with its parentheses",
        )
    return metric
