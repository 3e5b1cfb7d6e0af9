"""One number per pair, read off what every run keeps.

A run keeps some named numbers per pair, in natural-log units: always the answer's logit, the wrong
answer's and the logsumexp over the vocabulary, and more where a metric asks for more (see
``readouts``). Every metric here is a function of these, so a change of metric runs no model unless
it asks for a column that was not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .errors import MediationError, reading
from .estimated import Estimated
from .metric_base import Array, Columns, Metric
from .own_metric import Function, SavedFunction
from .readouts import ANSWER, BASE_COLUMNS, KL_CLEAN, KL_CORRUPT, LOGSUMEXP, RANK, WRONG

__all__ = [
    "ANSWER",
    "BASE_COLUMNS",
    "KL",
    "LOGSUMEXP",
    "METRICS",
    "WRONG",
    "Function",
    "LogOdds",
    "LogProb",
    "Logit",
    "LogitDiff",
    "Metric",
    "Prob",
    "ProbDiff",
    "Rank",
    "SavedFunction",
    "as_metric",
    "metric_from_json",
    "metric_named",
]

_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class LogitDiff(Metric):
    """Logit of the answer minus logit of the wrong answer: their log odds. The default.

    The logit of a set of answers is the logsumexp of its members' logits, not their mean. Answers
    of several tokens have no logit: of them it is the difference of their log probabilities, on
    the same scale of natural logarithms.

    Unit: logits. Positive: the answer is the likelier of the two.
    """

    name = "logit_diff"
    unit = "logits"

    def compute(self, kept: Columns) -> Array:
        return kept["answer"] - kept["wrong"]

    def slopes(self, kept: Columns) -> Columns:
        one = np.ones_like(kept["answer"])
        return {"answer": one, "wrong": -one}

    def label(self, answer: str, wrong: str) -> str:
        return f"logit({answer}) {_MINUS} logit({wrong})"


@dataclass(frozen=True)
class Logit(Metric):
    """Logit of the answer. Not invariant to a constant added to all logits. Unit: logits."""

    name = "logit"
    unit = "logits"

    def compute(self, kept: Columns) -> Array:
        return kept["answer"]

    def slopes(self, kept: Columns) -> Columns:
        return {"answer": np.ones_like(kept["answer"])}

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return f"logit({answer})"


@dataclass(frozen=True)
class LogProb(Metric):
    """Natural log of the answer's probability. Unit: nats, never above 0."""

    name = "log_prob"
    unit = "nats"

    def compute(self, kept: Columns) -> Array:
        return kept["answer"] - kept["logsumexp"]

    def slopes(self, kept: Columns) -> Columns:
        one = np.ones_like(kept["answer"])
        return {"answer": one, "logsumexp": -one}

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return f"log p({answer})"


@dataclass(frozen=True)
class Prob(Metric):
    """Probability of the answer. Near 0 it cannot show a component that opposes the answer."""

    name = "prob"
    unit = "probability"

    def compute(self, kept: Columns) -> Array:
        return np.exp(kept["answer"] - kept["logsumexp"])

    def slopes(self, kept: Columns) -> Columns:
        p = self.compute(kept)
        return {"answer": p, "logsumexp": -p}

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return f"p({answer})"


@dataclass(frozen=True)
class ProbDiff(Metric):
    """Probability of the answer minus probability of the wrong answer: from -1 to 1."""

    name = "prob_diff"
    unit = "probability"

    def compute(self, kept: Columns) -> Array:
        total = kept["logsumexp"]
        return np.exp(kept["answer"] - total) - np.exp(kept["wrong"] - total)

    def slopes(self, kept: Columns) -> Columns:
        answer, wrong = (np.exp(kept[name] - kept["logsumexp"]) for name in ("answer", "wrong"))
        return {"answer": answer, "wrong": -wrong, "logsumexp": wrong - answer}

    def label(self, answer: str, wrong: str) -> str:
        return f"p({answer}) {_MINUS} p({wrong})"


