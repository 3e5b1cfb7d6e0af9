"""Set a site to zero (zero ablation)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .base import Edit


@dataclass(frozen=True)
class Zero(Edit):
    """Every number of the site becomes 0, a value the network may never have seen."""

    kind: ClassVar[str] = "zero"
    source_kind: ClassVar[Literal["constant"]] = "constant"
