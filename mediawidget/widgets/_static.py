"""The same numbers as a plain page: no script, no network, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ..pictures import colours, grid_html, numbers, signed
from ._formula import formula
from ._goals import edit_payload
from .panels import Panel, panel_payload

if TYPE_CHECKING:
    from ..study import Study


def study_html(study: Study, panels: Sequence[Panel], pair: int | None) -> str:
    """Prompts, base values and grids as tables; PIE (or the effect on the clean base)."""
    shown = study.token_pairs[pair or 0]
    total = study.known_total if pair is None else study.known_total.pair(pair)
    answers = escape(shown.answer_token.strip()), escape(shown.wrong_token.strip())
    prompts = (
        f"<p>clean: {_text(shown.clean_tokens)} &rarr; {answers[0]}<br>"
        f"corrupt: {_text(shown.corrupt_tokens)} &rarr; {answers[1]}</p>"
    )
    n = len(study.contrast)
    which = f"mean of {n} pairs" if pair is None else f"pair {pair + 1} of {n}"
    bases = (
        f"<p>{escape(formula(study, pair))}: clean {signed(total['Y11'])}, "
        f"corrupt {signed(total['Y00'])} {escape(study.metric.unit)}; "
        f"{which}; "
        f"edit: set {escape(edit_payload([study.edit])['goal'])}</p>"
    )
    grids = "".join(_panel(study, panel, pair) for panel in panels)
    return f"{prompts}{bases}{_result(study, pair)}{grids}<p>{colours([study.edit])}</p>"


def _result(study: Study, pair: int | None) -> str:
    """The intervention that views show now, in a line."""
    entry = study.history.current
    if entry is None:
        return ""
    goal = escape(edit_payload(entry.edits.values(), entry.effect.held)["goal"])
    effect = entry.effect if pair is None else entry.effect.pair(pair)
    return f"<p>selected, set {goal}: {numbers(effect)}</p>"


def _panel(study: Study, panel: Panel, pair: int | None) -> str:
    payload = panel_payload(study, panel, pair, 0.0)
    total = study.known_total if pair is None else study.known_total.pair(pair)
    y01, y10 = (np.frombuffer(payload[name], "<f4").astype(float) for name in ("y01", "y10"))
    values = y01 - total["Y00"] if study.edit.corners else total["Y11"] - y10
    rows, columns = (list(axis["labels"]) for axis in payload["axes"])
    columns = [column.strip() for column in columns]
    quantity = "PIE" if study.edit.corners else "effect on clean"
    title = f"<p><b>{escape(payload['title'])}</b>, {quantity}</p>"
    status = np.frombuffer(payload["status"], np.uint8).reshape(payload["shape"])
    values = values.reshape(payload["shape"])
    return title + grid_html(values, status, rows, columns, float(total["TE"]))


def _text(tokens: Sequence[str]) -> str:
    return f"<code>{escape(''.join(tokens))}</code>"
