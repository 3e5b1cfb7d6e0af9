"""What the page is sent is what the study holds, cell by cell."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import mediawidget as mw
from mediawidget.effects import Effect, Status
from mediawidget.widgets import View
from mediawidget.widgets.drawing.prompts import _columns
from tests.widgets.conftest import Page


def panel(view: View, key: str) -> dict[str, Any]:
    (found,) = (p for p in view.view["panels"] if p["key"] == key)
    return dict(found)


def values(data: dict[str, Any], name: str) -> NDArray[np.float32]:
    kind = np.uint8 if name == "status" else np.float32
    return np.frombuffer(data[name], kind).reshape(data["shape"])


def assert_shows(data: dict[str, Any], effect: Effect) -> None:
    """Every cell of a panel holds that cell's corners and status."""
    shape = data["shape"]
    np.testing.assert_array_equal(values(data, "status"), effect.status.reshape(shape))
    for name, key in (("y01", "Y01"), ("y10", "Y10")):
        expected = np.asarray(effect[key]).reshape(shape)
        np.testing.assert_allclose(values(data, name), expected, rtol=1e-6)


def test_nothing_was_run_yet(study: mw.Study) -> None:
    view = mw.Explorer(study)
    assert [p["key"] for p in view.view["panels"]] == ["head", "mlp_out", "tokens"]
    head = panel(view, "head")
    assert head["shape"] == [5, 3]
    assert head["labels"][4] == "L1H1"
    assert head["labels"][3] == "L1H0"
    assert (values(head, "status") == Status.NOT_RUN).all()
    assert head["cost"]["runs"] == 30
    assert view.result == {"history": {"index": 0, "n": 0, "undo": False, "redo": False}}


def test_panels_hold_the_grids_numbers(study: mw.Study) -> None:
    view = mw.Explorer(study)
    heads = study.sweep("head", progress=False)
    mlps = study.sweep("mlp_out", progress=False)
    tokens = study.sweep("residual", by="position", progress=False)
    assert_shows(panel(view, "head"), heads)
    assert_shows(panel(view, "mlp_out"), mlps)
    data = panel(view, "tokens")
    assert data["shape"] == [6, 7]
    assert_shows(data, tokens)
    assert (values(data, "status")[:, :2] == Status.IMPLIED_ZERO).all()
    assert data["axes"][0]["labels"] == ["0", "1", "2", "3", "4", "out"]
    assert [text.strip() for text in data["axes"][1]["labels"]][:3] == ["ant", "bee", "cat"]
    assert data["labels"][7 + 2] == "L1 @ cat"


def test_the_token_panel_shows_other_sites(study: mw.Study) -> None:
    view = mw.TokenHeatmap(study, mediator="mlp_out")
    effect = study.sweep("mlp_out", by="position", progress=False)
    data = panel(view, "tokens")
    assert data["mediator"] == "mlp_out"
    assert data["shape"] == [5, 7]
    assert_shows(data, effect)


def test_columns_of_a_mean_have_the_roles_that_pairs_share_or_take_turns_in() -> None:
    lm = mw.load()
    view = mw.TokenHeatmap(mw.Study(lm, mw.tasks.ioi(lm, n=8)))
    columns = panel(view, "tokens")["axes"][1]["labels"]
    names = view.study.position_names
    assert (names[2], columns[2], columns[4]) == ("2", "2 IO/S1", "4 IO/S1")
    assert (columns[10], columns[14]) == ("S2", " to (END)")
    # No pair names these, or not every pair does.
    assert [columns[i] for i in (0, 1, 3, 8)] == ["[BOS]", "1", " and", "8"]
    assert panel(view, "tokens")["labels"][2] == "L0 @ 2"
    view.pair = 1
    tokens = list(view.study.token_pairs[1].clean_tokens)
    assert panel(view, "tokens")["axes"][1]["labels"] == tokens


