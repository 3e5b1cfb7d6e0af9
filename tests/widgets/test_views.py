"""Views: one writer a trait, small answers, linked views, errors that change nothing."""

import asyncio
import json
import threading
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from IPython.core.formatters import DisplayFormatter
from ipywidgets.widgets.widget import _remove_buffers

import mediawidget as mw
from mediawidget.effects import Status
from mediawidget.widgets import _page, _saved
from tests.small_models import random_model, tokenizer_of
from tests.widgets.conftest import PAIRS, Page

CLICK = 2048  # bytes
CELL = {"panel": "head", "index": 10}


def status(view: mw.Explorer, key: str = "head") -> Any:
    (data,) = (p for p in view.view["panels"] if p["key"] == key)
    return np.frombuffer(data["status"], np.uint8)


# --- clicks ---------------------------------------------------------------------------------------


def test_a_click_runs_and_its_answer_is_small(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(several)
    page = Page(view, monkeypatch)
    assert page.ask("intervene", cells=[CELL])["ok"]
    assert [site.label() for site in several.selection] == ["L3H1"]
    assert page.sent("view") == []
    (result,) = page.sent("result")
    state, _, buffers = _remove_buffers(page.states[-1])
    assert len(json.dumps(state)) + sum(map(len, buffers)) <= CLICK
    assert result["label"] == "L3H1"
    # Python's own copy is current: a page that opens later gets it whole.
    assert status(view)[10] == Status.EXACT
    assert view.get_state("view")["view"]["panels"][0]["status"][10] == Status.EXACT


def test_a_joint_click_and_one_through_the_selection(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(mw.HeadGrid(study), monkeypatch)
    study.intervene(mw.Site("residual", 2, position=4))
    hidden = {"panel": "site", "index": 0, "label": "L2 @ eel"}
    assert page.ask("intervene", cells=[hidden, CELL, CELL])["ok"]
    assert [site.label() for site in study.selection] == ["L2 @ 4", "L3H1"]


def test_undo_redo_and_clear(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    view = mw.Explorer(study)
    page = Page(view, monkeypatch)
    page.ask("intervene", cells=[CELL])
    page.ask("intervene", cells=[CELL, {"panel": "mlp_out", "index": 2}])
    page.ask("undo")
    assert view.result["label"] == "L3H1"
    assert view.result["history"] == {"index": 1, "n": 2, "undo": True, "redo": True}
    page.ask("redo")
    assert view.result["label"] == "L3H1 + mlp2"
    page.ask("clear")
    assert "cells" not in view.result
    assert study.selection == ()
    page.ask("undo")
    assert view.result["label"] == "L3H1 + mlp2"


def test_views_of_one_study_are_linked(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    heads, tokens = mw.HeadGrid(study), mw.TokenHeatmap(study)
    page = Page(heads, monkeypatch)
    page.ask("intervene", cells=[CELL])
    assert tokens.result["label"] == "L3H1"
    assert tokens.result["cells"][0]["panel"] == "site"
    page.ask("sweep", panels=["head"])
    study.sweep("residual", by="position", progress=False)
    data = tokens.view["panels"][0]
    assert (np.frombuffer(data["status"], np.uint8) != Status.NOT_RUN).all()
    heads.close()
    study.intervene(mw.Site("head", 0, head=0))
    assert heads.result["label"] == "L3H1"
    assert tokens.result["label"] == "L0H0"


def test_there_is_no_way_back_past_a_swap(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    view = mw.Explorer(study)
    page = Page(view, monkeypatch)
    page.ask("intervene", cells=[CELL])
    before = view.view["base"]
    page.ask("swap")
    assert view.view["prompts"]["answer"].strip() == "ibis"
    assert view.view["base"]["y11"] == pytest.approx(-before["y00"], rel=1e-4)
    assert not study.undo()
    assert "cells" not in view.result


def test_weights_written_behind_their_counter_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """`.data` changes no version counter; the base runs of the next click show it."""
    lm = mw.load(random_model("gpt2", torch.float32), tokenizer=tokenizer_of("gpt2"))
    study = mw.Study(lm, PAIRS[0])
    view = mw.Explorer(study)
    page = Page(view, monkeypatch)
    page.ask("intervene", cells=[CELL])
    old = view.view["prompts"]["clean_top"]
    with torch.no_grad():
        next(lm.hf.parameters()).data.mul_(2)
    page.ask("intervene", cells=[CELL])
    fresh = mw.Explorer(mw.Study(lm, PAIRS[0]))
    assert view.view["prompts"]["clean_top"] == fresh.view["prompts"]["clean_top"] != old
    # What was done under the old weights is not gone back to.
    assert study.undo()
    assert "cells" not in view.result
    assert not study.undo()


def test_edits_are_set_from_the_page(several: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    view = mw.Explorer(several)
    page = Page(view, monkeypatch)
    assert page.ask("edit", edit="mean")["ok"]
    assert several.edit == mw.Mean()
    told = {"kind": "mean", "corners": False, "goal": "to its mean", "part": ""}
    assert view.view["edit"] == told
    assert page.ask("intervene", cells=[CELL])["ok"]
    assert set(view.result["ci"]) == {"clean", "corrupt", "difference"}


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "fields", "words"),
    [
        ("dance", {}, "unknown"),
        ("intervene", {"cells": []}, "cells"),
        ("intervene", {"cells": "L3H1"}, "cells"),
        ("intervene", {"cells": [{"panel": "head", "index": 15}]}, "index"),
        ("intervene", {"cells": [{"panel": "head", "index": -1}]}, "index"),
        ("intervene", {"cells": [{"panel": "neurons", "index": 0}]}, "panel"),
        ("intervene", {"cells": [CELL], "revision": 0}, "changed while"),
        ("sweep", {"panels": ["nothing"]}, "panels"),
        ("pair", {"index": 3}, "no such pair"),
        ("pair", {"index": "1"}, "no such pair"),
        ("edit", {"edit": "noise"}, "edit"),
        ("edit", {"edit": "mean"}, "mean"),
        ("tokens", {"mediator": "head"}, "token panel"),
    ],
)
def test_a_bad_request_is_answered_and_changes_nothing(
    study: mw.Study,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    fields: dict[str, Any],
    words: str,
) -> None:
    view = mw.Explorer(study)
    page = Page(view, monkeypatch)
    before = (view.view, view.result, study.revision, study.selection, study.edit)
    reply = page.ask(action, **fields)
    assert reply["ok"] is False
    assert words in reply["error"]["message"]
    assert all(isinstance(reply["error"][name], str) for name in ("value", "expected", "fix"))
    assert (view.view, view.result, study.revision, study.selection, study.edit) == before
    assert page.states == []


def test_an_error_of_the_engine_is_answered_too(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(mw.Explorer(study), monkeypatch)

    def fail(_sites: object, freeze: object = ()) -> None:  # noqa: ARG001
        raise RuntimeError("out of memory")

    monkeypatch.setattr(study, "intervene", fail)
    reply = page.ask("intervene", cells=[CELL])
    assert reply["error"]["message"] == "RuntimeError: out of memory"


def test_messages_of_others_are_left_alone(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(study)
    page = Page(view, monkeypatch)
    for content in ("text", None, {"kind": "news"}, {"action": "clear"}):
        view._handle_custom_msg(content, [])
    assert page.messages == []


def test_traits_refuse_nonsense_and_keep_their_value(study: mw.Study) -> None:
    view = mw.Explorer(study)
    kept = (view.view, view.result)
    for name, value in (("view", {}), ("view", {"panels": 3}), ("result", {"y11": 1})):
        with pytest.raises(traitlets.TraitError, match="written by the view itself"):
            setattr(view, name, value)
    with pytest.raises(traitlets.TraitError):
        view.direction = "sideways"
    for index in (1, -1, True, "0", 0.5):
        with pytest.raises(mw.MediationError, match="no such pair"):
            view.pair = index  # type: ignore[assignment]
    with pytest.raises(mw.MediationError, match="token panel"):
        view.mediator = "head"
    assert (view.view, view.result, view.direction) == (*kept, "restore")


def test_a_view_shows_a_study(study: mw.Study) -> None:
    with pytest.raises(mw.MediationError, match="Explorer shows a study"):
        mw.Explorer(study.lm)  # type: ignore[arg-type]
    with pytest.raises(traitlets.TraitError):
        mw.HeadGrid(study, direction="up")


# --- sweeps and the event loop ------------------------------------------------------------------


def test_a_sweep_without_a_loop_is_done_at_once(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(study)
    page = Page(view, monkeypatch)
    assert page.ask("sweep", panels=["head", "mlp_out"])["ok"]
    assert (status(view) == Status.EXACT).all()
    assert (status(view, "mlp_out") == Status.EXACT).all()
    progress = [m for m in page.messages if m["kind"] == "progress"]
    assert progress[0]["done"] == 0
    assert progress[-1]["state"] == "done"
    assert progress[-1]["done"] == progress[-1]["total"] == 30 + 10


def test_a_sweep_on_the_loop_lets_clicks_through_and_is_cancelled(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    several.engine.budget = 1

    async def scene() -> None:
        view = mw.Explorer(several)
        page = Page(view, monkeypatch)
        page.request("sweep", panels=["tokens"])
        await until(lambda: any(m.get("done", 0) > 0 for m in page.messages))
        second = page.request("sweep", panels=["head"])
        click = page.request("intervene", cells=[CELL])
        await until(lambda: any(m.get("id") == click["id"] for m in page.messages))
        assert page.messages[-1].get("state") != "done"
        refused = next(m for m in page.messages if m.get("id") == second["id"])
        assert "A sweep is running" in refused["error"]["message"]
        page.request("cancel")
        await until(lambda: any(m.get("state") == "cancelled" for m in page.messages))
        last = next(m for m in page.messages if m.get("state") == "cancelled")
        assert 0 < last["done"] < last["total"]
        assert view.result["label"] == "L3H1"
        # Nothing is left running, and the next sweep may start.
        page.request("sweep", panels=["mlp_out"])
        await until(lambda: any(m.get("state") == "done" for m in page.messages))

    asyncio.run(scene())


def test_requests_from_another_thread_are_done_on_the_loop_in_order(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storm of clicks from the thread that a comm callback may run in."""
    seen: list[tuple[int, int]] = []
    really = study.intervene

    def watched(sites: Any, freeze: Any = ()) -> Any:
        (site,) = sites
        seen.append((threading.get_ident(), site.layer * 3 + (site.head or 0)))
        return really(sites, freeze)

    async def scene() -> None:
        view = mw.Explorer(study)
        page = Page(view, monkeypatch)
        monkeypatch.setattr(study, "intervene", watched)

        def storm() -> None:
            for i in range(45):
                page.request("intervene", cells=[{"panel": "head", "index": i % 15}])

        thread = threading.Thread(target=storm)
        thread.start()
        await until(lambda: len(seen) == 45)
        thread.join()
        await asyncio.sleep(0)
        assert view.result["label"] == "L4H2"

    asyncio.run(scene())
    assert [index for _, index in seen] == [i % 15 for i in range(45)]
    assert {thread for thread, _ in seen} == {threading.get_ident()}
    stormed = np.array(study.grids["head"]["PIE"])
    quiet = study.sweep("head", progress=False)["PIE"]
    np.testing.assert_allclose(stormed, quiet, atol=1e-3)


async def until(condition: Any, seconds: float = 30) -> None:
    """Let the loop run until a condition holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "waited too long"
        await asyncio.sleep(0.001)


# --- where no page is live ----------------------------------------------------------------------


def test_the_static_picture_holds_numbers_and_escaped_texts(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(study)
    study.sweep("head", progress=False)
    monkeypatch.setattr(type(study.metric), "unit", "<script>alert(1)</script>")
    data, _ = view._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    html = data["text/html"]
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<table") == 3
    assert "hatched" in html


def test_outside_a_notebook_there_is_one_output(study: mw.Study) -> None:
    """IPython in a terminal, or a page maker: nothing is published beside the bundle."""
    data, _ = DisplayFormatter().format(mw.HeadGrid(study))  # type: ignore[no-untyped-call]
    assert {"application/vnd.jupyter.widget-view+json", "text/html"} <= set(data)


def test_in_a_notebook_a_table_stands_beside_the_view_and_follows_it(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, str]] = []
    updates: list[dict[str, str]] = []
    monkeypatch.setattr(_page, "in_notebook", lambda: True)
    monkeypatch.setattr(_page, "display", lambda data, **_: shown.append(data))
    monkeypatch.setattr(_saved, "display", lambda data, **_: shown.append(data))
    monkeypatch.setattr(_saved, "update_display", lambda data, **_: updates.append(data))
    monkeypatch.setattr(_saved, "QUIET", 0.2)

    async def scene() -> None:
        view = mw.HeadGrid(study)
        page = Page(view, monkeypatch)
        assert DisplayFormatter().format(view) == ({}, {})  # type: ignore[no-untyped-call]
        live, table = shown
        assert "text/html" not in live
        assert f'class="mw-saved-{view._saved_as}"' in table["text/html"]
        for index in range(5):
            page.request("intervene", cells=[{"panel": "head", "index": index}])
        await until(lambda: any(m.get("id") == 5 for m in page.messages))
        # The answers are out, and nothing was drawn on their way.
        assert updates == []
        await until(lambda: bool(updates))
        await asyncio.sleep(0.4)
        (update,) = updates
        assert "L1H1: " in update["text/html"]
        assert update["text/html"].count('title="not run"') == 10
        # Closed, it stays as it is.
        study.intervene(mw.Site("head", 0, head=0))
        view.close()
        await asyncio.sleep(0.4)
        assert len(updates) == 1

    asyncio.run(scene())
