"""Every feature of a site set on its own, at every position: exact effects on named axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..asking import Asked
from ..edits import Edit, Patch
from ..edits.sparse import SAE
from ..effects import Effect, Status
from ..errors import require
from ..jobs import Job
from ..sites import Position
from ..statistics.resampling import whole
from ..study import Study
from .cells import ERROR, Cells, Unit

By = str | Mapping[str, Position] | None


def sweep(
    study: Study,
    sae: SAE,
    features: Iterable[int] | None = None,
    by: By = "position",
    edit: Edit | None = None,
    *,
    progress: bool = True,
) -> Effect:
    """Set one feature at a time, and the error, on both bases, in one job of the engine.

    Every other feature and, but in its own cell, the error stay the run's own.

    Args:
        study: its pairs and metric.
        sae: of a site of the study's model.
        features: which; default those whose codes part on the two prompts of a pair, and under
            another edit than a patch those that are active on any prompt.
        by: "position", "role", {name: positions}, or None for all positions at once.
        edit: ``Patch()``; ``Zero()``: a code of 0; ``Mean()``: the mean code over both prompts of
            all pairs, there.
        progress: whether to show a bar.

    Returns:
        Axes feature (numbers, then "error"), then position. A feature that is on no prompt active
        at a position is IMPLIED_ZERO there: it was not run, and its code stays 0.

    Raises:
        MediationError: no features, features that there are not, and what the study raises.

    Source: Marks et al. 2024, for features and errors as nodes; here each is really set.

    Example:
        >>> effect = mw.features.sweep(study, mw.features.teaching(3))
        >>> effect.top(3)
    """
    return job(study, sae, features, by, edit).result(progress=progress)


def job(
    study: Study,
    sae: SAE,
    features: Iterable[int] | None = None,
    by: By = "position",
    edit: Edit | None = None,
) -> Job[Effect]:
    """``sweep``, not yet started.

    Arguments and errors as for ``sweep``.
    """
    cells, to = Cells(study, sae, by), Patch() if edit is None else edit
    units = [*_chosen(cells, features, to), None]
    asked, implied = _asked(cells, units, to)
    return study.ask(asked).then(lambda effect: _with_zeros(effect, implied))


def _chosen(cells: Cells, features: Iterable[int] | None, edit: Edit) -> list[int]:
    if features is not None:
        given: object = features
        several = isinstance(given, Iterable) and getattr(given, "ndim", 1) > 0
        chosen: list[Any] = list(features) if several else []
        n = cells.sae.n_features
        require(
            several
            and all(whole(one, 0) and one < n for one in chosen)
            and len(set(chosen)) == len(chosen),
            "Features are named by their numbers, each once.",
            value=features,
            expected=f"ints from 0 to {n - 1}",
            fix="mw.features.sweep(study, sae, features=[3, 12])",
        )
        return [int(one) for one in chosen]
    if isinstance(edit, Patch):
        return list(cells.moving)
    return [int(one) for one in np.flatnonzero(cells.active.any(axis=1))]


def _asked(
    cells: Cells, units: list[Unit], edit: Edit
) -> tuple[Asked, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """What is run, and which cells need no run: (feature, spot)."""
    same = cells.same(edit)
    rows = [same[unit] if unit is not None else np.zeros(len(cells.spots), bool) for unit in units]
    implied = np.array(rows)
    found, labels = [], []
    for unit, row in zip(units, rows, strict=True):
        for spot, zero in zip(cells.spots, row, strict=True):
            labels.append(cells.label(unit, spot))
            if not zero:
                found.append({cells.site(spot): cells.set_to(edit, [unit], spot)})
    axes: dict[str, tuple[int | str, ...]] = {
        "feature": tuple(ERROR if unit is None else unit for unit in units)
    }
    if cells.places:
        axes["position"] = tuple(cells.places)
    sae = cells.sae
    facts = {
        "mediator": "feature",
        "autoencoder": repr(sae),
        "site": sae.site.to_json(),
        "digest": sae.digest,
        "by": cells.by if cells.by else "everywhere",
    }
    asked = Asked(
        axes,
        tuple(labels),
        found,
        [()] * len(found),
        edit,
        possible=~implied.reshape(-1),
        facts=facts,
    )
    return asked, implied


def _with_zeros(effect: Effect, implied: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Effect:
    """The effect with the cells that needed no run: what they come to is the base itself."""
    zero = implied.reshape(effect.shape)
    edited, status = effect.edited.copy(), effect.status.copy()
    ones = (1,) * len(effect.shape)
    base = effect.bases.reshape(*effect.bases.shape[:2], *ones, -1)
    edited = np.where(zero[..., None], base, edited)
    status = np.where(zero, Status.IMPLIED_ZERO, status).astype(np.uint8)
    return replace(effect, edited=edited, status=status)
