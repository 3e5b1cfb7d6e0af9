"""What a trained mask came to: shares, the circuit they round to, and what that was run to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..circuit import Circuit
from ..edits.base import Base
from ..errors import MediationError, require
from ..evaluation.faithful import Faithfulness
from ..evaluation.stable import jaccard
from ..sites import Site
from ..wiring import Edge, Wiring
from .edge_scores import EdgeScores
from .mask_gates import openness
from .mask_passes import Element
from .pair_splits import Numbers

Array = NDArray[np.float64]
Ended = Literal["all steps", "settled", "cancelled"]

THRESHOLD = 0.5
"""From this share on an element is in the circuit that ``faithfulness`` is of."""


@dataclass(frozen=True, eq=False)
class Masked:
    """Which nodes or edges a trained mask keeps.

    Attributes:
        shares: per element what is kept of it, 0 to 1. It ranks nothing: most are 0 or 1.
        logits: per element the gate's logit, below 0 where it is mostly shut: what was trained.
        faithfulness: of the circuit of all shares from 0.5 up, run exactly, without any mask, on
            the pairs of ``report_on``.
        history: a row per step: ``loss`` (1 for the empty circuit), ``kept`` (the expected part of
            the elements that is not shut) and ``size`` (how many the rounded circuit has).
        ended: "all steps", "settled" (the rounded circuit stayed the same) or "cancelled".
        train_on: numbers of the pairs that trained.
        report_on: of those that are reported on; the same where there was one alone.
        base: the prompts that are read.
        ablation: what is written in place of what is not kept.
        wiring: of the network.
        seed: of the draws.
        options: what else it was asked with.
        passes: forward passes of the training.
        rows: rows of their batches.
        seconds: wall time of the training.
        backward: its backward passes.
    """

    shares: Mapping[Element, float]
    logits: Mapping[Element, float]
    faithfulness: Faithfulness
    history: pd.DataFrame
    ended: Ended
    train_on: Numbers
    report_on: Numbers
    base: Base
    ablation: str
    wiring: Wiring
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)
    passes: int = 0
    backward: int = 0
    rows: int = 0
    seconds: float = 0.0

    @property
    def scores(self) -> dict[Element, float]:
        """Per element how open its gate is, from 0: -ln of the probability that it is shut.

        It orders elements as the logits do and is never negative, so that "absolute" and "signed"
        ranks are the same, the most open gate first.
        """
        return dict(zip(self.logits, openness(self.logits.values()).tolist(), strict=True))

    @property
    def held_out(self) -> bool:
        """Whether what is reported is of pairs that trained nothing."""
        return not set(self.train_on) & set(self.report_on)

    def kept(self, threshold: float = THRESHOLD) -> tuple[Element, ...]:
        """The elements of at least such a share, in forward order.

        Raises:
            MediationError: a threshold that is no number above 0, up to 1.
        """
        given: object = threshold
        number = isinstance(given, int | float) and not isinstance(given, bool)
        require(
            number and 0 < threshold <= 1,
            "A threshold is a share.",
            value=threshold,
            expected="a number above 0, up to 1",
            fix="masked.circuit(0.5)",
        )
        return tuple(one for one, share in self.shares.items() if share >= threshold)

    def circuit(self, threshold: float = THRESHOLD) -> Circuit:
        """The elements that ``kept`` gives, as a circuit.

        ``faithfulness`` is that of a threshold of 0.5; of others ``mw.evaluation.faithfulness``.

        Raises:
            MediationError: what ``kept`` raises.
        """
        kept = self.kept(threshold)
        source = f"trained mask, seed {self.seed}, shares from {threshold:g}"
        if self.faithfulness.terms.mode == "edge":
            edges = [one for one in kept if isinstance(one, Edge)]
            return Circuit(edges=edges, name="mask", source=source)
        nodes = [one for one in kept if isinstance(one, Site)]
        return Circuit(nodes, name="mask", source=source)

    def edge_scores(self) -> EdgeScores:
        """``scores`` as scores of edges, to draw curves and to take the most open from.

        Raises:
            MediationError: the mask is over nodes.
        """
        values = np.full((1, *self.wiring.reach.shape), np.nan)
        for one, score in self.scores.items():
            if not isinstance(one, Edge):
                raise MediationError(
                    "This mask is over nodes.",
                    value=one.label(),
                    expected="a mask over edges",
                    fix="masked.scores has the numbers of nodes; masks(study, over='edge')",
                )
            at = self.wiring.sender(one.sender), self.wiring.receiver(one.receiver)
            values[(0, *at)] = score
        return EdgeScores(
            method="mask",
            base=self.base,
            values=values,
            wiring=self.wiring,
            unit="openness (nats)",
            metric=self.faithfulness.terms.metric,
            ablation=self.ablation,
            passes=self.passes,
            backward=self.backward,
            rows=self.rows,
            seconds=self.seconds,
            options={"seed": self.seed, **self.options},
        )

    def overlap(self, other: Masked, threshold: float = THRESHOLD) -> float:
        """The Jaccard index of what two masks keep, such as those of two seeds.

        Args:
            other: of the same kind of elements.
            threshold: the share that counts as kept, in both.

        Raises:
            MediationError: no mask, and what ``kept`` raises.
        """
        given: object = other
        require(
            isinstance(given, Masked),
            "A mask is held against another mask.",
            value=given,
            expected="what mw.search.masks found",
            fix="masked.overlap(mw.search.masks(study, seed=1))",
        )
        return jaccard(self.kept(threshold), other.kept(threshold))

    def to_dataframe(self) -> pd.DataFrame:
        """A row per element: its name, share and score, the most open first."""
        scores = self.scores
        rows = [(one.label(), share, scores[one]) for one, share in self.shares.items()]
        table = pd.DataFrame(rows, columns=["element", "share", "score"])
        return table.sort_values("score", ascending=False, ignore_index=True, kind="stable")

    def __repr__(self) -> str:
        kind = self.faithfulness.terms.mode
        named = [one.label() for one in self.kept()[:8]]
        more = ", ..." if len(self.kept()) > 8 else ""
        where = "held-out pairs" if self.held_out else "the pairs that trained"
        return (
            f"Masked({len(self.kept())} of {len(self.shares)} {kind}s: {', '.join(named)}{more}; "
            f"{self.ended} after {len(self.history)} steps; rounded, on {where}: "
            f"{self.faithfulness!r})"
        )

    def _repr_html_(self) -> str:
        table = self.to_dataframe().head(12).to_html(float_format="{:.3f}".format, index=False)
        return f"<p>{escape(repr(self))}</p>{table}"
