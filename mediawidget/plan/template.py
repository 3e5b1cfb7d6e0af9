"""Runs checked and laid out as a table, ready for any pairs of one group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edits.base import Donor
from ..errors import MediationError
from ..runs import Run
from .entries import Entries, first_clash, first_points, signatures, table
from .frame import Frame, Ints
from .records import Recorder

Path = tuple[tuple[int, tuple[int, int]], ...]


@dataclass(frozen=True)
class Template:
    """Runs made ready for any pairs of one group.

    Attributes:
        n_runs: how many were asked for; runs that only lend values come after them.
        base: which base each run starts from.
        first: the first position that a run, or one that it takes values from, changes;
            ``n_positions`` for a run that changes nothing.
        start: the first stage a run edits; ``n_stages`` for a run that changes nothing.
        implied: the run equals its base by construction, so it is not run.
        paths: per run the stages it edits, each with a mark of what it does there.
        lenders: per run the runs that it takes values from.
        donors: prompts of other pairs that lend values: the bases after the pair's own.
        constants: what edits add.
        parts: of a site's value, to which edits are confined.
        entries: the effective edits, sorted in forward order.
        points: (run, stage) -> the first point that the run edits there.
    """

    frame: Frame
    n_runs: int
    base: Ints
    first: Ints
    start: Ints
    implied: NDArray[np.bool_]
    paths: tuple[Path, ...]
    lenders: tuple[tuple[int, ...], ...]
    donors: tuple[Donor, ...]
    constants: tuple[Any, ...]
    parts: tuple[Any, ...]
    entries: Entries
    points: Mapping[tuple[int, int], int]

    @property
    def n_bases(self) -> int:
        """Base rows of a pair: its prompts, then the donors'."""
        return len(self.frame.bases) + len(self.donors)

    @property
    def shared(self) -> int:
        """Positions before it are changed by no run at all."""
        live = self.first[~self.implied]
        return int(min([*live.tolist(), *self.frame.read_at]))


def make_template(runs: Sequence[Run], frame: Frame) -> Template:
    """Check every site, drop what cannot matter, and lay the edits out as a table.

    Raises:
        MediationError: a site out of range, two edits of one run at one place, or an edit that
            makes no sense at its site.
    """
    everything = with_lenders(runs)
    for run in everything[len(runs) :]:
        if run.base not in frame.bases:
            raise _elsewhere(run)
    recorder = Recorder(frame, {run: index for index, run in enumerate(everything)})
    for index, run in enumerate(everything):
        recorder.add(index, run)
    entries = table(recorder.records)
    clash = first_clash(entries)
    if clash is not None:
        raise clashing(everything[clash])
    entries = entries.take_rows(np.lexsort((entries.run, entries.point, entries.stage)))
    n = len(everything)
    first = np.full(n, frame.n_positions, dtype=np.int64)
    start = np.full(n, frame.n_stages, dtype=np.int64)
    np.minimum.at(first, entries.run, entries.position)
    np.minimum.at(start, entries.run, entries.stage)
    found = signatures(entries)
    lenders = _lenders(entries, n)
    return Template(
        frame=frame,
        n_runs=len(runs),
        base=np.array([frame.bases.index(run.base) for run in everything], dtype=np.int64),
        first=_first_of_all(first, lenders),
        start=start,
        implied=start == frame.n_stages,
        paths=tuple(tuple(found.get(index, ())) for index in range(n)),
        lenders=lenders,
        donors=tuple(recorder.donors),
        constants=tuple(recorder.constants),
        parts=tuple(recorder.parts),
        entries=entries,
        points=first_points(entries, frame.n_stages),
    )


def with_lenders(runs: Sequence[Run]) -> list[Run]:
    """The runs, and after them the runs that they take values from, each once."""
    everything = list(runs)
    known = set(everything)
    for run in everything:  # which grows while it is walked
        for _, edit in run.edits:
            source = getattr(edit, "source", None)
            if isinstance(source, Run) and source not in known:
                known.add(source)
                everything.append(source)
    return everything


def _lenders(entries: Entries, n: int) -> tuple[tuple[int, ...], ...]:
    lent = entries.source < -1
    pairs = {
        (int(run), -2 - int(source))
        for run, source in zip(entries.run[lent], entries.source[lent], strict=True)
    }
    found: list[list[int]] = [[] for _ in range(n)]
    for run, lender in sorted(pairs):
        found[run].append(lender)
    return tuple(tuple(lenders) for lenders in found)


def _first_of_all(first: Ints, lenders: tuple[tuple[int, ...], ...]) -> Ints:
    """Per run the first position changed by it or by any run that it takes values from."""
    known: dict[int, int] = {}

    def least(run: int) -> int:
        if run not in known:
            known[run] = min([int(first[run]), *(least(lender) for lender in lenders[run])])
        return known[run]

    return np.array([least(run) for run in range(len(first))], dtype=np.int64)


def _elsewhere(run: Run) -> MediationError:
    return MediationError(
        "A run on the other prompt of unequal length is in another batch.",
        value=repr(run)[:200],
        expected="a run on the same prompt, or captured values",
        fix="Patch(study.activations(site, run)), with a site at positions that have partners",
    )


def clashing(run: Run) -> MediationError:
    """What is said of a run whose edits would overwrite each other."""
    return MediationError(
        "Two edits of one run set the same place.",
        value=", ".join(site.label() for site, _ in run.edits),
        expected="sites that do not overlap",
        fix="drop one of the sites, or name their positions apart",
    )
