"""Parts are drawn after the answer, each for itself, and only for news that they show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import study as study_module
from mediawidget.widgets import _neurons, _pairs, panels
from tests.oracle import Oracle, logit_diff
from tests.small_models import random_model, tokenizer_of
from tests.widgets.conftest import PAIRS, Page

LOOKING = ("attention", "lens", "pairs", "neurons")


class Told(Page):
    """A page that also keeps the order in which messages came."""

    def _keep(self, data: Any = None, **rest: Any) -> None:
        super()._keep(data, **rest)
        self.order = getattr(self, "order", [])
        self.order += [*data.get("state", {})] if data["method"] == "update" else ["reply"]

    @property
    def told(self) -> list[str]:
        """What came, in order, but for the weights that come with the attention."""
        return [name for name in self.order if name != "attention_weights"]

    def click(self, *cells: int) -> None:
        self.request("intervene", cells=[{"panel": "head", "index": index} for index in cells])


def opened(study: mw.Study, monkeypatch: pytest.MonkeyPatch, *names: str) -> Told:
    page = Told(mw.Explorer(study), monkeypatch)
    for name in names:
        page.view.parts[name].show()
    page.order = []
    return page


async def idle(page: Page) -> None:
    """Whatever waits was drawn."""
    for _ in range(3):
        await asyncio.sleep(0)
    while page.view.later._waiting:
        await asyncio.sleep(0.001)


def counted(monkeypatch: pytest.MonkeyPatch, where: object, name: str) -> list[tuple[Any, ...]]:
    """The calls of a function, which goes on as it was."""
    calls: list[tuple[Any, ...]] = []
    real: Callable[..., Any] = getattr(where, name)

    def counting(*args: Any, **more: Any) -> Any:
        calls.append(args)
        return real(*args, **more)

    monkeypatch.setattr(where, name, counting)
    return calls


def test_the_answer_comes_first_and_parts_once_after_the_last_click(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = opened(study, monkeypatch, *LOOKING)
        page.click(4)
        await idle(page)
        assert page.told == ["result", "reply", *LOOKING, "entries"]
        page.order = []
        for index in (0, 7, 13):
            page.click(index)
        await idle(page)
        assert page.told == ["result", "reply"] * 3 + [*LOOKING, "entries"]
        assert (page.view.attention["layer"], page.view.attention["head"]) == (4, 1)
        page.view.close()

    asyncio.run(scene())


def test_a_part_that_was_overtaken_is_drawn_for_the_newest(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = opened(study, monkeypatch, *LOOKING)
        page.click(4)
        while "attention" not in page.order:
            await asyncio.sleep(0)
        page.click(7)
        await idle(page)
        once = [name for name in LOOKING if name != "attention"]
        assert page.told[:5] == ["result", "reply", "attention", "result", "reply"]
        assert sorted(page.told[5:]) == sorted([*once, "entries", "attention"])
        labels = page.view.pairs["label"], page.view.lens["label"]
        assert labels == ("L2H1", "L2H1")
        page.view.close()

    asyncio.run(scene())


def test_who_reads_a_part_reads_what_is_so(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        view = mw.AttentionPattern(study)
        study.intervene(mw.Site("head", 3, head=2))
        assert (view.attention["layer"], view.attention["head"]) == (3, 2)
        page = Told(view, monkeypatch)
        await idle(page)
        assert page.sent("attention") == []  # it was drawn when it was read
        view.close()

    asyncio.run(scene())


def test_a_click_on_cells_is_on_those_that_were_drawn(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page still shows the head of the click before: its edge, not the new head's."""

    async def scene() -> None:
        page = opened(study, monkeypatch, "attention")
        study.intervene(mw.Site("head", 2, head=1))
        cell = {"panel": "attention", "index": 3 * 7 + 1}
        request = {"action": "intervene", "revision": study.revision, "cells": [cell]}
        page.view._desk.do(request)
        assert study.selection == (mw.Site("edge", 0, head=0, position=3, key=1),)
        page.view.close()

    asyncio.run(scene())


