"""How many directions it takes: searches of several sizes on the same pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Unpack

import pandas as pd

from ..errors import require
from ..jobs import Job
from ..sites import Site
from ..study import Study
from .methods import das_search, question_at
from .options import Options, asked
from .result import Aligned
from .searching import Searching


@dataclass(frozen=True, eq=False)
class Sizes:
    """Alignments of one site, a size each, on the same pairs.

    Attributes:
        found: one a size, ascending.
    """

    found: tuple[Aligned, ...]

    def __getitem__(self, k: int) -> Aligned:
        """The alignment of k directions."""
        for one in self.found:
            if one.options["k"] == k:
                return one
        raise KeyError(k)

    @property
    def smallest(self) -> Aligned:
        """The smallest that is within a hundredth of the best, on the pairs that trained."""
        best = max(one.train_iia for one in self.found)
        return next(one for one in self.found if one.train_iia >= best - 0.01)

    def to_dataframe(self) -> pd.DataFrame:
        """A row per size, set of pairs and part: ``k`` and the columns of ``Aligned.scores``."""
        tables = [one.scores.assign(k=one.options["k"]) for one in self.found]
        table = pd.concat(tables, ignore_index=True)
        return table[["k", *(name for name in table.columns if name != "k")]]

    def __repr__(self) -> str:
        told = ", ".join(f"{one.k}: {one.iia:.3f}" for one in self.found)
        random = ", ".join(f"{one.score('random'):.3f}" for one in self.found)
        first = self.found[0]
        return (
            f"Sizes(DAS at {first.site.label()}, interchange accuracy by directions on "
            f"{len(first.report_on)} pairs: {told}; random {random}; whole "
            f"{first.score('whole'):.3f})"
        )

    def _repr_html_(self) -> str:
        table = self.to_dataframe()
        table = table[table["pairs"] == "held-out"].drop(columns="pairs")
        return (
            f"<p>{escape(repr(self))}</p>{table.to_html(float_format='{:.3f}'.format, index=False)}"
        )


def sizes(
    study: Study,
    site: Site,
    ks: Sequence[int] = (1, 2, 4, 8),
    *,
    progress: bool = True,
    **options: Unpack[Options],
) -> Sizes:
    """DAS of several sizes, on the same pairs.

    Args:
        study: pairs, as for ``das``.
        site: where.
        ks: how many directions, each once.
        progress: whether to show a bar.
        options: as for ``das``.

    Example:
        >>> curve = mw.alignment.sizes(study, mw.Site("residual", 3, position="END"))
        >>> mw.charts.alignment(curve)
    """
    return sizes_job(study, site, ks, **options).result(progress)


def sizes_job(
    study: Study, site: Site, ks: Sequence[int] = (1, 2, 4, 8), **options: Unpack[Options]
) -> Job[Sizes]:
    """The same, not yet started; cancelled, it has the sizes that were begun."""
    given: object = ks
    require(
        isinstance(given, list | tuple | range) and 0 < len(set(given)) == len(given),
        "Sizes are numbers of directions.",
        value=ks,
        expected="different ints",
        fix="mw.alignment.sizes(study, site, (1, 2, 4, 8))",
    )
    how = asked(options, patience=25, starts=3)
    question = question_at(study, site, how)
    searches = [das_search(study, site, k, how, question) for k in sorted(ks)]
    begun: list[Searching] = []

    def steps() -> Iterator[int]:
        for search in searches:
            begun.append(search)
            yield from search.steps()

    def finish() -> Sizes:
        return Sizes(tuple(search.result() for search in begun or searches[:1]))

    return Job(steps(), sum(search.total for search in searches), finish)
