"""How many directions it takes: searches of several sizes on the same pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack

from ..errors import require
from ..jobs import Job
from ..sites import Site
from ..statistics.resampling import whole
from ..study import Study
from .methods import das_search, question_at
from .options import Options, asked
from .result import Sizes
from .searching import Searching


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

    Raises:
        MediationError: sizes that are none or not each once, and what ``das`` raises.

    Example:
        >>> curve = mw.alignment.sizes(study, site, ks=(1, 2))
        >>> mw.charts.alignment(curve)
    """
    return sizes_job(study, site, ks, **options).result(progress)


def sizes_job(
    study: Study, site: Site, ks: Sequence[int] = (1, 2, 4, 8), **options: Unpack[Options]
) -> Job[Sizes]:
    """``sizes``, not yet started; cancelled, it has the sizes that were begun.

    Arguments and errors as for ``sizes``.
    """
    given: object = ks
    require(
        isinstance(given, list | tuple | range)
        and all(whole(k, 1) for k in given)
        and 0 < len(set(given)) == len(given),
        "Sizes are numbers of directions.",
        value=ks,
        expected="different ints",
        fix="mw.alignment.sizes(study, site, (1, 2, 4, 8))",
    )
    how = asked(options, patience=50, starts=5)
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
