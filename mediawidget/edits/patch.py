"""Set a site to its value in another run (interchange, activation patching)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .base import Base, Edit, check_base, other


@dataclass(frozen=True)
class Patch(Edit):
    """The site's value is the one it takes on ``source`` (default: the pair's other prompt).

    Source: Vig et al. 2020; Meng et al. 2022; Geiger et al. 2021 (interchange intervention).
    """

    kind: ClassVar[str] = "patch"
    source_kind: ClassVar[Literal["row"]] = "row"

    source: Base | None = None

    def __post_init__(self) -> None:
        if self.source is not None:
            check_base(self.source)

    @property
    def corners(self) -> bool:
        # A fixed source is, on its own prompt, no change at all.
        return self.source is None

    def taken_from(self, base: Base) -> Base:
        return self.source or other(base)
