"""How faithful the circuit of the highest scores is at each size, as one curve and two areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..circuit import NODES, Circuit
from ..edits.base import as_number
from ..errors import MediationError, require
from ..sites import Position
from ..statistics import (
    cluster_codes,
    cluster_sums,
    resample_weights,
    resampled_ratio,
    unbounded_ends,
)
from ..statistics.resampling import FEWEST, refuse_no_interval
from ..study import Study
from ..validity import NEAR_ZERO
from ..wiring import Edge
from .scoring import Element, Rank, Scores, as_floats, circuit_of, oriented, ranked
from .shares import ratio_interval, refuse, refused
from .values import Ablation, Array, CircuitValues, Terms
from .ways import values_of

SIZES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Parts of all candidates: the grid of MIB (Mueller et al. 2025)."""

_BARELY = 1e-9
"""So that 0.29 of 100 is 29, whatever floating point makes of it."""

_ROUNDING = 1e-3
"""Of what all candidates do: how far the circuit of all of them may be from the network."""

_CLEARLY = 1.01
"""A faithfulness from which on more than rounding is above 1."""


def areas(f: Array, sizes: Sequence[float] = SIZES) -> tuple[Array, Array]:
    """CPR, the area under f(k), and CMD, the area of |1 - f(k)|, by the trapezoid rule.

    Args:
        f: (..., size) normalised faithfulness.
        sizes: the parts k of all candidates, going up.

    Returns:
        Each of shape (...). On MIB's grid, which begins at 0.001, f = 1 everywhere gives 0.999
        and 0; f = 0 until all is in gives 0.25 and 0.749.

    Raises:
        MediationError: sizes that do not go up or are fewer than two, or not a value for each.

    Example:
        >>> cpr, cmd = mw.evaluation.areas(np.ones(10))
        >>> round(float(cpr), 3), float(cmd)
        (0.999, 0.0)
    """
    k, f = as_floats(sizes), as_floats(f)
    require(
        k.ndim == 1 and len(k) > 1 and bool((np.diff(k) > 0).all()) and f.shape[-1:] == k.shape,
        "A curve has a value at every size, and the sizes go up.",
        value=(f.shape, k.tolist()),
        expected="f of shape (..., size), at least two sizes",
        fix="areas(f, sizes=SIZES)",
    )
    cpr, cmd = (np.trapezoid(y, k, axis=-1) for y in (f, np.abs(1 - f)))
    return np.asarray(cpr), np.asarray(cmd)


