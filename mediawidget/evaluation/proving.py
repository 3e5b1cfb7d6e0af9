"""What shows that runs of circuits are what they say, measured where circuits are evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..checks import agreement, check_runs
from ..edits import Edit, Mean, Within
from ..engine import Engine
from ..errors import MediationError
from ..outcomes import Outcomes
from ..plain import plain_run
from ..precision import logits_of, tolerance
from ..runs import Run

MOST_PROMPTS = 48
"""Prompts that a plain pass may read for its constants."""

MOST_SITES = 6
"""Sites of the run that is compared with a plain pass: each is a pass of its own there."""


def once_runs(engine: Engine, runs: Sequence[Run]) -> list[Run]:
    """Runs whose outcome is known, and last a part of the largest run, to compare; may be none."""
    largest = max(runs, key=lambda run: len(run.edits))
    edits = dict(largest.edits)
    if not edits:
        return []
    sites = list(edits)
    prompts = len(engine.pairs) if _is_mean(edits[sites[0]]) else 1
    several = max(1, min(MOST_SITES, MOST_PROMPTS // prompts, len(sites)))
    picked = [sites[i] for i in np.linspace(0, len(sites) - 1, several).astype(int)]
    part = Run("clean", {site: edits[site] for site in picked})
    return [*check_runs(engine.lm, [edits], engine.equal), part]


def refuse_unproven(engine: Engine, once: Sequence[Run], outcomes: Outcomes) -> None:
    """Raise unless ``once``, the last runs of ``outcomes``, came to what is known of them."""
    known = logits_of(outcomes.kept[-len(once) :], outcomes.columns)
    ran = outcomes.ran[-len(once) :]
    done = ran.all(axis=0)
    bases = logits_of(outcomes.bases[done], outcomes.columns).transpose(1, 0, 2)
    allowed = tolerance(engine.lm, bases)
    own, cut = known[:2, done] - bases, known[2:4, done] - bases[::-1]
    checks = [
        agreement("self-patch", "A site's own value", "the same logits", _size(own), allowed),
        agreement("full cut", "A full cut", "the other prompt's logits", _size(cut), allowed),
    ]
    if ran[-1, 0] and not _too_many(engine, once[-1]):
        gap = _size(known[-1, 0] - logits_of(plain_run(engine, once[-1]), outcomes.columns))
        checks.append(agreement("plain", "A plain forward pass", "the same logits", gap, allowed))
    failed = [check.words for check in checks if check.ok is False]
    if failed:
        raise MediationError(
            "The engine does not compute here what it says, so nothing is said of the circuit.",
            value=" ".join(failed),
            expected="agreement with runs whose outcome is known",
            fix="load the model in float32; study.sweep('head').checks says more",
        )


def _size(gap: np.ndarray) -> float:
    return float(np.abs(gap).max()) if gap.size else 0.0


def _too_many(engine: Engine, run: Run) -> bool:
    """Whether a plain pass would have to average too many prompts one by one."""
    means = any(_is_mean(edit) for _, edit in run.edits)
    return means and len(engine.pairs) > MOST_PROMPTS


def _is_mean(edit: Edit) -> bool:
    return isinstance(edit.edit if isinstance(edit, Within) else edit, Mean)