@dataclass(frozen=True)
class LogOdds(Metric):
    """Log odds of the answer against everything else: log p - log(1 - p). Unit: nats.

    Unlike a log probability it has no ceiling at p = 1, but for the precision of the kept
    numbers: where 1 - p is below 2e-16 it is 36.
    """

    name = "log_odds"
    unit = "nats"

    def compute(self, kept: Columns) -> Array:
        # Rounding can put a probability above 1, where there are no odds.
        log_p = np.minimum(kept["answer"] - kept["logsumexp"], -np.finfo(np.float64).eps)
        # log(1 - p) without losing 1 - p near p = 1, nor p near 0 (Maechler 2012).
        near_one = np.log(-np.expm1(log_p))
        return log_p - np.where(log_p > -np.log(2), near_one, np.log1p(-np.exp(log_p)))

    def slopes(self, kept: Columns) -> Columns:
        log_p = np.minimum(kept["answer"] - kept["logsumexp"], -np.finfo(np.float64).eps)
        slope = -1.0 / np.expm1(log_p)  # 1 / (1 - p)
        return {"answer": slope, "logsumexp": -slope}

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return f"log odds of {answer}"


@dataclass(frozen=True)
class KL(Metric):
    """KL(P_base || P_run): how far the run's next-token distribution is from a prompt's own.

    Args:
        base: the prompt whose distribution is the reference. On its own run the value is 0, so
            with ``clean`` Y11 = 0 and an edit that restores has a negative effect.

    Raises:
        MediationError: a base that is neither prompt.
    """

    base: Literal["clean", "corrupt"] = "clean"

    name = "kl"
    unit = "nats"

    def __post_init__(self) -> None:
        base: object = self.base
        if not isinstance(base, str) or base not in ("clean", "corrupt"):
            raise MediationError(
                "KL is measured from one of the two prompts.",
                value=f"base={self.base!r}",
                expected="'clean' or 'corrupt'",
                fix="KL('clean')",
            )

    @property
    def columns(self) -> tuple[str, ...]:
        return (KL_CLEAN if self.base == "clean" else KL_CORRUPT,)

    def compute(self, kept: Columns) -> Array:
        return kept[self.columns[0]]

    def slopes(self, kept: Columns) -> Columns:
        return {name: np.ones_like(kept[name]) for name in self.columns}

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return f"KL({self.base} || run)"


@dataclass(frozen=True)
class Rank(Metric):
    """How many tokens the model holds likelier than the answer; 0: the answer comes first.

    Smaller is better, so what supports the answer has a negative effect.
    """

    name = "rank"
    unit = "ranks"

    @property
    def columns(self) -> tuple[str, ...]:
        return (RANK,)

    def compute(self, kept: Columns) -> Array:
        return kept[RANK]

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return f"rank of {answer}"


METRICS: dict[str, type[Metric]] = {
    metric.name: metric for metric in (LogitDiff, Logit, LogProb, Prob, ProbDiff, LogOdds, KL, Rank)
}


def metric_named(name: str) -> Metric:
    """The metric of that name, with its defaults."""
    return metric_from_json({"name": name})


def metric_from_json(data: Mapping[str, Any] | str) -> Metric:
    """The inverse of ``Metric.to_json``; a bare name is a metric with its defaults.

    A function of the user's comes back as one that says how to give it again.
    """
    with reading("metric", data):
        options = {"name": data} if isinstance(data, str) else dict(data)
        name = options.pop("name", None)
        if name == SavedFunction.kind:
            return SavedFunction(**{**options, "tokens": tuple(options["tokens"])})
        if name == Estimated.kind:
            return Estimated(metric_from_json(options["of"]))
        if name in METRICS:
            return METRICS[name](**options)
    raise MediationError(
        "Unknown metric.",
        value=repr(name),
        expected="one of " + ", ".join(sorted(METRICS)),
        fix="LogitDiff() is the usual choice",
    )


def as_metric(metric: object) -> Metric:
    """The metric, refused if it is none, or cannot be read off two sets of numbers.

    Before anything is run, for a function of the user's that fails would lose what was.
    """
    found = refuse_no_metric(metric)
    n = len(found.columns)
    found.read(np.arange(1.0, 2 * n + 1).reshape(2, n), found.columns)
    return found


def refuse_no_metric(metric: object) -> Metric:
    """The metric, refused if it is none."""
    if not isinstance(metric, Metric):
        raise MediationError(
            "This is no metric.",
            value=repr(metric),
            expected=", ".join(f"{kind.__name__}()" for kind in METRICS.values())
            + " or Function(fn)",
            fix="metric=mw.LogitDiff(), with its parentheses",
        )
    return metric
