"""A search's scores on a board: the n strongest as a circuit, for every n."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...circuit import Circuit
from ...effects import Effect
from ...errors import MediationError, require
from ...evaluation import as_scores, ranked
from ...evaluation.scoring import circuit_of
from ...search import EdgeScores
from ...sites import Site
from ...statistics.resampling import whole
from ...wiring import Edge, Wiring
from .graph import component

POINTS = 10
"""Sizes of the curve, evenly spaced in their logarithm."""
MOST_SENT = 2000
"""Strengths that a page gets; of more it gets so many, evenly spaced."""


class Sizes:
    """The elements of a network by strength.

    Args:
        scores: ``EdgeScores``, ``{Site: number}``, ``{Edge: number}``, or the effect of a sweep
            over heads or MLPs.
        wiring: the network's.

    Attributes:
        scores: as they were given.
        kind: "edges" or "nodes": what is scored.
        strengths: the absolute scores, the largest first.
        name: of the search.
    """

    def __init__(self, scores: Any, wiring: Wiring) -> None:
        self.scores = scores
        if isinstance(scores, EdgeScores):
            by = scores.edges()
            numbers: dict[Site | Edge, float] = dict(by)
            self.name = scores.method
        else:
            found = as_scores(scores)
            numbers = {one: found[one] for one in ranked(found, "absolute")}
            self.name = "sweep" if isinstance(scores, Effect) else "scores"
        self._numbers, self._order = numbers, tuple(numbers)
        self.kind = "edges" if any(isinstance(one, Edge) for one in numbers) else "nodes"
        self.strengths: NDArray[np.float64] = np.abs(list(numbers.values()))
        self._of_nodes = scores.nodes() if isinstance(scores, EdgeScores) else {}
        self._refuse_others(wiring)
        self.circuit = lru_cache(maxsize=256)(self._circuit)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def counts(self) -> tuple[int, ...]:
        """The sizes of the curve, from 1 to all."""
        n = len(self)
        return tuple(sorted({round(x) for x in np.geomspace(1, n, min(n, POINTS))}))

    def strongest(self, n: int) -> Circuit:
        """The circuit of the n strongest.

        Raises:
            MediationError: there are no so many.
        """
        require(
            whole(n, 0) and n <= len(self),
            f"There are no so many {self.kind}.",
            value=n,
            expected=f"0 to {len(self)}",
            fix="board.choose(20)",
        )
        return self.circuit(n)

    def _circuit(self, n: int) -> Circuit:
        """The n strongest; an edge that nothing joins to both ends of the network is left out."""
        if isinstance(self.scores, EdgeScores):
            return self.scores.circuit(n)
        return circuit_of(self._order[:n], edges=self.kind == "edges", name=self.name)

    def of(self, one: Site | Edge) -> float | None:
        """The score of a node or an edge, if it has one; of a node by edges, what it sends."""
        found = self._numbers.get(one, self._of_nodes.get(one) if isinstance(one, Site) else None)
        if found is not None:
            return found
        if isinstance(one, Site):
            anywhere = component(one)
            return self._numbers.get(anywhere, self._of_nodes.get(anywhere))
        return self._numbers.get(Edge(one.sender, component(one.receiver)))

    def sent(self) -> dict[str, Any]:
        """What a page needs for its slider."""
        at = np.unique(np.linspace(0, len(self) - 1, min(len(self), MOST_SENT)).round())
        return {
            "kind": self.kind,
            "name": self.name,
            "n": len(self),
            "at": at.astype("<f4").tobytes(),
            "strengths": self.strengths[at.astype(int)].astype("<f4").tobytes(),
        }

    def _refuse_others(self, wiring: Wiring) -> None:
        for one in self._order:
            if isinstance(one, Edge):
                wiring.sender(one.sender), wiring.receiver(one.receiver)
            else:
                wiring.sender(one)
        if not self._order:
            raise MediationError(
                "There is nothing to choose from.",
                value="no scores",
                expected="scores of edges, heads or MLPs",
                fix="mw.CircuitBoard(study, scores=mw.search.eap(study))",
            )


def refuse_no_scores(sizes: Sizes | None, why: str, value: object) -> Sizes:
    """The sizes of a board that has scores; raises where it has none."""
    require(
        sizes is not None,
        why,
        value=value,
        expected="a board with scores",
        fix="board.scores = mw.search.eap(study)",
    )
    assert sizes is not None
    return sizes