@dataclass(frozen=True, eq=False)
class Curve:
    """Normalised faithfulness f of the best k candidates, for several k.

    f is above 1 where the circuit leaves out what works against the answer (negative heads), so
    that CPR, which rewards that, can be above 1 too. CMD takes it for a fault. A ranking by
    signed scores puts such heads last and lives above 1; one by size takes them in early.

    Attributes:
        order: the candidates, the highest first.
        rank: "signed" or "absolute".
        sizes: parts of all candidates.
        counts: how many candidates that is, rounded down (as MIB does): of few candidates the
            first sizes are the empty circuit.
        kept: (size, pair) m of the circuits.
        model: (pair,) m(M), nothing ablated.
        empty: (pair,) m(empty), all candidates ablated.
        terms: mode, ablation, candidates, metric, n.
    """

    order: tuple[Element, ...]
    rank: Rank
    sizes: tuple[float, ...]
    counts: tuple[int, ...]
    kept: Array
    model: Array
    empty: Array
    terms: Terms

    @property
    def f(self) -> Array:
        """(size,) (m(C_k) - m(empty)) / (m(M) - m(empty)), ratios of means over pairs.

        Raises:
            MediationError: the denominator is near 0, or its 95% interval holds 0.
        """
        refuse(self.model, self.empty, self.terms)
        top, bottom = (self.kept - self.empty).mean(axis=1), (self.model - self.empty).mean()
        return np.asarray(top / bottom)

    def f_ci(self, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Array:
        """(2, size) its bootstrap interval over pairs, each size by itself (BCa).

        Args:
            level: of the interval, between 0 and 1.
            resamples: how many samples of pairs.
            seed: of the draws.

        Raises:
            MediationError: m(M) - m(empty) is too near 0 to divide by.
        """
        refuse(self.model, self.empty, self.terms)
        top, bottom = (self.kept - self.empty).T, self.model - self.empty
        return ratio_interval(top, bottom, self.terms.clusters, level, resamples, seed)

    @property
    def cpr(self) -> float:
        """The area under f: how well the method finds what does the work."""
        return float(areas(self.f, self.sizes)[0])

    @property
    def cmd(self) -> float:
        """The area of |1 - f|: how near the circuits are to the network."""
        return float(areas(self.f, self.sizes)[1])

    def areas_ci(self, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Array:
        """(2, 2) percentile intervals of CPR and CMD (columns), lower and upper end (rows).

        Pairs are drawn whole, clusters whole; NaN for fewer than three of them, and where
        m(M) - m(empty) is 0, or of the other sign, in so many resamples that an end lies among
        them.

        Args:
            level: of the interval, between 0 and 1.
            resamples: how many samples of pairs.
            seed: of the draws.

        Raises:
            MediationError: m(M) - m(empty) is too near 0 to divide by.
        """
        refuse_no_interval(level, resamples, seed)
        refuse(self.model, self.empty, self.terms)
        codes = cluster_codes(self.terms.clusters, self.terms.n_pairs)
        tops = cluster_sums((self.kept - self.empty).T, codes)
        if len(tops) < FEWEST:
            return np.full((2, 2), np.nan)
        weights = resample_weights(len(tops), resamples, seed)
        f = resampled_ratio(weights, tops, cluster_sums(self.model - self.empty, codes))
        return np.stack([unbounded_ends(area, level) for area in areas(f, self.sizes)], axis=1)

    def circuit(self, size: float) -> Circuit:
        """The circuit at one of the sizes.

        Raises:
            MediationError: a size that the curve was not asked for.
        """
        if as_number(size) not in self.sizes:
            raise MediationError(
                "The curve has no such size.",
                value=repr(size)[:200],
                expected=", ".join(map(str, self.sizes)),
                fix=f"curve.circuit({self.sizes[-1]})",
            )
        some = self.order[: self.counts[self.sizes.index(size)]]
        return circuit_of(some, edges=isinstance(self.order[0], Edge))

    def to_dataframe(self) -> pd.DataFrame:
        """A row per size: how many candidates, the mean metric, f and its interval.

        f is NaN where there is nothing to divide by.
        """
        none = bool(refused(self.model, self.empty, self.terms))
        low, high = (np.nan, np.nan) if none else self.f_ci()
        columns = {"size": self.sizes, "count": self.counts, "kept": self.kept.mean(axis=1)}
        return pd.DataFrame(columns | {"f": np.nan if none else self.f, "low": low, "high": high})

    def __repr__(self) -> str:
        kind = "edges" if isinstance(self.order[0], Edge) else "nodes"
        why = refused(self.model, self.empty, self.terms)
        if why:
            said = f"not normalised: {why}"
        else:
            said = f"CPR {self.cpr:.3f}, CMD {self.cmd:.3f}"
            if self.f.max() > _CLEARLY:
                said += f", f up to {self.f.max():.2f}: what works against the answer is left out"
        return f"Curve({len(self.order)} {kind} by {self.rank} score; {said}; {self.terms.words})"


def curve(
    study: Study,
    scores: Scores,
    *,
    by: str | None = None,
    rank: Rank = "absolute",
    sizes: Sequence[float] = SIZES,
    ablation: Ablation = "resample",
    values: CircuitValues | None = None,
) -> Curve:
    """The faithfulness of the k best by score, for all k in one experiment.

    Args:
        study: its pairs and metric.
        scores: of all candidates: ``{Site: number}``, the effect of a sweep over heads or MLPs,
            ``{Edge: number}``, or what a search scored edges as (``mw.search.eap(study)``). Where
            they are at positions, at all positions of every prompt.
        by: which quantity of an effect, PIE where it has one.
        rank: by their "absolute" size, or "signed": what supports the clean behaviour first. Of
            effects and of a search's edges that is what has the sign of their TE (below 0 under
            metrics that fall, such as KL); ``{Site: number}`` knows no TE, and is ranked as it is.
        sizes: parts of all scored candidates, going up, above 0 up to 1.
        ablation: what is set outside; the candidates are the kinds that are scored.
        values: another way to evaluate circuits.

    Raises:
        MediationError: scores of some of the candidates only, or at some of their positions only,
            sizes that do not go up, and what ``values`` raises.

    Source: Mueller et al. 2025 (MIB: CPR and CMD).

    Example:
        >>> curve = mw.evaluation.curve(study, study.sweep("head"), rank="signed")
        >>> float(curve.f[-1])
        1.0
    """
    numbers = oriented(scores, by)
    edges = any(isinstance(one, Edge) for one in numbers)
    kinds = {one.mediator for one in numbers if not isinstance(one, Edge)}
    over = tuple(kind for kind in NODES if kind in kinds) or NODES
    values = values_of(study, ablation, over, values, [Circuit([], [])] if edges else [])
    _refuse_some(numbers, values)
    order = ranked(numbers, rank)
    parts = _as_sizes(sizes)
    _refuse_some_positions(order, values)
    counts = tuple(int(part * len(order) + _BARELY) for part in parts)
    circuits = [circuit_of(order[:n], edges=edges) if n else values.empty for n in counts]
    kept = values([*circuits, values.full, values.empty])
    return Curve(order, rank, parts, counts, kept[:-2], kept[-2], kept[-1], values.terms)


def _refuse_some(scores: dict[Element, float], values: CircuitValues) -> None:
    """Raise where a candidate has no score, at any position."""
    scored = {_anywhere(one) for one in scores}
    missing = [one for one in values.candidates if _anywhere(one) not in scored]
    if missing:
        raise MediationError(
            "A curve goes up to the whole network, so every candidate has a score.",
            value=f"{len(missing)} candidates without one, such as {missing[0].label()}",
            expected=f"scores of all {len(values.candidates)}",
            fix="give what was not scored 0, or leave its kind out altogether",
        )


def _refuse_some_positions(order: tuple[Element, ...], values: CircuitValues) -> None:
    """Raise where all that is scored is not the network, for it is scored at some positions only.

    What is ablated at other positions would be so in every circuit, and f would not end at 1.
    """
    if all(_position(one) is None for one in order):
        return
    everything = circuit_of(order, edges=isinstance(order[0], Edge))
    kept, model, empty = values([everything, values.full, values.empty])
    away, most = np.abs(kept - model).max(), np.abs(model - empty).max()
    if away > max(_ROUNDING * most, NEAR_ZERO * np.abs(model).max()):
        raise MediationError(
            "A curve goes up to the whole network, so every candidate is scored at every position.",
            value=f"with all that is scored the metric is {float(kept.mean()):.3g}, "
            f"of the network it is {float(model.mean()):.3g} {values.terms.unit}",
            expected="scores at all positions of every prompt, those of fed answer tokens too",
            fix="study.sweep('head'), or by='position'",
        )


def _position(one: Element) -> Position:
    return one.receiver.position if isinstance(one, Edge) else one.position


def _anywhere(one: Element) -> object:
    """Without its position."""
    if isinstance(one, Edge):
        end = one.receiver
        return one.sender, end.mediator, end.layer, end.head
    return one.mediator, one.layer, one.head


def _as_sizes(sizes: Sequence[float]) -> tuple[float, ...]:
    parts = as_floats(sizes).ravel()
    up = len(parts) > 1 and bool((np.diff(parts) > 0).all())
    require(
        up and bool(parts[0] > 0) and bool(parts[-1] <= 1),
        "Sizes are parts of all candidates.",
        value=sizes,
        expected="at least two numbers, going up, above 0 up to 1",
        fix="sizes=(0.1, 0.2, 0.5, 1)",
    )
    return tuple(parts.tolist())
