"""What a supervised search came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, get_args

import pandas as pd

from ..edits import Subspace
from ..errors import require
from ..sites import Site
from ..statistics.resampling import whole
from .names import Ended, Method, Over, Pairs, Part

Numbers = tuple[int, ...]

_WORDS = {"das": "DAS", "boundless": "boundless DAS", "neurons": "a mask over neurons"}


@dataclass(frozen=True, eq=False)
class Aligned:
    """The part of a site that was found to carry a variable, and what real runs say of it.

    Attributes:
        method: "das", "boundless" or "neurons".
        site: where.
        label: the name of the site for people.
        subspace: what was found.
        scores: a row per set of pairs ("train", "held-out") and part, from real runs: ``n``,
            ``iia`` (the likeliest of all classes is the answer), ``iia_alternatives`` (the answer
            is above the wrong answer; chance is 0.5) and ``share`` (of TE, ratio of means). Parts
            are "learned", and as comparisons of its size "principal" (where source and base differ
            most on the training pairs) and "random" (the mean of five); and "mean difference" (one
            direction), "nothing" and "whole" (all of the site's value).
        losses: a row per epoch: ``start``, ``epoch``, ``loss`` and ``iia`` of the pairs that
            train, while they did, ``stop_loss`` and ``stop_iia`` of those that ended it, ``size``.
        over: what the label was chosen among in training, which ``iia`` is of.
        ended: "all epochs", "no more gain" or "cancelled": the start that was taken.
        train_on: numbers of the pairs that trained.
        stop_on: of those that ended the training; none where there are too few to hold any back.
        report_on: of those that are reported on; where there are too few, those that trained.
        seed: of the starts, the batches and the split.
        seconds: of training.
        options: what else it was asked with.
        coordinates: of a mask, the numbers of the site's value that are inside.
        boundary: of boundless DAS, how many directions the boundary lies behind, before rounding.
        soft_iia: IIA on the reported pairs with the map as soft as it was at the end.
    """

    method: Method
    site: Site
    label: str
    subspace: Subspace
    scores: pd.DataFrame
    losses: pd.DataFrame
    over: Over
    ended: Ended
    train_on: Numbers
    stop_on: Numbers
    report_on: Numbers
    seed: int
    seconds: float
    options: Mapping[str, Any] = field(default_factory=dict)
    coordinates: Numbers = ()
    boundary: float | None = None
    soft_iia: float | None = None

    @property
    def k(self) -> int:
        """How many directions it has."""
        return self.subspace.k

    @property
    def held_out(self) -> bool:
        """Whether what is reported is of pairs that trained nothing and stopped nothing."""
        return not {*self.train_on, *self.stop_on} & {*self.report_on}

    @property
    def iia(self) -> float:
        """Interchange accuracy on the reported pairs."""
        return self.score("learned")

    @property
    def train_iia(self) -> float:
        """The same on the pairs that trained."""
        return self.score("learned", "train")

    @property
    def share(self) -> float:
        """Of the total effect on the reported pairs; NaN where the pairs' totals cancel."""
        row = self.scores[(self.scores.part == "learned") & (self.scores.pairs == "held-out")]
        return float(row["share"].iloc[0])

    def score(self, part: str, pairs: str = "held-out") -> float:
        """The accuracy of one part: ``score("random")``.

        Args:
            part: "learned", "principal", "random", "mean difference", "nothing" or "whole".
            pairs: "held-out" or "train".

        Returns:
            ``iia`` of ``scores``, or ``iia_alternatives`` if it was trained on the two
            alternatives; NaN for what was not run.

        Raises:
            MediationError: no such part or pairs.
        """
        given: tuple[object, ...] = (part, pairs)
        require(
            all(isinstance(name, str) for name in given)
            and part in get_args(Part)
            and pairs in get_args(Pairs),
            "There is no such score.",
            value=given,
            expected=f"one of {', '.join(get_args(Part))}; {' or '.join(get_args(Pairs))}",
            fix="found.score('whole', 'held-out')",
        )
        row = self.scores[(self.scores.part == part) & (self.scores.pairs == pairs)]
        name = "iia" if self.over == "vocabulary" else "iia_alternatives"
        return float(row[name].iloc[0]) if len(row) else float("nan")

    def to_dataframe(self) -> pd.DataFrame:
        """``scores``: a row per set of pairs and part."""
        return self.scores.copy()

    def __repr__(self) -> str:
        where = "held-out pairs" if self.held_out else "pairs, some of which trained"
        few = 0 < len(self.coordinates) <= 8
        kept = f" ({', '.join(map(str, self.coordinates))})" if few else ""
        soft = f", soft {self.soft_iia:.3f}" if self.soft_iia is not None else ""
        return (
            f"Aligned({_WORDS[self.method]} at {self.label}: {self.k} of "
            f"{self.subspace.width} directions{kept}; interchange accuracy {self.iia:.3f}{soft} on "
            f"{len(self.report_on)} {where}, {self.train_iia:.3f} in training, random "
            f"{self.score('random'):.3f}, whole {self.score('whole'):.3f}; {self.seconds:.1f} s)"
        )

    def _repr_html_(self) -> str:
        table = self.scores.to_html(float_format="{:.3f}".format, index=False)
        return f"<p>{escape(repr(self))}</p>{table}"


@dataclass(frozen=True, eq=False)
class Sizes:
    """Alignments of one site, a size each, on the same pairs.

    ``sizes[4]`` is the alignment of four directions.

    Attributes:
        found: one a size, ascending.
    """

    found: tuple[Aligned, ...]

    def __getitem__(self, k: int) -> Aligned:
        """The alignment of k directions.

        Raises:
            MediationError: none of so many was searched for.
        """
        searched = [one.options["k"] for one in self.found]
        require(
            whole(k, 1) and k in searched,
            "No alignment of so many directions was searched for.",
            value=k,
            expected=f"one of {', '.join(map(str, searched))}",
            fix="mw.alignment.sizes(study, site, (1, 2, 4)) names the sizes it searches for",
        )
        return self.found[searched.index(k)]

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
            f"Sizes(DAS at {first.label}, interchange accuracy by directions on "
            f"{len(first.report_on)} pairs: {told}; random {random}; whole "
            f"{first.score('whole'):.3f})"
        )

    def _repr_html_(self) -> str:
        table = self.to_dataframe()
        table = table[table["pairs"] == "held-out"].drop(columns="pairs")
        return (
            f"<p>{escape(repr(self))}</p>{table.to_html(float_format='{:.3f}'.format, index=False)}"
        )
