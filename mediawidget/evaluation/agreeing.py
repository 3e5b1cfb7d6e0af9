"""Whether scores, or a circuit that was found, agree with a circuit that is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..circuit import Circuit
from ..errors import MediationError, require
from ..sites import Position, Site
from ..statistics import refuse_no_seed
from ..statistics.resampling import refuse_no_number
from ..wiring import Edge, at
from .scoring import Element, Rank, Scores, as_elements, oriented, refuse_no_rank

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well scores tell the members of a known circuit from all other candidates.

    Attributes:
        auroc: the chance that a member has a higher score than another candidate, ties counting
            one half: 0.5 by chance, 1 if every member is above every other candidate.
        auprc: average precision, the mean precision at the members (equal scores are taken in
            together): by chance the prevalence, so of few members among many it is the stricter.
        prevalence: members among the candidates, the level of ``auprc`` by chance.
        n: candidates.
        members: known ones among them.
        tied: candidates whose score is that of one of the other kind: their order is open.
        rank: "absolute" (scores by size) or "signed".
        chance_auroc, chance_auprc: (3,) mean and 95% range over shuffled scores, the control.
    """

    auroc: float
    auprc: float
    prevalence: float
    n: int
    members: int
    tied: int
    rank: Rank
    chance_auroc: Array
    chance_auprc: Array

    def to_dataframe(self) -> pd.DataFrame:
        """A row per measure: its value, and the mean and 95% range of shuffled scores."""
        rows = [
            ("AUROC", self.auroc, *self.chance_auroc),
            ("AUPRC", self.auprc, *self.chance_auprc),
        ]
        return pd.DataFrame(rows, columns=["measure", "value", "shuffled", "low", "high"])

    def __repr__(self) -> str:
        tied = f"; {self.tied} tied across" if self.tied else ""
        return (
            f"Agreement(AUROC {self.auroc:.3f}, AUPRC {self.auprc:.3f} (chance "
            f"{self.prevalence:.3f}); {self.members} of {self.n} candidates, {self.rank} "
            f"scores{tied})"
        )


