"""Which grid of a study each panel of a view shows, and which site each of its cells is.

Row and column orders are the grid's own (row-major), so a cell's index in a panel is its flat index
in the effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_runs
from ..edits import Edit
from ..effects import Effect, Status
from ..errors import MediationError
from ..mediators import mediator_named
from ..naming import spanned
from ..prompts import PromptPair
from ..runs import both_directions
from ..sites import Site
from ..sweeps import Sweep
from ._goals import edit_payload

if TYPE_CHECKING:
    from ..study import Study

TITLES = {
    "head": "Heads",
    "mlp_out": "MLP",
    "residual": "Residual",
    "attn_out": "Attention out",
    "mixer_out": "Mixer out",
    "cross_out": "Cross-attention out",
}
LONGEST_TOKEN = 200
NO_COST = {"runs": 0, "passes": 0, "seconds": 0.0}
TOKEN_MEDIATORS = ("residual", "attn_out", "mlp_out", "mixer_out", "cross_out")


@dataclass(frozen=True)
class Panel:
    """A panel of a view: ``head``, ``mlp_out`` or ``tokens``.

    Attributes:
        key: its name in the view.
        mediator: whose sites it shows.
        by: "position" for tokens, else None.
    """

    key: str
    mediator: str
    by: str | None = None

    def sweep(self, study: Study) -> Sweep:
        """The sweep that fills it."""
        # A view shows one draw of what is random; sweeps in Python have an axis for them.
        return Sweep(self.mediator, self.edit(study), self.by)

    def edit(self, study: Study) -> Edit:
        """What a click sets a cell to: of what is random the draw that is shown."""
        return study.edit.sample(0)

    def title(self, study: Study) -> str:
        """Over it; where there are several draws, with the one that it shows."""
        name, draws = TITLES[self.mediator], study.edit.samples
        return name if draws == 1 else f"{name} (first of {draws} draws)"

    def sites(self, study: Study) -> list[Site]:
        """The site of every cell, row-major."""
        return self.sweep(study).sites(study.lm.shape, len(study.token_pairs[0]))

    def index(self, study: Study, site: Site) -> int | None:
        """The cell of a site; None where this panel does not show it."""
        if site.mediator != self.mediator or isinstance(site.position, tuple):
            return None
        if (site.position is None) != (self.by is None):
            return None
        cells = self.sites(study)
        return cells.index(site) if site in cells else None


def panels_of(study: Study, keys: tuple[str, ...], tokens: str) -> list[Panel]:
    """The panels that this study can fill: tokens need prompts of one length."""
    one_length = len({len(pair) for pair in study.token_pairs}) == 1
    panels = []
    for key in keys:
        panel = Panel(key, tokens, "position") if key == "tokens" else Panel(key, key)
        if study.lm.has(mediator_named(panel.mediator)) and (panel.by is None or one_length):
            panels.append(panel)
    return panels


def panel_payload(
    study: Study, panel: Panel, pair: int | None, rate: float | None
) -> dict[str, Any]:
    """A panel as the page reads it: corners as float32 bytes, a status byte a cell.

    ``pair`` is one pair, or None for the mean over pairs; ``rate`` is the seconds that a run
    takes, for the cost of what has not been run, None where nobody offers to run it all.
    """
    sweep = panel.sweep(study)
    n_positions = len(study.token_pairs[0])
    axes = sweep.axes(study.lm.shape, n_positions)
    shape = [len(labels) for labels in axes.values()]
    rows, cols = shape[0], shape[1] if len(shape) > 1 else 1
    names = [*axes, ""][:2]
    return {
        "key": panel.key,
        "mediator": panel.mediator,
        "title": panel.title(study),
        "axes": [
            {"name": names[0], "labels": _layer_labels(study, rows)},
            {"name": names[1], "labels": _column_labels(study, panel, cols, pair)},
        ],
        "shape": [rows, cols],
        **_cell_bytes(*_corners(*study.held(sweep), rows * cols, pair)),
        "labels": list(study.labels(panel.sites(study))),
        # A view says all draws, a panel the one that it shows.
        **({} if sweep.edit == study.edit else {"edit": edit_payload([sweep.edit])}),
        "cost": NO_COST if rate is None else _cost(study, sweep, rate),
    }


def _layer_labels(study: Study, rows: int) -> list[str]:
    """The residual stream has one more: what comes out after the last block."""
    return [str(i) if i < study.lm.n_layers else "out" for i in range(rows)]


def with_present_cells(
    data: dict[str, Any], study: Study, panel: Panel, pair: int | None
) -> dict[str, Any]:
    """The same panel with the numbers that its grid holds now; all else stands."""
    cells, held = data["shape"][0] * data["shape"][1], study.held(panel.sweep(study))
    return data | _cell_bytes(*_corners(*held, cells, pair))


def _cell_bytes(y01: Any, y10: Any, status: Any) -> dict[str, bytes]:
    return {
        "y01": y01.astype("<f4").tobytes(),
        "y10": y10.astype("<f4").tobytes(),
        "status": status.astype(np.uint8).tobytes(),
    }


def _column_labels(study: Study, panel: Panel, cols: int, pair: int | None) -> list[str]:
    """Head numbers; tokens of the pair that is shown, or what the position is in every pair."""
    if panel.by == "position":
        shown = _in_all(study) if pair is None else study.token_pairs[pair].clean_tokens
        return [text[:LONGEST_TOKEN] for text in shown]
    return [str(i) for i in range(cols)] if panel.key == "head" else [""] * cols


def _in_all(study: Study) -> list[str]:
    """What each position is over all pairs: its name in labels of sites, and its roles.

    The name alone is a bare number where tokens differ and no role is everyone's. Then the roles
    that pairs have there are named beside it, "2 IO/S1", if every pair has one.
    """
    told = [_roles_at(pair) for pair in study.contrast]
    found = []
    for position, name in enumerate(study.position_names):
        roles = [at.get(position, set()) for at in told]
        common = sorted(roles[0].intersection(*roles[1:]))
        turns = sorted(roles[0].union(*roles[1:])) if all(roles) and name == str(position) else []
        if name in common or not (common or turns):
            found.append(name)
        else:
            found.append(f"{name} ({common[0]})" if common else f"{name} {'/'.join(turns)}")
    return found


def _roles_at(pair: PromptPair) -> dict[int, set[str]]:
    """The roles of each position that has one."""
    found: dict[int, set[str]] = {}
    for role, at in pair.roles.items():
        for position in spanned(at):
            found.setdefault(position, set()).add(role)
    return found


def _corners(
    grid: Effect | None, guess: Effect | None, cells: int, pair: int | None
) -> tuple[Any, Any, Any]:
    """Y on the corrupt base, Y on the clean base (edited), and the status: (cell,) each.

    A cell that was not run shows its estimate, if there is one.
    """
    if grid is None:
        nothing = np.full(cells, np.nan)
        found = nothing, nothing, np.full(cells, Status.NOT_RUN)
    else:
        found = _numbers(grid, pair)
    if guess is None:
        return found
    hole = found[2] == Status.NOT_RUN
    both = zip(found, _numbers(guess, pair), strict=True)
    y01, y10, status = (np.where(hole, guessed, ran) for ran, guessed in both)
    return y01, y10, status


def _numbers(effect: Effect, pair: int | None) -> tuple[Any, Any, Any]:
    """What an effect holds, of one pair or of their mean: (cell,) each."""
    shown = effect if pair is None else effect.pair(pair)
    values = shown.scores(shown.edited).mean(axis=0).reshape(2, -1)
    return values[1], values[0], shown.status.reshape(-1)


def _cost(study: Study, sweep: Sweep, rate: float) -> dict[str, Any]:
    """Runs, forward passes and seconds of the whole sweep, as the engine would cut it."""
    cells = sweep.cells(study.lm.shape, len(study.token_pairs[0]))
    possible = [cell for cell in cells if cell]
    runs = both_directions(possible)
    try:
        total, passes = study.engine.cost(runs, check_runs(study.lm, possible, study.engine.equal))
    except MediationError:
        # The edit is refused for these pairs; running it says why.
        return {"runs": len(runs), "passes": 1, "seconds": 0.0}
    return {"runs": total, "passes": passes, "seconds": round(total * rate, 3)}
