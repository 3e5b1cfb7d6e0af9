"""One page that stands alone: views without a kernel, and without a network.

The views' own scripts draw them; a stand-in for the kernel (js/src/standalone.ts) answers from what
was computed before. A policy in the page's head lets these scripts run and nothing else, and
nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np

from ...errors import MediationError, require
from ...history import Intervention
from ..drawing.text import plain
from .board import board_facts
from .facts import VERSION, edit_words, study_facts
from .pictures import Look, sheet_of
from .snapshot import write

if TYPE_CHECKING:
    from ...study import Study
    from .._page import Page

STAND_IN = Path(__file__).parent.parent.parent / "static" / "standalone.js"
BYTES = "$bytes"
"""The key under which the page's data hold bytes, as base64."""

_ALONE = {
    "Enter runs it: ": "Not computed in this export; a notebook runs it: ",
    "Enter runs it again.": "A notebook runs it again.",
    "estimate; click to run.": "estimate.",
    "Out of date: run again.": "Out of date.",
    "click it, or press Enter, to run it.": "click what was computed.",
    "click it, or press Enter, to set that feature there;": "click what was computed;",
    "click it, or press Enter, to knock it out.": "click what was computed.",
    " Enter knocks it out.": "",
    " Enter patches it.": "",
    "Click a node to add it or take it out; after Inspect a click only points.": (
        "Point at a node, or at an edge, to read what is known of it."
    ),
    " Enter removes it.": "",
    " Enter adds it.": "",
    "Enter adds or removes a node": "Enter does nothing in this export",
    "Enter adds or removes": "Enter does nothing in this export",
    "click it, or press Enter, to run the pair together.": "click what was computed.",
}
"""What views say of running, and what they say where there is nothing to run it."""

_EXPORT = re.compile(r"export\s*\{[^{}]*?([\w$]+)\s+as\s+default\b[^{}]*\};?")
_STYLE = """
:root{color-scheme:light dark}
body{margin:0 auto;padding:16px;max-width:960px;background:#fff;color:#1c2127;
font:13px/1.4 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{margin:0 0 4px;font-size:18px}
header p,footer{color:#586069}
main>section{margin:16px 0}
footer dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 12px;margin:8px 0}
footer dt{font-weight:600}
footer dd{margin:0;overflow-wrap:anywhere}
.mw .mw-run,.mw .mw-export{display:none}
@media (prefers-color-scheme:dark){body{background:#14171a;color:#e6e9ec}
header p,footer{color:#a2abb5}}
@media print{body{max-width:none}}
"""


def export_html(path: str | Path, *views: Page, title: str = "") -> Path:
    """Write views into one HTML file that needs no kernel and no network.

    What was computed answers as it does in the notebook: pointing, clicks on cells that were run,
    the history, direction, unit and colours. Everything else says "not computed in this export".
    Views of one study follow each other, as they do in a notebook.

    Args:
        path: of the file, which ends in .html.
        views: in the order in which they stand on the page.
        title: over them; default what the first one is of.

    Returns:
        The path.

    Raises:
        MediationError: no view, something that is none, another ending, or a place that cannot
            be written to.

    Example:
        >>> mw.export_html("study.html", mw.Explorer(study), mw.MediationDiagram(study))
    """
    given: object = title
    require(
        isinstance(given, str),
        "A page's title is a text.",
        value=title,
        expected="a text",
        fix="mw.export_html('study.html', view, title='What L3H1 does')",
    )
    writers = {".html": lambda: html_of(views, title)}
    return write(path, writers, "mw.export_html('study.html', view)")


def html_of(views: Sequence[Page], title: str = "") -> str:
    """The page of ``export_html``."""
    from .._page import Page

    require(
        len(views) > 0 and all(isinstance(view, Page) for view in views),
        "A page is made of views.",
        value=views,
        expected="views of mediawidget",
        fix="mw.export_html('study.html', mw.Explorer(study))",
    )
    facts = facts_of(views[0])
    title = title or _title(facts)
    places = "".join(map(place_of, range(len(views))))
    header = f"<header><h1>{_text(title)}</h1><p>{_WORDS}</p></header>\n"
    return document(views, title, f"{header}<main>{places}</main>", facts)


