"""A random subspace: the control of every other one."""

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, of_direction
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found | None:
    """Uniform over all subspaces of its size."""
    if k > subject.lm.d_model:
        return None
    return of_direction(mw.directions.random(study, subject.site, k))


KIND = Kind("chance", 9, find)
