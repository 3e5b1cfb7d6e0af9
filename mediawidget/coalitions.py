"""What sets of sites do together beyond what they do one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import subsets
from .dividing import BYPASS, Direction, Division, Game
from .effects import Effect
from .errors import MediationError, is_one_of, require
from .metrics import Metric
from .sites import Site
from .statistics import mean_interval
from .validity import PREMISES, Check

if TYPE_CHECKING:
    import pandas as pd

    from .study import Study

Array = NDArray[np.float64]
Player = tuple[Site, ...]

_DEEDS = {
    ("denoising", True): "Restoring sites in the corrupt run",
    ("noising", True): "Breaking sites in the clean run",
    ("denoising", False): "Setting sites in the corrupt run",
    ("noising", False): "Setting sites in the clean run",
}
_FOLLOWS = {"recomputed": "recomputed", "frozen": "held, so what sites pass to each other is lost"}


@dataclass(frozen=True, eq=False)
class Interactions(Division):
    """A game of sites: what every set of them that was run is worth.

    The worth of a set, per pair and in the metric's unit, is what it gains over the empty set:
    Y(0, do S = clean) - Y00 in the direction "denoising", Y11 - Y(1, do S = corrupt), the loss,
    in "noising". In a recomputed game all that follows an edit is computed anew, and the worth of
    all players together is their joint PIE (TIE in noising). In a frozen game the players outside
    the set are held at their base, everything else the input changes is one more player, the
    bypass, and all players together are worth TE. The two answer different questions, so one
    object is one game in one direction.

    Attributes:
        study: whose pairs were run.
        players: what each player sets, a site or several.
        labels: their names.
        effect: both directions of every set that was run, on an axis ``set`` of bitmasks.
        game: "recomputed" or "frozen".
        direction: "denoising" or "noising".
        orders: (permutation, player) orders that were drawn, where too many players were asked
            for to run all sets.
    """

    study: Study
    players: tuple[Player, ...]
    labels: tuple[str, ...]
    effect: Effect
    game: Game
    direction: Direction
    orders: NDArray[np.int64] | None = None

    # --- what it is -------------------------------------------------------------------------

    @property
    def sites(self) -> tuple[Site, ...]:
        """The first site of every player."""
        return tuple(player[0] for player in self.players)

    @property
    def unit(self) -> str:
        """The unit of all numbers: the metric's."""
        return self.effect.metric.unit

    @property
    def exact(self) -> bool:
        """Whether every set was run, so that there are dividends."""
        return len(self._cells) == (1 << len(self.players)) - 1

    @property
    def title(self) -> str:
        """Which game in which direction, in one sentence."""
        deed = _DEEDS[(self.direction, self.effect.edit.corners)]
        others = "the other players" if self.game == "frozen" else "what follows"
        return f"{deed}, {others} {_FOLLOWS[self.game]}: together minus the sum ({self.unit})."

    @property
    def failed(self) -> list[Check]:
        """What shows that the numbers are not to be trusted: there are none then."""
        premises = (*PREMISES, "precision")
        checks = self.effect.checks
        return [one for one in checks if one.ok is False and one.name not in premises]

    # --- worth -------------------------------------------------------------------------------

    def values(self, players: Iterable[int | str]) -> Array:
        """(pair,) the metric with a set of players set: Y(0, do S) or, in noising, Y(1, do S).

        Args:
            players: indices or labels; none of them is the base run.

        Raises:
            MediationError: an unknown player, or a set that was not run.
        """
        own = self.mask(players)
        corner = "Y01" if self.direction == "denoising" else "Y10"
        if own == 0:
            return self._base(corner)
        if own not in self._cells:
            raise MediationError(
                "This set of players was not run.",
                value=" + ".join(self.labels[i] for i in subsets.members(own)),
                expected=f"one of the {len(self._cells)} sets of interactions.effect.labels",
                fix="mw.interactions(study, sites) runs all sets of up to 10 players",
            )
        return self._scores(corner)[:, self._cells[own]]

    def worth(self, players: Iterable[int | str]) -> Array:
        """(pair,) what a set gains over none, or loses in noising.

        Raises:
            MediationError: what ``values`` raises.
        """
        sign = 1.0 if self.direction == "denoising" else -1.0
        return sign * (self.values(players) - self.values(()))

    def group(self, players: Iterable[int | str]) -> Effect:
        """A set as an effect without axes: its PIE, TIE and INT = TIE - PIE.

        This INT is of the set as one mediator and the rest of the network, ``matrix`` that of its
        players with each other.

        Raises:
            MediationError: what ``values`` raises.
        """
        own = self.mask(players)
        self.values(players)
        return self.effect.cell(own)

    def mask(self, players: Iterable[int | str]) -> int:
        """A set of players, by index or label, as a bitmask.

        Raises:
            MediationError: an unknown player.
        """
        given: Any = players
        several = isinstance(given, Iterable) and not isinstance(given, str)
        alone = not several or getattr(given, "ndim", 1) == 0
        return subsets.mask_of(self._index(player) for player in ((given,) if alone else given))

    # --- pairs of players ----------------------------------------------------------------------

    @cached_property
    def matrix_pairs(self) -> Array:
        """(pair, n, n): worth(ij) - worth(i) - worth(j); NaN on the diagonal and where not run."""
        n = len(self.players)
        found = np.full((self.effect.n_pairs, n, n), np.nan)
        for i, j in combinations(range(n), 2):
            if all(subsets.mask_of(s) in self._cells for s in ((i,), (j,), (i, j))):
                joint = self.worth((i, j)) - self.worth((i,)) - self.worth((j,))
                found[:, i, j] = found[:, j, i] = joint
        return found

    @property
    def matrix(self) -> Array:
        """(n, n) the mean over pairs of ``matrix_pairs``."""
        return np.asarray(self.matrix_pairs.mean(axis=0))

    def matrix_ci(self, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Array:
        """(2, n, n) its interval; NaN with fewer than three pairs.

        Args:
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Raises:
            MediationError: a level that is not between 0 and 1, or resamples or a seed that are no
                counts.
        """
        return mean_interval(self.matrix_pairs, self.effect.clusters, level, resamples, seed)

    def to_dataframe(self) -> pd.DataFrame:
        """A row per pair of players: each alone, together, and interaction, the largest first.

        ``interaction`` is together less the sum of each alone, in this game's direction, as in
        ``matrix``, and has that name in ``mw.search.pairs``; ``INT`` is the same number under its
        older name. It is not the INT of an effect, TIE - PIE of a site or a set, which is
        ``group(players)["INT"]``.
        """
        import pandas as pd

        matrix, alone = self.matrix, [self.worth((i,)).mean() for i in range(len(self.players))]
        rows = [
            {
                "a": self.labels[i],
                "b": self.labels[j],
                "a alone": alone[i],
                "b alone": alone[j],
                "together": self.worth((i, j)).mean(),
                "interaction": matrix[i, j],
                "INT": matrix[i, j],
            }
            for i, j in combinations(range(len(self.players)), 2)
            if np.isfinite(matrix[i, j])
        ]
        names = ["a", "b", "a alone", "b alone", "together", "interaction", "INT"]
        table = pd.DataFrame(rows, columns=names)
        return table.sort_values("interaction", key=np.abs, ascending=False, ignore_index=True)

    # --- another metric, and words ----------------------------------------------------------------

    def rescore(self, metric: Metric) -> Interactions:
        """The same runs read by another metric. Runs no model."""
        return replace(self, effect=self.effect.rescore(metric))

    def __repr__(self) -> str:
        n, run = len(self.players), len(self._cells)
        failed = "; a check failed" if self.failed else ""
        game = f"{self.game}, {self.direction}"
        return f"Interactions({n} players, {run} sets, {game}; {self.unit}{failed})"

    def _repr_html_(self) -> str:
        best = self.to_dataframe().head(10).drop(columns="INT")
        table = best.to_html(float_format="{:+.3f}".format, index=False)
        words = "".join(f"<p>{escape(one.words)}</p>" for one in self.failed)
        return f"<p>{escape(self.title)}</p>{words}{table}"

    # --- inside ----------------------------------------------------------------------------------

    @cached_property
    def _cells(self) -> dict[int, int]:
        """Bitmask to where it is on the axis."""
        return {int(mask): at for at, mask in enumerate(self.effect.axes["set"])}

    @cached_property
    def _read(self) -> dict[str, Array]:
        return {}

    def _scores(self, corner: str) -> Array:
        """(pair, set) of one corner, read once."""
        if corner not in self._read:
            self._read[corner] = self.effect.scores(self.effect.edited[:, int(corner == "Y01")])
        return self._read[corner]

    def _base(self, corner: str) -> Array:
        """(pair,) of the run in which nothing is set."""
        return self.effect.scores(self.effect.bases[:, int(corner == "Y01")])

    def _index(self, player: int | str) -> int:
        known = is_one_of(player, self.labels)
        count = isinstance(player, int) and not isinstance(player, bool)
        require(
            known or (count and 0 <= int(player) < len(self.players)),
            "There is no such player.",
            value=player,
            expected=f"0 to {len(self.players) - 1}, or one of {', '.join(self.labels)}",
            fix="interactions.worth([0, 1])",
        )
        return self.labels.index(player) if isinstance(player, str) else player


__all__ = ["BYPASS", "Direction", "Game", "Interactions", "Player"]
