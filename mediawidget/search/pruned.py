"""What ACDC left, per threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..circuit import Circuit
from ..edits.base import as_number
from ..errors import require
from ..wiring import Edge, Wiring
from .edge_scores import joined

Array = NDArray[np.float64]
Loss = Literal["kl", "metric"]


@dataclass(frozen=True, eq=False)
class Pruned:
    """What ACDC left, per threshold.

    Attributes:
        thresholds: what a cut may cost, ascending, in the unit of the loss.
        keep: (threshold, sender, receiver) which edges are left. Where the search was stopped,
            all edges that had not been tested are.
        losses: (threshold,) what the wirings that are left cost, by the mean over pairs.
        wiring: what senders and receivers are.
        loss: what was held low: "kl" or "metric".
        unit: of losses and thresholds.
        metric: whose fall was the loss, or "kl".
        ablation: what a cut edge carries.
        finished: whether every edge was tested.
        tests: edges that were tested; those that nothing reads are cut untested.
        passes: batches that were run, those of the proof before them left out.
        rows: wirings run in them, each on every pair.
        seconds: wall time.
    """

    thresholds: tuple[float, ...]
    keep: NDArray[np.bool_]
    losses: tuple[float, ...]
    wiring: Wiring
    loss: Loss
    unit: str
    metric: str
    ablation: str
    finished: bool
    tests: int
    passes: int
    rows: int
    seconds: float

    @property
    def circuits(self) -> tuple[Circuit, ...]:
        """Per threshold what was found."""
        return tuple(self._circuit(i) for i in range(len(self.thresholds)))

    def circuit(self, threshold: float | None = None) -> Circuit:
        """What was found under one threshold; default the lowest, whose circuit is the largest.

        Raises:
            MediationError: a threshold that was not searched.
        """
        at = self.thresholds[0] if threshold is None else as_number(threshold)
        require(
            at in self.thresholds,
            "ACDC was not run with this threshold.",
            value=threshold,
            expected="one of " + ", ".join(f"{one:g}" for one in self.thresholds),
            fix=f"pruned.circuit({self.thresholds[-1]:g})",
        )
        return self._circuit(self.thresholds.index(at))

    @property
    def scores(self) -> Array:
        """(sender, receiver) the highest threshold that an edge survives, with all lower ones.

        0 where it survives none, NaN where there is no edge: a ranking for curves over a sweep.
        """
        levels = np.array([0.0, *self.thresholds])
        found = levels[self.keep.cumprod(axis=0).sum(axis=0)]
        return np.where(self.wiring.reach, found, np.nan)

    def _circuit(self, index: int) -> Circuit:
        edges = [self._edge(s, r) for s, r in np.argwhere(self.keep[index])]
        source = (
            f"ACDC, threshold {self.thresholds[index]:g} {self.unit} ({self.metric}), "
            f"{self.ablation} ablation"
        )
        return Circuit(edges=joined(edges, self.wiring), name="ACDC", source=source)

    def _edge(self, sender: int, receiver: int) -> Edge:
        return Edge(self.wiring.senders[sender], self.wiring.receivers[receiver])

    def __repr__(self) -> str:
        sizes = ", ".join(
            f"{threshold:g}: {int(keep.sum())}"
            for threshold, keep in zip(self.thresholds, self.keep, strict=True)
        )
        state = "" if self.finished else ", stopped early"
        return (
            f"Pruned({self.wiring.n_edges} edges, {self.loss} in {self.unit}; edges left by "
            f"threshold: {sizes}{state}; {self.passes} passes, {self.seconds:.1f} s)"
        )
