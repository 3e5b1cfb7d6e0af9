"""What must hold for an effect to mean what it says: measured with every result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from .edits import Edit, Patch
from .edits.base import BASES
from .effects import NEAR_ZERO, Check, Effect, Status
from .encoding import TokenPair
from .engine import Outcomes
from .lm import LM
from .metrics import Metric
from .plain import plain_run
from .runs import Run
from .sites import Site

Array = NDArray[np.float64]
Edits = dict[Site, Edit]

MANY = 64
"""Prompts that are not averaged one by one just to check a mean."""

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.3}
"""Logits within which two ways to the same number agree, at logits of size 1 to 10."""


def proofs(
    lm: LM, pairs: Sequence[TokenPair], effect: Effect, outcomes: Outcomes, cells: Sequence[Edits]
) -> list[Check]:
    """What shows that the engine computes what it says: it may be trusted only if all hold.

    Args:
        lm: the model.
        pairs: of the contrast; the engine is checked on the first ones.
        effect: of ``cells``, in row-major order of its axes.
        outcomes: of both directions of every cell, then of ``check_runs``.
        cells: what each cell sets, ``{site: edit}``.
    """
    return [
        *_engine_checks(lm, cells, outcomes),
        _plain_check(lm, pairs, effect, cells),
    ]


def with_checks(effect: Effect, outcomes: Outcomes, proven: Sequence[Check]) -> Effect:
    """The effect with all its checks; without its numbers where the engine failed one."""
    n_runs = 2 * int(np.prod(effect.shape))
    fired = fired_check(outcomes.fired[:n_runs], outcomes.implied[:n_runs])
    checks = (*base_checks(effect.bases, effect.metric), fired, *proven)
    effect = replace(effect, checks=checks)
    if all(check.ok is not False for check in proven):
        return effect
    failed = np.where(effect.status == Status.NOT_RUN, Status.NOT_RUN, Status.FAILED)
    nothing = np.full_like(effect.edited, np.nan)
    return replace(effect, edited=nothing, status=np.asarray(failed, dtype=np.uint8))


def _plain_check(
    lm: LM, pairs: Sequence[TokenPair], effect: Effect, cells: Sequence[Edits]
) -> Check:
    """The strongest cell of the first pair once more, by a plain forward pass."""
    ran = (effect.status == Status.EXACT).reshape(-1)
    if not ran.any():
        return Check("plain forward", None, "Nothing was run that could be compared.")
    if effect.edit.source_kind == "mean" and len(pairs) > MANY:
        words = f"Not compared: a plain pass would first average {len(pairs)} prompts one by one."
        return Check("plain forward", None, words)
    on_corrupt = effect.edited[0, 1].reshape(-1, 3)
    moved = effect.metric(on_corrupt) - effect.metric(effect.bases[0, 1])
    cell = int(np.argmax(np.where(ran, np.abs(moved), -1.0)))
    slow = plain_run(lm, pairs[0], Run("corrupt", cells[cell]), pairs)
    gap = float(np.abs(on_corrupt[cell] - slow).max())
    label = effect.labels[cell] if effect.labels else "The strongest cell"
    return Check(
        "plain forward",
        gap <= tolerance(lm, slow),
        f"{label} run alone by a plain forward pass gives the same logits "
        f"(largest difference {gap:.1g}).",
    )


def _checked_site(cells: Sequence[Edits]) -> Site:
    """The one in the middle, at all positions, so that it is never zero by construction."""
    return replace(next(iter(cells[len(cells) // 2])), position=None)


def check_runs(lm: LM, cells: Sequence[Edits]) -> list[Run]:
    """Runs whose outcome is known, on both bases: a self-patch of a site and a full cut."""
    site = _checked_site(cells)
    cut = Site("residual", layer=lm.n_layers // 2)
    self_patches = [Run(base, {site: Patch(base)}) for base in BASES]
    return self_patches + [Run(base, {cut: Patch()}) for base in BASES]


def _engine_checks(lm: LM, cells: Sequence[Edits], outcomes: Outcomes) -> list[Check]:
    """Read the outcome of ``check_runs``, which stand behind both directions of ``cells``."""
    known = outcomes.kept[2 * len(cells) :]
    site = _checked_site(cells)
    done = ~np.isnan(known).any(axis=(0, 2))
    if not done.any():
        return []
    bases = outcomes.bases[done].transpose(1, 0, 2)
    self_gap = float(np.abs(known[:2, done] - bases).max())
    cut_gap = float(np.abs(known[2:, done] - bases[::-1]).max())
    allowed = tolerance(lm, bases)
    return [
        Check(
            "self-patch",
            self_gap <= allowed,
            f"Patching {site.label()} with its own value moves no logit "
            f"(largest difference {self_gap:.1g}).",
        ),
        Check(
            "full cut",
            cut_gap <= allowed,
            f"Patching the whole residual stream before layer {lm.n_layers // 2} gives the other "
            f"prompt's logits (largest difference {cut_gap:.1g}).",
        ),
    ]


def fired_check(fired: Array, implied: NDArray[np.bool_]) -> Check:
    """Whether the edits changed the values they were written over: (run, pair) both."""
    asked = ~implied & ~np.isnan(fired)
    moved = int((fired[asked] > 0).sum())
    total = int(asked.sum())
    if total == 0:
        return Check("edit fired", None, "Nothing was run: every cell is zero by construction.")
    words = f"The edit changed the site's value in {moved} of {total} runs"
    same = total - moved
    if same:
        words += f"; in {same} the site has the same value already"
    return Check("edit fired", moved > 0, words + ".")


def base_checks(bases: Array, metric: Metric) -> list[Check]:
    """Whether the prompts do what the question takes for granted. ``bases`` is (pair, 2, 3)."""
    prefers = bases[:, 0, 0] > bases[:, 0, 1]
    n, right = len(prefers), int(prefers.sum())
    who = "The clean prompt prefers" if n == 1 else f"{right} of {n} clean prompts prefer"
    if n == 1 and not right:
        who = "The clean prompt does not prefer"
    values = metric(bases).mean(axis=0)
    total = float(values[0] - values[1])
    enough = abs(total) > NEAR_ZERO * max(1.0, float(np.abs(values).max()))
    return [
        Check("clean answer", right == n, f"{who} the answer over the wrong answer."),
        Check(
            "total effect",
            enough,
            f"The total effect is {total:+.3g} {metric.unit}"
            + ("." if enough else ", too near 0 to give shares of it."),
        ),
    ]


def tolerance(lm: LM, logits: Array) -> float:
    """How far two ways to the same logits may part at this precision."""
    return _TOLERANCE.get(lm.dtype, 1e-3) * max(1.0, float(np.abs(logits).max()) / 10)
