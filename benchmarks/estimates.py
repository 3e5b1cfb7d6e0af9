"""What an estimate costs: every site of a kind, both ways, from two gradients."""

from __future__ import annotations

import time
from statistics import median

import mediawidget as mw

ROUNDS = 3


def estimate_seconds(lm: mw.LM, pair: mw.PromptPair, mediator: str) -> float:
    """Median wall seconds of ``study.estimate(mediator)`` on a warm study."""
    study = mw.Study(lm, pair)
    study.estimate("attn_out")
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        study.estimate(mediator)
        times.append(time.perf_counter() - started)
    return median(times)
