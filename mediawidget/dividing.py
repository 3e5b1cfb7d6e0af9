"""How the worth of all players of a game is divided among its sets and its players."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from . import subsets
from .effects import Effect
from .errors import MediationError
from .sites import Site
from .statistics import mean_interval

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Game = Literal["recomputed", "frozen"]
Direction = Literal["denoising", "noising"]

BYPASS = "bypass"
"""The player that stands for all that the input changes and no other player carries."""


class Division(ABC):
    """Dividends and Shapley values of a game whose sets were run."""

    players: tuple[tuple[Site, ...], ...]
    labels: tuple[str, ...]
    effect: Effect
    game: Game
    direction: Direction
    orders: NDArray[np.int64] | None

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether every set was run."""

    @abstractmethod
    def worth(self, players: Iterable[int | str]) -> Array:
        """(pair,) what a set gains over none, or loses in noising."""

    @property
    @abstractmethod
    def _cells(self) -> dict[int, int]:
        """Bitmask to where it is on the axis."""

    @abstractmethod
    def _scores(self, corner: str) -> Array:
        """(pair, set) of one corner."""

    @abstractmethod
    def _base(self, corner: str) -> Array:
        """(pair,) of the run in which nothing is set."""

    @property
    def names(self) -> tuple[str, ...]:
        """The players of the whole game: in a frozen one the bypass is the last."""
        return (*self.labels, BYPASS) if self.game == "frozen" else self.labels

    @cached_property
    def dividends_pairs(self) -> Array:
        """(2^players, pair) Moebius dividends by bitmask over ``names``; they sum to the whole.

        Raises:
            MediationError: not every set was run.
        """
        if not self.exact:
            raise MediationError(
                "Dividends need every set of players.",
                value=f"{len(self._cells)} of {2 ** len(self.players) - 1} sets were run",
                expected="all of them: up to 10 players",
                fix="mw.interactions(study, sites[:10])",
            )
        return subsets.dividends(self._game())

    def dividends(self, level: float = 0.95) -> pd.DataFrame:
        """A row per set: its players, how many, the mean dividend and its interval.

        Sets of all sizes; of one size they are ``table[table["size"] == 2]``.

        Args:
            level: coverage of the interval over pairs of prompts, between 0 and 1.

        Raises:
            MediationError: not every set was run, or a level that is none.
        """
        import pandas as pd

        found = self.dividends_pairs[1:]
        low, high = mean_interval(found.T, self.effect.clusters, level)
        sets = [subsets.members(mask) for mask in range(1, len(found) + 1)]
        table = pd.DataFrame(
            {
                "players": [" + ".join(self.names[i] for i in one) for one in sets],
                "size": [len(one) for one in sets],
                "dividend": found.mean(axis=1),
                "low": low,
                "high": high,
            }
        )
        return table.sort_values("dividend", key=np.abs, ascending=False, ignore_index=True)

    def shapley(self, level: float = 0.95) -> pd.DataFrame:
        """A row per player: Shapley value, interval over pairs, and error of the draw of orders.

        The error is 0 where all sets were run; else the standard error over the drawn orders.

        Args:
            level: coverage of the interval over pairs of prompts, between 0 and 1.

        Raises:
            MediationError: sets of up to two players alone were run, or a level that is none.
        """
        import pandas as pd

        shares, error = self._shapley_pairs()
        low, high = mean_interval(shares.T, self.effect.clusters, level)
        columns = {"shapley": shares.mean(axis=1), "low": low, "high": high, "error": error}
        return pd.DataFrame(columns, index=pd.Index(self.names[: len(shares)], name="player"))

    # --- inside ----------------------------------------------------------------------------------

    def _game(self) -> Array:
        """(2^names, pair) the worth of every set; the bypass is the highest bit."""
        return np.stack([self._worth_of(mask) for mask in range(1 << len(self.names))])

    def _worth_of(self, mask: int) -> Array:
        """(pair,) the worth of a set of ``names``."""
        if self.game == "recomputed":
            return self.worth(subsets.members(mask))
        everyone = (1 << len(self.names)) - 1
        if self.direction == "denoising":
            return self._value_of(mask) - self._value_of(0)
        return self._value_of(everyone) - self._value_of(everyone ^ mask)

    def _value_of(self, mask: int) -> Array:
        """(pair,) the metric with just a set of a frozen game's players clean."""
        everyone = (1 << len(self.players)) - 1
        own, bypass = mask & everyone, bool(mask & ~everyone)
        # With the bypass clean, the set's players are those that are not broken.
        cell, corner = (everyone ^ own, "Y10") if bypass else (own, "Y01")
        return self._scores(corner)[:, self._cells[cell]] if cell else self._base(corner)

    def _shapley_pairs(self) -> tuple[Array, Array]:
        """(player, pair) Shapley values and (player,) the error of sampling."""
        if self.exact:
            shares = subsets.shapley(self.dividends_pairs)
            return shares, np.zeros(len(shares))
        if self.orders is None:
            raise MediationError(
                "Shapley values need larger sets than these.",
                value=f"{len(self._cells)} sets of {len(self.players)} players",
                expected="all sets of up to 10 players, or a sample of orders",
                fix="mw.interactions(study, sites, samples=200)",
            )
        gains = np.empty((*self.orders.shape, self.effect.n_pairs))
        for draw, order in enumerate(self.orders):
            masks = [subsets.mask_of(order[:k].tolist()) for k in range(len(order) + 1)]
            worths = np.stack([self._worth_of(mask) for mask in masks])
            gains[draw, order] = np.diff(worths, axis=0)
        spread = gains.mean(axis=2).std(axis=0, ddof=1)
        return gains.mean(axis=0), spread / np.sqrt(len(gains))
