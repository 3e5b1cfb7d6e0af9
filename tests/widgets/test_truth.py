"""What was pointed at is what runs, and two quantities never pass for one."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.widgets._goals import edit_payload, goal_of
from tests.widgets.conftest import PAIRS, Page

HEAD, OTHER = mw.Site("head", 1, head=1), mw.Site("head", 1, head=2)
AT = {"panel": "head", "index": 4}
VALUES = [float(i) for i in range(8)]

EDITS = [
    *(
        mw.Patch(),
        mw.Patch(alpha=0.5),
        mw.Patch(alpha=0.25),
        mw.Patch("clean"),
        mw.Patch("corrupt"),
    ),
    *(mw.Zero(), mw.Mean(), mw.Mean("clean"), mw.Knockout(), mw.Scale(2.0), mw.Scale(3.0)),
    *(mw.Resample(seed=0), mw.Resample(seed=1), mw.Resample(seed=0, base="clean")),
    *(mw.Noise(sigma=1.0), mw.Noise(sigma=3.0), mw.Noise(sigma=3.0, seed=1)),
    *(mw.Noise(sigma=3.0, samples=3), mw.Noise(sigma=3.0, samples=3).sample(2)),
    *(mw.Steer(VALUES), mw.Steer(VALUES[::-1]), mw.Steer(VALUES, scale=2.0)),
    *(mw.Clamp(VALUES), mw.Clamp(VALUES[::-1]), mw.Clamp(2.0), mw.Clamp(3.0)),
    *(mw.Patch(mw.Run("clean", {HEAD: mw.Zero()})), mw.Patch(mw.Run("corrupt", {HEAD: mw.Zero()}))),
]


def test_no_two_edits_share_their_words() -> None:
    for one, other in combinations(EDITS, 2):
        assert goal_of(one) != goal_of(other), (one, other)
    frozen = edit_payload([mw.Patch()], "frozen: head")["goal"]
    assert frozen != goal_of(mw.Patch())


def test_half_a_patch_is_said_and_changes_no_cell_of_the_patch(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.sweep("head", progress=False)
    view = mw.HeadGrid(study)
    page = Page(view, monkeypatch)
    before = view.view["panels"][0]["y01"]
    study.intervene({HEAD: mw.Patch(alpha=0.5)})
    assert view.result["edit"]["goal"] == "0.5 of the way to its value on the other prompt"
    assert view.view["panels"][0]["y01"] == before
    assert page.sent("view") == []


def test_what_was_frozen_is_said_and_stays_frozen(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.HeadGrid(study)
    page = Page(view, monkeypatch)
    study.intervene([HEAD, OTHER], freeze=("mlp_out",))
    assert view.result["label"].endswith("(frozen: mlp_out)")
    assert view.result["edit"]["goal"].endswith("frozen: mlp_out")
    rest = page.ask("without", index=0)["data"]
    alone = mw.Study(study.lm, PAIRS[0]).intervene(OTHER, freeze=("mlp_out",))
    assert rest["y01"] == pytest.approx(float(alone["Y01"]), rel=1e-5)
    assert rest["label"].endswith("(frozen: mlp_out)")
    third = {"panel": "head", "index": 0}
    assert page.ask("intervene", cells=[AT, {"panel": "head", "index": 5}, third])["ok"]
    entry = study.history.current
    assert entry is not None
    assert entry.freeze == ("mlp_out",)


def old_pictures() -> list[Any]:
    stale: list[dict[str, Any]] = [
        {**AT, "label": "L3H2"},
        {"panel": "site", "index": 0, "label": "L2 @ eel"},
        {"panel": "tokens", "index": 9, "label": "attn0 @ eel"},
    ]
    return [pytest.param(cell, id=cell["panel"]) for cell in stale]


@pytest.mark.parametrize("cell", old_pictures())
def test_a_click_on_a_picture_that_changed_runs_nothing(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch, cell: dict[str, Any]
) -> None:
    page = Page(mw.Explorer(study), monkeypatch)
    study.intervene(HEAD)
    n = len(study.history)
    reply = page.ask("intervene", cells=[cell])
    assert not reply["ok"]
    assert "picture changed" in reply["error"]["message"]
    assert len(study.history) == n


def test_every_cell_goes_by_the_label_that_the_page_was_sent(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(study)
    page = Page(view, monkeypatch)
    for panel in view.view["panels"]:
        for index in (0, len(panel["labels"]) - 1):
            cell = {"panel": panel["key"], "index": index, "label": panel["labels"][index]}
            assert page.ask("intervene", cells=[cell])["ok"]
            assert view.result["label"] == panel["labels"][index]


def test_a_selection_without_a_site_is_of_todays_weights(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(mw.HeadGrid(study), monkeypatch)
    study.intervene([HEAD, OTHER])
    assert not page.ask("without", index=0, label="L0H0")["ok"]
    weight = study.lm.hf.get_parameter("transformer.h.2.mlp.c_proj.weight").data
    kept = weight.clone()
    weight.mul_(1.5)
    try:
        reply = page.ask("without", index=0)
        assert not reply["ok"]
        assert "weights" in reply["error"]["message"]
        assert np.isfinite(study.known_total["Y11"])
    finally:
        weight.copy_(kept)
