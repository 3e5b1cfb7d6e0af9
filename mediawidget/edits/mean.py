"""Set a site to its mean over a contrast (mean ablation)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .base import Base, Edit, check_base


@dataclass(frozen=True)
class Mean(Edit):
    """The mean over the prompts of ``base`` (default: the run's own), per position.

    Over those of the contrast that have the run's own token length, itself included.

    A contrast of one pair has no mean worth the name, so it is refused there.
    """

    kind: ClassVar[str] = "mean"
    source_kind: ClassVar[Literal["mean"]] = "mean"

    base: Base | None = None

    def __post_init__(self) -> None:
        if self.base is not None:
            check_base(self.base)

    def taken_from(self, base: Base) -> Base:
        return self.base or base
