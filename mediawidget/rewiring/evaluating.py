"""Wirings of a contrast's prompts, evaluated in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..chunks import CPU_TOKENS, half_of, in_halves
from ..edits import Mean
from ..edits.base import Base, check_base, other
from ..engine import Engine
from ..errors import MediationError, is_one_of, require
from ..filing import weights_changed
from ..groups import Group, refuse_lonely
from ..jobs import Job
from ..lm import LM
from ..memory import budget_bytes
from ..outcomes import filed
from ..plain_hooks import counted
from ..plan.frame import Ints
from ..reading import read
from ..readouts import KL_CLEAN, KL_CORRUPT
from ..runner import references
from .passing import Pass
from .proving import MOST_STRANDS, refuse_unproven
from .support import refuse_no_rewiring
from .writes import Writes, written

Array = NDArray[np.float64]
Ablation = Literal["resample", "mean", "zero"]
ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)
"""What a cut edge carries: "resample" is of the pair's other prompt, as ``Patch()``, and not of
another pair, as ``Resample()``."""

Cells = tuple[Ints, Ints]
"""Some wirings of some strands."""

Masks = Callable[[Group, Ints], NDArray[Any]]
"""For a group of prompts and some wirings, by number, which share of each edge is kept: (wiring,
sender, receiver), or with a last axis of positions."""


def masks_of(keep: NDArray[Any]) -> Masks:
    """The same masks for every prompt."""
    return lambda _, wirings: keep[wirings]


def rewire(
    engine: Engine, masks: Masks, n: int, *, base: Base = "clean", ablation: Ablation = "resample"
) -> Job[Array]:
    """What prompts keep when their readers see only what they are told to see.

    Args:
        engine: of a model that can be rewired, and the pairs.
        masks: 1 keeps an edge as it comes, 0 exchanges what it carries.
        n: how many wirings that is.
        base: the prompts that are read.
        ablation: what a cut edge carries: the sender's write on the pair's other prompt
            ("resample"), its mean over the prompts of ``base`` that are as long ("mean"), or
            nothing ("zero").

    Returns:
        A job whose result is (wiring, pair, K), as the engine's columns name the last axis.

    Raises:
        MediationError: a model without edges, an unknown ablation, pairs of unequal length under
            "resample", a mean of one pair.
    """
    return Bench(engine, base, ablation).job(masks, n)


class Bench:
    """Prompts on which wirings are tried one after another.

    What cut edges carry is computed once, and again when a weight has changed. Each time the first
    prompts are proven before any is read.

    Args and errors: as those of ``rewire``. ``hold_norm`` as in ``Pass``. ``prove``: whether the
    prompts are proven here; False where the caller does so.

    Attributes:
        proofs: forward passes of all proofs so far.
    """

    def __init__(
        self,
        engine: Engine,
        base: Base = "clean",
        ablation: Ablation = "resample",
        *,
        hold_norm: bool = False,
        prove: bool = True,
    ) -> None:
        refuse_no_rewiring(engine.lm)
        check_base(base)
        refuse_no_ablation(engine, ablation)
        self.engine, self.base, self.ablation = engine, base, ablation
        self.hold_norm, self.prove = hold_norm, prove
        self.proofs = 0
        self._parts: tuple[object, list[Part]] | None = None

    def job(self, masks: Masks, n: int) -> Job[Array]:
        """What the prompts keep under ``n`` wirings: (wiring, pair, K)."""
        engine = self.engine
        kept = np.full((n, len(engine.pairs), len(engine.columns)), np.nan)
        return Job(self._chunks(masks, kept), n * len(engine.pairs), lambda: kept)

    @property
    def parts(self) -> list[Part]:
        """The groups of strands whose prompts are read."""
        version = self.engine.lm.version()
        if self._parts is None or self._parts[0] != version:
            groups = [g for g in self.engine.groups if self.base in g.frame.bases]
            parts = [self._part(group) for group in groups]
            with counted(self.engine.lm) as proven:
                for part in parts if self.prove else ():
                    refuse_unproven(self.engine, part)
            self.proofs += proven.passes
            self._parts = version, parts
        return self._parts[1]

    def _part(self, group: Group) -> Part:
        lm, base = self.engine.lm, self.base
        others = others_of(self.engine, group, base, self.ablation)
        fixed = references_of(lm, group)
        return Part(lm, group, base, self.ablation, others, fixed, self.hold_norm)

    def _chunks(self, masks: Masks, kept: Array) -> Iterator[int]:
        lm, version = self.engine.lm, self.engine.lm.version()
        for part in self.parts:
            group = part.group
            here, there = filed(group.gives, kept.shape[-1])
            do = partial(part.kept, masks)
            for cells in _cut(self.engine, group, len(kept), len(group.members)):
                done = in_halves([cells], do, _halves, group.frame.n_positions)
                for (wirings, strands), found in done:
                    where = np.ix_(wirings, group.members[strands])
                    some = kept[where]
                    some[..., here] = found[..., there]
                    kept[where] = some
                if lm.version() != version:
                    raise weights_changed(lm)
                yield len(cells[0]) * len(cells[1]) if group.gives != "wrong" else 0


def prove(engine: Engine, base: Base) -> None:
    """For what takes slopes and cuts nothing: raise unless the first prompts can be believed.

    Raises:
        MediationError: a prompt comes to something else when it is run again, or beside another.
    """
    for group in engine.groups:
        if base in group.frame.bases:
            none = Writes(torch.zeros(1), (), ())
            fixed = references_of(engine.lm, group, MOST_STRANDS)
            part = Part(engine.lm, group, base, "zero", none, fixed, hold_norm=False)
            refuse_unproven(engine, part, uncut=True)


def refuse_no_ablation(engine: Engine, ablation: Ablation) -> None:
    """Raise where the pairs cannot give a cut edge anything to carry."""
    require(
        is_one_of(ablation, ABLATIONS),
        "A cut edge carries something else.",
        value=ablation,
        expected=" or ".join(map(repr, ABLATIONS)),
        fix="ablation='resample'",
    )
    if ablation == "mean":
        refuse_lonely(engine.groups, Mean())
    if ablation == "resample" and not engine.equal:
        lengths = next(p for p in engine.pairs if len(p.clean) != len(p.corrupt))
        raise MediationError(
            "An edge carries the other prompt's write at the same position.",
            value=f"a pair of {len(lengths.clean)} and {len(lengths.corrupt)} tokens",
            expected="pairs of prompts of equal length",
            fix="ablation='mean' or 'zero', or prompts of equal length",
        )


def others_of(engine: Engine, group: Group, base: Base, ablation: Ablation) -> Writes:
    """What cut edges carry, for the strands of a group: one row each, or one for all."""
    lm = engine.lm
    if ablation == "resample":
        return _written(engine, group.ids[group.frame.bases.index(other(base))])
    if ablation == "mean":
        return _written(engine, group.pools[base].ids).mean()
    return written(lm, group.ids[0, :1]).nothing()


def _written(engine: Engine, ids: Tensor) -> Writes:
    """In parts that fit the budget."""
    rows = _max_rows(engine, ids.shape[1], 1)
    return Writes.joined([written(engine.lm, some) for some in ids.split(rows)])  # type: ignore[no-untyped-call]


def _max_rows(engine: Engine, n_positions: int, n_reads: int) -> int:
    free = budget_bytes(engine.lm.device) if engine.budget is None else engine.budget
    rows = max(1, free // row_bytes(engine.lm, n_positions, n_reads))
    if engine.lm.device.type == "cpu":
        rows = min(rows, max(1, CPU_TOKENS // n_positions))
    return int(rows)


def row_bytes(lm: LM, n_positions: int, n_reads: int) -> int:
    """Bytes that a row of a pass keeps: what every sender writes, and the widest block."""
    size = torch.empty((), dtype=lm.dtype).element_size()
    wiring = lm.wiring
    readers = lm.n_heads + 2 * lm.n_kv_heads
    block = 4 * readers * lm.d_model + 6 * lm.d_model + 3 * lm.d_mlp
    numbers = n_positions * (len(wiring.senders) * lm.d_model + block) + 3 * wiring.reach.size
    return size * numbers + 8 * 3 * lm.vocabulary * n_reads


# --- inside ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One group of strands.

    Attributes:
        ablation: how ``others`` came about.
        others: what cut edges carry.
        fixed: logits of both prompts, where KL is asked for.
    """

    lm: LM
    group: Group
    base: Base
    ablation: Ablation
    others: Writes
    fixed: tuple[Tensor, Tensor] | None
    hold_norm: bool

    def known(self, engine: Engine, masks: Masks, n_wirings: int, n_strands: int) -> Array:
        """(wiring, strand, K) of the first of both, in a chunk if it fits."""
        cells = list(_cut(engine, self.group, n_wirings, n_strands))
        do, found = partial(self.kept, masks), np.zeros((n_wirings, n_strands, 0))
        for some, part in in_halves(cells, do, _halves, self.group.frame.n_positions):
            if not found.size:
                found = np.zeros((*found.shape[:2], part.shape[-1]))
            found[np.ix_(*some)] = part
        return found

    def kept(self, masks: Masks, cells: Cells) -> Array:
        """(wiring, strand, K) of one chunk."""
        lm, group = self.lm, self.group
        wirings, strands = (torch.from_numpy(some).to(lm.device) for some in cells)
        keep = torch.from_numpy(np.asarray(masks(group, cells[0]))).to(lm.device, lm.dtype)
        cut = (1 - keep).repeat_interleave(len(strands), 0)
        ids = group.ids[group.frame.bases.index(self.base), strands]
        some = self.others if len(self.others.start) == 1 else self.others.of(strands)
        with torch.no_grad():
            logits = Pass(lm, cut, some, hold_norm=self.hold_norm).logits(ids, group.frame.read_at)
            found = read_rows(logits, group, strands, self.fixed)
        return found.double().cpu().numpy().reshape(len(wirings), len(strands), -1)


