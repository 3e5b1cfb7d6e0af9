"""What a search by contextual decomposition found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..circuit import NODES, Circuit
from ..errors import is_one_of, require
from ..inference.base import count
from ..sites import Site

Array = NDArray[np.float64]

LOGITS = "logits"
"""The first target: the metric."""


@dataclass(frozen=True)
class Round:
    """One step of a search.

    Attributes:
        targets: what the sources' contribution was looked at in; none: the metric.
        found: the sources that contribute most and were not found before.
    """

    targets: tuple[Site, ...]
    found: tuple[Site, ...]


@dataclass(frozen=True)
class Pruning:
    """What was left out again, and what that did to the metric, mean over pairs.

    Attributes:
        whole: of the model as it is.
        empty: with all searched components at their baseline.
        before: with all of them but the found nodes at theirs, before any was left out again.
        after: the same when the pruning was over.
        dropped: in the order in which they went.
        seconds: wall time of the runs.
        passes: forward passes of the runs.
        unit: of the four values.
        refused: why there are no shares of the way, where its length may be 0; else empty.
    """

    whole: float
    empty: float
    before: float
    after: float
    dropped: tuple[Site, ...]
    seconds: float
    passes: int
    unit: str = ""
    refused: str = ""

    def faithfulness(self, value: float) -> float:
        """A metric value as a share of the way from ``empty`` to ``whole``.

        NaN where the way is near 0 or the 95% interval of its length holds 0 (``refused``).
        """
        return float("nan") if self.refused else (value - self.empty) / (self.whole - self.empty)

    @property
    def words(self) -> str:
        """What is left does so much, as a share or, where there is none, in the unit."""
        if not self.refused:
            return f"faithfulness {self.faithfulness(self.after):.2f}"
        return f"{self.after:+.3f} {self.unit} (whole {self.whole:+.3f}, empty {self.empty:+.3f})"


@dataclass(frozen=True, eq=False)
class CDTResult:
    """Scores of every source for every target, and the circuit that they suggest.

    The score for the logits is the metric of what comes from the source, in the metric's unit:
    positive supports the clean answer. Scores for queries, keys, values, heads and MLPs are
    |beta|_1 / |gamma|_1, summed over positions and targets: how much comes from the source beside
    all else, whichever way it pushes.

    Attributes:
        axes: per kind of source its axes: target, layer, head, position.
        pairs: per kind (pair, target, layer, head, position), as far as there are such axes.
        sites: per kind its sources, in row-major order of the axes behind the target.
        labels: their names.
        rounds: targets and finds of each step.
        nodes: the circuit: all finds, or what pruning left of them, in forward order.
        pruned: None where nothing was pruned.
        unit: of the scores for the logits.
        facts: how the search was set.
        seconds: wall time of the decomposition.
        passes: its batches.
        forwards: its work as a number of forward passes of one prompt.
    """

    axes: Mapping[str, Mapping[str, tuple[int | str, ...]]]
    pairs: Mapping[str, Array]
    sites: Mapping[str, tuple[Site, ...]]
    labels: Mapping[str, tuple[str, ...]]
    rounds: tuple[Round, ...]
    nodes: tuple[Site, ...]
    pruned: Pruning | None
    unit: str
    facts: Mapping[str, Any]
    seconds: float
    passes: int
    forwards: float

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of source."""
        return tuple(self.pairs)

    @property
    def targets(self) -> tuple[str, ...]:
        """The metric ("logits"), then each side of each later round ("key 2")."""
        return tuple(str(name) for name in self.axes[self.kinds[0]]["target"])

    @property
    def scores(self) -> dict[str, Array]:
        """Per kind (target, layer, head, position), the mean over pairs."""
        return {kind: np.asarray(values.mean(axis=0)) for kind, values in self.pairs.items()}

    def score(self, kind: str | None = None, target: str = LOGITS) -> Array:
        """(layer, head, position), as far as the kind has such axes: the mean over pairs.

        Args:
            kind: of source; default, the first.
            target: one of ``targets``.

        Raises:
            MediationError: a kind or a target that there is not.
        """
        kind = self.kinds[0] if kind is None else kind
        for name, known in ((kind, self.kinds), (target, self.targets)):
            require(
                is_one_of(name, known),
                "This was not searched.",
                value=name,
                expected=" or ".join(map(repr, known)),
                fix=f"result.score({self.kinds[0]!r}, {self.targets[0]!r})",
            )
        return np.asarray(self.scores[kind][self.targets.index(target)])

    def by_site(self, target: str = LOGITS) -> dict[Site, float]:
        """Heads and MLPs with their scores, as circuits are made of: ``evaluation.curve`` reads it.

        Raises:
            MediationError: a target that there is not.
        """
        found: dict[Site, float] = {}
        for kind in self.kinds:
            if kind in NODES:
                cells = self.score(kind, target).reshape(-1).tolist()
                found |= dict(zip(self.sites[kind], cells, strict=True))
        return found

    def circuit(self) -> Circuit:
        """The nodes as a circuit, the embedding left out, as it belongs to all of them."""
        how = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return Circuit(self.nodes, name="CD-T", source=f"contextual decomposition: {how}")

    def to_dataframe(self) -> pd.DataFrame:
        """A row per source and target: kind, layer, head, position, target, score, node."""
        frames = []
        for kind, values in self.scores.items():
            for target, cells in zip(self.targets, values, strict=True):
                sites = self.sites[kind]
                columns = {
                    "label": self.labels[kind],
                    "kind": kind,
                    "layer": [site.layer for site in sites],
                    "head": [site.head for site in sites],
                    "position": [site.position for site in sites],
                    "target": target,
                    "score": cells.reshape(-1),
                    "node": [site in self.nodes for site in sites],
                }
                frames.append(pd.DataFrame(columns))
        return pd.concat(frames, ignore_index=True)

    def top(self, n: int = 10, target: str = LOGITS) -> pd.DataFrame:
        """The sources that contribute most to a target, by size.

        Args:
            n: how many.
            target: one of ``targets``.

        Returns:
            Rows of ``to_dataframe``.

        Raises:
            MediationError: no such target, or an n that is no count.
        """
        n = count(n, "sources", "found.top(10)")
        self.score(target=target)
        table = self.to_dataframe()
        table = table[table["target"] == target]
        return table.sort_values("score", key=np.abs, ascending=False, ignore_index=True).head(n)

    def __repr__(self) -> str:
        names = [site.label() for site in self.nodes]
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        n = sum(map(len, self.sites.values()))
        kept = ""
        if self.pruned is not None:
            kept = f"; {self.pruned.words}, {len(self.pruned.dropped)} pruned"
        return (
            f"CDTResult({len(names)} of {n} nodes: {shown}{kept}; {len(self.rounds)} rounds, "
            f"{self.forwards:.0f} forward passes in {self.passes} batches, {self.seconds:.1f} s)"
        )

    def _repr_html_(self) -> str:
        return self.top(10).to_html(float_format="{:+.3f}".format, index=False)
