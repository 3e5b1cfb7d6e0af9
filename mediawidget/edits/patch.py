"""Set a site to its value in another run (interchange, activation patching)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import MediationError, is_one_of
from ..sites import Site
from .base import BASES, Base, Edit, Recipe, RunLike, check_number, other
from .values import Values


@dataclass(frozen=True)
class Patch(Edit):
    """The site's value is the one it takes on ``source``, or moves a part of the way there.

    Args:
        source: a prompt of the pair, another ``Run``, or captured ``Values``, which may be of
            another site with as many numbers; default: the pair's other prompt.
        alpha: 1 replaces the value, 0.5 goes half the way, 0 changes nothing.

    Raises:
        MediationError: a source that is none of these, or an alpha that is no finite number.

    Source: Vig et al. 2020; Meng et al. 2022; Geiger et al. 2021 (interchange intervention).
    """

    kind: ClassVar[str] = "patch"

    source: Base | RunLike | Values | None = None
    alpha: float = 1.0

    def __post_init__(self) -> None:
        given = self.source
        named = is_one_of(given, BASES)
        known = given is None or named or isinstance(given, Values | RunLike)
        if not known:
            raise MediationError(
                "Unknown base prompt.",
                value=repr(given),
                expected="'clean' or 'corrupt', a Run, or Values",
                fix="Run('corrupt', {site: Patch('clean')})",
            )
        object.__setattr__(self, "alpha", check_number(self.alpha, "alpha", "Patch"))

    @property
    def corners(self) -> bool:
        # A fixed source is, on its own prompt, no change at all.
        return self.source is None and self.alpha == 1.0

    def recipe(self, base: Base, site: Site) -> Recipe:  # noqa: ARG002
        rest = 1.0 - self.alpha
        if isinstance(self.source, Values):
            return Recipe(keep=rest, add=self.alpha, constant=self.source)
        return Recipe(keep=rest, take=self.alpha, source=self.source or other(base))
