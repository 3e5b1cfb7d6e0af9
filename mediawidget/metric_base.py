"""What every metric has in common: one number per pair, read off named columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError, require
from .readouts import BASE_COLUMNS

Array = NDArray[np.float64]
Columns = Mapping[str, Array]
"""Column name -> values of shape (...)."""


def _as_numbers(kept: Any, columns: Sequence[str]) -> Array:
    """An array whose last axis holds at least the columns."""
    try:
        array = np.asarray(kept, dtype=np.float64)
    except (OverflowError, RuntimeError, TypeError, ValueError):
        array = np.zeros(())
    require(
        array.ndim > 0 and array.shape[-1] >= len(columns),
        "A metric is read off kept numbers.",
        value=kept,
        expected=f"an array (..., {len(columns)}): {', '.join(columns)}",
        fix="effect.scores(effect.edited)",
    )
    return array


class Metric(ABC):
    """A number per pair. Subclasses say how it is read and in which unit.

    ``metric(kept)`` reads (..., 3 or more) kept numbers that begin with the base columns: the
    answer's logit, the wrong answer's, the logsumexp.

    Attributes:
        name: what files and views call it.
        unit: of its numbers.
    """

    name: str
    unit: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of kept numbers it reads."""
        return BASE_COLUMNS

    @abstractmethod
    def compute(self, kept: Columns) -> Array:
        """Its ``columns``, each of shape (...), to values of shape (...)."""

    @abstractmethod
    def label(self, answer: str, wrong: str) -> str:
        """The formula as people read it, for these two answers.

        Args:
            answer: the answer's token or class.
            wrong: that of the wrong answer.
        """

    def slopes(self, kept: Columns) -> Columns:  # noqa: ARG002
        """How its value moves with each column that it reads, at ``kept``: (...) each.

        Raises:
            MediationError: it is counted, so that it moves in steps.
        """
        raise MediationError(
            f"{self.name} has no slope, so it cannot be estimated.",
            value=self.name,
            expected="a metric that moves smoothly with the logits",
            fix="study.metric = mw.LogitDiff(), or sweep: study.sweep('head')",
        )

    def read(self, kept: Array, columns: Sequence[str] = BASE_COLUMNS) -> Array:
        """``kept`` of shape (..., K), its last axis named by ``columns``, to values (...).

        Args:
            kept: (..., K) numbers that runs kept.
            columns: the names of the K.

        Returns:
            (...) values in the metric's unit.

        Raises:
            MediationError: a column that the metric needs was not kept.
        """
        names: object = columns
        require(
            isinstance(names, list | tuple) and all(isinstance(name, str) for name in names),
            "Kept numbers are named by their columns.",
            value=columns,
            expected="a name for each number",
            fix="effect.columns names those of an effect",
        )
        self.refuse_missing(columns)
        kept = _as_numbers(kept, columns)
        return np.asarray(
            self.compute({name: kept[..., columns.index(name)] for name in self.columns})
        )

    def __call__(self, kept: Array) -> Array:
        """The same for ``kept`` that begins with the base columns: (..., 3 or more) to (...)."""
        return self.read(kept)

    def refuse_missing(self, columns: Sequence[str]) -> None:
        """Raise unless all that the metric needs is among ``columns``.

        Raises:
            MediationError: a column that the metric needs is not among them; it names those.
        """
        missing = [name for name in self.columns if name not in columns]
        if missing:
            raise MediationError(
                f"These runs did not keep what {self.name} is read from.",
                value=f"kept: {', '.join(columns)}",
                expected=f"{', '.join(missing)} among them",
                fix=f"run again under it: Study(lm, pairs, metric={type(self).__name__}(...))",
            )

    def over(self, columns: Sequence[str]) -> Metric:
        """The same metric, called on numbers kept under ``columns``.

        Raises:
            MediationError: a column that the metric needs is not among them.
        """
        self.refuse_missing(columns)
        return _Over(self, tuple(columns))

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``metric_from_json`` reads back."""
        return {"name": self.name, **vars(self)}


@dataclass(frozen=True)
class _Over(Metric):
    """A metric that knows the columns of what it will be called on."""

    metric: Metric
    kept_columns: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.metric.name)
        object.__setattr__(self, "unit", self.metric.unit)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.metric.columns

    def compute(self, kept: Columns) -> Array:
        return self.metric.compute(kept)

    def label(self, answer: str, wrong: str) -> str:
        return self.metric.label(answer, wrong)

    def __call__(self, kept: Array) -> Array:
        return self.metric.read(kept, self.kept_columns)

    def to_json(self) -> dict[str, Any]:
        return self.metric.to_json()
