"""Prompts that are alike enough to share a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .edits.base import BASES, Base
from .encoding import Strand, TokenPair
from .errors import MediationError
from .lm import LM
from .plan import Frame
from .plan.frame import Ints
from .reading import Reading, make_reading

Roles = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Group:
    """Strands of one length, read alike: nothing is ever padded.

    Attributes:
        members: (strand,) which pair each belongs to.
        gives: what is read off them: both answers, or one.
        ids: (base, strand, position) token ids of the prompts there are.
        others: where the other prompt has another length, its ids (strand, position).
        reading: what is asked of the logits.
        frame: for planning.
    """

    members: Ints
    gives: Literal["both", "answer", "wrong"]
    ids: Tensor
    others: Tensor | None
    reading: Reading
    frame: Frame

    @property
    def bases(self) -> Ints:
        """Indices into ``BASES`` of the prompts there are."""
        return np.array([BASES.index(base) for base in self.frame.bases])


def make_groups(
    lm: LM, pairs: Sequence[TokenPair], roles: Sequence[Roles], columns: Sequence[str]
) -> list[Group]:
    """Every strand of every pair, those that are alike together, short prompts first."""
    alike: dict[Any, list[tuple[int, Strand]]] = {}
    for index, pair in enumerate(pairs):
        for strand in pair.strands:
            for bases in _batches(strand):
                alike.setdefault(_key(strand, roles[index], bases), []).append((index, strand))
    return [_group(lm, key, alike[key], roles, columns) for key in sorted(alike, key=repr)]


def _batches(strand: Strand) -> tuple[tuple[Base, ...], ...]:
    """The prompts of a strand, in one batch if they are of one length."""
    equal = len(strand.clean) == len(strand.corrupt)
    return (BASES,) if equal else (("clean",), ("corrupt",))


def _key(strand: Strand, roles: Roles, bases: tuple[Base, ...]) -> tuple[Any, ...]:
    length = len(getattr(strand, bases[0]))
    reads = strand.reads if bases[0] == "clean" else strand.corrupt_reads
    partners = () if len(bases) == 2 else strand.alignment
    where = tuple(sorted(roles.items()))
    return length, bases, reads, strand.gives, strand.reduce, partners, where


def _group(
    lm: LM,
    key: tuple[Any, ...],
    strands: Sequence[tuple[int, Strand]],
    roles: Sequence[Roles],
    columns: Sequence[str],
) -> Group:
    bases, reads = key[1], key[2]
    members = np.array([index for index, _ in strands])
    some = [strand for _, strand in strands]
    prompts = np.stack([[getattr(strand, base) for strand in some] for base in bases])
    others = None
    if len(bases) == 1:
        other = "corrupt" if bases == ("clean",) else "clean"
        others = _aligned([getattr(strand, other) for strand in some], lm)
    here = 0 if bases[0] == "clean" else 1
    frame = Frame(
        shape=lm.shape,
        n_positions=prompts.shape[2],
        first_difference=0 if others is not None else min(_parting(strand) for strand in some),
        reads=tuple(reads),
        roles=roles[members[0]],
        bases=bases,
        named=len(some[0].clean),
        own=dict(some[0].alignment) if bases == ("corrupt",) else {},
        partners={} if others is None else {p[here]: p[1 - here] for p in some[0].alignment},
    )
    reading = make_reading(some, columns, lm.device, lm.encoder.column_ids(columns))
    ids = torch.from_numpy(prompts).to(lm.device)
    return Group(members, some[0].gives, ids, others, reading, frame)


def _aligned(prompts: list[Any], lm: LM) -> Tensor:
    """Prompts of one length, for they have one alignment with prompts of one length."""
    return torch.from_numpy(np.stack(prompts)).to(lm.device)


def _parting(strand: Strand) -> int:
    differ = np.flatnonzero(strand.clean != strand.corrupt)
    return int(differ[0]) if len(differ) else len(strand.clean)


def spans(roles: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Roles as spans of positions."""
    return {
        name: (at,) if isinstance(at, int) else tuple(int(p) for p in at)
        for name, at in roles.items()
    }


def refuse_lonely(groups: Sequence[Group], edit: Any) -> None:
    """Raise where an edit is made from other pairs and there are none of a length."""
    for group in groups:
        if edit.pairwise and len(set(group.members.tolist())) < 2:
            raise MediationError(
                f"A {edit.kind} over prompts needs several prompts of one length.",
                value=f"{len(group.members)} pair of {group.frame.n_positions} tokens",
                expected="at least two pairs of every length in the contrast",
                fix="use Contrast([...]) with more pairs, or another edit",
            )
