"""From what runs kept to effects on axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .edits import Edit
from .edits.base import BASES
from .effects import Effect, Status
from .engine import Outcomes
from .history import NextTokens
from .lm import LM
from .metrics import Metric
from .prompts import Contrast
from .sites import Site

Axes = Mapping[str, tuple[int, ...]]


def assemble(outcomes: Outcomes, n_runs: int, axes: Axes, edit: Edit, metric: Metric) -> Effect:
    """The effect of ``n_runs`` runs: of every cell one on the corrupt base, one on the clean."""
    shape = tuple(len(labels) for labels in axes.values())
    n_pairs = len(outcomes.bases)
    cells = n_runs // 2

    def by_base(of_runs: Any) -> Any:
        """(run, pair, ...) to (base, cell, pair, ...), the clean base first."""
        return of_runs[:n_runs].reshape(cells, 2, *of_runs.shape[1:]).swapaxes(0, 1)[::-1]

    both = by_base(outcomes.kept)
    edited = both.transpose(2, 0, 1, 3).reshape(n_pairs, 2, *shape, 3)
    missing = ~by_base(outcomes.ran).all(axis=(0, 2))
    broken = ~missing & ~np.isfinite(both).all(axis=(0, 2, 3))
    implied = by_base(outcomes.implied).all(axis=(0, 2))
    status = np.where(implied, Status.IMPLIED_ZERO, Status.EXACT)
    status = np.where(broken, Status.FAILED, np.where(missing, Status.NOT_RUN, status))
    edited = np.where((missing | broken).reshape(*shape, 1), np.nan, edited)
    return Effect(
        axes, outcomes.bases, edited, status.reshape(shape).astype(np.uint8), edit, metric
    )


def facts(lm: LM, contrast: Contrast, outcomes: Outcomes) -> dict[str, Any]:
    """What a reader of the effect needs to trust or repeat it."""
    return {
        "model": lm.name,
        "contrast": contrast.to_json(),
        "passes": outcomes.passes,
        "rows": outcomes.rows,
        "seconds": round(outcomes.seconds, 4),
    }


def next_tokens(lm: LM, outcomes: Outcomes) -> tuple[NextTokens, ...]:
    """Per pair the likeliest next tokens of both bases and of a run on each of them."""
    # Of the two runs the first is on the corrupt base, the second on the clean one.
    names: dict[str, int | str] = {
        **{base: base for base in BASES},
        "restored": 0,
        "broken": 1,
    }
    return tuple(
        {
            name: [(lm.encoder.token(i), p) for i, p in outcomes.top[(key, pair)]]
            for name, key in names.items()
        }
        for pair in range(len(outcomes.bases))
    )


def empty_grid(axes: Axes, like: Effect, labels: tuple[str, ...]) -> Effect:
    """A grid of which nothing was run, on the base runs of ``like``."""
    shape = tuple(len(coordinates) for coordinates in axes.values())
    return replace(
        like,
        checks=(),
        facts={},
        axes=axes,
        edited=np.full((like.n_pairs, 2, *shape, 3), np.nan),
        status=np.full(shape, Status.NOT_RUN, dtype=np.uint8),
        labels=labels,
    )


def completed(effect: Effect, earlier: Effect) -> Effect:
    """A cancelled sweep's effect, its cells that were not run taken from an earlier result."""
    hole = effect.status == Status.NOT_RUN
    return replace(
        effect,
        edited=np.where(hole[..., None], earlier.edited, effect.edited),
        status=np.where(hole, earlier.status, effect.status).astype(np.uint8),
    )


def with_cell(grid: Effect, site: Site, effect: Effect) -> Effect:
    """The grid with one cell set to an effect without axes."""
    coordinates: dict[str, Any] = {
        "layer": site.layer,
        "head": site.head,
        "position": site.position,
    }
    axes: Mapping[str, tuple[Any, ...]] = grid.axes
    index: tuple[int, ...] = tuple(labels.index(coordinates[name]) for name, labels in axes.items())
    edited, status = grid.edited.copy(), grid.status.copy()
    everywhere: tuple[Any, ...] = (slice(None), slice(None), *index)
    edited[everywhere] = effect.edited
    status[index] = effect.status
    return replace(grid, edited=edited, status=status)