def test_a_typed_role_means_the_same_in_every_pair() -> None:
    """Of the mean only roles that all pairs have at one place are a column's; others go by role."""
    lm = mw.load()
    view = mw.Explorer(mw.Study(lm, mw.tasks.ioi(lm, n=8)))

    def roles() -> dict[int, str]:
        tokens = view.view["prompts"]["clean"]
        return {i: token["role"] for i, token in enumerate(tokens) if token["role"]}

    assert roles() == {10: "S2", 14: "END"}
    view.pair = 1
    assert roles() == {at: role for role, at in view.study.contrast[1].roles.items()}
    assert len(roles()) > 2


def test_one_pair_of_several_and_their_mean(several: mw.Study) -> None:
    view = mw.Explorer(several)
    effect = several.sweep("head", progress=False)
    assert view.pair is None
    assert view.view["pairs"] == {"n": 3, "index": None, "name": "three"}
    assert view.view["base"]["y11"] == pytest.approx(several.total["Y11"])
    assert_shows(panel(view, "head"), effect)
    view.pair = 2
    assert view.view["base"]["y11"] == pytest.approx(several.total.pair(2)["Y11"])
    assert_shows(panel(view, "head"), effect.pair(2))
    assert view.view["prompts"]["clean"][2]["text"].strip() == "newt"
    assert view.view["prompts"]["clean"][2]["role"] == "S"


@pytest.mark.parametrize("budget", [None, 200_000, 1])
def test_the_cost_is_what_the_engine_then_does(several: mw.Study, budget: int | None) -> None:
    """Down to the least memory, where even one pair's runs are cut."""
    several.engine.budget = budget
    cost = panel(mw.HeadGrid(several), "head")["cost"]
    assert cost["passes"] == several.sweep("head", progress=False).facts["passes"]
    assert cost["passes"] == 1 if budget is None else cost["passes"] > 3
    assert cost["runs"] == 90


def test_edits_to_a_constant_are_sent_as_their_runs(several: mw.Study) -> None:
    view = mw.HeadGrid(several)
    several.edit = mw.Zero()
    effect = several.sweep("head", progress=False)
    assert view.view["edit"] == {"kind": "zero", "corners": False, "goal": "to zero", "part": ""}
    data = panel(view, "head")
    on_clean = view.view["base"]["y11"] - values(data, "y10").astype(float)
    on_corrupt = view.view["base"]["y00"] - values(data, "y01").astype(float)
    np.testing.assert_allclose(on_clean, effect["clean"], atol=1e-5)
    np.testing.assert_allclose(on_corrupt, effect["corrupt"], atol=1e-5)


def test_the_mean_is_offered_only_where_there_is_one(study: mw.Study, several: mw.Study) -> None:
    def why(view: View) -> object:
        return next(e["why"] for e in view.view["edits"] if e["kind"] == "mean")

    assert why(mw.HeadGrid(several)) is None
    assert "several pairs" in str(why(mw.HeadGrid(study)))


def test_the_result_is_the_last_effect(several: mw.Study) -> None:
    view = mw.Explorer(several)
    sites = [mw.Site("head", 3, head=1), mw.Site("residual", 2, position=4)]
    effect = several.intervene(sites)
    shown = view.result
    assert shown["cells"] == [
        {"panel": "head", "index": 10, "label": "L3H1"},
        {"panel": "tokens", "index": 18, "label": "L2 @ eel"},
    ]
    for name, key in (("y11", "Y11"), ("y00", "Y00"), ("y10", "Y10"), ("y01", "Y01")):
        assert shown[name] == pytest.approx(effect[key], rel=1e-6)
    for key in ("PIE", "TIE", "INT"):
        assert shown["ci"][key] == pytest.approx(list(effect.ci(key)), rel=1e-5)
    assert shown["n"] == 3
    view.pair = 1
    assert view.result["y01"] == pytest.approx(effect.pair(1)["Y01"], rel=1e-6)
    assert (view.result["ci"], view.result["n"]) == (None, 1)


