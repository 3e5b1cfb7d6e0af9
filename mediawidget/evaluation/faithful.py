"""Faithfulness: how near the circuit alone comes to the whole network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..circuit import NODES, Circuit
from ..statistics import mean_interval
from ..study import Study
from .shares import ratio_interval, refuse, refused
from .values import Ablation, Array, CircuitValues, Terms
from .ways import values_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """The metric of a circuit beside that of the whole network and of the empty circuit.

    Attributes:
        circuit: what was evaluated.
        kept: (pair,) m(C), all else ablated.
        model: (pair,) m(M), nothing ablated.
        empty: (pair,) m(empty), all candidates ablated.
        terms: mode, ablation, candidates, metric, n: a figure without them means nothing.
    """

    circuit: Circuit
    kept: Array
    model: Array
    empty: Array
    terms: Terms

    @property
    def gap(self) -> float:
        """|F(M) - F(C)|, F the mean over pairs, in the metric's unit (Wang et al. 2023)."""
        return abs(float((self.model - self.kept).mean()))

    def difference_ci(self, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Array:
        """(2,) interval of F(M) - F(C), with its sign; NaN for fewer than three clusters.

        Args:
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Raises:
            MediationError: a level that is not between 0 and 1, or resamples or a seed that are no
                counts.
        """
        return mean_interval(self.model - self.kept, self.terms.clusters, level, resamples, seed)

    @property
    def normalized(self) -> float:
        """(m(C) - m(empty)) / (m(M) - m(empty)), a ratio of means over pairs.

        1: the circuit does what the network does; 0: it does no more than nothing. Above 1 it
        does more, for what it leaves out works against the answer.

        Raises:
            MediationError: the denominator is near 0, or its 95% interval holds 0.
        """
        refuse(self.model, self.empty, self.terms)
        return float((self.kept - self.empty).mean() / (self.model - self.empty).mean())

    def normalized_ci(self, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Array:
        """(2,) its bootstrap interval over pairs, clusters whole (BCa); NaN below three clusters.

        Args:
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Raises:
            MediationError: as ``normalized``.
        """
        refuse(self.model, self.empty, self.terms)
        top, bottom = self.kept - self.empty, self.model - self.empty
        return ratio_interval(top, bottom, self.terms.clusters, level, resamples, seed)

    def to_dataframe(self) -> pd.DataFrame:
        """A row per pair: m(C), m(M), m(empty)."""
        import pandas as pd

        columns = {"kept": self.kept, "model": self.model, "empty": self.empty}
        return pd.DataFrame(columns | {"gap": np.abs(self.model - self.kept)})

    def __repr__(self) -> str:
        said = [f"|F(M)-F(C)| {self.gap:.3g} {self.terms.unit}"]
        why = refused(self.model, self.empty, self.terms)
        if why:
            said.append(f"not normalised: {why}")
        else:
            low, high = self.normalized_ci()
            ends = f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else ""
            said.append(f"normalised {self.normalized:.3f}{ends}")
        at = "at positions" if any(n.position is not None for n in self.circuit.nodes) else ""
        size = f"{self.circuit.size} {'nodes' if self.circuit.edges is None else 'edges'} {at}"
        return f"Faithfulness({size.strip()}; {'; '.join(said)}; {self.terms.words})"


def faithfulness(
    study: Study,
    circuit: Circuit,
    ablation: Ablation = "resample",
    over: Sequence[str] = NODES,
    *,
    values: CircuitValues | None = None,
) -> Faithfulness:
    """How near a circuit alone comes to the network, on the clean prompts.

    The figure depends on the ablation, on whether nodes or edges are kept, on positions and on
    the candidates (Miller et al. 2024), so all of them stand in the result.

    Args:
        study: its pairs and metric.
        circuit: whose nodes are kept.
        ablation: what everything else is set to, as ``NodeValues`` has it.
        over: the kinds of component that are candidates; others are always recomputed.
        values: another way to evaluate circuits; it brings its own terms. Default: node mode, or
            edge mode for a circuit that names edges.

    Raises:
        MediationError: what ``values`` raises.

    Source: Wang et al. 2023; Miller et al. 2024 for what moves it.

    Example:
        >>> values = mw.evaluation.NodeValues(study)
        >>> whole = mw.evaluation.faithfulness(study, mw.Circuit(values.candidates))
        >>> whole.gap, whole.normalized
        (0.0, 1.0)
    """
    values = values_of(study, ablation, over, values, [circuit])
    kept, model, empty = values([circuit, values.full, values.empty])
    return Faithfulness(circuit, kept, model, empty, values.terms)
