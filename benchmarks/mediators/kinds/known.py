"""The direction that was built in, where the subject has one: what could be found."""

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, of_direction
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found | None:  # noqa: ARG001
    """Nothing is searched for."""
    if subject.known is None:
        return None
    made = mw.directions.given(study, subject.site, subject.known, made="the model's own")
    return of_direction(made)


KIND = Kind("known direction", 10, find, sized=False)
