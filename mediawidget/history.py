"""What was asked of a study, in order, with undo and redo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .edits import Edit
from .effects import Effect
from .errors import require
from .sites import Site

LONGEST_NAME = 80
"""Characters of an entry's name."""

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
        freeze: what was held at the base instead of being recomputed, as in ``Run``.
    """

    edits: Mapping[Site, Edit]
    effect: Effect
    next_tokens: tuple[NextTokens, ...] = field(default=(), repr=False)
    freeze: tuple[str | Site, ...] = ()

    @property
    def sites(self) -> tuple[Site, ...]:
        """The edited sites in the order in which they were chosen."""
        return tuple(self.edits)

    @property
    def label(self) -> str:
        """The sites' label, and what was frozen: frozen and recomputed are two quantities."""
        names = self.effect.labels or (" + ".join(site.label() for site in self.sites),)
        return f"{names[0]} ({self.effect.held})" if self.effect.held else names[0]

    def repeats(self, other: Intervention | None) -> bool:
        """Whether the same was done to the same sites."""
        return other is not None and (self.edits, self.freeze) == (other.edits, other.freeze)


class History:
    """Interventions in order. None is a cleared selection, with which every history begins.

    Args:
        renamed: called after an entry was given a name.

    Attributes:
        cursor: where we are; what lies after it was undone.
    """

    def __init__(self, renamed: Callable[[], None] = lambda: None) -> None:
        self._entries: list[Intervention | None] = [None]
        self._names = [""]
        self._renamed = renamed
        self.cursor = 0

    @property
    def current(self) -> Intervention | None:
        """The intervention that views show."""
        return self._entries[self.cursor]

    @property
    def names(self) -> tuple[str, ...]:
        """What each entry was called; empty for most."""
        return tuple(self._names)

    def name(self, index: int, text: str | None) -> None:
        """Call an entry something: None takes its name away.

        Args:
            index: counted from 0, the empty selection at the beginning.
            text: up to 80 characters; space around it is dropped.

        Raises:
            MediationError: no such entry, an empty or too long name.

        Example:
            >>> study.intervene(mw.Site("head", 3, head=1))
            >>> study.history.name(1, "the name mover")
        """
        at = self.at(index)
        given: object = text
        words = given.strip() if isinstance(given, str) else ""
        require(
            given is None or 0 < len(words) <= LONGEST_NAME,
            "An entry's name is a short text.",
            value=text,
            expected=f"1 to {LONGEST_NAME} characters, or None for no name",
            fix="study.history.name(1, 'the name mover')",
        )
        self._names[at] = words
        self._renamed()

    def add(self, entry: Intervention | None) -> None:
        """Go on from here; what was undone is forgotten. What is shown already is shown anew."""
        if entry is None and self.current is None:
            return
        if entry is not None and entry.repeats(self.current):
            self._entries[self.cursor] = entry
            return
        self._entries[self.cursor + 1 :] = [entry]
        self._names[self.cursor + 1 :] = [""]
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

    def fill(
        self, entries: Sequence[Intervention | None], names: Sequence[str], cursor: int
    ) -> None:
        """Take over a history that was kept: entries, a name each, where we are.

        Raises:
            MediationError: no such entry, or names that are not as many.
        """
        require(
            len(entries) == len(names) and len(entries) > 0 and entries[0] is None,
            "A history begins with nothing selected, and has a name for every entry.",
            value=(len(entries), len(names)),
            expected="entries, the first of them None, and as many names",
            fix="study.save(...) writes one",
        )
        self._entries, self._names = list(entries), list(names)
        self.cursor = self.at(cursor)

    def at(self, index: object) -> int:
        """The number of an entry, refused if there is none."""
        whole = isinstance(index, int) and not isinstance(index, bool)
        require(
            whole and 0 <= index < len(self),  # type: ignore[operator]
            "The history has no such entry.",
            value=index,
            expected=f"0 (nothing selected) to {len(self) - 1}",
            fix=f"study.walk({self.cursor}) is where you are",
        )
        return int(index)  # type: ignore[call-overload, no-any-return]

    def __repr__(self) -> str:
        said = self.current.label if self.current else "nothing"
        return f"History({len(self)} entries; at {self.cursor}: {said})"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Intervention | None]:
        return iter(self._entries)

    def __getitem__(self, index: int) -> Intervention | None:
        return self._entries[index]