def agreement(
    scores: Scores,
    known: Circuit | Collection[Site] | Collection[Edge],
    *,
    by: str | None = None,
    rank: Rank = "absolute",
    shuffles: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Hold scores of all candidates against a known circuit.

    A known circuit need not be the whole truth: which nodes count depends on the ablation it was
    found under, and a method that finds a backup which nobody listed is marked down for it.

    Args:
        scores: of every candidate, as ``curve`` takes them.
        known: the circuit: its edges where edges are scored, else its nodes.
        by: which quantity of an effect.
        rank: whether a large score against the clean behaviour counts as high ("absolute") or as
            low ("signed"). Effects and a search's edges are turned by the sign of their TE, as for
            ``curve``; plain numbers know none, and the negative ones are low.
        shuffles: how many orders drawn at random make the control.
        seed: of that draw.

    Raises:
        MediationError: a member that was not scored, no member or no other candidate.
    """
    numbers = oriented(scores, by)
    refuse_no_number("shuffles", shuffles, 1000)
    refuse_no_seed(seed)
    refuse_no_rank(rank)
    of_edges = any(isinstance(one, Edge) for one in numbers)
    is_member = _members(numbers, _elements(known, edges=of_edges))
    values = np.array(list(numbers.values()))
    values = np.abs(values) if rank == "absolute" else values
    rng, order = np.random.default_rng(seed), _Order(values)
    drawn = np.array([order.areas(rng.permutation(is_member)) for _ in range(shuffles)])
    either = set(values[is_member]) & set(values[~is_member])
    return Agreement(
        *order.areas(is_member),
        float(is_member.mean()),
        len(values),
        int(is_member.sum()),
        int(np.isin(values, list(either)).sum()),
        rank,
        _range(drawn[:, 0]),
        _range(drawn[:, 1]),
    )


class _Order:
    """The order of some values, held against any members."""

    def __init__(self, values: Array) -> None:
        from scipy.stats import rankdata  # takes a second to import

        self.ranks = rankdata(values)
        self.order = np.argsort(-values, kind="stable")
        # A threshold takes in all that have the same value, so only the last of them is one.
        self.last = np.append(np.flatnonzero(np.diff(values[self.order])), len(values) - 1)

    def areas(self, is_member: NDArray[np.bool_]) -> tuple[float, float]:
        """AUROC (Mann and Whitney 1947) and average precision."""
        n, members = len(is_member), int(is_member.sum())
        above = self.ranks[is_member].sum() - members * (members + 1) / 2
        hits = np.cumsum(is_member[self.order])[self.last]
        gained = np.diff(hits, prepend=0)
        precision = float((gained * hits / (self.last + 1)).sum() / members)
        return float(above / (members * (n - members))), precision


@dataclass(frozen=True, eq=False)
class Overlap:
    """Which members of a known circuit were found.

    Attributes:
        found: what was found.
        known: the known circuit.
        shared: members that were found.
        missed: members that were not.
        extra: what was found and is not known.
    """

    found: Circuit
    known: Circuit
    shared: tuple[Element, ...]
    missed: tuple[Element, ...]
    extra: tuple[Element, ...]

    @property
    def recall(self) -> float:
        """The share of the known circuit that was found."""
        return len(self.shared) / (len(self.shared) + len(self.missed))

    @property
    def precision(self) -> float:
        """The share of what was found that is known; NaN where nothing was."""
        n = len(self.shared) + len(self.extra)
        return len(self.shared) / n if n else float("nan")

    @property
    def jaccard(self) -> float:
        """Shared of all that is in either."""
        return len(self.shared) / (len(self.shared) + len(self.missed) + len(self.extra))

    def to_dataframe(self) -> pd.DataFrame:
        """A row per class of the known circuit: how many of its nodes were found, which not."""
        classes = self.known.classes
        rows = []
        for name in dict.fromkeys([*classes.values(), ""]):
            hit, miss = (
                [one for one in some if _class(one, classes) == name]
                for some in (self.shared, self.missed)
            )
            if hit or miss:
                missing = ", ".join(one.label() for one in miss)
                rows.append((name or "no class", len(hit), len(hit) + len(miss), missing))
        return pd.DataFrame(rows, columns=["class", "found", "of", "missed"])

    def __repr__(self) -> str:
        n = len(self.shared) + len(self.missed)
        name = f" of {self.known.name}" if self.known.name else ""
        parts = [f"{r['class']} {r['found']}/{r['of']}" for _, r in self.to_dataframe().iterrows()]
        classes = f": {', '.join(parts)}" if self.known.classes else ""
        return f"Overlap(found {len(self.shared)} of {n}{name}{classes}; {len(self.extra)} more)"


def overlap(found: Circuit, known: Circuit) -> Overlap:
    """Hold a circuit against a known one, edge by edge where both name edges, else by node.

    A node or an edge without a position stands for itself at any position, whichever of the two
    circuits names it so: it is shared where the other has it somewhere.

    Args:
        found: the circuit that was found.
        known: the circuit that it is held against; it has at least one node.

    Raises:
        MediationError: no circuits, or a known circuit of nothing.
    """
    for one in (found, known):
        require(
            isinstance(one, Circuit),
            "Circuits are held against each other.",
            value=one,
            expected="a Circuit",
            fix="overlap(curve.circuit(0.1), mw.evaluation.known('ioi'))",
        )
    edges = found.edges is not None and known.edges is not None
    ours, theirs = _elements(found, edges=edges), _elements(known, edges=edges)
    require(
        bool(theirs),
        "A known circuit has members.",
        value=known,
        expected="nodes",
        fix="known('ioi')",
    )
    found_at, known_at = _places(ours), _places(theirs)
    shared = [one for one in theirs if _among(one, found_at)]
    extra = [one for one in ours if not _among(one, known_at)]
    missed = [one for one in theirs if one not in shared]
    return Overlap(found, known, tuple(shared), tuple(missed), tuple(extra))


# --- inside ---------------------------------------------------------------------------------


def _elements(
    known: Circuit | Collection[Site] | Collection[Edge], *, edges: bool
) -> tuple[Element, ...]:
    """Its edges or its nodes."""
    if not isinstance(known, Circuit):
        return as_elements(known)
    if not edges:
        return known.ordered
    if known.edges is None:
        raise MediationError(
            "Edges are scored, and the known circuit names none.",
            value=repr(known),
            expected="a circuit with edges",
            fix="score nodes instead, or Circuit(edges=[...])",
        )
    return tuple(sorted(known.edges, key=lambda edge: edge.label()))


def _members(scores: dict[Element, float], known: Iterable[Element]) -> NDArray[np.bool_]:
    """Per candidate whether it is a member."""
    members = set(known)
    strange = [one for one in members if one not in scores]
    if strange:
        raise MediationError(
            "A member of the known circuit was not scored.",
            value=", ".join(sorted(one.label() for one in strange)[:8]),
            expected="a score of every candidate, at the positions of the known circuit",
            fix="score all candidates, and give 0 to what a method leaves out",
        )
    found = np.array([one in members for one in scores])
    require(
        0 < int(found.sum()) < len(found),
        "There are members of the circuit, and others.",
        value=f"{int(found.sum())} of {len(found)} candidates are members",
        expected="at least one of each",
        fix="score all heads, not those of the circuit alone",
    )
    return found


def _range(values: Array) -> Array:
    """(3,) the mean and the ends of the middle 95%."""
    return np.array([values.mean(), *np.quantile(values, [0.025, 0.975])])


def _class(one: Element, classes: object) -> str:
    return str(classes.get(one, "")) if isinstance(classes, dict) else ""


def _places(elements: Iterable[Element]) -> dict[Element, set[Position]]:
    """Per component or edge its positions."""
    found: dict[Element, set[Position]] = {}
    for one in elements:
        what, where = _placed(one)
        found.setdefault(what, set()).add(where)
    return found


def _among(one: Element, places: Mapping[Element, set[Position]]) -> bool:
    """Whether it is one of them, or the same without a position on either side."""
    what, where = _placed(one)
    there = places.get(what, set())
    return bool(there) and (where is None or where in there or None in there)


def _placed(one: Element) -> tuple[Element, Position]:
    """What it is, and at which position."""
    if isinstance(one, Edge):
        return at(one, None), one.receiver.position
    return replace(one, position=None), one.position
