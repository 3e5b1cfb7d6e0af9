"""Metrics that the user writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import MediationError
from .metric_base import Array, Columns, Metric
from .readouts import joined, logit_column


@dataclass(frozen=True)
class Function(Metric):
    """A function of yours of kept logits.

    Args:
        fn: takes a mapping of column name -> array (``answer``, ``wrong``, ``logsumexp``, and
            ``logit:<token>`` for each of ``tokens``) and returns an array of the same shape.
        name: what views and files call it; default, the function's own name.
        unit: of its numbers.
        tokens: further tokens whose logits are kept; read as answers are, so behind "1+1=" without
            a space.

    Raises:
        MediationError: ``fn`` fails or returns another shape.

    Example:
        >>> odds = mw.Function(lambda kept: np.exp(kept["answer"] - kept["wrong"]), name="odds")
        >>> float(odds(np.array([1.0, 1.0, 3.0])))
        1.0
    """

    fn: Callable[[Columns], Any]
    name: str = ""
    unit: str = "logits"
    tokens: Sequence[str] = ()

    def __post_init__(self) -> None:
        fn: object = self.fn
        tokens: Any = self.tokens
        if not callable(fn):
            raise _refused("fn", fn, "a function of kept numbers")
        for name in ("name", "unit"):
            if not isinstance(getattr(self, name), str):
                raise _refused(name, getattr(self, name), "a text")
        listed = isinstance(tokens, Sequence) and not isinstance(tokens, str)
        if not listed or not all(isinstance(token, str) and token for token in tokens):
            raise _refused("tokens", tokens, "a list of tokens, a text each")
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "name", self.name or getattr(fn, "__name__", "function"))

    @property
    def columns(self) -> tuple[str, ...]:
        return joined(map(logit_column, self.tokens))

    def compute(self, kept: Columns) -> Array:
        shape = kept["answer"].shape
        try:
            values = np.asarray(self.fn(kept), dtype=np.float64)
        except Exception as error:
            raise MediationError(
                f"Your function {self.name!r} failed on the kept numbers.",
                value=f"{type(error).__name__}: {error}",
                expected=f"a function of {', '.join(self.columns)}",
                fix="try it on {name: np.zeros(3) for name in metric.columns}",
            ) from error
        if values.shape != shape:
            raise MediationError(
                f"Your function {self.name!r} returned another shape than it was given.",
                value=f"{values.shape} for columns of {shape}",
                expected="a number for every number of a column",
                fix="compute elementwise, without a sum or a mean over runs or pairs",
            )
        return values

    def slopes(self, kept: Columns) -> Columns:
        """By differences (``scipy.differentiate``); NaN where they do not settle."""
        from scipy.differentiate import derivative

        arrays = [np.asarray(kept[name], dtype=np.float64) for name in self.columns]

        def along(index: int) -> Array:
            others = [*arrays[:index], *arrays[index + 1 :]]

            def moved(x: Array, *rest: Array) -> Array:
                both = np.broadcast_arrays(*rest[:index], x, *rest[index:])
                return self.compute(dict(zip(self.columns, both, strict=True)))

            found = derivative(moved, arrays[index], args=tuple(others))
            sure = found.error <= 1e-6 * np.maximum(1.0, np.abs(found.df))
            return np.asarray(np.where(sure, found.df, np.nan))

        return {name: along(index) for index, name in enumerate(self.columns)}

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return self.name

    def to_json(self) -> dict[str, Any]:
        """All but the function itself, which a file cannot hold."""
        return SavedFunction(self.name, self.unit, tuple(self.tokens)).to_json()


@dataclass(frozen=True)
class SavedFunction(Metric):
    """A ``Function`` that a file names but cannot hold. Its numbers are refused, not guessed."""

    called: str
    unit: str
    tokens: tuple[str, ...]

    kind = "function"

    @property
    def name(self) -> str:  # type: ignore[override]
        """What the function was called."""
        return self.called

    @property
    def columns(self) -> tuple[str, ...]:
        return joined(map(logit_column, self.tokens))

    def compute(self, kept: Columns) -> Array:  # noqa: ARG002
        tokens = f", tokens={list(self.tokens)!r}" if self.tokens else ""
        raise MediationError(
            "This effect was saved under a function of yours, and a file cannot hold a function.",
            value=f"{self.called!r}; the kept numbers are all there",
            expected="the function again, or another metric",
            fix=f"effect.rescore(Function(fn, name={self.called!r}{tokens})), "
            "or effect.rescore(LogitDiff())",
        )

    def label(self, answer: str, wrong: str) -> str:  # noqa: ARG002
        return self.called

    def to_json(self) -> dict[str, Any]:
        return {"name": self.kind, **vars(self), "tokens": list(self.tokens)}


def _refused(name: str, value: object, expected: str) -> MediationError:
    return MediationError(
        "This is no metric of your own.",
        value=f"{name}={value!r}",
        expected=expected,
        fix="Function(lambda kept: kept['answer'] - kept['logit:Mary'], tokens=['Mary'])",
    )
