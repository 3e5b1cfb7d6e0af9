"""InteractionGrid: what pairs of sites do together beyond the sum of the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets as t

from ..coalitions import Interactions
from ..edits import Edit, Patch
from ..effects import Status
from ..errors import MediationError, require
from ..games import interactions
from ..pictures import colours, grid_html
from ..sites import Site
from ._base import View
from ._desk import Desk
from ._goals import edit_payload
from ._page import front_end
from ._parts import Request, Written
from .payload import with_failures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..history import Intervention
    from ..study import Study

DIRECTIONS = {"restore": "denoising", "break": "noising"}
STRONGEST = 12
"""Heads that a study is asked for where no players are named."""


class PairDesk(Desk):
    """Takes clicks on pairs of players: the joint run of their sites."""

    _view: InteractionGrid

    def _intervene(self, request: Request) -> None:
        self._same_question(request)
        self._view.run_players([self._player(cell) for cell in request.get("cells") or ()])

    def _player(self, cell: object) -> int:
        index = cell.get("index") if isinstance(cell, Mapping) else None
        n = len(self._view.interactions.players)
        if not isinstance(index, int) or not 0 <= index < n:
            raise MediationError(
                "The page sent a pair of players that there is not.",
                value=repr(cell)[:200],
                expected=f"{{panel, index}} with an index from 0 to {n - 1}",
                fix="run the cell again",
            )
        return index


class InteractionGrid(View):
    """Sites by sites: together minus the sum, for restoring and for breaking.

    A click on a pair runs the two together, so linked views show it.

    Args:
        given: a game from ``mw.interactions``, or a study whose pairs of players are run first.
        players: of a study; default its 12 strongest heads.
        direction: "restore" or "break", default the game's own; both were run.
        options: of ``mw.interactions`` for a study: ``game``, ``edit``.

    Example:
        >>> heads = [mw.Site("head", 3, head=head) for head in range(4)]
        >>> mw.InteractionGrid(mw.interactions(study, heads, order=2))
    """

    _esm, _css = front_end("interaction_grid")
    PANELS: ClassVar[tuple[str, ...]] = ()
    DESK: ClassVar[type[Desk]] = PairDesk

    game = Written().tag(sync=True)
    direction = t.Enum(list(DIRECTIONS), "restore").tag(sync=True)

    def __init__(
        self,
        given: Interactions | Study,
        players: Sequence[Site | Sequence[Site]] | None = None,
        *,
        direction: str | None = None,
        **options: Any,
    ) -> None:
        self.interactions = _as_interactions(given, players, options)
        self._sent: dict[str, Any] = {}
        own = {name: verb for verb, name in DIRECTIONS.items()}[self.interactions.direction]
        super().__init__(self.interactions.study, direction=direction or own)

    def run_players(self, players: Sequence[int]) -> None:
        """Set these players together, as the game does, and let every view show it.

        Raises:
            MediationError: no players, or the study has other prompts, another metric or other
                weights by now than the game.
        """
        game, chosen = self.interactions, list(dict.fromkeys(players))
        require(
            bool(chosen) and not self.stale,
            "This pair cannot be run.",
            value="an older game" if self.stale else "no players",
            expected="players, and the prompts, metric and weights that the game was run on",
            fix="mw.InteractionGrid(mw.interactions(study, sites))",
        )
        others = [i for i in range(len(game.players)) if i not in chosen]
        held = tuple(site for i in others for site in game.players[i])
        self.study.intervene(self._edits(chosen), freeze=held if game.game == "frozen" else ())

    @property
    def stale(self) -> bool:
        """Whether the study's prompts, metric or weights are no longer those of the game."""
        mine, now = self.interactions.effect, self.study.known_total
        if mine.metric != self.study.metric:
            return True
        if mine.bases.shape != now.bases.shape or mine.columns != now.columns:
            return True
        # One run's rounding is not another's.
        return not np.allclose(mine.bases, now.bases, rtol=1e-3, atol=1e-3)

    # --- inside ------------------------------------------------------------------------------

    def _edits(self, players: Sequence[int]) -> dict[Site, Edit]:
        game = self.interactions
        return {site: game.effect.edit for i in players for site in game.players[i]}

    def _refresh_view(self) -> None:
        super()._refresh_view()
        if not self._sent:
            self._sent = game_payload(self.interactions)
        self.write("game", {**self._sent, "stale": self.stale})

    def told_beside(self, entry: Intervention) -> dict[str, Any]:
        return {"players": self._players_of(entry.edits)}

    def _players_of(self, edits: Mapping[Site, Edit]) -> list[int]:
        """The players whose sites these are; none where it is another set or another edit."""
        players = [i for i, own in enumerate(self.interactions.players) if set(own) & set(edits)]
        return players if edits == self._edits(players) else []

    def _html(self) -> str:
        game = _turned(self.interactions, self.direction)
        matrix = game.matrix
        status = np.where(np.isfinite(matrix), Status.EXACT, Status.NOT_RUN).astype(np.uint8)
        labels = list(game.labels)
        total = float(game.effect["TE"].flat[0])
        grid = grid_html(matrix, status, labels, labels, total)
        return f"<p>{escape(game.title)}</p>{grid}<p>{escape(colours([Patch()]))}</p>"


