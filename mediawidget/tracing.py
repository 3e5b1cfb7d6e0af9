"""Causal tracing: where restoring a state brings back what a corrupted subject took away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError, require
from .metrics import Metric, refuse_no_metric
from .statistics import mean_interval
from .validity import PREMISES, Check, answers_preferred, total_effect

if TYPE_CHECKING:
    import pandas as pd

    from .study import Study

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tracing:
    """The indirect effect of restoring states, layer by position (Meng et al. 2022).

    A corrupted run reads the prompt with a corrupted subject; a restored run is the same with a
    state set back to its clean value. Effects are in the metric's unit, positive where restoring
    moves it toward the clean run.

    Attributes:
        study: whose pairs were run.
        corruption: "noise" (of the subject's embeddings) or "replacement" (the corrupt prompt).
        tokens: a name per position of the grid.
        subject: the positions of the grid that are corrupted, in one pair at least.
        windows: per kind of state how many layers are restored together.
        severed: the kind of module held at its corrupted value behind a restored state of the
            residual stream, the only kind there is then; None.
        clean_kept: (pair, K) what the clean runs kept.
        corrupted_kept: (sample, pair, K).
        restored_kept: per kind (sample, layer, position, pair, K); NaN where not run.
        checks: what was verified.
        metric: how kept numbers become one number a pair.
        columns: what the K kept numbers are.
        clusters: per pair the name of its cluster, as in ``Effect``.
        answers: the pair's answers as text; "answer" and "wrong" for several pairs.
    """

    study: Study
    corruption: str
    tokens: tuple[str, ...]
    subject: tuple[int, ...]
    windows: Mapping[str, int]
    severed: str | None
    clean_kept: Array
    corrupted_kept: Array
    restored_kept: Mapping[str, Array]
    checks: tuple[Check, ...]
    metric: Metric
    columns: tuple[str, ...]
    clusters: tuple[str, ...]
    answers: tuple[str, str]

    # --- what it is --------------------------------------------------------------------------

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of state that were restored."""
        return tuple(self.restored_kept)

    @property
    def n_layers(self) -> int:
        """Of the model."""
        return self.study.lm.n_layers

    @property
    def n_samples(self) -> int:
        """Draws of noise; 1 for a replacement."""
        return len(self.corrupted_kept)

    @property
    def unit(self) -> str:
        """Of all effects."""
        return self.metric.unit

    @property
    def title(self) -> str:
        """What was done, in one sentence."""
        draws = "1 draw" if self.n_samples == 1 else f"{self.n_samples} draws"
        how = {
            "noise": f"Noise on the subject, {draws}",
            "replacement": "The subject replaced by the corrupt prompt's",
        }[self.corruption]
        cut = f"; {self.severed} behind it held at its corrupted value" if self.severed else ""
        return f"{how}; a state restored to its clean value{cut}: change of {self.metric.name}."

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.ok is False]

    # --- numbers -----------------------------------------------------------------------------

    @property
    def clean(self) -> float:
        """The metric on the clean prompts."""
        return float(self._clean.mean())

    @property
    def corrupted(self) -> float:
        """The metric on the corrupted ones, mean over draws and pairs."""
        return float(self._corrupted.mean())

    @property
    def total(self) -> float:
        """TE: clean - corrupted."""
        return self.clean - self.corrupted

    def restored(self, kind: str) -> Array:
        """(layer, position) the metric with the state restored, mean over draws and pairs.

        Raises:
            MediationError: a kind that was not traced.
        """
        return np.asarray(self._restored(kind).mean(axis=(0, 3)))

    def indirect(self, kind: str) -> Array:
        """(layer, position) the average indirect effect: restored - corrupted.

        Raises:
            MediationError: a kind that was not traced.
        """
        return np.asarray(self.pairs(kind).mean(axis=0))

    def pairs(self, kind: str) -> Array:
        """(pair, layer, position) the indirect effect of every pair, mean over draws.

        Raises:
            MediationError: a kind that was not traced.
        """
        each = self.samples(kind).mean(axis=0)
        return np.asarray(np.moveaxis(each, -1, 0))

    def samples(self, kind: str) -> Array:
        """(sample, layer, position, pair) the indirect effect of every draw.

        Raises:
            MediationError: a kind that was not traced.
        """
        return np.asarray(self._restored(kind) - self._corrupted[:, None, None])

    def ci(self, kind: str, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Array:
        """(2, layer, position) interval of ``indirect``, pairs (whole clusters) resampled.

        NaN with fewer than three of them. Draws of noise are averaged first: the pair is the unit.
        A draw is the same for every pair, so the interval is about other pairs under these very
        draws; how much other draws would change shows in ``samples``.

        Args:
            kind: which state was restored: one of ``kinds``.
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Raises:
            MediationError: a kind that was not traced, a level that is not between 0 and 1, or
                resamples or a seed that are no counts.
        """
        return mean_interval(self.pairs(kind), self.clusters, level, resamples, seed)

    def rescore(self, metric: Metric) -> Tracing:
        """The same runs read by another metric. Runs no model.

        Raises:
            MediationError: the metric is read from numbers that these runs did not keep.
        """
        refuse_no_metric(metric).refuse_missing(self.columns)
        over = metric.over(self.columns)
        others = (check for check in self.checks if check.name not in PREMISES)
        checks = (*premises_of(self.clean_kept, self.corrupted_kept, over), *others)
        return replace(self, metric=metric, checks=checks)

    def to_dataframe(self) -> pd.DataFrame:
        """A row per kind, layer and position: restored metric and indirect effect."""
        import pandas as pd

        rows = []
        for kind in self.kinds:
            restored, effect = self.restored(kind), self.indirect(kind)
            for layer, at in np.ndindex(effect.shape):
                cell = (kind, layer, self.tokens[at], at, at in self.subject)
                rows.append((*cell, restored[layer, at], effect[layer, at]))
        names = ["kind", "layer", "token", "position", "subject", "restored", "indirect"]
        return pd.DataFrame(rows, columns=names)

    def top(self, n: int = 10) -> pd.DataFrame:
        """The cells of the largest indirect effect by size, as rows of ``to_dataframe``.

        Raises:
            MediationError: an ``n`` that is no count.
        """
        count: object = n
        require(
            isinstance(count, int) and not isinstance(count, bool) and count >= 0,
            "The strongest cells are counted.",
            value=n,
            expected="an int from 0",
            fix="tracing.top(10)",
        )
        table = self.to_dataframe()
        return table.sort_values("indirect", key=np.abs, ascending=False, ignore_index=True).head(n)

    def __repr__(self) -> str:
        kinds = ", ".join(
            kind if self.windows[kind] == 1 else f"{kind} (window {self.windows[kind]})"
            for kind in self.kinds
        )
        names = ", ".join(check.name for check in self.failed)
        failed = f"; checks failed: {names}" if names else ""
        return (
            f"Tracing({kinds}; {self.corruption}; clean {self.clean:+.3f}, corrupted "
            f"{self.corrupted:+.3f} {self.unit}; n={len(self._clean)}{failed})"
        )

    def _repr_html_(self) -> str:
        best = self.top(10).to_html(float_format="{:+.3f}".format, index=False)
        failed = " ".join(check.words for check in self.failed)
        warning = f"<p>Checks failed: {escape(failed)}</p>" if failed else ""
        return f"<p>{escape(self.title)}</p>{warning}{best}"

    # --- inside ------------------------------------------------------------------------------

    @cached_property
    def _clean(self) -> Array:
        return self.metric.read(self.clean_kept, self.columns)

    @cached_property
    def _corrupted(self) -> Array:
        """(sample, pair)."""
        return self.metric.read(self.corrupted_kept, self.columns)

    def _restored(self, kind: str) -> Array:
        """(sample, layer, position, pair)."""
        asked: object = kind
        if not isinstance(asked, str) or asked not in self.restored_kept:
            raise MediationError(
                "This kind of state was not traced.",
                value=repr(kind),
                expected=" or ".join(map(repr, self.kinds)),
                fix=f"mw.causal_tracing(study, kinds=({kind!r},))",
            )
        return self.metric.read(self.restored_kept[kind], self.columns)


def premises_of(clean: Array, corrupted: Array, metric: Metric) -> list[Check]:
    """Whether the prompts do what a trace takes for granted.

    Args:
        clean: (pair, K) what the clean runs kept.
        corrupted: (sample, pair, K), NaN where not run. The total effect is over all draws.
        metric: whose total effect is looked at.
    """
    both = np.stack([np.broadcast_to(clean, corrupted.shape), corrupted], axis=2)
    total = total_effect(both.reshape(-1, *both.shape[2:]), metric)
    return [answers_preferred(clean[:, None]), total]