def test_an_error_of_one_part_leaves_the_others_alone(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    page = opened(study, monkeypatch, "attention", "pairs", "lens")
    attention, lens = (page.view.parts[name] for name in ("attention", "lens"))

    def fails(*_: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(attention, "payload", fails)
    monkeypatch.setattr(lens, "follow", fails)
    study.intervene(mw.Site("head", 1, head=1))
    assert page.view.attention["error"]["message"] == "RuntimeError: out of memory"
    assert page.view.pairs["label"] == "L1H1"
    assert len(page.view.entries["entries"]) == 2
    assert "'attention' could not be drawn" in caplog.text
    assert "'lens' did not follow" in caplog.text
    monkeypatch.undo()
    study.intervene(mw.Site("head", 1, head=2))
    assert page.view.attention["head"] == 2


def test_views_are_drawn_anew_for_their_own_grids_alone(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(study, monkeypatch, *LOOKING)
    study.sweep("attn_out", progress=False)
    study.estimate("neuron", layers=[2])
    assert page.told == []
    page.order = []
    study.sweep("head", progress=False)
    assert page.told == ["view", "attention"]
    page.order = []
    study.sweep("residual", by="position", progress=False)
    assert page.told == ["view", "lens"]
    shown = np.frombuffer(page.view.lens["panel"]["y01"], "<f4")
    np.testing.assert_allclose(shown, study.grids["residual@position"]["Y01"].ravel(), rtol=1e-6)


def test_the_lens_follows_a_sweep_without_a_pass_and_counts_no_cost(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mediawidget.widgets import _lens

    page = opened(study, monkeypatch, "lens")
    study.intervene(mw.Site("head", 1, head=1))
    read = counted(monkeypatch, _lens, "logit_lens")
    costs = counted(monkeypatch, panels, "_cost")
    page.view.parts["lens"].follow("grid:residual@position")
    assert page.order.count("lens") == 1  # nothing new: the same numbers are not sent again
    study.sweep("residual", by="position", progress=False)
    assert page.order.count("lens") == 2
    assert (len(read), len(costs)) == (0, 3)  # those of the Explorer's own panels


def test_a_layers_neurons_are_estimated_once(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(several, monkeypatch, "neurons")
    asked = counted(monkeypatch, several, "estimate")
    for layer in (1, 2, 1, 2, 3, 1):
        several.intervene(mw.Site("head", layer, head=0))
        assert page.view.neurons["layer"] == layer
    assert len(asked) == 3
    several.metric = mw.LogProb()
    assert len(asked) == 4


def test_differences_are_those_of_the_shown_pair(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    several.metric = mw.Rank()
    page = opened(several, monkeypatch, "neurons")
    for pair in (0, 2, 0):
        page.view.pair = pair
        size = _neurons.difference(several, pair, 0)
        expected = np.argsort(-size, kind="stable")[:20].tolist()
        assert page.view.neurons["units"] == expected


def test_names_of_positions_are_found_once(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(monkeypatch, study_module, "position_names")
    opened(several, monkeypatch, *LOOKING)
    several.intervene(mw.Site("head", 1, head=1))
    assert len(asked) == 1
    before = several.position_names
    several.swap()
    assert several.position_names == before
    several.contrast = several.contrast[0]
    assert several.position_names != before
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("neurons", {"layer": True}),
        ("neurons", {"layer": 1, "unit": True}),
        ("attention", {"layer": True, "head": 0}),
        ("attention", {"layer": 0, "head": False}),
    ],
)
def test_true_is_no_number(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch, action: str, fields: dict[str, Any]
) -> None:
    page = opened(study, monkeypatch, action)
    assert "There is no such" in page.ask(action, **fields)["error"]["message"]


def test_a_closed_view_stops_its_sweep_and_draws_no_more(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = opened(several, monkeypatch, *LOOKING)
        page.request("sweep", panels=["tokens"])
        while not page.messages:
            await asyncio.sleep(0)
        several.intervene(mw.Site("head", 1, head=1))
        page.order = []
        page.view.close()
        sweep = page.view._desk._sweep
        assert sweep is not None
        assert not sweep.running
        assert sweep._jobs[0].state == "cancelled"
        await idle(page)
        assert not set(page.order) & set(LOOKING)
        assert not any(part.open for part in page.view.parts.values())

    asyncio.run(scene())


def test_neurons_of_other_weights_stand_beside_their_own_base(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Written behind torch's back: only the base runs of the neurons' own job tell."""
    model: Any = random_model("gpt2", torch.float32)
    study = mw.Study(mw.load(model, tokenizer=tokenizer_of("gpt2")), PAIRS[0])
    page = opened(study, monkeypatch, "neurons")
    study.intervene(mw.Site("neuron", 0, unit=3))
    before, base = page.view.neurons["revision"], page.view.view["base"]
    for one in model.transformer.h[1].parameters():
        one.data.mul_(1.5)
    assert page.ask("neurons_run")["ok"]
    assert page.view.neurons["revision"] > before
    assert page.view.view["base"] != base
    corners = Oracle(model, study.lm.tokenizer, [PAIRS[0]]).corners
    told = page.view.neurons
    for i in (0, 7):
        expected = corners(mw.Site("neuron", 0, unit=told["units"][i]), 0)
        shown = np.frombuffer(told["panel"]["y01"], "<f4")[i]
        assert shown == pytest.approx(logit_diff(expected["Y01"]), abs=1e-3)
        assert page.view.view["base"]["y00"] == pytest.approx(logit_diff(expected["Y00"]), abs=1e-3)


def test_a_click_sends_no_weights_again_and_of_the_edges_those_that_were_cut(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(study, monkeypatch, "attention")
    page.ask("attention", layer=2, head=1)
    for index in (3 * 7 + 1, 6 * 7 + 2):
        page.ask("intervene", cells=[{"panel": "attention", "index": index}])
    study.intervene(mw.Site("mlp_out", 3))
    assert page.order.count("attention_weights") == 1
    whole, sent = page.view.attention, page.view.get_state("attention")["attention"]
    assert page.view.attention_weights == {"weights": whole["weights"]}
    assert "weights" not in sent
    panel = sent["panel"]
    assert panel["at"] == [22, 44]
    for name, dtype in (("y01", "<f4"), ("y10", "<f4"), ("status", np.uint8)):
        dense = np.frombuffer(whole["panel"][name], dtype)
        np.testing.assert_array_equal(np.frombuffer(panel[name], dtype), dense[[22, 44]])
    page.ask("pair", index=0)
    page.ask("attention", layer=2, head=0)
    assert page.order.count("attention_weights") == 2
    assert page.view.attention_weights["weights"] == page.view.attention["weights"]


def test_a_part_that_finds_other_weights_is_of_the_new_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model: Any = random_model("gpt2", torch.float32)
    study = mw.Study(mw.load(model, tokenizer=tokenizer_of("gpt2")), PAIRS[0])
    page = opened(study, monkeypatch, "neurons")
    before = study.revision
    for one in model.transformer.h[1].parameters():
        one.data.mul_(1.5)
    page.ask("neurons", layer=2)  # its estimate runs the prompts anew
    assert study.revision > before
    assert page.view.neurons["revision"] == study.revision


def test_pairs_are_never_of_another_pair_than_the_view(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(several, monkeypatch, "pairs")
    several.intervene(mw.Site("head", 1, head=1))
    asked = counted(monkeypatch, _pairs, "intervals")
    before = page.view.pairs
    page.ask("pair", index=1)
    assert page.view.pairs == before | {"of_pair": 1}
    assert not asked
    several.intervene(mw.Site("head", 1, head=2))
    assert len(asked) == 1
