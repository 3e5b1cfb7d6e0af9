"""Prompts that are alike enough to share a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .edits.base import BASES, Base
from .encoding import Strand, TokenPair
from .errors import MediationError
from .inputs import refuse_no_roles
from .lm import LM
from .plan import Frame
from .plan.frame import Ints
from .reading import Reading, make_reading
from .two_texts import rows_of

Roles = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Pool:
    """Prompts of one name and length, which means and other pairs' values are made of.

    Of all pairs that have them, wherever these are read and whatever their roles.

    Attributes:
        members: (prompt,) which pair each belongs to.
        ids: (prompt, position) token ids.
    """

    members: Ints
    ids: Tensor


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
        pools: of prompts as long as these, the clean and the corrupt ones.
    """

    members: Ints
    gives: Literal["both", "answer", "wrong"]
    ids: Tensor
    others: Tensor | None
    reading: Reading
    frame: Frame
    pools: Mapping[Base, Pool]

    @property
    def bases(self) -> Ints:
        """Indices into ``BASES`` of the prompts there are."""
        return np.array([BASES.index(base) for base in self.frame.bases])


# Gradients go through what is read, and inference mode marks all that is made in it.
@torch.inference_mode(mode=False)
def make_groups(
    lm: LM, pairs: Sequence[TokenPair], roles: Sequence[Roles], columns: Sequence[str]
) -> list[Group]:
    """Every strand of every pair, those that are alike together, short prompts first."""
    alike: dict[Any, list[tuple[int, Strand]]] = {}
    for index, pair in enumerate(pairs):
        for strand in pair.strands:
            for bases in _batches(strand):
                alike.setdefault(_key(strand, roles[index], bases), []).append((index, strand))
    everyone = [(index, strand) for index, pair in enumerate(pairs) for strand in pair.strands]
    ids = lm.encoder.column_ids(columns, [strand for _, strand in everyone])

    def reader(strands: Sequence[Strand]) -> Reading:
        return make_reading(strands, columns, lm.device, ids)

    width = _longest_source(everyone)
    pools: dict[Any, Mapping[Base, Pool]] = {}
    groups = []
    for key in sorted(alike, key=repr):
        length, gives = key[0], key[3]
        if (length, gives) not in pools:
            some = [(index, strand) for index, strand in everyone if strand.gives == gives]
            pools[length, gives] = {base: _pool(lm, some, base, length, width) for base in BASES}
        groups.append(_group(lm, key, alike[key], roles, reader, pools[length, gives], width))
    return groups


def _longest_source(strands: Sequence[tuple[int, Strand]]) -> int:
    """Tokens of the longest source; 0 for a model that reads one text alone."""
    return max(len(source) for _, strand in strands for source in strand.sources or ((),))


def _rows(strands: Sequence[Strand], base: Base, width: int, length: int) -> Ints:
    """Rows of ids of the prompts ``base``, (strand, position), or with their sources in front."""
    own = np.array([getattr(strand, base) for strand in strands], dtype=np.int64)
    own = own.reshape(-1, length)
    sources = [strand.sources[BASES.index(base)] for strand in strands if strand.sources]
    return rows_of(sources, own, width) if width else own


def _pool(
    lm: LM, strands: Sequence[tuple[int, Strand]], base: Base, length: int, width: int
) -> Pool:
    """The prompts ``base`` of that length, in the order of their pairs."""
    found = [(i, strand) for i, strand in strands if len(getattr(strand, base)) == length]
    members = np.array([index for index, _ in found], dtype=np.int64)
    ids = _rows([strand for _, strand in found], base, width, length)
    return Pool(members, torch.from_numpy(ids).to(lm.device))


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
    reader: Callable[[Sequence[Strand]], Reading],
    pools: Mapping[Base, Pool],
    width: int,
) -> Group:
    bases, reads = key[1], key[2]
    members = np.array([index for index, _ in strands])
    some = [strand for _, strand in strands]
    prompts = np.stack([_rows(some, base, width, key[0]) for base in bases])
    others = None
    if len(bases) == 1:
        other = "corrupt" if bases == ("clean",) else "clean"
        others = _aligned([getattr(strand, other) for strand in some], lm)
    here = 0 if bases[0] == "clean" else 1
    frame = Frame(
        shape=lm.shape,
        n_positions=key[0],
        first_difference=_first_difference(lm, some) if others is None else 0,
        reads=tuple(reads),
        roles=roles[members[0]],
        bases=bases,
        named=len(some[0].clean),
        fed=len(reads) - 1,
        source=width,
        own=dict(some[0].alignment) if bases == ("corrupt",) else {},
        partners={} if others is None else {p[here]: p[1 - here] for p in some[0].alignment},
    )
    ids = torch.from_numpy(prompts).to(lm.device)
    return Group(members, some[0].gives, ids, others, reader(some), frame, pools)


def _aligned(prompts: list[Any], lm: LM) -> Tensor:
    """Prompts of one length, for they have one alignment with prompts of one length."""
    return torch.from_numpy(np.stack(prompts)).to(lm.device)


def _first_difference(lm: LM, strands: Sequence[Strand]) -> int:
    """Before it both runs of every pair are the same: 0 where what comes later flows back."""
    flows_back = not lm.causal or lm.encodes
    return 0 if flows_back else min(_parting(strand) for strand in strands)


def _parting(strand: Strand) -> int:
    differ = np.flatnonzero(strand.clean != strand.corrupt)
    return int(differ[0]) if len(differ) else len(strand.clean)


def spans(roles: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Roles as spans of positions."""
    refuse_no_roles(roles)
    return {
        name: (at,) if isinstance(at, int) else tuple(int(p) for p in at)
        for name, at in roles.items()
    }


def drawn_prompts(group: Group, base: Base, seed: int) -> Ints:
    """For every strand of a group a prompt of its pool, of another pair, drawn uniformly.

    A pair's draw is its own, so it does not depend on which pairs it shares a batch with.
    """
    pool = group.pools[base].members
    drawn = np.empty(len(group.members), dtype=np.int64)
    for i, member in enumerate(group.members.tolist()):
        others = np.flatnonzero(pool != member)
        drawn[i] = others[np.random.default_rng([seed, member]).integers(len(others))]
    return drawn


def refuse_lonely(groups: Sequence[Group], edit: Any) -> None:
    """Raise where an edit is made from other pairs and there are none of a length."""
    asked = getattr(edit, "base", None)  # that of an edit which has none is the run's own
    for group in groups if edit.pairwise else ():
        for base in group.frame.bases if asked is None else (asked,):
            n = len(set(group.pools[base].members.tolist()))
            if n < 2:
                raise MediationError(
                    f"A {edit.kind} over prompts needs several prompts of one length.",
                    value=f"{n} pair{'' if n == 1 else 's'} of {group.frame.n_positions} tokens",
                    expected="at least two pairs of every length in the contrast",
                    fix="use Contrast([...]) with more pairs, or another edit",
                )