def place_of(index: int) -> str:
    """Where a page draws one of its views."""
    return f'<section id="view-{index}"></section>'


def document(
    views: Sequence[Page], title: str, body: str, facts: Mapping[str, Any], style: str = ""
) -> str:
    """A whole page.

    Args:
        views: in the order of their places.
        title: of the page, any text.
        body: HTML with a ``place_of`` for every view; every text in it is escaped already.
        facts: what its numbers are of.
        style: rules of its own.
    """
    scripts = list(dict.fromkeys(str(view._esm) for view in views))  # noqa: SLF001
    styles = dict.fromkeys(str(view._css) for view in views)  # noqa: SLF001
    facts = {**facts, "date": datetime.now(UTC).date().isoformat()}
    modules = [*(_module(text, i) for i, text in enumerate(scripts)), _stand_in()]
    data = _data(views, [scripts.index(str(view._esm)) for view in views])  # noqa: SLF001
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(modules)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n{_meta(facts)}"
        f"<style>{_STYLE}{_styles(styles)}{style}</style>\n</head>\n<body>\n"
        f"{body}\n<footer>{_footer(facts)}</footer>\n"
        f'<script type="application/json" id="data">{_json(data)}</script>\n'
        + "".join(f'<script type="module">{module}</script>\n' for module in modules)
        + "</body>\n</html>\n"
    )


def facts_of(page: Page) -> dict[str, Any]:
    """What a view's numbers are of; the version alone where it shows no study."""
    from .._base import View
    from ..causal_trace import CausalTrace
    from ..circuit_board import CircuitBoard

    if isinstance(page, CircuitBoard):
        return board_facts(page)
    if isinstance(page, View):
        edit = edit_words(sheet_of(page, Look()).edit)
        return {**study_facts(page.study, page.pair), "edit": edit, "version": VERSION}
    if isinstance(page, CausalTrace):
        facts = study_facts(page.tracing.study, None)
        return {**facts, "edit": page.tracing.corruption, "version": VERSION}
    return {"version": VERSION}


# --- data ----------------------------------------------------------------------------------------


def _data(views: Sequence[Page], modules: Sequence[int]) -> dict[str, Any]:
    """Every view's traits, and for each study the history as each of its views tells it."""
    from .._base import View

    studies = list(dict.fromkeys(v.study for v in views if isinstance(v, View)))
    drawn = [
        {
            "module": module,
            "study": studies.index(view.study) if isinstance(view, View) else None,
            "open": [n for n, part in view.parts.items() if part.open] if _live(view) else [],
            "state": _state(view),
            "known": _known(view),
        }
        for view, module in zip(views, modules, strict=True)
    ]
    return {"views": drawn, "histories": [_history(study, views) for study in studies]}


def _known(view: Page) -> list[dict[str, Any]]:
    """What an open editor asks of the prompts that stand in it, and what it is answered."""
    part = (_live(view) or {}).get("editor")
    if part is None or not part.open:
        return []
    draft, actions = part.payload()["draft"], part.actions()
    names = ("draft", "predict")
    return [{"action": name, "asked": draft, "data": actions[name](draft)} for name in names]


def _live(view: Page) -> Any:
    return getattr(view, "parts", None)


def _state(view: Page) -> dict[str, Any]:
    """The traits that a kind of view has of its own; of its parts those that are open."""
    common = {*anywidget.AnyWidget.class_trait_names(sync=True), "_saved_as"}
    # What only travels to a live page is part of another trait here.
    own = view.trait_names(sync=True, travels=None)
    names = (n for n in own if n not in common and not n.startswith("_"))
    closed = {name for name, part in (_live(view) or {}).items() if not part.open}
    return {name: {} if name in closed else getattr(view, name) for name in names}


def _history(study: Study, views: Sequence[Page]) -> dict[str, Any]:
    """Where the history stands, and per entry what its sites are and how each view tells it."""
    entries = [None if entry is None else _entry(entry, study, views) for entry in study.history]
    answers = [_entry(entry, study, views) for entry in _played(study, views)]
    for answer in answers:
        for told in answer["told"].values():
            told["checks"] = []  # those of the study, which the page has
    return {"cursor": study.history.cursor, "entries": entries, "answers": answers}


