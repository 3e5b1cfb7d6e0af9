"""What a kind of mediator is: how it is found on some pairs, by size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

import mediawidget as mw
from benchmarks.mediators.subjects import Subject
from mediawidget.sites import Site

SIZES = (1, 2, 4, 8, 16)

Edits = Mapping[Site, mw.Edit]


@dataclass(frozen=True)
class Found:
    """A mediator of one size.

    Attributes:
        edits: what patches it.
        k: how many units it has.
        of: how many units there are.
        direction: the same as a subspace of the subject's site, where it is one.
    """

    edits: Edits
    k: int
    of: int
    direction: mw.directions.Direction | None = None


Find = Callable[[mw.Study, Subject, int], Found | None]


@dataclass(frozen=True)
class Kind:
    """A kind of mediator.

    Attributes:
        name: for the table. order: where it stands there.
        find: on the pairs that fit, at the subject's site; None where the subject has none of it,
            or not so many.
        sized: whether it comes in sizes.
        trained: whether finding it takes gradient descent.
    """

    name: str
    order: int
    find: Find
    sized: bool = True
    trained: bool = False


def of_direction(direction: mw.directions.Direction) -> Found:
    """A subspace of the site as a mediator."""
    width = direction.subspace.width
    return Found({direction.site: direction.within()}, direction.k, width, direction)


def strongest(effect: mw.Effect, k: int) -> list[int]:
    """The k cells of the largest mean of PIE and TIE, by size, that have one."""
    size = np.abs(np.nan_to_num(effect["PIE"] + effect["TIE"])).reshape(-1)
    return [int(i) for i in np.argsort(-size, kind="stable")[:k]]


def coordinates(study: mw.Study, subject: Subject, units: list[int]) -> Found:
    """Numbers of the site as a subspace."""
    rows = np.eye(subject.lm.d_model)[sorted(units)]
    return of_direction(mw.directions.given(study, subject.site, rows, made="coordinates"))
