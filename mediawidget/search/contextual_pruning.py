"""Leaves out of a circuit, one by one, what it does without."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..circuit import Circuit
from ..decomposition.grid import Baseline
from ..edits import Edit, Mean, Patch
from ..errors import MediationError
from ..evaluation import NodeValues
from ..evaluation.shares import refused
from ..groups import refuse_lonely
from ..sites import Site
from ..study import Study
from ..validity import too_near_zero
from .contextual_result import Pruning

NOTHING = 1e-6
"""Of the way from no circuit to the whole model: what is no more than rounding."""


def pruned(
    study: Study, found: Sequence[Site], kinds: Sequence[str], baseline: Baseline, most_lost: float
) -> tuple[tuple[Site, ...], Pruning]:
    """Drop nodes as long as the circuit stays as close to the whole model, the idlest first.

    A circuit is run on the clean prompts with all other components of the searched kinds at their
    baseline; what is of no searched kind works as it is. Its faithfulness is the metric's share of
    the way from all of them at their baseline (0) to the whole model (1). Each step runs every
    circuit of one node less, and drops the node without which faithfulness is closest to 1. A
    circuit that is no better than none is left as it was found, and none is pruned down to that.

    Args:
        study: its pairs, and the metric whose mean over them counts.
        found: heads and MLPs, in forward order.
        kinds: of what was searched.
        baseline: what is set outside a circuit.
        most_lost: by how much faithfulness may move away from 1 in one step.

    Returns:
        What is left, and what it cost.

    Raises:
        MediationError: the metric is the same without all of them.
    """
    values = NodeValues(study, _edit(study, baseline), over=kinds)
    runs = values([values.full, values.empty, Circuit(found)])
    whole, empty, before = runs.mean(axis=1)
    if too_near_zero(whole, empty):
        raise MediationError(
            "The metric is the same with and without what was searched.",
            value=f"{whole:+.4g} with, {empty:+.4g} without",
            expected="a contrast on which it matters",
            fix="mw.search.cdt(study, prune=None)",
        )
    left, dropped, value = list(found), list[Site](), before
    least = max(most_lost, NOTHING)
    while left and (value - empty) / (whole - empty) > least:
        circuits = [Circuit(site for site in left if site != gone) for gone in left]
        less = values(circuits).mean(axis=1)
        shares = (less - empty) / (whole - empty)
        away = np.where(shares > least, np.abs(1 - shares), np.inf)
        best = int(np.argmin(away))
        if away[best] > abs((whole - value) / (whole - empty)) + most_lost:
            break
        dropped.append(left.pop(best))
        value = less[best]
    numbers = (float(whole), float(empty), float(before), float(value))
    return tuple(left), Pruning(
        *numbers,
        tuple(dropped),
        values.seconds,
        values.passes,
        study.metric.unit,
        refused(runs[0], runs[1], values.terms),
    )


def refuse_no_pruning(study: Study, baseline: Baseline) -> None:
    """Raise where circuits cannot be run under the baseline, before the search is.

    Raises:
        MediationError: several pairs, of which one is alone in its length, under a mean.
    """
    try:
        refuse_lonely(study.engine.groups_of(frozenset()), _edit(study, baseline))
    except MediationError as error:
        raise MediationError(
            error.message,
            value=error.value,
            expected=error.expected,
            fix="mw.search.cdt(study, baseline='corrupt'), or prune=None",
        ) from None


def _edit(study: Study, baseline: Baseline) -> Edit:
    # Of one pair the mean is the pair's own, which the engine refuses to call a mean.
    return Mean("corrupt") if baseline == "mean" and len(study.contrast) > 1 else Patch("corrupt")
