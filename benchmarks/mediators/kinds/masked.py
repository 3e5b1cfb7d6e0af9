"""Coordinates of the site by a trained mask, as many as it keeps."""

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, coordinates
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found:  # noqa: ARG001
    """The mask says how many."""
    everyone = tuple(range(len(study.contrast)))
    trained = mw.alignment.neuron_masks(
        study, subject.site, train_on=everyone, report_on=everyone, progress=False
    )
    return coordinates(study, subject, list(trained.coordinates))


KIND = Kind("coordinates, trained mask", 4, find, sized=False, trained=True)