def test_next_tokens_are_those_of_the_shown_pair(several: mw.Study) -> None:
    view = mw.Explorer(several)
    several.intervene(mw.Site("head", 3, head=1))
    view.pair = 1
    entry = several.history.current
    assert entry is not None
    for name, found in entry.next_tokens[1].items():
        told = view.result["top"][name]
        assert [t["token"] for t in told[:3]] == [text for text, _ in found[:3]]
        assert {" jay", " kite"} <= {t["token"] for t in told}
        assert all(t["p"] <= told[2]["p"] for t in told[3:])
    assert view.view["prompts"]["clean_top"] == view.result["top"]["clean"][:3]


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([mw.Patch(), mw.Zero()], {"kind": "mixed", "corners": False, "goal": "as asked"}),
        (
            [mw.Patch(), mw.Patch()],
            {"kind": "patch", "corners": True, "goal": "to its value on the other prompt"},
        ),
        (
            [mw.Patch("clean")],
            {"kind": "source", "corners": False, "goal": "to its value on the clean prompt"},
        ),
        ([mw.Mean()], {"kind": "mean", "corners": False, "goal": "to its mean"}),
    ],
)
def test_a_result_says_what_its_sites_were_set_to(
    several: mw.Study, edits: list[mw.Edit], expected: dict[str, Any]
) -> None:
    view = mw.HeadGrid(several)
    several.intervene({mw.Site("head", 3, head=h): edit for h, edit in enumerate(edits)})
    assert view.result["edit"] == expected | {"part": ""}


def test_a_result_says_which_part_of_a_site_was_set(several: mw.Study) -> None:
    view, site = mw.HeadGrid(several), mw.Site("head", 3, head=1)
    one, two = (mw.Subspace.random(2, several.lm.d_head, seed) for seed in (0, 1))
    several.intervene({site: mw.Within(one)})
    told = view.result["edit"]
    goal = told.pop("goal")
    assert told == {"kind": "source", "corners": True, "part": "2 directions of "}
    assert goal.startswith("to its value on the other prompt, within 2 directions (")
    several.intervene({site: mw.Within(two)})
    assert view.result["edit"]["goal"] != goal
    several.edit = mw.Within(one, mw.Zero())
    assert view.view["edits"][-1]["label"] == "within (zero, 2 directions)"
    several.edit = mw.Patch()


def test_an_edit_that_names_its_prompt_is_offered_while_it_is_the_studys(study: mw.Study) -> None:
    view = mw.HeadGrid(study)
    study.edit = mw.Patch("corrupt")
    assert view.view["edit"]["kind"] == "source"
    assert [(e["kind"], e["label"]) for e in view.view["edits"]][-1] == (
        "source",
        "patch (corrupt)",
    )
    study.edit = mw.Patch()
    assert [e["kind"] for e in view.view["edits"]] == ["patch", "zero", "mean"]


def test_a_site_that_a_view_does_not_show_keeps_its_label(study: mw.Study) -> None:
    view = mw.HeadGrid(study)
    study.intervene([mw.Site("head", 0, head=2), mw.Site("residual", 2, position=4)])
    assert view.result["cells"] == [
        {"panel": "head", "index": 2, "label": "L0H2"},
        {"panel": "site", "index": 1, "label": "L2 @ eel"},
    ]


def test_payloads_are_json_beside_their_bytes(study: mw.Study) -> None:
    """NaN is not JSON: cells that were not run are bytes, everything else is finite or null."""
    view = mw.Explorer(study)
    study.intervene(mw.Site("head", 3, head=1))
    plain = {**view.view, "panels": []}
    json.dumps([plain, view.result], allow_nan=False)
    for data in view.view["panels"]:
        rest = {k: v for k, v in data.items() if not isinstance(v, bytes)}
        json.dumps(rest, allow_nan=False)