def game_payload(game: Interactions) -> dict[str, Any]:
    """What the page reads: labels, words, and per direction the worth of players and pairs."""
    edit = game.effect.edit
    return {
        "labels": list(game.labels),
        "unit": game.unit,
        "metric": game.effect.metric.name,
        "game": game.game,
        "edit": edit_payload([edit]),
        "n": game.effect.n_pairs,
        "sides": {verb: _side(_turned(game, verb)) for verb in DIRECTIONS},
    }


def _turned(game: Interactions, verb: str) -> Interactions:
    """The same runs in the other direction: every set was run on both prompts."""
    direction: Any = DIRECTIONS[verb]
    return replace(game, direction=direction)


def _side(game: Interactions) -> dict[str, Any]:
    """Means over pairs, float32 bytes, NaN where not run."""
    n, matrix = len(game.players), game.matrix
    alone = np.array([game.worth((i,)).mean() for i in range(n)])
    joint = np.full((n, n), np.nan)
    for i, j in np.argwhere(np.triu(np.isfinite(matrix))).tolist():
        joint[i, j] = joint[j, i] = game.worth((i, j)).mean()
    low, high = game.matrix_ci()
    return {
        "title": with_failures(game.title, game.failed),
        "base": float(game.values(()).mean()),
        "alone": _bytes(alone),
        "joint": _bytes(joint),
        "low": _bytes(low),
        "high": _bytes(high),
    }


def _bytes(numbers: NDArray[np.float64]) -> bytes:
    return numbers.astype("<f4").tobytes()


def _as_interactions(
    given: object, players: Sequence[Site | Sequence[Site]] | None, options: dict[str, Any]
) -> Interactions:
    from ..networks import refuse_network
    from ..study import Study

    if isinstance(given, Interactions):
        return given
    require(
        isinstance(given, Study),
        "InteractionGrid shows a game of sites.",
        value=given,
        expected="mw.interactions(study, sites), or a study",
        fix="InteractionGrid(mw.interactions(study, sites))",
    )
    assert isinstance(given, Study)
    refuse_network(given.lm, "The view InteractionGrid")
    chosen = _strongest_heads(given) if players is None else players
    return interactions(given, chosen, order=2, progress=False, **options)


def _strongest_heads(study: Study) -> list[Site]:
    """Those of the largest effect in either direction, in the order of layers."""
    effect = study.grids.get("head") or study.sweep("head", progress=False)
    keys = ("PIE", "TIE") if effect.edit.corners else ("corrupt", "clean")
    size = np.nan_to_num(np.maximum(*(np.abs(effect[key]) for key in keys)))
    best = np.sort(np.argsort(-size.reshape(-1), kind="stable")[:STRONGEST])
    places = [np.unravel_index(index, size.shape) for index in best]
    return [Site("head", int(layer), head=int(head)) for layer, head in places]
