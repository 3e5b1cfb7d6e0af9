"""Neurons of all MLPs, the strongest by attribution patching, patched together."""

import numpy as np

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, strongest
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found | None:
    """By an estimate, for there are many."""
    lm = subject.lm
    if lm.name != "teaching model":
        return None  # hand-set neurons read the answer off; they are no rivals of a direction
    effect = study.estimate("neuron")
    best = [np.unravel_index(i, effect.shape) for i in strongest(effect, k)]
    sites = [mw.Site("neuron", int(layer), unit=int(unit)) for layer, unit in best]
    return Found(dict.fromkeys(sites, mw.Patch()), k, lm.n_layers * lm.d_mlp)


KIND = Kind("neurons", 2, find)
