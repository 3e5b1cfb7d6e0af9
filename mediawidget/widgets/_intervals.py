"""Intervals that the page asks for: of a cell under the pointer, of how far one is above another.

A page derives every mean from the corners that it has; what a mean would be on other pairs it
cannot, for that takes every pair's number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..comparing import shared
from ..effects import SHOWN, Effect
from ..errors import MediationError
from ..statistics import FEWEST, bootstrap_ratio, cluster_codes, cluster_sums, mean_interval
from ._alone import alone
from ._goals import edit_payload
from .payload import intervals, told

if TYPE_CHECKING:
    from ._base import View

_LEVEL, _RESAMPLES, _SEED = 0.95, 2000, 0


def interval_answer(view: View, request: Mapping[str, Any]) -> dict[str, Any]:
    """The 95% intervals of one reading's means, or of one's minus the other's.

    Args:
        view: whose readings they are, of all pairs.
        request: {readings}, one or two of {label, goal}; of a cell {panel, index} too.

    Returns:
        {ci}: as ``payload.intervals`` says them, of two by what both have. None where the picture
        has changed meanwhile, nothing was run, or pairs are too few: the page asks unbidden, so
        nothing here is an error.
    """
    readings = request.get("readings")
    if not isinstance(readings, list) or not 1 <= len(readings) <= 2:
        return {"ci": None}
    if request.get("revision") != view.study.revision or view.pair is not None:
        return {"ci": None}
    found = [_effect_of(view, one) for one in readings if isinstance(one, Mapping)]
    effects = [one for one in found if one is not None]
    if len(effects) < len(readings):
        return {"ci": None}
    return {"ci": intervals(effects[0]) if len(effects) == 1 else differences(*effects)}


def differences(one: Effect, two: Effect) -> dict[str, list[float]] | None:
    """95% intervals of the mean over pairs of one effect minus another; None where none exist.

    Pairs are resampled whole, so both effects of a pair stay together. By quantity in the
    metric's unit, and by "PIE%" in percent of the total effect, as ``payload.intervals``.
    """
    if one.n_clusters < FEWEST:
        return None
    try:
        both = shared(one, two)
    except MediationError:
        return None
    named = ("PIE", "TIE", "INT") if one.edit.corners else ("clean", "corrupt", "difference")
    keys = [key for key in named if key in both]
    gaps = np.stack([one.pairs(key) - two.pairs(key) for key in keys], axis=1)
    ends = mean_interval(gaps, one.clusters, _LEVEL, _RESAMPLES, _SEED)
    found = dict(zip(keys, ends.T, strict=True))
    try:
        one.normalized(keys[0])
    except MediationError:
        return told(found)  # there is no total effect to take shares of
    corners, codes = one.corners(), cluster_codes(one.clusters, one.n_pairs)
    totals = cluster_sums((corners["Y11"] - corners["Y00"])[:, None], codes)
    shares = bootstrap_ratio(cluster_sums(gaps, codes), totals, _LEVEL, _RESAMPLES, _SEED)
    return told(found | {f"{key}%": 100 * pair for key, pair in zip(keys, shares.T, strict=True)})


def _effect_of(view: View, reading: Mapping[str, Any]) -> Effect | None:
    """What was run of a reading: of a cell where it is kept, else the newest entry of its label."""
    study, label, goal = view.study, reading.get("label"), reading.get("goal")
    if "panel" not in reading:
        for entry in reversed(list(study.history)):
            if entry is None or entry.label != label or int(entry.effect.status) not in SHOWN:
                continue
            if edit_payload(entry.edits.values(), entry.effect.held)["goal"] == goal:
                return entry.effect
        return None
    cells = next((cells for cells in view.cells if cells.key == reading["panel"]), None)
    sites, index = cells.sites(study) if cells else (), reading.get("index")
    if cells is None or not isinstance(index, int) or not 0 <= index < len(sites):
        return None
    site, edit = sites[index], cells.edit(study)
    same = study.labels([site])[0] == label and edit_payload([edit])["goal"] == goal
    return alone(study, site, edit) if same else None
