"""The benchmark of mediators runs on a model of known truth and on a task, and says what it saw."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from benchmarks.mediators import report, subjects
from benchmarks.mediators.kinds import kinds
from benchmarks.mediators.measure import Row, rows
from benchmarks.mediators.subjects import Subject

pytestmark = pytest.mark.slow

NAMES = {
    *("residual, whole", "heads", "neurons", "coordinates", "coordinates, trained mask"),
    *("means of the answers", "PCA", "DAS", "SAE features", "chance", "known direction"),
}


@lru_cache
def planted(*, rotated: bool) -> tuple[Subject, list[Row]]:
    subject = subjects.planted(rotated=rotated)
    some = ("residual, whole", "coordinates, trained mask", "PCA", "DAS", "known direction")
    return subject, rows(subject, [kind for kind in kinds() if kind.name in some], (1,))


@lru_cache
def taught() -> tuple[Subject, list[Row]]:
    (subject,) = subjects.taught(8, ("facts",))
    return subject, rows(subject, [kind for kind in kinds() if not kind.trained], (2,))


def by_kind(found: list[Row]) -> dict[str, Row]:
    return {row.kind: row for row in found}


def test_every_file_is_a_kind() -> None:
    found = kinds()
    assert {kind.name for kind in found} == NAMES
    assert len({kind.order for kind in found}) == len(found)


@pytest.mark.parametrize("rotated", [True, False])
def test_a_planted_direction_is_found_by_what_can_rotate(rotated: bool) -> None:
    found = by_kind(planted(rotated=rotated)[1])
    for kind in ("residual, whole", "known direction"):
        np.testing.assert_allclose([found[kind].pie, found[kind].tie, found[kind].iia], 1.0)
    # All of the site moves the second variable as well; its own direction does not.
    assert found["residual, whole"].leak == pytest.approx(1)
    assert found["known direction"].leak == pytest.approx(0, abs=1e-9)
    das, mask, pca = (found[kind] for kind in ("DAS", "coordinates, trained mask", "PCA"))
    assert das.k == 1
    assert das.iia > 0.9
    assert das.leak < 0.2
    assert abs(pca.pie) < 0.1  # the noise is larger than the variables
    assert pca.iia < 0.1
    assert (mask.k, mask.iia == 1.0, mask.leak < 0.01) == (1, True, True) or rotated
    assert not rotated or (mask.k > 1 and mask.leak > 0.2)


def test_a_task_has_every_kind_that_needs_no_training() -> None:
    subject, found = taught()
    assert {row.kind for row in found} == {kind.name for kind in kinds() if not kind.trained} - {
        "known direction"
    }
    assert not {pair.template for pair in subject.fit} & {pair.template for pair in subject.test}
    for row in found:
        assert np.isfinite([row.pie, row.low, row.high, row.tie, row.fit, row.leak]).all()
        assert row.low <= row.pie <= row.high
        assert 0 <= row.iia <= 1
        assert row.k in (2, 128)
        assert row.seconds >= 0
        subspace = row.kind in ("coordinates", "means of the answers", "PCA", "chance")
        assert np.isnan(row.row) != subspace
    whole = by_kind(found)["residual, whole"]
    assert whole.pie == pytest.approx(1, abs=0.1)
    assert abs(by_kind(found)["chance"].pie) < 0.2


def test_the_table_has_a_line_for_every_row_and_the_chart_a_point() -> None:
    tables = [planted(rotated=True), taught()]
    text = report.text(tables)
    assert text.startswith("# Which kind of mediator")
    body = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(body) == sum(len(found) for _, found in tables) + 2 * len(tables)
    assert {line.count("|") for line in body} == {len(report.COLUMNS) + 1}
    assert "Found on 4 pairs, judged on 4 of other templates; " in text
    assert "judged on 128 drawn apart; 13 of these and 256 of their 256 prompts are in both" in text
    spec = report.chart([row for _, found in tables for row in found]).to_dict()
    (data,) = spec["datasets"].values()
    assert len(data) == sum(len(found) for _, found in tables)
