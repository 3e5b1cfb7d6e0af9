"""Distributed alignment search: trained directions."""

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, of_direction
from benchmarks.mediators.subjects import Subject

EPOCHS = 40


def find(study: mw.Study, subject: Subject, k: int) -> Found | None:
    """Trained on the pairs that fit, a quarter of which ends the training."""
    if k > subject.lm.d_model:
        return None
    everyone = tuple(range(len(study.contrast)))
    trained = mw.alignment.das(
        study,
        subject.site,
        k,
        epochs=EPOCHS,
        train_on=everyone,
        report_on=everyone,
        progress=False,
    )
    return of_direction(mw.directions.given(study, subject.site, trained.subspace, made="DAS"))


KIND = Kind("DAS", 7, find, trained=True)
