"""A direction as a part that is read and a part that is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..edits import Subspace
from ..errors import require
from ..sites import Site
from ..study import Study
from .found import Array, Direction
from .row_spaces import RowSpace, row_space
from .samples import samples

_NONE = 1e-5
"""Of a direction's length, below which it has no such part."""


@dataclass(frozen=True, eq=False)
class Split:
    """A direction and its parts.

    Attributes:
        whole: the direction.
        row: the span of what of it lies in the row space; None for nothing.
        null: the span of the rest, which is not read; None for nothing.
        inside: the share of the directions' squared length that lies in the row space, 0 to 1.
        reads: the row space.
    """

    whole: Direction
    row: Direction | None
    null: Direction | None
    inside: float
    reads: RowSpace

    @property
    def parts(self) -> dict[str, Direction]:
        """``whole``, and of ``row space`` and ``null`` what there is."""
        named = {"whole": self.whole, "row space": self.row, "null": self.null}
        return {name: one for name, one in named.items() if one is not None}

    def __repr__(self) -> str:
        return f"Split({self.inside:.0%} of {self.whole!r} in {self.reads!r})"


def split(study: Study, found: Direction, reads: RowSpace | None = None) -> Split:
    """Split a direction into what the network reads of it and what it does not.

    Each direction v of the basis is P v + (1 - P) v, P the projection onto the row space of what
    reads the site; the parts are the spans of these, and a patch of a part is one of its own
    subspace, not the part of the patch.

    Args:
        study: whose prompts say how far apart the means are in each part.
        found: the direction.
        reads: the row space; default, ``row_space(study, found.site)``.

    Raises:
        MediationError: what ``row_space`` raises; the row space of another site.

    Source: Makelov, Lange and Nanda 2023.
    """
    refuse_no_direction(found)
    reads = row_space(study, found.site) if reads is None else reads
    given: object = reads
    require(
        isinstance(given, RowSpace) and _everywhere(reads.site) == _everywhere(found.site),
        "A direction is split by what reads its own site.",
        value=reads,
        expected=f"the row space of {found.site.label()}",
        fix="mw.directions.split(study, found)",
    )
    here = samples(study, found.site)
    inside, rest = reads.parts(found.subspace.basis)

    def part(rows: Array, name: str) -> Direction | None:
        if np.linalg.norm(rows, axis=1).max() <= _NONE:
            return None
        made = f"the {name} part of {found.made}"
        return here.direction(_spanned(rows), made, found.n_pairs)

    share = float((inside**2).sum() / found.k)
    return Split(found, part(inside, "row-space"), part(rest, "null"), share, reads)


def refuse_no_direction(found: object) -> None:
    """Raise where something else stands for a direction."""
    require(
        isinstance(found, Direction),
        "This is asked of a direction.",
        value=found,
        expected="a Direction",
        fix="found = mw.directions.difference_of_means(study, site)",
    )


def _everywhere(site: Site) -> Site:
    return replace(site, position=None)


def _spanned(rows: Array) -> Subspace:
    """The span of rows, of which what is rounding beside a direction of length 1 is left out."""
    _, sizes, right = np.linalg.svd(rows, full_matrices=False)
    return Subspace(right[sizes > _NONE])
