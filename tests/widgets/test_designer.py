"""CounterfactualDesigner: what the page is sent is what was predicted and what was run."""

from pathlib import Path
from typing import Any

import pytest

import mediawidget as mw
from mediawidget import abstraction as ab
from tests.asking import raised

LM = mw.models.lookback()
RIVALS = ab.lookback_hypotheses()
RENDER = mw.models.lookback_prompt
BASE = {
    "first": "Ann",
    "first_drink": "beer",
    "second": "Bob",
    "second_drink": "coffee",
    "asked": "Bob",
}
SOURCE = {
    "first": "Bob",
    "first_drink": "tea",
    "second": "Ann",
    "second_drink": "water",
    "asked": "Bob",
}


@pytest.fixture
def designer() -> Any:
    pairs = [ab.counterfactual(RIVALS, BASE, SOURCE), *ab.separating(RIVALS, 2)]
    found = mw.CounterfactualDesigner(LM, RIVALS, RENDER, pairs=pairs)
    yield found
    found.close()


def ask(designer: Any, **content: Any) -> None:
    designer._receive(designer, content, [])


def test_predictions_stand_there_before_anything_is_run(designer: Any) -> None:
    pair = designer.state["pair"]
    told = [(one["mark"], one["name"], one["predicted"]) for one in pair["rivals"]]
    assert told == [
        *(("A", "pointer", "beer"), ("B", "payload", "tea")),
        ("\N{EN DASH}", "no change", "coffee"),
    ]
    assert pair["telling"]
    assert pair["cells"] == [[None] * 8] * 4
    assert pair["says"] == {"base": None, "source": None}
    assert "".join(pair["tokens"]["source"]).strip() == RENDER(SOURCE)
    assert designer.state["layers"] == ["L0", "L1", "L2", "out"]


def test_a_click_is_one_real_run(designer: Any) -> None:
    ask(designer, do="run", layer=2, position=7)
    pair = designer.state["pair"]
    assert pair["cells"][2][7] == ["beer", [0]]
    assert sum(cell is not None for row in pair["cells"] for cell in row) == 1
    assert pair["says"] == {"base": ["coffee", [0]], "source": ["tea", [0]]}
    ask(designer, do="run")
    cells = designer.state["pair"]["cells"]
    assert cells[3][7] == ["tea", [1]]
    assert cells[0][7] == ["coffee", [2]]
    # The state at the second drink is the source's: its word, which no hypothesis predicts.
    assert cells[1][4] == ["water", []]
    # As many as a sweep over the same pair says.
    swept = ab.rivals(LM, RIVALS, RENDER, pairs=[designer.counterfactual])
    for index, name in enumerate(RIVALS):
        hits = [[float(index in cell[1]) for cell in row] for row in cells]
        assert hits == swept[name].iia.tolist()


def test_a_tie_is_said_to_be_one(designer: Any) -> None:
    """The question's name becomes one that is not in the story."""
    for name, value in {"first": "Cal", "second": "Dee", "asked": "Dee"}.items():
        ask(designer, do="set", side="source", input=name, value=_index(name, value))
    ask(designer, do="run", layer=0, position=6)
    assert designer.state["pair"]["cells"][0][6] == ["nothing (a tie)", []]


def test_runs_are_kept_by_pair(designer: Any) -> None:
    ask(designer, do="run", layer=2, position=7)
    ask(designer, do="go", to=1)
    assert designer.state["pair"]["cells"] == [[None] * 8] * 4
    ask(designer, do="go", to=0)
    assert designer.state["pair"]["cells"][2][7] == ["beer", [0]]
    table = designer.to_dataframe()
    assert table.to_dict("records") == [
        {
            "original": RENDER(BASE),
            "counterfactual": RENDER(SOURCE),
            "site": "L2 @ 7",
            "said": "beer",
            "pointer predicts": "beer",
            "payload predicts": "tea",
        }
    ]


