"""What a view shows as tidy rows: CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from csv import QUOTE_NONNUMERIC
from typing import TYPE_CHECKING, Any

import numpy as np

from ...effects import Effect, Status
from ..boards.table import board_rows
from ..drawing.reading import Cells, Sheet
from ..panels import Panel
from .facts import Facts, edit_words
from .others import gate_rows, pair_rows
from .pictures import Look, picture, sheet_of

if TYPE_CHECKING:
    import pandas as pd

    from .._base import View
    from .._page import Page
    from ..causal_trace import CausalTrace

CORNERS = ("Y11", "Y00", "Y10", "Y01")
PATCH = {"PIE": "restore", "TIE": "break", "INT": "difference"}
CONSTANT = {"clean": "break", "corrupt": "restore", "difference": "difference"}
_NOT_RUN = Status.NOT_RUN.name.lower()


def rows_of(page: Page) -> pd.DataFrame:
    """A row per cell that a view shows, means over the pairs that it shows, in the metric's unit.

    Columns panel, site, row, column, edit, status, Y11, Y00, Y10, Y01, the quantities that exist
    under the edit (PIE, TIE, INT; or clean, corrupt, difference), n, unit. What is selected stands
    first, as the panel "selected". Numbers are empty where a cell was not run or failed a check.
    """
    import pandas as pd

    from .._base import View
    from ..causal_trace import CausalTrace
    from ..circuit_board import CircuitBoard
    from ..gate_playground import GatePlayground
    from ..interaction_grid import InteractionGrid
    from ..prompt_editor import PromptEditor

    if isinstance(page, CircuitBoard):
        return board_rows(page.result, page.sizes, page.study.lm.wiring)
    if isinstance(page, GatePlayground):
        return gate_rows(page)
    if isinstance(page, PromptEditor):
        return pair_rows(page)
    if isinstance(page, CausalTrace):
        return _trace_rows(page)
    if isinstance(page, InteractionGrid):
        return page.interactions.to_dataframe()
    assert isinstance(page, View)
    sheet = sheet_of(page, Look())
    shown = {cells.key: cells for cells in sheet.panels}
    own = {panel.key for panel in page.panels}
    others = [cells for key, cells in shown.items() if key not in own]
    tables = [_selected(page), *(_panel_rows(page, p, sheet, shown[p.key]) for p in page.panels)]
    tables += [pd.DataFrame(_head(cells) | _read(sheet, cells)) for cells in others]
    found = [table for table in tables if table is not None]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["panel"])


def csv_of(page: Page, look: Look) -> str:
    """The rows as CSV, after a header of comment lines (``pandas.read_csv(path, comment="#")``).

    Every line of the header begins with "#", a field and ": "; texts are written as JSON, so that
    no prompt can end a line.
    """
    facts = {**picture(page, look).facts, **_checks(page)}
    head = "".join(f"# {name}: {json.dumps(value)}\n" for name, value in facts.items())
    table = rows_of(page).map(_one_line)
    # Quoted, a "#" in a token begins no comment.
    return head + table.to_csv(None, index=False, lineterminator="\n", quoting=QUOTE_NONNUMERIC)


def json_of(page: Page, look: Look) -> str:
    """The rows with the four corners of every cell, what they are of, and the pairs' prompts."""
    facts: Facts = {**picture(page, look).facts, **_checks(page)}
    study = getattr(page, "study", None)
    if study is not None:
        facts["contrast"] = study.contrast.to_json()
    table = rows_of(page)
    rows = [
        {name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")
    ]
    return json.dumps({"kind": "mediawidget view", **facts, "cells": rows}, allow_nan=False) + "\n"


# --- rows ----------------------------------------------------------------------------------------


def _panel_rows(view: View, panel: Panel, sheet: Sheet, cells: Cells) -> pd.DataFrame:
    """A row per cell of a panel, in full precision; where it was not run, of its estimate."""
    import pandas as pd

    effects = [e for e in view.study.held(panel.sweep(view.study)) if e is not None]
    held = [pd.DataFrame(_numbers(_shown(view, effect))) for effect in effects]
    if not held:
        return pd.DataFrame(_head(cells) | _read(sheet, cells))
    table = held[0]
    for guessed in held[1:]:
        table = table.where(table["status"] != _NOT_RUN, guessed)
    return pd.concat([pd.DataFrame(_head(cells)), table], axis=1)


def _shown(view: View, effect: Effect) -> Effect:
    """Of the pairs that a view shows."""
    return effect if view.pair is None else effect.pair(view.pair)


def _head(cells: Cells) -> dict[str, Any]:
    """Which cell each row is."""
    rows, columns = cells.axes
    at = np.indices(cells.shape).reshape(2, -1)
    return {
        "panel": cells.key,
        "site": cells.labels,
        "row": [rows[i] for i in at[0]],
        "column": [columns[i] for i in at[1]],
        "edit": edit_words(cells.edit),
    }


def _read(sheet: Sheet, cells: Cells) -> dict[str, Any]:
    """The same as ``_numbers`` from what the page draws, which holds float32."""
    corners, patch = sheet.base(cells.y10, cells.y01), bool(cells.edit["corners"])
    values = (corners.y11, corners.y00, corners.y10, corners.y01)
    effects = {
        key: corners.effect(direction, patch=patch)
        for key, direction in (PATCH if patch else CONSTANT).items()
    }
    found = dict(zip(CORNERS, values, strict=True)) | effects
    return _flat(cells.status, found, sheet.n, sheet.view["metric"]["unit"])


def _selected(view: View) -> pd.DataFrame | None:
    """What is selected, in a row."""
    import pandas as pd

    entry = view.study.history.current
    if entry is None:
        return None
    effect = _shown(view, entry.effect)
    site = " + ".join(view.study.labels(entry.sites))
    # With what was frozen: that is another quantity.
    edit = edit_words(view.result["edit"])
    head = {"panel": ["selected"], "site": site, "row": "", "column": "", "edit": edit}
    return pd.DataFrame(head | _numbers(effect))


def _numbers(effect: Effect) -> dict[str, Any]:
    """Status, corners and quantities of every cell, flat."""
    corners = effect.corners()
    found = {key: corners[key].mean(axis=0) for key in CORNERS}
    found |= {key: effect[key] for key in effect.quantities()}
    return _flat(effect.status, found, effect.n_pairs, effect.metric.unit)


def _flat(status: Any, found: Mapping[str, Any], n: int, unit: str) -> dict[str, Any]:
    """Columns of a row per cell."""
    columns = {key: np.broadcast_to(v, status.shape).reshape(-1) for key, v in found.items()}
    states = [Status(int(code)).name.lower() for code in status.reshape(-1)]
    return {"status": states, **columns, "n": n, "unit": unit}


def _trace_rows(page: CausalTrace) -> pd.DataFrame:
    """Every kind of state of a causal trace: a row per layer and token."""
    import pandas as pd

    tracing, tables = page.tracing, []
    for kind in tracing.kinds:
        restored, indirect = tracing.restored(kind), tracing.indirect(kind)
        low, high = tracing.ci(kind)
        layers, positions = np.indices(restored.shape).reshape(2, -1)
        numbers = {"restored": restored, "effect": indirect, "low": low, "high": high}
        table = {
            "panel": kind,
            "layer": layers,
            "position": positions,
            "token": [tracing.tokens[i] for i in positions],
            "window": tracing.windows[kind],
            **{name: np.asarray(value).reshape(-1) for name, value in numbers.items()},
            "clean": tracing.clean,
            "corrupted": tracing.corrupted,
            "n": len(tracing.clean_kept),
            "unit": tracing.unit,
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def _checks(page: Page) -> dict[str, Any]:
    """What was verified of the numbers."""
    from .._base import View

    if not isinstance(page, View):
        return {}
    checks = page.result.get("checks") or page.view.get("checks") or []
    told = [{"name": c["name"], "ok": c["ok"], "words": c["words"]} for c in checks]
    return {"checks": told} if told else {}


def _plain(value: Any) -> Any:
    """A number or a text as JSON has it; None for what is missing."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def _one_line(value: Any) -> Any:
    """A text that stays on its line in any reader."""
    if not isinstance(value, str):
        return value
    return value.encode("unicode_escape").decode() if not value.isprintable() else value
