"""From what runs kept to effects on axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .edits import Edit
from .edits.base import BASES
from .effects import Effect, Status
from .history import NextTokens
from .lm import LM
from .metrics import Metric
from .outcomes import Outcomes
from .prompts import Contrast
from .sites import Site

Axes = Mapping[str, tuple[int | str, ...]]


def assemble(
    outcomes: Outcomes,
    axes: Axes,
    edit: Edit,
    metric: Metric,
    possible: NDArray[np.bool_] | None = None,
) -> Effect:
    """The effect of runs: for every cell that can be run one on the corrupt base, one on the clean.

    Args:
        outcomes: of these runs, and perhaps of others after them.
        axes: of the effect.
        edit: what it is an effect of.
        metric: how it is read.
        possible: per cell, in row-major order, whether there is anything to run; default all.
    """
    shape = tuple(len(labels) for labels in axes.values())
    cells = np.flatnonzero(np.ones(shape, dtype=bool) if possible is None else possible)
    n_runs, n_pairs, k = 2 * len(cells), len(outcomes.bases), len(outcomes.columns)

    def by_base(of_runs: Any) -> Any:
        """(run, pair, ...) to (base, cell, pair, ...), the clean base first."""
        return of_runs[:n_runs].reshape(len(cells), 2, *of_runs.shape[1:]).swapaxes(0, 1)[::-1]

    both = by_base(outcomes.kept)
    missing = ~by_base(outcomes.ran).all(axis=(0, 2))
    broken = ~missing & ~np.isfinite(both).all(axis=(0, 2, 3))
    implied = by_base(outcomes.implied).all(axis=(0, 2))
    status = np.where(implied, Status.IMPLIED_ZERO, Status.EXACT)
    status = np.where(broken, Status.FAILED, np.where(missing, Status.NOT_RUN, status))
    everywhere = np.full(int(np.prod(shape)), Status.IMPOSSIBLE, dtype=np.uint8)
    everywhere[cells] = status
    edited = np.full((n_pairs, 2, len(everywhere), k), np.nan)
    seen = np.where((missing | broken)[:, None], np.nan, both.transpose(2, 0, 1, 3))
    edited[:, :, cells] = seen
    return Effect(
        axes,
        outcomes.bases,
        edited.reshape(n_pairs, 2, *shape, k),
        everywhere.reshape(shape),
        edit,
        metric,
        columns=outcomes.columns,
    )


def facts(lm: LM, contrast: Contrast, outcomes: Outcomes) -> dict[str, Any]:
    """What a reader of the effect needs to trust or repeat it."""
    return {
        "model": lm.name,
        "contrast": contrast.to_json(),
        "passes": outcomes.passes,
        "backward": outcomes.backward,
        "rows": outcomes.rows,
        "seconds": round(outcomes.seconds, 4),
    }


def frozen_facts(freeze: Sequence[str | Site]) -> dict[str, Any]:
    """Whether what follows an edit was recomputed or held: two different quantities."""
    if not freeze:
        return {"downstream": "recomputed"}
    held = [h if isinstance(h, str) else h.label() for h in freeze]
    return {"downstream": "frozen: " + ", ".join(held)}


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
        edited=np.full((like.n_pairs, 2, *shape, len(like.columns)), np.nan),
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
        name: getattr(site, name) for name in ("layer", "head", "unit", "position", "key")
    }
    axes: Mapping[str, tuple[Any, ...]] = grid.axes
    index: tuple[int, ...] = tuple(labels.index(coordinates[name]) for name, labels in axes.items())
    edited, status = grid.edited.copy(), grid.status.copy()
    everywhere: tuple[Any, ...] = (slice(None), slice(None), *index)
    edited[everywhere] = effect.edited
    status[index] = effect.status
    return replace(grid, edited=edited, status=status)
