"""What shows that rewired passes are what they say, measured on the prompts that are rewired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..checks import agreement
from ..edits.base import other
from ..engine import Engine
from ..errors import MediationError
from ..plain import PlainStrand
from ..precision import logits_of, tolerance
from ..runs import Run

if TYPE_CHECKING:
    from .evaluating import Part

Array = NDArray[np.float64]

WHOLE, CUT, SOME = range(3)
"""Wirings whose outcome is known: no edge is cut, or every one; and one to be run again, alone."""

MOST_STRANDS = 2
"""Prompts that are in the batch: the first is read, beside another one where there is any."""


def refuse_unproven(engine: Engine, part: Part, *, uncut: bool = False) -> None:
    """Raise unless the first prompt of a part, rewired in a batch, comes to what is known of it.

    With no edge cut that is a plain pass of the prompt; with every edge cut, if these carry the
    other prompt's writes, a plain pass of the other one; with a tenth of them cut, a pass of its
    own. (With many set to nothing, rounding in half precision grows too large to tell from wrong.)
    So a model that draws at random, or whose rows depend on each other, is not believed.

    Args:
        engine: of the part.
        part: what is rewired.
        uncut: try the first alone, for what cuts nothing.

    Raises:
        MediationError: what should have come out, and how far off it was.
    """
    reach = engine.lm.wiring.reach
    keep = np.ones((1 if uncut else 3, *reach.shape), dtype=np.float32)
    keep[CUT:SOME] = 0
    keep[SOME:] = np.random.default_rng(0).random(reach.shape) > 0.1

    def masks(_: object, wirings: NDArray[np.int64]) -> NDArray[np.float32]:
        return keep[wirings]

    first, plain = np.arange(1), PlainStrand(engine, part.group, 0)
    n_strands = min(MOST_STRANDS, len(part.group.members))
    together = part.known(engine, masks, len(keep), n_strands)[:, 0]
    known = [("No edge cut", "a plain pass's logits", WHOLE, plain.run(Run(part.base)))]
    if not uncut:
        alone = part.kept(masks, (first + SOME, first))
        known.append(("A tenth of the edges cut", "the logits of that run alone", SOME, alone))
    if not uncut and part.ablation == "resample":
        away = plain.run(Run(other(part.base)))
        known.append(("Every edge cut", "the other prompt's logits", CUT, away))
    checks, columns = [], part.group.reading.columns
    for deed, result, wiring, expected in known:
        there = logits_of(expected.reshape(-1), columns)
        gap = float(np.abs(logits_of(together[wiring], columns) - there).max())
        checks.append(agreement("rewired", deed, result, gap, tolerance(engine.lm, there)))
    _refuse_failed([check.words for check in checks if not check.ok])


def _refuse_failed(words: list[str]) -> None:
    if words:
        raise MediationError(
            "The engine does not compute here what it says, so none of its numbers is shown.",
            value=" ".join(words),
            expected="the same logits from a prompt whenever, and beside whatever, it is run",
            fix="take away hooks that draw at random or mix the rows of a batch, or load the model "
            "in float32; study.sweep('head').checks says more",
        )
