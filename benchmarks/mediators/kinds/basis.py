"""Coordinates of the site itself: a subspace that is not rotated."""

import numpy as np

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, coordinates
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found | None:
    """Those in which the two prompts of a pair are furthest apart."""
    if k > subject.lm.d_model:
        return None
    clean, corrupt = (study.activations(subject.site, base).array for base in ("clean", "corrupt"))
    apart = np.square(clean - corrupt).mean(axis=(0, 1))
    return coordinates(study, subject, np.argsort(-apart, kind="stable")[:k].tolist())


KIND = Kind("coordinates", 3, find)
