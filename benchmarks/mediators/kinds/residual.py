"""The whole site: all that any subspace of it can carry."""

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found:  # noqa: ARG001
    """All of it."""
    width = subject.lm.d_model
    return Found({subject.site: mw.Patch()}, width, width)


KIND = Kind("residual, whole", 0, find, sized=False)
