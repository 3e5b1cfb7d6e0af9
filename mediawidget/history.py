"""What was asked of a study, in order, with undo and redo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .edits import Edit
from .effects import Effect
from .sites import Site

NextTokens = Mapping[str, Sequence[tuple[str, float]]]
"""``clean``, ``corrupt``, ``broken``, ``restored`` to (token, probability), likeliest first."""


@dataclass(frozen=True)
class Intervention:
    """One thing that was done: joint edits of some sites, on both bases.

    Attributes:
        edits: what each site was set to.
        effect: what came of it, an effect without axes.
        next_tokens: per pair, the likeliest next tokens of the two base runs and of the two
            edited ones (``broken`` on the clean base, ``restored`` on the corrupt base).
    """

    edits: Mapping[Site, Edit]
    effect: Effect
    next_tokens: tuple[NextTokens, ...] = field(default=(), repr=False)

    @property
    def sites(self) -> tuple[Site, ...]:
        """The edited sites in the order in which they were chosen."""
        return tuple(self.edits)


class History:
    """Interventions in order. None is a cleared selection, with which every history begins.

    Attributes:
        cursor: where we are; what lies after it was undone.
    """

    def __init__(self) -> None:
        self._entries: list[Intervention | None] = [None]
        self.cursor = 0

    @property
    def current(self) -> Intervention | None:
        """The intervention that views show."""
        return self._entries[self.cursor]

    def add(self, entry: Intervention | None) -> None:
        """Go on from here; what was undone is forgotten."""
        if entry is None and self.current is None:
            return
        self._entries[self.cursor + 1 :] = [entry]
        self.cursor += 1

    def move(self, by: int) -> bool:
        """Walk ``by`` entries; False, and no move, past either end."""
        target = self.cursor + by
        if not 0 <= target < len(self._entries):
            return False
        self.cursor = target
        return True

    def change(self, entries: Sequence[Intervention | None]) -> None:
        """Replace every entry by its counterpart (after a change of metric)."""
        self._entries = list(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Intervention | None]:
        return iter(self._entries)

    def __getitem__(self, index: int) -> Intervention | None:
        return self._entries[index]
