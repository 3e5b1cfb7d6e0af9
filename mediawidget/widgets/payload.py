"""What a view sends to the page: the `view` and the `result` trait, as plain data and bytes.

TypeScript derives PIE, TIE, INT and percents from the corners, so that hovering and switching need
no kernel. Numbers are in the metric's unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ..edits import Edit, Within
from ..effects import Effect
from ..errors import MediationError
from ..naming import spanned
from ..statistics import FEWEST
from ..validity import Check
from ._alone import alone
from ._formula import formula
from ._goals import EDITS, edit_payload, kind_of
from ._parts import Cells
from .panels import LONGEST_TOKEN, Panel, panel_payload

if TYPE_CHECKING:
    from ..history import History, Intervention
    from ..sites import Site
    from ..study import Study

TOP = 3
SHORT_TOKEN = 40
NO_TOP: dict[str, list[dict[str, Any]]] = {
    "clean": [],
    "corrupt": [],
    "restored": [],
    "broken": [],
}


class BaseTokens:
    """The likeliest next tokens of the two unedited prompts, and how long a run takes.

    Evaluated once per question and set of weights: one pass over the base runs.
    """

    def __init__(self, study: Study) -> None:
        outcomes = study.engine.evaluate([], top=TOP)
        self._names = study.lm.encoder.token
        self._top = outcomes.top
        self._rate = outcomes.seconds / max(1, outcomes.rows)

    def rate(self, study: Study) -> float:
        """Seconds a run takes: as the last sweep did, else as the base runs suggest."""
        for grid in study.grids.values():
            if grid.facts.get("rows", 0) > 2 * grid.n_pairs:
                return float(grid.facts["seconds"]) / float(grid.facts["rows"])
        # An edited run computes about half of the network.
        return self._rate / 2

    def of(self, base: str, pair: int) -> list[dict[str, Any]]:
        """The likeliest next tokens of a pair's prompt."""
        found = self._top.get((base, pair), [])
        return top_tokens([(self._names(i), p) for i, p in found])


def view_payload(
    study: Study, panels: Sequence[Panel], pair: int | None, tokens: BaseTokens
) -> dict[str, Any]:
    """The `view` trait. ``pair`` is the one that is shown, None for the mean over pairs."""
    total = study.known_total if pair is None else study.known_total.pair(pair)
    metric = {"name": study.metric.name, "unit": study.metric.unit}
    return {
        "revision": study.revision,
        "model": {
            "name": study.lm.name,
            "n_layers": study.lm.n_layers,
            "n_heads": study.lm.n_heads,
            "facts": study.lm.describe(),
        },
        "metric": metric | {"label": formula(study, pair)},
        "edit": edit_payload([study.edit]),
        "edits": [
            _edit_choice(study, edit) for edit in dict.fromkeys([*EDITS.values(), study.edit])
        ],
        "pairs": {"n": len(study.contrast), "index": pair, "name": study.contrast.name},
        "prompts": _prompts(study, pair, tokens),
        "base": {"y11": _number(total["Y11"]), "y00": _number(total["Y00"])},
        "checks": _checks(study.known_total.checks),
        "panels": [panel_payload(study, panel, pair, tokens.rate(study)) for panel in panels],
    }


def place_in(history: History) -> dict[str, Any]:
    """Where a history stands."""
    last = len(history) - 1
    return {
        "index": history.cursor,
        "n": last,
        "undo": history.cursor > 0,
        "redo": history.cursor < last,
    }


def entry_payload(
    study: Study, entry: Intervention, panels: Sequence[Cells], pair: int | None
) -> dict[str, Any]:
    """What the `result` trait tells of an intervention, beside where the history stands."""
    effect = entry.effect if pair is None else entry.effect.pair(pair)
    edited = effect.scores(effect.edited).mean(axis=0)
    base = effect.scores(effect.bases).mean(axis=0)
    return {
        "revision": study.revision,
        "cells": _cells(study, entry, panels, pair),
        "label": entry.label,
        "edit": edit_payload(entry.edits.values(), entry.effect.held),
        "y11": _number(base[0]),
        "y00": _number(base[1]),
        "y10": _number(edited[0]),
        "y01": _number(edited[1]),
        "status": int(effect.status),
        "ci": intervals(effect),
        "n": effect.n_pairs,
        "top": NO_TOP | next_tokens_of(study, entry, pair or 0),
        "checks": _checks(effect.checks),
    }


def _cells(
    study: Study, entry: Intervention, panels: Sequence[Cells], pair: int | None
) -> list[dict[str, Any]]:
    """Where each site of an intervention is drawn, and what it came to by itself.

    That is ``alone``, the metric edited on the clean and on the corrupt base, of sites of which
    no panel of the view has it.
    """
    own = {panel.key: panel for panel in panels if isinstance(panel, Panel)}
    cells, edits = [], set(entry.edits.values())
    for place, (site, edit) in enumerate(entry.edits.items()):
        cell = cell_of(study, panels, site, place)
        panel = own.get(cell["panel"])
        shown = panel is not None and edits == {panel.edit(study)}
        # Frozen and recomputed are two quantities, and one site by itself has no joint effect.
        wanted = len(entry.edits) > 1 and not entry.freeze and not shown
        effect = alone(study, site, edit) if wanted else None
        if effect is not None:
            values = effect.scores(effect.edited)
            told = values.mean(axis=0) if pair is None else values[pair]
            ends = zip(("y10", "y01"), told, strict=True)
            cell["alone"] = {name: float(f"{value:.7g}") for name, value in ends}
        cells.append(cell)
    return cells


_RUNS = {
    "clean": ("bases", 0),
    "corrupt": ("bases", 1),
    "broken": ("edited", 0),
    "restored": ("edited", 1),
}


