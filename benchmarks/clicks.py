"""What a click costs in the kernel: one joint intervention, both ways, on a warm study."""

from __future__ import annotations

import time
from statistics import median

import mediawidget as mw

CLICKS = 60


def click_seconds(lm: mw.LM, pair: mw.PromptPair) -> float:
    """Median wall seconds of ``study.intervene(site)``, another head every time."""
    study = mw.Study(lm, pair)
    heads = [(layer, head) for layer in range(lm.n_layers) for head in range(lm.n_heads)]
    step = max(1, len(heads) // CLICKS)
    study.intervene(mw.Site("head", layer=0, head=0))
    times = []
    for layer, head in heads[1::step]:
        started = time.perf_counter()
        study.intervene(mw.Site("head", layer=layer, head=head))
        times.append(time.perf_counter() - started)
    return median(times)
