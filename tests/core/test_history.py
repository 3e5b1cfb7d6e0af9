"""Names, walks and comparisons of what was asked of a study."""

import numpy as np
import pytest

import mediawidget as mw

HEAD, OTHER = mw.Site("head", layer=3, head=1), mw.Site("head", layer=3, head=0)


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load()


@pytest.fixture
def study(lm: mw.LM) -> mw.Study:
    return mw.Study(lm, mw.tasks.ioi(lm, n=8, seed=0))


def test_names_stay_with_their_entries(study: mw.Study) -> None:
    study.intervene(HEAD)
    study.intervene(OTHER)
    study.history.name(1, "  the name mover ")
    study.history.name(0, "nothing")
    study.metric = mw.Prob()
    assert list(study.history.names) == ["nothing", "the name mover", ""]
    study.undo()
    study.undo()
    study.intervene(OTHER)
    assert list(study.history.names) == ["nothing", ""]
    study.history.name(0, None)
    assert list(study.history.names) == ["", ""]


@pytest.mark.parametrize("index", [-1, 2, True, "1", None, 1.0])
def test_an_entry_that_is_not_there_is_refused(study: mw.Study, index: object) -> None:
    before = study.intervene(HEAD)
    for ask in (
        lambda: study.history.name(index, "x"),  # type: ignore[arg-type]
        lambda: study.walk(index),  # type: ignore[arg-type]
        lambda: study.compare(1, index),  # type: ignore[arg-type]
    ):
        with pytest.raises(mw.MediationError, match="no such entry"):
            ask()
    assert study.last is before


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, 3, b"x"])
def test_a_name_is_a_short_text(study: mw.Study, name: object) -> None:
    with pytest.raises(mw.MediationError, match="short text"):
        study.history.name(0, name)  # type: ignore[arg-type]
    assert study.history.names == ("",)


def test_a_walk_goes_anywhere_and_forgets_nothing(study: mw.Study) -> None:
    first, second = study.intervene(HEAD), study.intervene(OTHER)
    heard: list[str] = []
    study.subscribe(heard.append)
    study.walk(0)
    assert (study.selection, study.last) == ((), None)
    study.walk(2)
    assert study.last is second
    study.walk(1)
    assert study.last is first
    assert study.redo()
    study.history.name(1, "x")
    assert heard == ["result"] * 4 + ["name"]
    assert len(study.history) == 3


def test_a_comparison_is_the_difference_pair_by_pair(study: mw.Study) -> None:
    one, two = study.intervene(HEAD), study.intervene([OTHER, mw.Site("mlp_out", 2)])
    study.history.name(1, "mover")
    table = study.compare(1, 2)
    assert list(table.index) == ["Y01", "Y10", "PIE", "TIE", "INT"]
    for key, row in table.iterrows():
        apart = one.pairs(str(key)) - two.pairs(str(key))
        assert row["first"] == pytest.approx(one[str(key)], abs=1e-12)
        assert row["second"] == pytest.approx(two[str(key)], abs=1e-12)
        assert row["difference"] == pytest.approx(apart.mean(), abs=1e-12)
        assert row["low"] < row["difference"] < row["high"]
        # The pairs vary together, so the interval is that of the pairs' own differences.
        assert apart.min() <= row["low"]
        assert row["high"] <= apart.max()
    assert table.attrs["first"] == "mover"
    assert table.attrs["second"] == "L3H0 + mlp2"
    assert (table.attrs["n"], table.attrs["unit"]) == (8, "logits")
    back = study.compare(2, 1)
    np.testing.assert_allclose(back["difference"], -table["difference"], atol=1e-12)


def test_one_pair_has_no_interval(lm: mw.LM) -> None:
    study = mw.Study(lm, mw.tasks.ioi(lm, n=2, seed=0)[0])
    study.intervene(HEAD)
    study.intervene(OTHER)
    table = study.compare(1, 2)
    assert np.isfinite(table["difference"]).all()
    assert table[["low", "high"]].isna().all(axis=None)


def test_what_cannot_be_compared_says_why(study: mw.Study) -> None:
    study.intervene(HEAD)
    study.intervene({HEAD: mw.Zero()})
    study.intervene({HEAD: mw.Scale(2.0)})
    with pytest.raises(mw.MediationError, match="nothing was selected"):
        study.compare(0, 1)
    with pytest.raises(mw.MediationError, match="these share Y11, Y00 and TE"):
        study.compare(1, 2)
    # Scale sets no value that both prompts share, so there is no CDE.
    assert list(study.compare(2, 3).index) == ["clean", "corrupt", "difference"]
    study.intervene({OTHER: mw.Zero()})
    assert "CDE" in study.compare(2, 4).index