def test_a_view_shows_one_draw_of_what_is_random(
    lm: mw.LM, several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    several.edit = mw.Noise(1.0, samples=3)
    view = mw.HeadGrid(several)
    page = Page(view, monkeypatch)
    assert panel(view, "head")["title"] == "Heads (first of 3 draws)"
    assert page.ask("sweep", panels=["head"])["ok"]
    first = mw.Study(lm, several.contrast).sweep("head", edit=several.edit, progress=False)
    assert first.shape == (5, 3, 3)
    for name, key in (("y01", "Y01"), ("y10", "Y10")):
        np.testing.assert_allclose(
            values(panel(view, "head"), name),
            first.corners()[key].mean(0)[..., 0],
            rtol=1e-4,
            atol=1e-5,
        )


def test_a_click_on_a_cell_of_a_draw_shows_in_its_panel(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    several.edit = mw.Noise(1.0, samples=3)
    view = mw.HeadGrid(several)
    assert Page(view, monkeypatch).ask("intervene", cells=[{"panel": "head", "index": 4}])["ok"]
    data = panel(view, "head")
    assert values(data, "status")[1, 1] == Status.EXACT
    assert (values(data, "status") != Status.NOT_RUN).sum() == 1
    np.testing.assert_allclose(values(data, "y01")[1, 1], view.result["y01"], rtol=1e-6)
    assert data["edit"] == view.result["edit"]  # by it the page puts a click into its panel


def test_a_typed_site_takes_the_draw_that_panels_show(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    several.edit = mw.Noise(1.0, samples=3)
    view = mw.HeadGrid(several)
    assert Page(view, monkeypatch).ask("select", text="L1H1")["ok"]
    data = panel(view, "head")
    assert values(data, "status")[1, 1] == Status.EXACT
    assert data["edit"] == view.result["edit"]
    assert several.last is not None
    assert several.last.edit == mw.Noise(1.0, first=0)


def test_a_shares_interval_is_that_of_the_ratio() -> None:
    """Numerator and denominator vary together: where one follows the other there is no doubt."""
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=6))
    view = mw.HeadGrid(study)
    effect = study.intervene(mw.Site("residual", 0))
    shown = view.result["ci"]
    for key in ("PIE", "TIE", "INT"):
        ends = 100 * effect.normalized_ci(key)
        assert shown[f"{key}%"] == pytest.approx(ends.tolist(), rel=1e-5, abs=1e-6)
    assert shown["PIE%"] == pytest.approx([100, 100], abs=1e-3)


def test_an_answer_of_several_tokens_has_no_one_logit() -> None:
    clean = "When Mary and John went to the store, John gave a book to"
    pair = mw.PromptPair(clean, clean.replace(", John", ", Mary"), "Mary and", "John and")
    view = mw.HeadGrid(mw.Study(mw.load(), pair))
    label = view.view["metric"]["label"]
    assert label.startswith("log P(Mary and)")
    assert "logit" not in label
    assert view.snapshot().facts["metric"] == label
    assert label in view._html()


def test_unequal_prompts_stand_by_their_partners() -> None:
    clean = "When Mary and John went to the store, John gave a book to"
    pair = mw.PromptPair(clean, "When Mary went to the store, Mary gave a book to", "Mary", "John")
    study = mw.Study(mw.load(), pair)
    view = mw.Explorer(study)
    prompts = view.view["prompts"]
    texts = [token["text"] for token in prompts["corrupt"]]
    found = {token["text"]: token["partner"] for token in prompts["clean"]}
    assert found[" and"] == -1
    assert texts[found[" gave"]] == " gave"
    assert (" and", "\N{EN DASH}") in _columns(prompts)
    assert (" gave", " gave") in _columns(prompts)


def test_the_answers_are_always_among_the_next_tokens() -> None:
    """Their probabilities are the model's own, also where they are not among the likeliest."""
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=2))
    view = mw.HeadGrid(study)
    study.intervene(mw.Site("head", 3, head=1))
    shown = study.token_pairs[0]
    with torch.no_grad():
        logits = lm.hf(torch.from_numpy(shown.clean)[None]).logits[0, -1].double()
    p = logits.softmax(-1)
    told = {one["token"]: one["p"] for one in view.result["top"]["clean"]}
    assert told[shown.answer_token] == pytest.approx(float(p[shown.answer]), abs=1e-5)
    assert told[shown.wrong_token] == pytest.approx(float(p[shown.wrong]), abs=1e-5)