def _played(study: Study, views: Sequence[Page]) -> Iterator[Intervention]:
    """What a click on the pairs of players of a game would run, and its game has run."""
    from ..interaction_grid import InteractionGrid

    for view in views:
        if not isinstance(view, InteractionGrid) or view.study is not study or view.stale:
            continue
        game, n = view.interactions, len(view.interactions.players)
        pairs = [p for p in combinations(range(n), 2) if np.isfinite(game.matrix[p])]
        for players in [*((i,) for i in range(n)), *pairs]:
            edits = {site: game.effect.edit for i in players for site in game.players[i]}
            effect = replace(game.group(players), labels=(" + ".join(study.labels([*edits])),))
            yield Intervention(edits, effect)


def _entry(entry: Intervention, study: Study, views: Sequence[Page]) -> dict[str, Any]:
    from .._base import View

    mine = ((i, v) for i, v in enumerate(views) if isinstance(v, View) and v.study is study)
    told = {str(i): view.told(entry) for i, view in mine}
    return {"sites": list(study.labels(entry.sites)), "told": told}


# --- the page ------------------------------------------------------------------------------------

_WORDS = (
    "A copy without a kernel: point at cells, click what was computed, change direction and unit. "
    "Everything else says that it was not computed."
)
_SHOWN = ("model", "name", "metric", "unit", "pairs", "n", "clean", "corrupt", "answer", "wrong")


def _title(facts: Mapping[str, Any]) -> str:
    told = (facts.get(key) for key in ("name", "model", "metric"))
    return " \N{MIDDLE DOT} ".join(plain(str(one), 80) for one in told if one) or VERSION


def _meta(facts: Mapping[str, Any]) -> str:
    items = (f'<meta name="mediawidget:{k}" content="{_text(v)}">\n' for k, v in facts.items())
    return "".join(items)


def _footer(facts: Mapping[str, Any]) -> str:
    keys = [*_SHOWN, "edit", "version", "date"]
    rows = (f"<dt>{key}</dt><dd>{_text(facts[key])}</dd>" for key in keys if facts.get(key))
    return f"<dl>{''.join(rows)}</dl>"


def _text(value: object) -> str:
    return escape(plain(str(value), 2000))


def _policy(modules: Iterable[str]) -> str:
    """Only these scripts run; styles are inline, pictures are data, nothing else is loaded."""
    digests = (base64.b64encode(hashlib.sha256(m.encode()).digest()).decode() for m in modules)
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _module(text: str, index: int) -> str:
    """A view's script that hands its default export over, instead of exporting it."""
    found = list(_EXPORT.finditer(text))
    if not found:
        raise MediationError(
            "A view's script has another shape than this export knows.",
            value=text[-80:],
            expected="one default export at its end",
            fix="build the front end again: in js/: node build.mjs",
        )
    last = found[-1]
    handed = f"(globalThis.mediawidgetViews??=[])[{index}]={last[1]};"
    text = text[: last.start()] + handed + text[last.end() :]
    for said, alone in _ALONE.items():
        text = text.replace(said, alone)
    return _in_script(text)


def _stand_in() -> str:
    if not STAND_IN.is_file():
        raise MediationError(
            "The front end has not been built.",
            value=f"no {STAND_IN.name} in mediawidget/static",
            expected="the bundle that every installed package has",
            fix="make setup, or in js/: npm ci && node build.mjs",
        )
    return _in_script(STAND_IN.read_text(encoding="utf-8"))


def _in_script(text: str) -> str:
    """JavaScript that nothing in it can end: these sequences occur within strings alone."""
    text = text.replace("\r\n", "\n").replace("<!--", "<\\!--")
    return re.sub(r"</(script)", r"<\\/\1", text, flags=re.IGNORECASE)


def _styles(sheets: Iterable[str]) -> str:
    return "".join(sheet.replace("</", "<\\/") for sheet in sheets)


def _json(data: object) -> str:
    """JSON in ASCII without "<": no text in it ends the element that it stands in."""
    return json.dumps(data, default=_bytes, allow_nan=False).replace("<", "\\u003c")


def _bytes(value: object) -> dict[str, str]:
    if isinstance(value, bytes | memoryview):
        return {BYTES: base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} cannot stand in a page")