def _cut(engine: Engine, group: Group, n: int, n_strands: int) -> Iterator[Cells]:
    """Which wirings of which strands make up a chunk, of the first of both."""
    frame = group.frame
    rows = _max_rows(engine, frame.n_positions, len(frame.read_at))
    for some in np.array_split(np.arange(n_strands), -(-n_strands // rows)):
        wirings = max(1, rows // len(some))
        for start in range(0, n, wirings):
            yield np.arange(start, min(n, start + wirings)), some


def _halves(cells: Cells) -> tuple[Cells, ...] | None:
    wirings, strands = cells
    parts = half_of(wirings)
    if parts is not None:
        return tuple((part, strands) for part in parts)
    parts = half_of(strands)
    return None if parts is None else tuple((wirings, part) for part in parts)


def read_rows(
    logits: Tensor, group: Group, index: Tensor, fixed: tuple[Tensor, Tensor] | None
) -> Tensor:
    """The kept numbers (row, K) of rows that are wirings of each of some strands."""
    at = torch.arange(len(index), device=logits.device)
    known = None if fixed is None else (fixed[0][index], fixed[1][index])
    rows = at.repeat(len(logits) // len(index))
    return read(logits, group.reading.of(index), rows, (at, at), known)


def references_of(lm: LM, group: Group, most: int | None = None) -> tuple[Tensor, Tensor] | None:
    """(strand, vocabulary) logits of both prompts, where KL is asked for, of the first ``most``."""
    if not {KL_CLEAN, KL_CORRUPT} & set(group.reading.columns):
        return None
    if group.others is not None:
        return references(lm, group, torch.arange(len(group.members), device=lm.device)[:most])
    first = group.frame.read_at[:1]
    clean, corrupt = (lm.logits_at(group.ids[b, :most], first)[:, 0] for b in (0, -1))
    return clean, corrupt
