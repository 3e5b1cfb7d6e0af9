"""Which picture a view has: an SVG, and what it is of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...effects import Status
from ...errors import require
from ..drawing.ink import Inked, attention, lens
from ..drawing.others import Matrix, draw_matrix
from ..drawing.reading import UNITS, Sheet
from ..drawing.sheet import draw_sheet
from ..drawing.text import MINUS
from .board import board_picture
from .facts import VERSION, edit_words, sheet_facts, study_facts
from .others import gate_picture, pair_picture
from .snapshot import Snapshot

if TYPE_CHECKING:
    from ...coalitions import Interactions
    from .._base import View
    from .._page import Page
    from ..causal_trace import CausalTrace
    from ..feature_grid import FeatureGrid
    from ..interaction_grid import InteractionGrid

PALETTES = ("rdbu", "puor")
INKED = {"attention": attention, "lens": lens}
"""Parts whose numbers are probabilities, and how they are drawn."""
GAMES: dict[str, Any] = {"restore": "denoising", "break": "noising"}


@dataclass(frozen=True)
class Look:
    """How a picture shows a view's numbers.

    Args:
        unit: "percent" of the total effect, or "raw", in the metric's unit.
        palette: "rdbu" (red to blue) or "puor" (orange to purple).
    """

    unit: str = "percent"
    palette: str = "rdbu"

    def __post_init__(self) -> None:
        _one_of("unit", self.unit, UNITS)
        _one_of("palette", self.palette, PALETTES)


def picture(page: Page, look: Look) -> Snapshot:
    """A view as it is now."""
    from .._base import View
    from ..causal_trace import CausalTrace
    from ..circuit_board import CircuitBoard
    from ..feature_grid import FeatureGrid
    from ..gate_playground import GatePlayground
    from ..interaction_grid import InteractionGrid
    from ..prompt_editor import PromptEditor

    if isinstance(page, CircuitBoard):
        return board_picture(page, look.palette)
    if isinstance(page, CausalTrace):
        return _trace(page, look)
    if isinstance(page, InteractionGrid):
        return _game(page, look)
    if isinstance(page, GatePlayground):
        return gate_picture(page, look.palette)
    if isinstance(page, PromptEditor):
        return pair_picture(page, sheet_of(page, look))
    assert isinstance(page, View)
    sheet = _features(page, look) if isinstance(page, FeatureGrid) else sheet_of(page, look)
    return _drawn(page, sheet)


def sheet_of(view: View, look: Look) -> Sheet:
    """A view's data as a sheet."""
    parts = tuple(getattr(view, name) for name, part in view.parts.items() if part.open)
    # Cells of a part that stands beside panels are there to be looked closer at, on the page.
    drawn = () if view.view["panels"] else parts
    return Sheet(view.view, view.result, drawn, view.direction, look.unit, look.palette)


def _features(view: FeatureGrid, look: Look) -> Sheet:
    """The grid of features as a panel."""
    data = view.features
    cells: dict[str, Any] = {key: data[key] for key in ("y01", "y10", "status", "labels", "edit")}
    axes = [{"labels": [row["label"] for row in data["rows"]]}, {"labels": data["columns"]}]
    shape = [len(one["labels"]) for one in axes]
    cells |= {"key": "features", "title": data["name"], "axes": axes, "shape": shape}
    result, at = view.result, view.result.get("feature")
    if at is not None and result["way"] == data["way"]:
        result = {**result, "cells": [{**result["cells"][0], "panel": "features", "index": at}]}
    shown = {**view.view, "panels": [cells], "edit": data["edit"]}
    return replace(sheet_of(view, look), view=shown, result=result, parts=())


def _drawn(view: View, sheet: Sheet) -> Snapshot:
    """A sheet as it is drawn for a view."""
    facts = sheet_facts(view.study, view.pair, sheet)
    inked = None if view.view["panels"] else _inked(view)
    if inked is not None:
        # Probabilities of the runs as they are: the edit is that of what is selected.
        edit = sheet.reading.edit if sheet.reading else sheet.view["edit"]
        facts |= {"shows": inked.title, "edit": edit_words(edit)}
    svg = draw_sheet(sheet, facts, inked=inked, with_corners=not sheet.panels and inked is None)
    return Snapshot(svg, facts)


def _inked(view: View) -> Inked | None:
    """Probabilities that a view is made of."""
    for name, draw in INKED.items():
        part = view.parts.get(name)
        data = getattr(view, name) if part is not None and part.open else {}
        if data and "error" not in data:
            return draw(data)
    return None


def _game(page: InteractionGrid, look: Look) -> Snapshot:
    # Every set was run on both prompts.
    game: Interactions = replace(page.interactions, direction=GAMES[page.direction])
    matrix = np.asarray(game.matrix, float)
    edit = edit_words(page.game["edit"])
    shows = f"together minus the sum, {game.direction}, {game.unit}"
    facts = {**study_facts(game.study, None), "edit": edit, "shows": shows}
    facts |= {"game": game.game, "n": game.effect.n_pairs, "metric": game.effect.metric.name}
    names, n = list(game.labels), len(game.labels)
    alone = [float(game.worth((i,)).mean()) for i in range(n)]
    matrix = np.where(np.eye(n, dtype=bool), alone, matrix)
    ringed = _ringed(page.result.get("players", ()), len(names))
    words = f"{game.title} On the diagonal each alone."
    apart = frozenset(range(0, n * n, n + 1))
    total = float(game.effect["TE"].flat[0])
    # Blue goes toward the clean run, which is down where the total effect is below zero.
    less, more = "less than the sum", "more than the sum"
    sides = (more, less) if total < 0 else (less, more)
    drawn = Matrix(
        "Pairs of sites",
        (names, names),
        matrix,
        _status(matrix),
        words,
        ringed,
        apart=apart,
        sides=sides,
    )
    return Snapshot(draw_matrix(drawn, facts, total, look.palette), facts)


def _ringed(players: list[int], n: int) -> frozenset[int]:
    """Both cells of a pair of players that is selected."""
    if len(players) != 2:
        return frozenset()
    i, j = players
    return frozenset((i * n + j, j * n + i))


def _trace(page: CausalTrace, look: Look) -> Snapshot:
    tracing, payload = page.tracing, page.trace
    kind = next(one for one in payload["kinds"] if one["kind"] == page.kind)
    values = np.asarray(tracing.indirect(page.kind), float)
    shows = f"{kind['title']} restored, window {kind['window']}, {tracing.unit}"
    facts = {
        **study_facts(tracing.study, 0 if payload["pairs"] == 1 else None),
        "metric": payload["metric"],
        "n": payload["pairs"],
        "edit": f"{tracing.corruption} on the subject, restored to clean",
        "shows": shows,
        "version": VERSION,
    }
    names = (list(kind["layers"]), list(tracing.tokens))
    ends = f"Clean {tracing.clean:+.2f}, corrupted {tracing.corrupted:+.2f} {tracing.unit}"
    words = f"{payload['title']} {ends.replace('-', MINUS)}; the subject's tokens are framed."
    framed = frozenset(tracing.subject)
    drawn = Matrix(kind["title"], names, values, _status(values), words, framed=framed)
    return Snapshot(draw_matrix(drawn, facts, tracing.total, look.palette), facts)


def _status(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.where(np.isfinite(values), Status.EXACT, Status.NOT_RUN).astype(np.uint8)


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    require(
        value in known,
        f"A picture has no such {name}.",
        value=value,
        expected="one of " + ", ".join(known),
        fix=f"view.snapshot({name}={known[0]!r})",
    )
