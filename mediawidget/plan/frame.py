"""What the runs of one group of pairs have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..edits.base import BASES, Base
from ..errors import MediationError
from ..mediators import Shape
from ..mediators.base import positions_of
from ..sites import Position

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """The prompts of a group of pairs that are alike enough for one batch.

    Attributes:
        shape: of the network.
        n_positions: tokens in every prompt of the group.
        first_difference: the first position at which a pair's prompts differ, least over pairs.
        reads: the positions whose logits are read; empty means the last one.
        roles: names of positions, the same in every pair of the group.
        bases: which prompts of a pair there are: one alone where they are of different length.
        partners: then, which position of the other prompt answers to each position.
        named: how many positions the prompt has by which sites are named, the clean one.
        own: and which of this prompt's positions each of those is, where that is another prompt.
        fed: how many tokens of an answer stand at the end of the prompt.
        source: how many tokens an encoder reads beside it, at most.
    """

    shape: Shape
    n_positions: int
    first_difference: int
    reads: tuple[int, ...] = ()
    roles: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    bases: tuple[Base, ...] = BASES
    partners: Mapping[int, int] = field(default_factory=dict)
    named: int = 0
    own: Mapping[int, int] = field(default_factory=dict)
    fed: int = 0
    source: int = 0

    def captured(self, position: Position) -> tuple[int, ...]:
        """The same for captured values, which are of the prompt, not of an answer fed after it."""
        return tuple(p for p in self.positions(position) if p < self.n_positions - self.fed)

    def positions(self, position: Position) -> tuple[int, ...]:
        """The positions of this prompt that a site's ``position`` names; None means all.

        Raises:
            MediationError: a role that there is not, a position without a partner here.
        """
        if position is None:
            return tuple(range(self.n_positions))
        named = positions_of(position, self.n_named, self.roles)
        if not self.own:
            return named
        lonely = [p for p in named if p not in self.own]
        if lonely:
            raise no_partner(lonely[0], self.own)
        return tuple(self.own[p] for p in named)

    @property
    def n_named(self) -> int:
        """How many positions a site may name."""
        return self.named or self.n_positions

    @property
    def read_at(self) -> tuple[int, ...]:
        """The positions that are read, ascending."""
        return self.reads or (self.n_positions - 1,)

    @property
    def n_stages(self) -> int:
        """The embedding, the blocks, and what comes after the last."""
        return self.shape.n_layers + 2


@dataclass(frozen=True)
class OtherPrompt:
    """A constant: the value on the pair's other prompt, whose length is not the run's own."""

    base: Base


def no_partner(position: int, partners: Mapping[int, int]) -> MediationError:
    """What to say of a position that the other prompt has nothing for."""
    return MediationError(
        "This position has no partner in the other prompt.",
        value=f"position {position}",
        expected="one of " + ", ".join(map(str, sorted(partners))),
        fix="PromptPair(..., alignment=[(clean, corrupt), ...]) sets partners by hand",
    )
