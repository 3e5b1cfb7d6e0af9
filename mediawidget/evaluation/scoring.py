"""Scores of components, however they were made, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ..circuit import NODES, Circuit
from ..edits.base import as_number, holds_no_numbers
from ..effects import Effect
from ..errors import MediationError, is_one_of, require
from ..sites import Site
from ..wiring import Edge

Element = Site | Edge
Rank = Literal["signed", "absolute"]


class ScoresOfEdges(Protocol):
    """What a search gave every edge, such as ``mw.search.eap(study)``."""

    def edges(self) -> Iterable[tuple[Edge, float]]:
        """Every edge with its mean over pairs."""


Scores = (
    Mapping[Site, float] | Mapping[Edge, float] | Mapping[Element, float] | Effect | ScoresOfEdges
)


def as_scores(scores: Scores, by: str | None = None) -> dict[Element, float]:
    """Scores as ``{site or edge: number}``.

    Args:
        scores: such a mapping, the effect of a sweep over heads or MLPs, at positions or not, or
            the edge scores of a search.
        by: which quantity of an effect; default PIE, or the effect on the clean base.

    Raises:
        MediationError: no numbers, NaN, or an effect of something else.
    """
    given: Any = scores
    if isinstance(scores, Effect):
        key = ("PIE" if scores.edit.corners else "clean") if by is None else by
        numbers = np.reshape(scores[key], -1).tolist()
        found: dict[Element, float] = dict(zip(sites_of(scores), numbers, strict=True))
        given = found
    else:
        # A search is of a layer above this one: it is told by what it offers.
        if callable(edges := getattr(given, "edges", None)):
            given = dict(edges())
        require(
            isinstance(given, Mapping)
            and len(given) > 0
            and all(isinstance(one, Site | Edge) for one in given),
            "Scores are numbers of components.",
            value=scores,
            expected="{Site: number}, {Edge: number}, the effect of a sweep, or edge scores",
            fix="mw.evaluation.curve(study, study.sweep('head'))",
        )
        found = {one: _number(number) for one, number in given.items()}
    strange = [one for one, number in found.items() if not np.isfinite(number)]
    if strange:
        raise MediationError(
            "A component that was not scored has no place in an order.",
            value=f"{strange[0].label()}: {repr(given[strange[0]])[:200]}",
            expected="a finite score of every candidate",
            fix="run the whole sweep, or give what was left out a score of 0",
        )
    return found


def oriented(scores: Scores, by: str | None = None) -> dict[Element, float]:
    """``as_scores``, turned so that what supports the clean behaviour is positive.

    Under metrics that fall (KL, rank) that is what has the sign of the total effect, which effects
    and edge scores know of themselves. Plain numbers have none, and stay as they are.

    Args:
        scores: as for ``as_scores``.
        by: which quantity of an effect.

    Raises:
        MediationError: as ``as_scores``.
    """
    toward = toward_clean(scores)
    return {one: toward * number for one, number in as_scores(scores, by).items()}


def toward_clean(scores: object) -> int:
    """-1 where scores know of a total effect below 0, else 1."""
    total = getattr(scores, "total", 1.0)
    if isinstance(scores, Effect):
        y11, y00 = scores.scores(scores.bases).mean(axis=0)
        total = y11 - y00
    return -1 if as_number(total) < 0 else 1


def sites_of(effect: Effect) -> list[Site]:
    """The sites of a sweep over heads or MLPs, in row-major order.

    Raises:
        MediationError: an effect on other axes or of another kind of component.
    """
    names = tuple(effect.axes)
    known = {("layer", "head"): "head", ("layer",): "mlp_out"}
    kind = known.get(tuple(name for name in names if name != "position"))
    sites = []
    for at in product(*effect.axes.values()):
        where = dict(zip(names, at, strict=True))
        sites.append(Site(kind or "", where.pop("layer", 0), **where))  # type: ignore[arg-type]
    labels = [label.split(" @ ")[0] for label in effect.labels]
    plain = [Site(s.mediator, s.layer, head=s.head).label() for s in sites]
    if kind not in NODES or (labels and labels != plain):
        raise MediationError(
            "These are no effects of heads or MLPs one by one.",
            value=repr(effect),
            expected="study.sweep('head') or study.sweep('mlp_out'), by position or not",
            fix="give scores as {Site: number}",
        )
    return sites


def ranked(scores: Mapping[Element, float], rank: Rank) -> tuple[Element, ...]:
    """Components from the highest score down, or from the largest in size; ties as they came.

    Args:
        scores: component -> score.
        rank: "signed": by the score as it is, for numbers know no total effect to be turned by;
            "absolute": by its size.

    Raises:
        MediationError: another rank, or no scores.
    """
    refuse_no_rank(rank)
    given: object = scores
    numbers = {k: _number(v) for k, v in given.items()} if isinstance(given, Mapping) else {}
    require(
        isinstance(given, Mapping) and not any(map(np.isnan, numbers.values())),
        "What is ranked has scores.",
        value=given,
        expected="{Site: number} or {Edge: number}",
        fix="mw.evaluation.ranked({mw.Site('head', 3, head=1): 0.5}, 'absolute')",
    )
    key = abs if rank == "absolute" else float
    return tuple(sorted(numbers, key=lambda one: -key(numbers[one])))


def refuse_no_rank(rank: object) -> None:
    """Raise unless scores are ranked as they are, or by size."""
    require(
        is_one_of(rank, get_args(Rank)),
        "Scores are ranked as they are or by size.",
        value=rank,
        expected="'signed' or 'absolute'",
        fix="rank='absolute'",
    )


def as_elements(given: object, kind: Any = Element) -> tuple[Any, ...]:
    """Some sites or edges, or those of one ``kind``.

    Raises:
        MediationError: something else, or not several.
    """
    several = listed(given)
    require(
        several is not None and all(isinstance(one, kind) for one in several),
        "Components are named one by one.",
        value=given,
        expected="a list of Site" + (" or of Edge" if kind is Element else ""),
        fix="[mw.Site('head', 3, head=1)]",
    )
    return several or ()


def listed(given: Any) -> tuple[Any, ...] | None:
    """What comes of it one by one; None where nothing does."""
    try:
        return tuple(given)
    except TypeError:
        return None


def as_floats(given: object) -> NDArray[np.float64]:
    """Numbers as an array, of the shape that they have; a NaN for what are none."""
    try:
        array = np.asarray(given)
        return np.array(np.nan) if holds_no_numbers(array) else array.astype(np.float64)
    except (OverflowError, RuntimeError, TypeError, ValueError):
        return np.array(np.nan)


def _number(given: Any) -> float:
    """NaN for what is no number; of a member True is 1."""
    return float(given) if isinstance(given, bool | np.bool_) else as_number(given)


def circuit_of(elements: tuple[Element, ...], *, edges: bool, name: str = "") -> Circuit:
    """Nodes, or edges and the nodes that they bring along, as a circuit."""
    if edges:
        return Circuit([], [one for one in elements if isinstance(one, Edge)], name=name)
    return Circuit([one for one in elements if isinstance(one, Site)], name=name)
