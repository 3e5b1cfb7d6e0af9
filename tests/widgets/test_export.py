"""What leaves a view: files by their endings, tables with the numbers, pages that fetch nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

import mediawidget as mw
from mediawidget.effects import Effect
from mediawidget.widgets import View
from mediawidget.widgets.exports import png
from mediawidget.widgets.exports.page import _ALONE
from tests.widgets.conftest import Page, texts
from tests.widgets.hostile import HOSTILE

# --- files ---------------------------------------------------------------------------------------


def test_files_go_by_their_endings(swept: mw.Study, tmp_path: Path) -> None:
    view = mw.HeadGrid(swept)
    svg = view.snapshot(tmp_path / "a.svg").svg
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == svg
    picture = view.export(tmp_path / "a.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == 2 * 768
    page = view.snapshot(tmp_path / "a.html")
    assert page.svg in (tmp_path / "a.html").read_text(encoding="utf-8")
    for bad, words in (("a.gif", "says nothing"), ("a", "says nothing"), ("", "goes into a file")):
        for write in (view.snapshot, view.export):
            with pytest.raises(mw.MediationError, match=words):
                write(tmp_path / bad if bad else "")


def test_without_the_extra_a_png_names_it(
    swept: mw.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(png, "find_spec", lambda _: None)
    with pytest.raises(mw.MediationError, match=r"mediawidget\[png\]"):
        mw.HeadGrid(swept).export(tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_looks_are_refused_in_words(study: mw.Study) -> None:
    view = mw.HeadGrid(study)
    for name, value in (("unit", "furlong"), ("palette", "jet")):
        with pytest.raises(mw.MediationError, match=f"no such {name}"):
            view.snapshot(**{name: value})


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [None, 1])
def test_csv_has_the_numbers_of_the_study(
    several: mw.Study, tmp_path: Path, pair: int | None
) -> None:
    several.sweep("head", progress=False)
    several.intervene(mw.Site("head", 2, head=0))
    grid: Effect = several.grids["head"]
    view = mw.Explorer(several)
    view.pair = pair
    path = view.export(tmp_path / "numbers.csv")
    table = pd.read_csv(path, comment="#")
    heads = table[table["panel"] == "head"]
    shown = grid if pair is None else grid.pair(pair)
    for key in ("Y11", "Y00", "Y10", "Y01", "PIE", "TIE", "INT"):
        expected = np.broadcast_to(shown[key], shown.shape).reshape(-1)
        np.testing.assert_allclose(heads[key], expected, rtol=1e-12)
    assert heads["site"].tolist() == list(grid.labels)
    assert set(heads["status"]) == {"exact"}
    assert set(heads["n"]) == {3 if pair is None else 1}
    tokens = table[table["panel"] == "tokens"]
    assert set(tokens["status"]) == {"not_run"}
    assert tokens["PIE"].isna().all()
    assert table["panel"].iloc[0] == "selected"
    assert table["site"].iloc[0] == "L2H0"
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] == "#"]
    facts = {name: json.loads(v) for name, v in (line[2:].split(": ", 1) for line in head)}
    assert facts["model"] == several.lm.name
    assert facts["pairs"] == ("mean of 3 pairs" if pair is None else "pair 2 of 3")
    assert facts["version"].endswith(mw.__version__)


def test_csv_of_a_constant_edit_has_its_own_quantities(study: mw.Study, tmp_path: Path) -> None:
    study.edit = mw.Zero()
    grid = study.sweep("head", progress=False)
    table = pd.read_csv(mw.HeadGrid(study).export(tmp_path / "a.csv"), comment="#")
    np.testing.assert_allclose(table["clean"], np.asarray(grid["clean"]).reshape(-1))
    assert "PIE" not in table


def test_a_click_leaves_the_other_cells_their_estimates(study: mw.Study, tmp_path: Path) -> None:
    guessed = study.estimate("head")
    view = mw.HeadGrid(study)
    study.intervene(mw.Site("head", 1, head=1))
    table = pd.read_csv(view.export(tmp_path / "a.csv"), comment="#")
    heads = table[table["panel"] == "head"]
    assert heads["status"].tolist() == ["estimate"] * 4 + ["exact"] + ["estimate"] * 10
    expected = np.asarray(guessed["PIE"]).reshape(-1).copy()
    expected[4] = study.history.current.effect["PIE"]  # type: ignore[union-attr]
    np.testing.assert_allclose(heads["PIE"], expected, rtol=1e-12)


def test_an_export_says_the_edit_of_its_cells(study: mw.Study, tmp_path: Path) -> None:
    """The study patches; the edges of a head are knocked out."""
    edge = mw.Site("edge", 1, head=1, position=5, key=2)
    cut = study.intervene({edge: mw.Knockout()})
    path = mw.AttentionPattern(study).export(tmp_path / "a.csv")
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] == "#"]
    facts = {name: json.loads(v) for name, v in (line[2:].split(": ", 1) for line in head)}
    assert facts["edit"] == "to no attention"
    assert facts["direction"] == "on corrupt"
    table = pd.read_csv(path, comment="#")
    assert "PIE" not in table
    (row,) = table[table["status"] == "exact"].iloc[1:].to_dict("records")
    assert row["site"] == study.labels([edge])[0]
    assert row["clean"] == pytest.approx(float(cut["clean"]), rel=1e-6)
    assert set(table["edit"]) == {facts["edit"]}
    # A diagram is of the selection alone.
    assert mw.MediationDiagram(study).snapshot().facts["edit"] == facts["edit"]
    page = mw.AttentionPattern(study).export(tmp_path / "a.html").read_text(encoding="utf-8")
    assert f'name="mediawidget:edit" content="{facts["edit"]}"' in page


def test_what_was_frozen_is_said(study: mw.Study, tmp_path: Path) -> None:
    site = mw.Site("head", 1, head=1)
    study.sweep("head", progress=False)
    frozen = study.intervene(site, freeze=("mlp_out",))
    assert float(frozen["PIE"]) != pytest.approx(float(study.grids["head"]["PIE"][1, 1]), abs=1e-3)
    view = mw.HeadGrid(study)
    data = json.loads(view.export(tmp_path / "a.json").read_text())
    selected, *cells = data["cells"]
    assert "frozen" in selected["edit"]
    assert selected["PIE"] == pytest.approx(float(frozen["PIE"]))
    assert not any("frozen" in cell["edit"] for cell in cells)
    assert "frozen" in "".join(texts(view.snapshot().svg))


def test_json_has_the_four_corners_of_every_cell(swept: mw.Study, tmp_path: Path) -> None:
    data = json.loads(mw.TokenHeatmap(swept).export(tmp_path / "a.json").read_text())
    grid = swept.grids["residual@position"]
    cells = [cell for cell in data["cells"] if cell["panel"] == "tokens"]
    assert len(cells) == grid.status.size
    for key in ("Y11", "Y10", "Y01", "Y00"):
        expected = np.broadcast_to(grid[key], grid.shape).reshape(-1)
        np.testing.assert_allclose([cell[key] for cell in cells], expected)
    pairs = mw.Contrast.from_json(data["contrast"])
    assert pairs[0].clean == swept.contrast[0].clean
    assert all(check["words"] for check in data["checks"])


@pytest.mark.parametrize("view", ["CausalTrace", "InteractionGrid", "MediationDiagram"])
def test_other_views_leave_too(swept: mw.Study, tmp_path: Path, view: str) -> None:
    made: Any
    if view == "CausalTrace":
        made = mw.CausalTrace(mw.causal_tracing(swept, corruption="replacement"))
    else:
        made = getattr(mw, view)(swept)
    ET.fromstring(made.snapshot().svg)
    for ending in ("csv", "json", "html"):
        assert made.export(tmp_path / f"a.{ending}").stat().st_size > 500
    assert len(pd.read_csv(tmp_path / "a.csv", comment="#")) > 0


# --- the page that stands alone -------------------------------------------------------------------


class Parts(HTMLParser):
    """The scripts and the policy of a page, and every address in its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.policy = ""
        self.addresses: list[str] = []
        self._open: dict[str, str | None] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [str(v) for k, v in attrs if k in ("src", "href", "action")]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(given["content"])
        if tag == "script":
            self._open = given
            self.scripts.append((given, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)


def test_a_page_runs_its_own_scripts_and_fetches_nothing(swept: mw.Study, tmp_path: Path) -> None:
    views: list[View] = [mw.Explorer(swept), mw.HeadGrid(swept), mw.MediationDiagram(swept)]
    path = mw.export_html(tmp_path / "a.html", *views, title="Heads <b>")
    html = path.read_text(encoding="utf-8")
    assert "<h1>Heads &lt;b&gt;</h1>" in html
    for address in re.findall(r"https?://[^\"'`\s)]*", html):
        assert address == "http://www.w3.org/2000/svg"
    page = Parts(html)
    assert page.addresses == []
    assert "default-src 'none'" in page.policy
    run = [text for attributes, text in page.scripts if attributes.get("type") == "module"]
    assert len(run) == 4
    for text in run:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in page.policy
    assert "unsafe-eval" not in page.policy
    assert "'unsafe-inline'" not in page.policy.partition("script-src")[2].partition(";")[0]
    data = json.loads(next(text for a, text in page.scripts if a.get("id") == "data"))
    state = data["views"][0]["state"]
    assert state["view"]["prompts"]["answer"] == swept.token_pairs[0].answer_token
    y01 = np.frombuffer(base64.b64decode(state["view"]["panels"][0]["y01"]["$bytes"]), "<f4")
    np.testing.assert_allclose(y01, np.asarray(swept.grids["head"]["Y01"]).reshape(-1), rtol=1e-6)
    entry = data["histories"][0]["entries"][1]
    assert entry["sites"] == ["L3H1", "L1H0"]
    assert set(entry["told"]) == {"0", "1", "2"}
    for key in ("model", "metric", "edit", "version"):
        assert f'<meta name="mediawidget:{key}"' in html
    assert len(html) < 300_000


def test_a_page_does_not_offer_to_run(swept: mw.Study, tmp_path: Path) -> None:
    game = mw.interactions(swept, [mw.Site("head", 1, head=h) for h in (0, 1)], progress=False)
    views = mw.Explorer(swept), mw.InteractionGrid(game)
    others = mw.FeatureGrid, mw.AttentionPattern, mw.LogitLens, mw.CircuitBoard
    live = "".join(str(view._esm) for view in (*views, *others))
    text = mw.export_html(tmp_path / "a.html", *views).read_text(encoding="utf-8")
    for words in _ALONE:
        assert words in live, "a view says it in other words by now"
        assert words not in text
    assert "was not run. Not computed in this export" in text


def test_parts_that_were_open_are_on_the_page(study: mw.Study, tmp_path: Path) -> None:
    view = mw.Explorer(study)
    view.parts["lens"].show()
    view.parts["attention"].show()
    view.parts["attention"].hide()
    path = view.export(tmp_path / "a.html")
    page = Parts(path.read_text(encoding="utf-8"))
    (drawn,) = json.loads(page.scripts[0][1])["views"]
    assert "lens" in drawn["open"]
    assert "attention" not in drawn["open"]
    assert drawn["state"]["lens"]["words"] == view.lens["words"]
    assert drawn["state"]["attention"] == {}


def test_hostile_text_stays_in_the_data(study: mw.Study, tmp_path: Path) -> None:
    for hostile in HOSTILE:
        view = mw.HeadGrid(study)
        prompts = {**view.view["prompts"], "answer": hostile, "clean": [{"text": hostile}]}
        named = {**view.view["pairs"], "name": hostile}
        view.write("view", {**view.view, "prompts": prompts, "pairs": named})
        path = mw.export_html(tmp_path / "a.html", view, title=hostile)
        page = Parts(path.read_text(encoding="utf-8"))
        assert [a.get("type") for a, _ in page.scripts] == ["application/json", "module", "module"]
        data = json.loads(page.scripts[0][1])
        assert data["views"][0]["state"]["view"]["prompts"]["answer"] == hostile


def test_pages_are_made_of_views(study: mw.Study, tmp_path: Path) -> None:
    view = mw.HeadGrid(study)
    wrong: Any = "view"
    for views in ((), (wrong,), (view, wrong)):
        with pytest.raises(mw.MediationError, match="made of views"):
            mw.export_html(tmp_path / "a.html", *views)
    with pytest.raises(mw.MediationError, match="says nothing"):
        mw.export_html(tmp_path / "a.txt", view)


# --- asked by the page ---------------------------------------------------------------------------


def test_the_page_gets_the_text_of_each_form(
    swept: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(swept)
    page = Page(view, monkeypatch)
    for form in ("svg", "csv", "json", "html"):
        reply = page.ask("export", format=form, unit="raw", palette="puor")
        assert reply["ok"], reply
        assert reply["data"]["name"].startswith("explorer-")
        assert reply["data"]["name"].endswith(f".{form}")
        assert len(reply["data"]["text"]) > 1000
    svg = page.ask("export", format="svg", unit="raw", palette="puor")["data"]["text"]
    assert svg == view.snapshot(unit="raw", palette="puor").svg
    table = page.ask("export", format="csv")["data"]["text"]
    assert "L3H1" in set(pd.read_csv(StringIO(table), comment="#")["site"])
    for wrong in ({"format": "exe"}, {"format": "svg", "unit": "x"}, {"format": None}):
        assert not page.ask("export", **wrong)["ok"]
