"""Two interventions side by side: what differs between them, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .effects import SHOWN, Effect
from .errors import MediationError, require
from .statistics import mean_interval

if TYPE_CHECKING:
    import pandas as pd

    from .history import History

_CORNERS = ("Y01", "Y10", "PIE", "TIE", "INT")


def compare(history: History, first: int, second: int, level: float = 0.95) -> pd.DataFrame:
    """The difference of every quantity that two entries of a history share.

    Args:
        history: of a study, so that both are of the same pairs under the same metric.
        first: the number of an entry.
        second: the number of the entry that is taken away from it.
        level: coverage of the intervals.

    Returns:
        A row per quantity: means over pairs ``first`` and ``second``, ``difference`` (first minus
        second), and the ends ``low`` and ``high`` of a bootstrap interval of the difference, its
        unit the pair (where pairs share a cluster, the cluster); NaN for fewer than three. In the
        metric's unit, which ``attrs`` name beside the labels, n and the level.

    Raises:
        MediationError: no such entry, a cleared one, one without numbers, or two without a
            quantity in common.
    """
    import pandas as pd

    one, two = _effect(history, first), _effect(history, second)
    keys = shared(one, two)
    a, b = (np.stack([effect.pairs(key) for key in keys], axis=1) for effect in (one, two))
    low, high = mean_interval(a - b, one.clusters, level)
    means = {"first": a.mean(axis=0), "second": b.mean(axis=0)}
    table = pd.DataFrame(
        {**means, "difference": (a - b).mean(axis=0), "low": low, "high": high},
        index=pd.Index(keys, name="quantity"),
    )
    table.attrs = {
        "first": _label(history, first),
        "second": _label(history, second),
        "unit": one.metric.unit,
        "n": one.n_pairs,
        "level": level,
    }
    return table


def _effect(history: History, index: int) -> Effect:
    """What came of an entry, refused where nothing did."""
    at = history.at(index)
    entry = history[at]
    if entry is None:
        raise MediationError(
            "There is nothing to compare: nothing was selected there.",
            value=f"entry {at}",
            expected="two interventions",
            fix="list(study.history) shows them",
        )
    require(
        int(entry.effect.status) in SHOWN,
        "There is nothing to compare: a check failed, so there are no numbers.",
        value=_label(history, at),
        expected="two interventions with numbers",
        fix="entry.effect.checks says what failed",
    )
    return entry.effect


def shared(one: Effect, two: Effect) -> tuple[str, ...]:
    """The quantities that exist under both edits and that edits change."""
    kinds = one.edit.corners, two.edit.corners
    if kinds == (True, True):
        return _CORNERS
    if kinds == (False, False):
        return tuple(key for key in one.quantities() if key in two.quantities())
    raise MediationError(
        "A patch from the other prompt and another edit have no effect in common.",
        value=f"{one.edit.kind}: {', '.join(one.quantities())}; "
        f"{two.edit.kind}: {', '.join(two.quantities())}",
        expected="two of a kind; these share Y11, Y00 and TE, which no edit changes",
        fix="compare patches with patches, and constants with constants",
    )


def _label(history: History, index: int) -> str:
    entry = history[index]
    return history.names[index] or (entry.label if entry else "") or str(index)
