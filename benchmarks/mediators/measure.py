"""Rows of the table: every mediator of a subject, patched on the same pairs in one job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

import mediawidget as mw
from benchmarks import clock
from mediawidget.asking import Asked
from mediawidget.edits import Mixed

from .kinds.base import SIZES, Edits, Found, Kind
from .subjects import Subject

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """What a mediator of one size came to.

    Attributes:
        k, of: its units, and how many there are.
        pie, tie: shares of TE on the pairs that test, ratios of means.
        low, high: of ``pie``, 95% over pairs.
        inside: the share of the subspace that lies in the row space; NaN where it is none.
        row: PIE's share of that part alone, patched as a subspace of its own.
        fit: ``pie`` on the pairs that it was found on.
        leak: the mean over the other questions of the size of their own PIE's share.
        iia: on how many pairs that test the patched corrupt prompt's likeliest token of all is the
            answer.
        seconds: to find it.
    """

    subject: str
    kind: str
    k: int
    of: int
    pie: float
    low: float
    high: float
    tie: float
    inside: float
    row: float
    fit: float
    leak: float
    iia: float
    seconds: float


@dataclass(frozen=True)
class Timed:
    """A mediator, and what it took to find it."""

    kind: str
    found: Found
    seconds: float


def rows(subject: Subject, kinds: Iterable[Kind], sizes: Sequence[int] = SIZES) -> list[Row]:
    """Of every kind and size that the subject has."""
    found = list(search(subject, kinds, sizes))
    return Judged(subject, found).rows()


def search(subject: Subject, kinds: Iterable[Kind], sizes: Sequence[int]) -> list[Timed]:
    """Mediators on the pairs that fit."""
    every: list[Timed] = []
    for kind in kinds:
        for k in sizes if kind.sized else (0,):
            # A fresh study, so that no kind finds another one's runs.
            study = mw.Study(subject.lm, subject.fit)
            found, seconds = clock.timed(lambda: kind.find(study, subject, k))  # noqa: B023
            if found is not None:
                every.append(Timed(kind.name, found, seconds))
    return every


@dataclass(frozen=True)
class Judged:
    """Mediators on the pairs that test, those that fit, and those that ask for something else."""

    subject: Subject
    found: Sequence[Timed]

    def rows(self) -> list[Row]:
        """One each."""
        test = mw.Study(self.subject.lm, self.subject.test, metric=mw.Rank())
        test.metric = mw.LogitDiff()  # the rank is kept beside it
        effect = self._patched(test, self._cells)
        pie, tie = effect.normalized("PIE"), effect.normalized("TIE")
        low, high = effect.normalized_ci("PIE")
        right = (effect.rescore(mw.Rank()).pairs("Y01") == 0).mean(axis=0)
        fit = self._patched(self.fit, self._cells).normalized("PIE")
        others = [mw.Study(self.subject.lm, pairs) for pairs in self.subject.others.values()]
        leaks = [np.abs(self._patched(one, self._cells).normalized("PIE")) for one in others]
        columns = zip(
            *(pie, low, high, tie, *self._row_space(test), fit, np.mean(leaks, axis=0), right),
            strict=True,
        )
        return [
            Row(
                *(self.subject.name, one.kind, one.found.k, one.found.of),
                *(*map(float, numbers), one.seconds),
            )
            for one, numbers in zip(self.found, columns, strict=True)
        ]

    @cached_property
    def fit(self) -> mw.Study:
        """On which they were found."""
        return mw.Study(self.subject.lm, self.subject.fit)

    @property
    def _cells(self) -> list[Edits]:
        return [one.found.edits for one in self.found]

    def _row_space(self, test: mw.Study) -> tuple[Array, Array]:
        """Of those that are subspaces, how much is read, and PIE's share of that part."""
        inside, shares = np.full((2, len(self.found)), np.nan)
        reads = mw.directions.row_space(self.fit, self.subject.site)
        parts: dict[int, Edits] = {}
        for i, one in enumerate(self.found):
            if one.found.direction is None:
                continue
            halves = mw.directions.split(self.fit, one.found.direction, reads)
            inside[i], shares[i] = halves.inside, 0.0  # nothing of it is read, unless
            if halves.row is not None:
                parts[i] = {halves.row.site: halves.row.within()}
        if parts:
            effect = self._patched(test, list(parts.values()))
            shares[list(parts)] = effect.normalized("PIE")
        return inside, shares

    def _patched(self, study: mw.Study, cells: Sequence[Edits]) -> mw.Effect:
        """Every mediator on its own, in one job: on an axis ``mediator``."""
        names = tuple(map(str, range(len(cells))))
        edits = tuple(dict.fromkeys(edit for cell in cells for edit in cell.values()))
        asked = Asked(
            axes={"mediator": names},
            labels=names,
            cells=list(cells),
            freezes=[()] * len(cells),
            edit=edits[0] if len(edits) == 1 else Mixed(edits),
            facts={"downstream": "recomputed"},
        )
        return study.ask(asked).result(progress=False)
