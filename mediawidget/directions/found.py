"""A direction, or several that span a subspace, and how they came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..edits import Edit, Steer, Subspace, Within
from ..sites import Site

Array = NDArray[np.float64]

NOTHING = 1e-6
"""A length below this share of the activations' own is rounding."""


@dataclass(frozen=True, eq=False)
class Direction:
    """A subspace of a site's space, of one dimension or more.

    Attributes:
        site: where.
        label: the site's name on these prompts.
        subspace: the directions, orthonormal.
        made: how, in words.
        n_pairs: on how many pairs; 0 where no pair had a part in it.
        shift: (width,) the mean of clean - corrupt, over these pairs, as far as it lies in the
            subspace.
        norm: the mean length of the site's value on the clean prompts.
        accuracy: of a probe, the share of held-out prompts that it tells right.
        chance: what always saying the commonest label comes to.
    """

    site: Site
    label: str
    subspace: Subspace
    made: str
    n_pairs: int
    shift: Array
    norm: float
    accuracy: float | None = None
    chance: float | None = None

    @property
    def k(self) -> int:
        """How many dimensions it has."""
        return self.subspace.k

    @property
    def gap(self) -> float:
        """How far apart the clean and the corrupt mean are in it, in the activation's unit."""
        return float(np.linalg.norm(self.shift))

    @property
    def unit(self) -> Array:
        """(width,) of length 1: from the corrupt mean to the clean one, in the subspace.

        The first direction of the basis where the two means do not differ in it.
        """
        apart = self.gap > NOTHING * self.norm
        return self.shift / self.gap if apart else self.subspace.basis[0]

    def within(self, edit: Edit | None = None) -> Within:
        """The edit inside the subspace; default, the value on the pair's other prompt.

        Example:
            >>> found = mw.directions.difference_of_means(study, site)
            >>> study.intervene({found.site: found.within(mw.Zero())})
        """
        return Within(self.subspace, edit)

    def steer(self, length: float) -> Within:
        """Move the site by ``length`` along ``unit``: ``found.gap`` is from one mean to the other.

        Args:
            length: in the activation's unit, to be held against ``gap`` and ``norm``; negative
                goes from clean to corrupt.

        Source: activation addition (Turner et al. 2023).
        """
        return Within(self.subspace, Steer(self.unit, length))

    def to_dataframe(self) -> pd.DataFrame:
        """One row: what is to be reported of it."""
        row: dict[str, Any] = {"site": self.label, "made": self.made, "k": self.k}
        row |= {"width": self.subspace.width, "n": self.n_pairs, "gap": self.gap}
        row |= {"norm": self.norm, "accuracy": self.accuracy, "chance": self.chance}
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        on = f" on {self.n_pairs} pairs" if self.n_pairs else ""
        told = ""
        if self.accuracy is not None:
            told = f"; {_told(self.accuracy)}, chance {self.chance:.0%}"
        return (
            f"Direction({self.label}: {self.k} of {self.subspace.width} dimensions by "
            f"{self.made}{on}; the mean of clean - corrupt is {self.gap:.3g} long in it, "
            f"activations {self.norm:.3g}{told})"
        )


def _told(accuracy: float) -> str:
    if np.isnan(accuracy):
        return "no prompts could be held out to test it"
    return f"tells {accuracy:.0%} of held-out prompts"
