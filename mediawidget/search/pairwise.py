"""Which two sites do together what neither does alone: pairs by their interaction.

A site whose backup stands in for it shows no effect by itself, whatever the direction; the two
together do. Sites in a row interact as well, for what the first restores is there for the second;
they gain nothing over the larger single effect. Every pair of candidates is run, so their number
counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..circuit import Circuit
from ..coalitions import Interactions
from ..errors import MediationError, is_one_of, require
from ..games import interactions
from ..sites import Site
from ..statistics import mean_interval
from ..study import Study
from .node_selection import By, candidates
from .pair_splits import Numbers, Split, numbers_of, split
from .selection import Direction, refuse_no_direction

Array = NDArray[np.float64]
Rank = Literal["gain", "interaction", "joint", "INT"]

MOST = 400
"""Candidates of which all pairs are run: 80,200 sets on both bases."""

_SHOWN = ("gain", "INT", "interaction")
"""Columns of a table after the joint effect; low and high are the last one's interval."""

_GAME: dict[str, Literal["denoising", "noising"]] = {"restore": "denoising", "break": "noising"}


def pairs(  # noqa: PLR0913 - all but the first two are named
    study: Study,
    mediator: str | Sequence[str] | Sequence[Site] = "head",
    *,
    direction: Direction = "restore",
    by: By = None,
    select_on: Split = None,
    report_on: Sequence[int] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Pairs:
    """Run every two candidates together, and each alone, as one experiment.

    Args:
        study: its pairs and metric; sites are set to the pair's other prompt.
        mediator: the candidates: "head", "mlp_out" and so on, several of these, or sites.
        direction: "restore": sites are set in the corrupt run. "break": in the clean run, and what
            is lost counts.
        by: "position" or "role": a site is at one position at a time.
        select_on: the pairs of prompts that rank: their numbers, "half" of them at random, or all.
        report_on: those that figures are means over; default those that do not rank.
        seed: of the draw of "half".
        progress: whether to show a bar.

    Raises:
        MediationError: one candidate, or more than 400, and what ``study.sweep`` raises.

    Example:
        >>> found = mw.search.pairs(study)
        >>> found.top(1)[["first", "second"]].values.tolist()
        [['L3H0', 'L3H1']]
    """
    refuse_no_direction(direction, fix="mw.search.pairs(study, direction='break')")
    sites, _ = candidates(study, mediator, by)
    if not 2 <= len(sites) <= MOST:
        raise MediationError(
            "Pairs are made of some candidates, and every pair is run.",
            value=f"{len(sites)} candidates",
            expected=f"2 to {MOST}",
            fix="mw.search.pairs(study, sites) with the sites of a screen, such as top_k's",
        )
    ranking, reported = split(study, select_on, report_on, seed)
    game = interactions(study, sites, direction=_GAME[direction], order=2, progress=progress)
    return Pairs(game, direction, ranking, reported)


@dataclass(frozen=True, eq=False)
class Pairs:
    """What every two sites do together.

    Attributes:
        interactions: the game they were run as; ``mw.InteractionGrid`` draws it.
        direction: "restore" or "break".
        select_on: numbers of the pairs of prompts that rank.
        report_on: of those that figures are means over; the same where nothing was held out.
    """

    interactions: Interactions
    direction: Direction
    select_on: Numbers
    report_on: Numbers

    @property
    def unit(self) -> str:
        """Of all numbers: the metric's."""
        return self.interactions.unit

    @cached_property
    def per_pair(self) -> dict[str, Array]:
        """(pair of prompts, pair of sites) of each quantity, in the order of ``sites``.

        "first" and "second": each alone; "joint": both together; "interaction": that less the sum
        of the two; "INT": of both as one mediator, its TIE minus its PIE.
        """
        game, effect = self.interactions, self.interactions.effect
        where = {mask: at for at, mask in enumerate(effect.axes["set"])}
        values = effect.pairs("PIE" if self.direction == "restore" else "TIE")
        alone = values[:, [where[1 << i] for i in range(len(game.players))]]
        both = [where[game.mask(two)] for two in self._both]
        first, second = np.array(self._both).T
        return {
            "first": alone[:, first],
            "second": alone[:, second],
            "joint": values[:, both],
            "interaction": game.matrix_pairs[:, first, second],
            "INT": effect.pairs("INT")[:, both],
        }

    def means(self, by: str, some: Sequence[int] | None = None) -> Array:
        """(pair of sites,) a quantity of ``per_pair``, the mean over some pairs of prompts.

        "gain": the size of the joint effect less that of the larger single one, so of sites that
        do the same work, or work in a row, none.

        Args:
            by: which.
            some: numbers of pairs of prompts; default those that are reported on.

        Raises:
            MediationError: no such quantity, or no such pairs.
        """
        n = self.interactions.effect.n_pairs
        rows = list(self.report_on if some is None else numbers_of(some, n))
        mean = {name: values[rows].mean(axis=0) for name, values in self.per_pair.items()}
        alone = np.maximum(np.abs(mean["first"]), np.abs(mean["second"]))
        mean["gain"] = np.abs(mean["joint"]) - alone
        require(
            is_one_of(by, mean),
            "Pairs of sites are ranked by what they do together.",
            value=by,
            expected=" or ".join(map(repr, get_args(Rank))),
            fix="pairs.top(10, by='interaction')",
        )
        return np.asarray(mean[by])

    @cached_property
    def sites(self) -> tuple[tuple[Site, Site], ...]:
        """Every two of the candidates."""
        known = self.interactions.sites
        return tuple((known[i], known[j]) for i, j in self._both)

    def order(self, by: Rank = "gain") -> list[int]:
        """The pairs of sites from the largest down, by the pairs of prompts that rank.

        By "gain" as it is, by the others by size.

        Raises:
            MediationError: no such quantity.
        """
        size = self.means(by, self.select_on)
        size = size if by == "gain" else np.abs(size)
        return [int(i) for i in np.argsort(-np.nan_to_num(size), kind="stable")]

    def top(self, n: int = 10, by: Rank = "gain") -> pd.DataFrame:
        """The ``n`` strongest pairs of sites: alone, together, and what is more than the sum.

        Args:
            n: how many pairs.
            by: what they are ranked by, on the pairs of prompts that rank: "gain", or a quantity of
                ``per_pair`` whose size it is by.

        Returns:
            Rows of ``to_dataframe``.

        Raises:
            MediationError: an n that is no count, or no such quantity.
        """
        return self._table(self.order(by)[: _count(n)])

    def to_dataframe(self) -> pd.DataFrame:
        """A row per pair of sites, the largest gain first.

        ``interaction``, with its interval in ``low`` and ``high``, is what the two do together less
        the sum of each alone; ``INT`` is TIE - PIE of the two set together.
        """
        return self._table(self.order())

    def circuit(self, n: int = 1, by: Rank = "gain") -> Circuit:
        """The sites of the ``n`` strongest pairs, as a circuit of nodes.

        Args:
            n: how many pairs.
            by: as in ``top``.

        Raises:
            MediationError: an n that is no count, or no such quantity.
        """
        chosen = [site for at in self.order(by)[: _count(n)] for site in self.sites[at]]
        return Circuit(chosen, name="pairs", source=f"the {n} strongest pairs by {by}")

    def nodes(self, by: Rank = "gain") -> dict[Site, float]:
        """Per site what it does with the one with which it does most, as ``order`` ranks them.

        Raises:
            MediationError: no such quantity.
        """
        means = self.means(by, self.select_on)
        found = dict.fromkeys(self.interactions.sites, 0.0)
        for at in reversed(self.order(by)):
            for site in self.sites[at]:
                found[site] = float(means[at])
        return found

    @cached_property
    def _both(self) -> tuple[tuple[int, int], ...]:
        n = len(self.interactions.players)
        return tuple((i, j) for i in range(n) for j in range(i + 1, n))

    def _table(self, some: Sequence[int]) -> pd.DataFrame:
        game, rows = self.interactions, list(self.report_on)
        known = game.effect.clusters
        clusters = [known[i] for i in rows] if known else ()
        low, high = mean_interval(self.per_pair["interaction"][rows][:, some], clusters, 0.95)
        named = {
            "first": [game.labels[self._both[at][0]] for at in some],
            "second": [game.labels[self._both[at][1]] for at in some],
        }
        mean = {name: self.means(name)[some] for name in ("first", "second", "joint", *_SHOWN)}
        alone = {f"{name} alone": mean.pop(name) for name in ("first", "second")}
        return pd.DataFrame(named | alone | mean | {"low": low, "high": high})

    def __repr__(self) -> str:
        best = self.top(3)
        rows = zip(best["first"], best["second"], best["joint"], best["gain"], strict=True)
        said = "; ".join(f"{a} + {b} {joint:+.3f}, gain {gain:.3f}" for a, b, joint, gain in rows)
        return f"Pairs({len(self.sites)} of sites, {self.direction}; joint, {self.unit}: {said})"

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{escape(check.words)}</p>" for check in self.interactions.failed)
        table = self.top(10).to_html(float_format="{:+.3f}".format, index=False)
        return f"<p>{escape(self.interactions.title)}</p>{words}{table}"


def _count(n: object) -> int:
    require(
        isinstance(n, int) and not isinstance(n, bool) and n >= 0,
        "Pairs of sites are counted.",
        value=n,
        expected="an int from 0",
        fix="pairs.top(10)",
    )
    return int(n)  # type: ignore[call-overload, no-any-return]
