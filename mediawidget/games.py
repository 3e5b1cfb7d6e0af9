"""Runs games of sites: all sets of a few players, pairs of many, or a sample of orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from . import subsets
from .asking import Asked
from .checks import Edits
from .coalitions import Direction, Game, Interactions, Player
from .edits import Edit, as_edit
from .edits.base import check_seed
from .errors import MediationError, is_one_of, require
from .results import frozen_facts
from .sites import Site
from .study import Study, refuse_no_study

MOST = 10
"""Players of which all sets are run: 1,023 of them on both bases."""

MOST_ORDERS = 100_000
"""Orders that are drawn: each is as many runs as there are players, on both bases."""


def interactions(  # noqa: PLR0913 - all but the first two are named
    study: Study,
    players: Sequence[Site | Sequence[Site]],
    *,
    game: Game = "recomputed",
    direction: Direction = "denoising",
    edit: Edit | None = None,
    order: int | None = None,
    samples: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Interactions:
    """What sets of sites do together beyond what they do one by one.

    All sets go through the engine as one experiment; runs that begin alike share their beginning.

    Args:
        study: its pairs, metric and edit.
        players: sites, or groups of sites that are set together.
        game: "recomputed" computes all that follows an edit anew. "frozen" holds the other players
            at their base and makes the rest of the network a player, the bypass.
        direction: "denoising": sets are restored in the corrupt run. "noising": sets are broken in
            the clean run, and the worth is the loss.
        edit: what players are set to; default, the study's. Games of constants are recomputed.
        order: the largest sets to run; default all sets of up to 10 players. 2 gives the matrix of
            pairs of any number of players.
        samples: instead, draw so many orders of the players for their Shapley values
            (Castro et al. 2009), with the error of the draw; and run all pairs.
        seed: of that draw.
        progress: whether to show a bar.

    Returns:
        Dividends (Harsanyi 1963), Shapley values (Shapley 1953), and of every two players what
        they do together less the sum of each alone (``matrix``; not the INT of an effect, which
        is TIE - PIE). Each pair of prompts is kept.

    Raises:
        MediationError: overlapping players, too many for all sets, a frozen game of constants.

    Example:
        >>> heads = [mw.Site("head", 3, head=h) for h in range(4)]
        >>> mw.interactions(study, heads).matrix.shape
        (4, 4)
    """
    refuse_no_study(study)
    groups = _as_players(players)
    edit = study.edit if edit is None else as_edit(edit)
    _refuse_no_game(game, direction, edit)
    _refuse_no_number("order", order, 1)
    _refuse_no_number("samples", samples, 2)
    check_seed(seed, "seed", "interactions")
    labels = tuple(" + ".join(study.labels(group)) for group in groups)
    # In a frozen game the bypass is a player too, the last one.
    n_drawn = len(groups) + (game == "frozen")
    orders = None if samples is None else _orders(n_drawn, samples, seed)
    masks = _masks(len(groups), order, orders)
    cells = [_cell(groups, mask, edit) for mask in masks]
    effect = study.ask(
        Asked(
            axes={"set": tuple(masks)},
            labels=tuple(" + ".join(labels[i] for i in subsets.members(mask)) for mask in masks),
            cells=cells,
            freezes=[_others(groups, mask) if game == "frozen" else () for mask in masks],
            edit=edit,
            facts=frozen_facts(["other players"]) if game == "frozen" else frozen_facts(()),
        )
    ).result(progress=progress)
    return Interactions(study, groups, labels, effect, game, direction, orders)


# --- inside ---------------------------------------------------------------------------------


def _masks(n: int, order: int | None, orders: NDArray[np.int64] | None) -> list[int]:
    """The sets to run, the empty one left out: it is a base run."""
    if orders is not None:
        everyone = (1 << n) - 1
        sizes = range(1, orders.shape[1] + 1)
        drawn = {subsets.mask_of(one[:k].tolist()) & everyone for one in orders for k in sizes}
        if orders.shape[1] > n:
            drawn |= {everyone ^ mask for mask in drawn}
        pairs = {subsets.mask_of(one) for one in subsets.up_to(n, 2)}
        return sorted((drawn | pairs) - {0})
    if order is None and n > MOST:
        raise MediationError(
            "These are too many players to run all sets of them.",
            value=f"{n} players, {2**n - 1:,} sets",
            expected=f"at most {MOST} players, or a limit",
            fix="interactions(study, sites, order=2) for pairs; samples=200 for Shapley values",
        )
    return sorted(subsets.mask_of(one) for one in subsets.up_to(n, min(n, order or n)) if one)


def _orders(n: int, samples: int, seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(n) for _ in range(samples)])


def _cell(players: Sequence[Player], mask: int, edit: Edit) -> Edits:
    """What a set of players sets."""
    return {site: edit for i in subsets.members(mask) for site in players[i]}


def _others(players: Sequence[Player], mask: int) -> tuple[Site, ...]:
    """The sites of the players outside a set."""
    return tuple(site for i, player in enumerate(players) if not mask >> i & 1 for site in player)


def _as_players(players: object) -> tuple[Player, ...]:
    """Players as groups of sites, no site twice."""
    given: Iterable[Any] = players if isinstance(players, Sequence) else ()
    _refuse_edits([players, *given])
    groups = tuple(
        tuple(one) if isinstance(one, Sequence) and not isinstance(one, str) else (one,)
        for one in given
    )
    sites = [site for group in groups for site in group]
    require(
        len(groups) >= 2 and all(groups) and all(isinstance(site, Site) for site in sites),
        "A game needs players, each a site or a list of sites.",
        value=players,
        expected="at least two of them",
        fix="mw.interactions(study, [Site('head', 3, head=0), Site('head', 3, head=1)])",
    )
    twice = [site for site in dict.fromkeys(sites) if sites.count(site) > 1]
    if twice:
        raise MediationError(
            "A site is in two players.",
            value=twice[0].label(),
            expected="players that do not overlap",
            fix="leave it out of one of them",
        )
    return groups


def _refuse_edits(players: Iterable[object]) -> None:
    if any(isinstance(player, Mapping) for player in players):
        raise MediationError(
            "All players of a game are set by one edit.",
            value="{site: edit} as a player",
            expected="a site or a list of sites",
            fix="mw.interactions(study, sites, edit=mw.Zero())",
        )


def _refuse_no_game(game: object, direction: object, edit: Edit) -> None:
    for name, value, kind in (("game", game, Game), ("direction", direction, Direction)):
        require(
            is_one_of(value, get_args(kind)),
            f"There is no such {name}.",
            value=value,
            expected=" or ".join(map(repr, get_args(kind))),
            fix=f"mw.interactions(study, sites, {name}={get_args(kind)[0]!r})",
        )
    if game == "frozen" and not edit.corners:
        raise MediationError(
            "A frozen game is between the two prompts.",
            value=f"a {edit.kind} edit",
            expected="Patch(), which sets a player to its value on the other prompt",
            fix="mw.interactions(study, sites, edit=mw.Patch()), or game='recomputed'",
        )
    if edit.samples > 1:
        raise MediationError(
            "A game has one run for every set.",
            value=repr(edit),
            expected="an edit of one sample",
            fix="mw.Noise(sigma=3.0, samples=1)",
        )


def _refuse_no_number(name: str, value: object, least: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    require(
        value is None or (whole and least <= int(value) <= MOST_ORDERS),  # type: ignore[call-overload]
        f"{name} is a number.",
        value=value,
        expected=f"an int from {least} to {MOST_ORDERS}, or None",
        fix=f"mw.interactions(study, sites, {name}={max(2, least)})",
    )
