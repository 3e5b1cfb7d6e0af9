"""Attention heads, the strongest one by one, patched together at all positions."""

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, strongest
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found | None:
    """By an exact sweep."""
    lm = subject.lm
    n = lm.n_layers * lm.n_heads
    if k >= n:
        return None
    best = strongest(study.sweep("head", progress=False), k)
    sites = [mw.Site("head", i // lm.n_heads, head=i % lm.n_heads) for i in best]
    return Found(dict.fromkeys(sites, mw.Patch()), k, n)


KIND = Kind("heads", 1, find)