def test_an_edit_that_confuses_two_is_marked_and_not_kept(designer: Any) -> None:
    ask(designer, do="set", side="source", input="first_drink", value=_index("first_drink", "beer"))
    state = designer.state
    assert state["at"] is None
    assert not state["pair"]["telling"]
    assert [one["alike"] for one in state["pair"]["rivals"]] == [["payload"], ["pointer"], []]
    ask(designer, do="keep")
    assert "cannot tell two hypotheses apart" in designer.state["error"]
    assert designer.kept == []
    ask(designer, do="set", side="source", input="first_drink", value=_index("first_drink", "milk"))
    ask(designer, do="keep")
    ask(designer, do="keep")
    assert [one.predicted for one in designer.kept] == [{"pointer": "beer", "payload": "milk"}]
    assert designer.state["error"] == ""
    found = ab.rivals(LM, RIVALS, RENDER, pairs=designer.kept)
    assert found["pointer"].iia[2, 7] == 1


def _of(designer: Any) -> list[list[int]]:
    """The pair that the page shows, as it says it."""
    return [designer.state["base"], designer.state["source"]]


@pytest.mark.parametrize("content", [{"do": "keep"}, {"do": "run", "layer": 2, "position": 7}])
def test_what_is_asked_of_a_pair_that_went_is_refused(designer: Any, content: Any) -> None:
    seen = _of(designer)
    ask(designer, do="go", to=1)
    for other in (seen, [], None, "x"):
        ask(designer, **content, of=other)
        assert "The pair changed while this was on its way" in designer.state["error"]
    assert designer.kept == []
    assert designer.to_dataframe().empty
    ask(designer, **content, of=_of(designer))
    assert designer.state["error"] == ""
    assert len(designer.kept) + len(designer.to_dataframe()) == 1


def test_a_pair_tells_its_inputs_in_the_order_of_their_names() -> None:
    turned = [dict(reversed(side.items())) for side in (BASE, SOURCE)]
    pairs = [ab.counterfactual(RIVALS, *turned)]
    designer = mw.CounterfactualDesigner(LM, RIVALS, RENDER, pairs=pairs)
    names = [one["name"] for one in designer.state["inputs"]]
    assert designer.state["base"] == [_index(name, BASE[name]) for name in names]
    designer.close()


def test_inputs_without_a_prompt_are_said_to_be_none(designer: Any) -> None:
    ask(designer, do="set", side="base", input="second", value=_index("second", "Ann"))
    assert designer.counterfactual is None
    assert designer.state["pair"] is None
    ask(designer, do="run")
    assert "no such pair of prompts" in designer.state["error"]
    assert "no such pair" in designer._html()


@pytest.mark.parametrize(
    "content",
    [
        {"do": "go", "to": 9},
        {"do": "go"},
        {"do": "run", "layer": 9, "position": 0},
        {"do": "set", "side": "base", "input": "no", "value": 0},
        {"do": "set", "side": "base", "input": "first", "value": 99},
        {"do": "nothing"},
    ],
)
def test_nonsense_from_the_page_is_answered_with_an_error(designer: Any, content: Any) -> None:
    ask(designer, **content)
    assert designer.state["error"]
    assert designer.state["pair"]["cells"] == [[None] * 8] * 4


def test_the_saved_page_has_the_numbers_as_text(designer: Any, tmp_path: Path) -> None:
    designer.run(2, 7)
    html = designer._html()
    assert "L2 @ 7: beer" in html
    assert "&lt;s&gt; Bob tea Ann water ? Bob :" in html
    assert designer.export(tmp_path / "runs.csv").read_text().count("\n") == 2
    assert designer.export(tmp_path / "page.html").stat().st_size > 10_000
    assert "no picture" in str(raised(lambda: designer.export(tmp_path / "a.png")))


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"mediator": "head"}, "a cell per layer and token"),
        ({"pairs": []}, "pairs of the hypotheses' inputs"),
    ],
)
def test_what_it_cannot_show_is_refused(more: dict[str, Any], word: str) -> None:
    error = raised(lambda: mw.CounterfactualDesigner(LM, RIVALS, RENDER, **more))
    assert word in str(error)


def test_state_is_written_by_the_view_alone(designer: Any) -> None:
    with pytest.raises(Exception, match="written by the view"):
        designer.state = {}
    assert repr(designer) == "CounterfactualDesigner(pointer, payload; 3 pairs, 0 kept)"


def _index(name: str, value: str) -> int:
    return list(ab.lookback().inputs[name]).index(value)