def next_tokens_of(study: Study, entry: Intervention, pair: int) -> dict[str, list[dict[str, Any]]]:
    """A pair's likeliest next tokens in each of the four runs, and always the two answers."""
    told = {}
    for name, found in (entry.next_tokens[pair] if entry.next_tokens else {}).items():
        listed = top_tokens(found)
        seen = {one["token"] for one in listed}
        told[name] = listed + [
            one for one in _answers(study, entry.effect, pair, name) if one["token"] not in seen
        ]
    return told


def _answers(study: Study, effect: Effect, pair: int, name: str) -> list[dict[str, Any]]:
    """The answers' probabilities in a run; none where they are no single tokens."""
    shown = study.token_pairs[pair]
    which, base = _RUNS[name]
    kept = dict(zip(effect.columns, getattr(effect, which)[pair, base], strict=True))
    if shown.strands[0].forced or "logsumexp" not in kept or max(map(len, shown.answers)) > 1:
        return []
    pairs = ((shown.answer_token, "answer"), (shown.wrong_token, "wrong"))
    found = [(text, float(np.exp(kept[key] - kept["logsumexp"]))) for text, key in pairs]
    return top_tokens([one for one in found if np.isfinite(one[1])])


def cell_of(study: Study, panels: Sequence[Cells], site: Site, place: int) -> dict[str, Any]:
    """Where a selected site is drawn, and its label; one that no panel shows goes by its place."""
    label = study.labels([site])[0]
    for panel in panels:
        index = panel.index(study, site)
        if index is not None:
            return {"panel": panel.key, "index": index, "label": label}
    return {"panel": "site", "index": place, "label": label}


def intervals(effect: Effect) -> dict[str, list[float]] | None:
    """95% intervals of the mean over pairs, None where too few are independent for any.

    By quantity in the metric's unit, and by "PIE%" in percent of the total effect: a share is a
    ratio of two means that vary together, so its interval is none of the other, divided.
    """
    if effect.n_clusters < FEWEST or not np.isfinite(effect.edited).all():
        return None
    keys = ("PIE", "TIE", "INT") if effect.edit.corners else ("clean", "corrupt", "difference")
    found = {key: effect.ci(key) for key in keys}
    try:
        shares = {f"{key}%": 100 * effect.normalized_ci(key) for key in keys}
    except MediationError:
        return told(found)  # there is no total effect to take shares of
    return told(found | shares)


def told(found: Mapping[str, Any]) -> dict[str, list[float]]:
    """Intervals as a message has them: one without ends is none, and JSON has no word for those."""
    return {
        key: [float(f"{end:.6g}") for end in ends]
        for key, ends in found.items()
        if np.isfinite(ends).all()
    }


def top_tokens(found: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """Tokens and probabilities, short enough for a message."""
    return [{"token": text[:SHORT_TOKEN], "p": round(float(p), 5)} for text, p in found[:TOP]]


# --- parts ---------------------------------------------------------------------------------------


def _roles(study: Study, pair: int | None) -> dict[int, str]:
    """The role at each position of a pair; of the mean, where every pair has it there."""
    held = [
        {(at, role) for role, where in one.roles.items() for at in spanned(where)}
        for one in (study.contrast if pair is None else [study.contrast[pair]])
    ]
    return dict(sorted(set.intersection(*held)))


def _prompts(study: Study, told: int | None, tokens: BaseTokens) -> dict[str, Any]:
    """A pair's prompts; of the mean the first pair's."""
    pair = told or 0
    shown, roles = study.token_pairs[pair], _roles(study, told)
    partner = dict(shown.alignment)
    clean = [
        {"text": text[:LONGEST_TOKEN], "role": roles.get(i), "partner": partner.get(i, -1)}
        for i, text in enumerate(shown.clean_tokens)
    ]
    return {
        "clean": clean,
        "corrupt": [{"text": text[:LONGEST_TOKEN]} for text in shown.corrupt_tokens],
        "first_difference": shown.first_difference,
        "answer": shown.answer_token,
        "wrong": shown.wrong_token,
        "clean_top": tokens.of("clean", pair),
        "corrupt_top": tokens.of("corrupt", pair),
    }


def _edit_choice(study: Study, edit: Edit) -> dict[str, Any]:
    """An edit and, where these pairs refuse it, why."""
    why = None
    try:
        study.engine.refuse_edit(edit)
    except MediationError:
        why = "needs several pairs of each length"
    named = kind_of(edit) == "source"
    label = f"{edit.kind} ({_settings(edit)})" if named else edit.kind
    return {"kind": kind_of(edit), "label": label, "why": why}


def _settings(edit: Edit) -> str:
    """What sets an edit apart from the plain one of its kind."""
    if isinstance(edit, Within):
        return f"{edit.edit.kind}, {edit.part.words}"
    given = {f.name: getattr(edit, f.name) for f in fields(edit) if f.name != "vector"}
    plain = {f.name: f.default for f in fields(edit)}
    told = {name: value for name, value in given.items() if value != plain[name]}
    return ", ".join(str(v) if isinstance(v, str) else f"{n} {v}" for n, v in told.items())


def _checks(checks: Sequence[Check]) -> list[dict[str, Any]]:
    return [{"name": c.name, "ok": c.ok, "words": c.words} for c in checks]


def _number(value: Any) -> float | None:
    """A number as JSON has it: six or seven digits, None for NaN."""
    number = float(value)
    return float(f"{number:.9g}") if np.isfinite(number) else None


def with_failures(title: str, failed: Iterable[Check]) -> str:
    """A view's title, and after it what failed: there are no numbers then."""
    return " ".join([title, *(f"Check failed: {check.words}" for check in failed)])
