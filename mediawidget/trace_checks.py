"""What must hold for a causal trace to mean what it says: measured with every trace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .checks import agreement
from .edits import Patch
from .engine import Engine
from .metrics import Metric
from .outcomes import Outcomes
from .plain import plain_run
from .precision import logits_of, tolerance
from .runs import Run
from .sites import Site
from .validity import Check

NOTHING = "Nothing was run that could be compared."


def everything(engine: Engine) -> dict[Site, Patch]:
    """The edit that restores the whole stream, so that the clean run must come out.

    Where prompts are not equal in length some positions have no partner, so that only the stream
    after the last block, of which one position is read, is all there is.
    """
    return {Site("residual", _cut_layer(engine)): Patch("clean")}


def full_restoration(engine: Engine, outcomes: Outcomes, at: int) -> Check:
    """Run ``at``, in which ``everything`` is restored, is the clean run."""
    name, done = "full restoration", outcomes.ran[at]
    if not done.any():
        return Check(name, None, NOTHING)
    clean = logits_of(outcomes.bases[done, 0], outcomes.columns)
    gap = float(np.abs(logits_of(outcomes.kept[at, done], outcomes.columns) - clean).max())
    layer = _cut_layer(engine)
    where = f"before layer {layer}" if layer < engine.lm.n_layers else "after the last layer"
    deed = f"Restoring the whole residual stream {where}"
    return agreement(name, deed, "the clean run's logits", gap, tolerance(engine.lm, clean))


def plain_forward(
    engine: Engine, metric: Metric, outcomes: Outcomes, restored: Sequence[Run]
) -> Check:
    """The strongest restoration of the first pair once more, by a plain forward pass.

    Args:
        engine: which ran them.
        metric: by which the strongest is found.
        outcomes: of a corrupted run, then of ``restored``, which are of the same draw.
        restored: the runs.
    """
    name = "plain forward"
    kept = outcomes.kept[: 1 + len(restored), 0]
    values = metric.read(kept, outcomes.columns)
    moved = np.abs(values[1:] - values[0])
    if not np.isfinite(moved).any():
        return Check(name, None, NOTHING)
    strongest = int(np.argmax(np.where(np.isfinite(moved), moved, -1.0)))
    slow = logits_of(plain_run(engine, restored[strongest]), outcomes.columns)
    gap = float(np.abs(logits_of(kept[1 + strongest], outcomes.columns) - slow).max())
    deed = "The strongest restoration run alone by a plain forward pass"
    return agreement(name, deed, "the same logits", gap, tolerance(engine.lm, slow))


def broken(outcomes: Outcomes, n_runs: int) -> list[Check]:
    """A failed check where some of the first runs came to NaN or infinity; none if all is well."""
    finite = np.isfinite(outcomes.kept[:n_runs]).all(axis=-1)
    n = int((outcomes.ran[:n_runs] & ~finite).any(axis=1).sum())
    if not n:
        return []
    words = (
        f"{n} of {n_runs} runs came to NaN or infinity: the model overflows there, or a token has "
        "nothing left to attend to."
    )
    return [Check("finite numbers", ok=False, words=words)]


def _cut_layer(engine: Engine) -> int:
    return engine.lm.n_layers // 2 if engine.equal else engine.lm.n_layers
