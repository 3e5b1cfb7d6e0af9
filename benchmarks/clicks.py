"""What a click costs in the kernel: one joint intervention on the teaching model, both ways."""

from __future__ import annotations

import time
from statistics import median

import torch

import mediawidget as mw

CLICKS = 60


def click_milliseconds() -> float:
    """Median wall milliseconds of ``study.intervene(site)``, another head every time."""
    torch.set_num_threads(1)
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=1, seed=0)[0])
    heads = [(layer, head) for layer in range(lm.n_layers) for head in range(lm.n_heads)]
    times = []
    for click in range(CLICKS):
        layer, head = heads[click % len(heads)]
        started = time.perf_counter()
        study.intervene(mw.Site("head", layer=layer, head=head))
        times.append(time.perf_counter() - started)
    return 1000 * median(times)
