"""Pictures that need no kernel: every state looks like what it is, and blue is toward clean."""

import re
from dataclasses import replace

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import pictures
from mediawidget.effects import Effect, Status
from mediawidget.pictures import effect_html, signed, study_picture
from mediawidget.widgets._static import study_html
from tests.widgets.conftest import PAIRS

BLUE, RED = "33,102,172", "178,24,43"


@pytest.fixture
def heads(study: mw.Study) -> Effect:
    """A swept grid whose first row is of every status that a cell may have."""
    effect = study.sweep("head", progress=False)
    status = np.array(effect.status)
    status[0] = Status.NOT_RUN, Status.FAILED, Status.IMPLIED_ZERO
    status[1, 0] = Status.IMPOSSIBLE
    return replace(effect, status=status)


def cells(html: str) -> list[str]:
    return re.findall(r"<td.*?</td>", html)


def assert_states(html: str) -> None:
    not_run, failed, zero, impossible, number, *_ = cells(html)
    assert 'title="not run"' in not_run
    assert "repeating-linear-gradient" in not_run
    assert 'title="failed check">\N{MULTIPLICATION SIGN}<' in failed
    assert "repeating-linear-gradient" not in failed
    assert ">\N{MIDDLE DOT}<" in zero
    assert 'title="impossible"' in impossible
    assert re.search(r">[+\N{MINUS SIGN}]\d+\.\d\d<", number)


def test_every_state_is_drawn_as_what_it_is(heads: Effect) -> None:
    assert_states(effect_html(heads))


def test_the_saved_view_draws_them_too(
    study: mw.Study, heads: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.HeadGrid(study)
    monkeypatch.setattr(type(study), "held", lambda *_: (heads, None))
    assert_states(study_html(study, view.panels, 0))


def test_a_failed_result_has_no_number(heads: Effect) -> None:
    html = effect_html(heads.cell(0, 1))
    assert "failed check" in html
    assert "PIE" not in html


@pytest.mark.parametrize("turned", [False, True])
def test_blue_is_toward_the_clean_run_whichever_way_the_metric_runs(
    lm: mw.LM, turned: bool
) -> None:
    pair = PAIRS[0]
    if turned:
        pair = replace(pair, answer=pair.wrong, wrong=pair.answer)
    study = mw.Study(lm, pair)
    grid = study.sweep("head", progress=False)
    toward = np.asarray(grid["PIE"]) * float(grid["TE"].flat[0]) > 0
    assert 0 < toward.sum() < toward.size
    saved = study_html(study, mw.HeadGrid(study).panels, 0)
    for html in (effect_html(grid), saved):
        assert [BLUE in cell for cell in cells(html)] == toward.reshape(-1).tolist()
        assert [RED in cell for cell in cells(html)] == (~toward).reshape(-1).tolist()


def test_a_study_is_drawn_without_views(several: mw.Study) -> None:
    title = "<b>study</b>"
    empty = study_picture(title, several.total, several.grids)
    assert "<b>study</b>" not in empty
    assert "nothing was run yet" in empty
    several.sweep("head", progress=False)
    several.sweep("residual", by="position", progress=False)
    html = study_picture(title, several.total, several.grids)
    assert html.count("<table") == 2
    assert len(cells(html)) == 5 * 3 + 6 * 7
    assert "<th>S</th>" in html
    strongest = float(several.grids["head"].top(1)["PIE"].iloc[0])
    assert f"{strongest:+.2f}".replace("-", "\N{MINUS SIGN}") in html
    assert "n=3" in html


def test_many_axes_are_rows_and_columns_that_say_what_they_are(study: mw.Study) -> None:
    effect = study.sweep("edge", edit=mw.Zero(), layers=[1, 2], progress=False)
    n = len(effect.axes["position"])
    html = effect_html(effect)
    assert re.findall(r"<tr><th>(L.*?)</th>", html) == [
        f"L{i}H{j}" for i in (1, 2) for j in range(3)
    ]
    assert "works for the clean answer" in html
    assert "toward the clean run" not in html
    first = effect.labels[n].partition(" @ ")[2]
    assert f"<th>{first}</th>" in html
    assert len(cells(html)) == 6 * n * n
    drawn = study.sweep("head", edit=mw.Noise(samples=2), progress=False)
    table = effect_html(drawn)
    assert "<th>0, 0</th><td" in table
    assert "<tr><th></th><th>0</th><th>1</th></tr>" in table


def test_what_is_too_large_for_a_table_is_a_list_of_the_strongest(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    effect = study.sweep("neuron", progress=False)
    assert len(cells(effect_html(effect))) == 200
    monkeypatch.setattr(pictures, "MOST_COLUMNS", 39)
    html = effect_html(effect)
    assert f"the strongest 10 of {effect['PIE'].size:,} cells" in html
    assert effect.top(1)["site"].iloc[0] in html
    assert html.count("<tr") == 11


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert [signed(value) for value in (0.004, -0.004, 0.0, -0.0)] == ["0.00"] * 4
    assert signed(0.006) == "+0.01"
    assert signed(-10.0) == "\N{MINUS SIGN}10.00"
