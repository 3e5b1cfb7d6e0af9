"""Difference of means, one direction."""

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, of_direction
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found | None:
    """Those that tell the answers' means apart; a single one of two answers."""
    answers = {pair.answer_text for pair in study.contrast}
    answers |= {pair.wrong_text for pair in study.contrast}
    if k >= len(answers) or k > subject.lm.d_model:
        return None
    made = mw.directions.difference_of_means(study, subject.site, labels="answers", k=k)
    return of_direction(made)


KIND = Kind("means of the answers", 5, find)
