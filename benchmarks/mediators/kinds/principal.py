"""Principal components of the differences between the two prompts of a pair."""

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, of_direction
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found | None:
    """The first k, where the pairs have so many."""
    try:
        return of_direction(mw.directions.principal(study, subject.site, k))
    except mw.MediationError:
        return None


KIND = Kind("PCA", 6, find)
