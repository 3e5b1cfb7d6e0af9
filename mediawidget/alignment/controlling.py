"""What a search finds where there is nothing to find: the controls of an alignment.

Accuracy alone says little: a map that is expressive enough reaches it on arbitrary labels, or in a
network of random weights. So the same search is run on both, and held against pairs it never saw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from typing import Unpack

import numpy as np
import pandas as pd

from ..jobs import Job
from ..sites import Site
from ..study import Study
from .methods import das_search, question_at
from .options import Asked, Options, asked
from .result import Aligned
from .searching import Searching


@dataclass(frozen=True, eq=False)
class Controls:
    """An alignment beside the same search where there is nothing to find.

    Attributes:
        found: the alignment.
        arbitrary: (training, held-out) accuracy of the search when each pair's label is, at
            random, the answer or the wrong answer; of these labels, so that 0.5 is chance among the
            two.
        random_network: the same search in a network of random weights; None if it was not asked
            for, or not come to.
    """

    found: Aligned
    arbitrary: tuple[float, float]
    random_network: Aligned | None

    def to_dataframe(self) -> pd.DataFrame:
        """A row per control: ``control``, ``k``, ``train`` and ``held_out`` accuracy.

        ``held_out`` is of the pairs that are reported on; ``found.held_out`` says whether none of
        them trained.
        """
        one = self.found
        rows = [
            (name, k, one.score(part, "train"), one.score(part))
            for name, part, k in (
                ("learned", "learned", one.k),
                ("random subspace", "random", one.k),
                ("principal directions", "principal", one.k),
                ("whole value", "whole", one.subspace.width),
                ("nothing", "nothing", 0),
            )
        ]
        rows.append(("arbitrary labels", one.k, *self.arbitrary))
        if self.random_network is not None:
            other = self.random_network
            rows.append(("random network", other.k, other.train_iia, other.iia))
            nothing = (other.score("nothing", "train"), other.score("nothing"))
            rows.append(("random network, nothing", 0, *nothing))
        return pd.DataFrame(rows, columns=["control", "k", "train", "held_out"])

    def __repr__(self) -> str:
        one, table = self.found, self.to_dataframe()
        level = dict(zip(table["control"], table["held_out"].astype(float), strict=True))
        told = ", ".join(
            f"{name} {level[name]:.3f}"
            for name in ("random subspace", "arbitrary labels", "random network", "nothing")
            if name in level
        )
        where = "held-out pairs" if one.held_out else "pairs, some of which trained"
        return (
            f"Controls(DAS at {one.label}, k={one.k}: interchange accuracy {one.iia:.3f} on "
            f"{len(one.report_on)} {where}; {told})"
        )

    def _repr_html_(self) -> str:
        table = self.to_dataframe().to_html(float_format="{:.3f}".format, index=False)
        return f"<p>{escape(repr(self))}</p>{table}"


def controls(
    study: Study,
    site: Site,
    k: int = 1,
    *,
    twin: Study | None = None,
    progress: bool = True,
    **options: Unpack[Options],
) -> Controls:
    """DAS, and DAS on arbitrary labels and, where there is one, in a network of random weights.

    On arbitrary labels it trains for as many epochs as the real search did, without stopping
    early.

    Args:
        study: pairs, as for ``das``.
        site: where.
        k: how many directions.
        twin: a study of the same pairs on a network of random weights, such as
            ``mw.Study(mw.abstraction.random_weights(lm), study.contrast)``.
        progress: whether to show a bar.
        options: as for ``das``.

    Raises:
        MediationError: what ``das`` raises.

    Source: Hewitt and Liang 2019, for arbitrary labels as a control.

    Example:
        >>> mw.alignment.controls(study, site, k=4, over="alternatives").to_dataframe()
    """
    return controls_job(study, site, k, twin=twin, **options).result(progress)


def controls_job(
    study: Study,
    site: Site,
    k: int = 1,
    *,
    twin: Study | None = None,
    **options: Unpack[Options],
) -> Job[Controls]:
    """``controls``, not yet started; cancelled, it has what was come to.

    Arguments and errors as for ``controls``.
    """
    how = asked(options, patience=50, starts=5)
    question = question_at(study, site, how)
    real = das_search(study, site, k, how, question)
    false = das_search(study, site, k, how, question.arbitrary(how.schedule.seed))
    other = None if twin is None else das_search(twin, site, k, how)
    begun: list[Searching] = []

    def steps() -> Iterator[int]:
        for search in (real, false, other):
            if search is None:
                continue
            if search is false:
                search.how = as_long(how, real)
            begun.append(search)
            yield from search.steps()

    def finish() -> Controls:
        arbitrary = (np.nan, np.nan)
        if false in begun:
            trained = false.best()
            arbitrary = trained.measure(false.pairs[0])[1], trained.measure(false.pairs[2])[1]
        return Controls(
            real.result(), arbitrary, other.result() if other and other in begun else None
        )

    total = sum(search.total for search in (real, false, other) if search is not None)
    return Job(steps(), total, finish)


def as_long(how: Asked, real: Searching) -> Asked:
    """One start of as many epochs as the longest of a search had."""
    epochs = max((len(one.history) for one in real.trained), default=1)
    return replace(how, starts=1, schedule=replace(how.schedule, epochs=epochs, patience=None))
