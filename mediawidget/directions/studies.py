"""Some pairs of a study make a direction, and others say what it carries."""

from __future__ import annotations

from collections.abc import Sequence

from ..prompts import Contrast
from ..search.pair_splits import split as split_pairs
from ..study import Study, refuse_no_study


def halves(study: Study, seed: int = 0) -> tuple[Study, Study]:
    """The same question of two halves of the pairs, drawn at random, clusters whole.

    A direction that is made on some pairs looks better there than it is, so what it carries is
    measured on others.

    Args:
        study: of at least two pairs, or clusters of pairs.
        seed: of the draw.

    Returns:
        The study to make directions on, the study to test them on.

    Raises:
        MediationError: a single pair or cluster.
    """
    refuse_no_study(study)
    first, second = split_pairs(study, "half", None, seed)
    return _of(study, first), _of(study, second)


def fit_and_test(study: Study, test: Study | None, seed: int) -> tuple[Study, Study]:
    """The study that makes and the one that tests: two halves where no other one is given."""
    if test is None:
        return halves(study, seed)
    refuse_no_study(test)
    return study, test


def _of(study: Study, numbers: Sequence[int]) -> Study:
    pairs = Contrast([study.contrast[i] for i in numbers], study.contrast.name)
    return Study(study.lm, pairs, study.metric, study.edit, study.readout)
