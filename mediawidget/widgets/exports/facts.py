"""What every export carries: model, prompts, metric, edit, n, version."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from .._formula import formula
from ..drawing.reading import Sheet
from ..panels import LONGEST_TOKEN

if TYPE_CHECKING:
    from ...study import Study

try:
    VERSION = f"mediawidget {version('mediawidget')}"
except PackageNotFoundError:  # a source tree that was never installed
    VERSION = "mediawidget"
MOST_PROMPT = 2000
"""Characters of a prompt that are kept: it is there to be recognised."""

Facts = dict[str, Any]


def study_facts(study: Study, pair: int | None) -> Facts:
    """What a study's numbers are of. ``pair`` is the one that is shown, None for the mean."""
    shown = study.token_pairs[pair or 0]
    several = pair is None and len(study.contrast) > 1
    n = len(study.contrast)
    which = "1 pair" if n == 1 else f"mean of {n} pairs"
    if pair is not None and n > 1:
        which = f"pair {pair + 1} of {n}"
    return {
        "model": study.lm.name,
        "name": study.contrast.name,
        "metric": formula(study, pair),
        "unit": study.metric.unit,
        "pairs": which,
        "n": n if several else 1,
        "clean": "".join(shown.clean_tokens)[:MOST_PROMPT],
        "corrupt": "".join(shown.corrupt_tokens)[:MOST_PROMPT],
        "answer": shown.answer_token[:LONGEST_TOKEN],
        "wrong": shown.wrong_token[:LONGEST_TOKEN],
        "version": VERSION,
    }


def sheet_facts(study: Study, pair: int | None, sheet: Sheet) -> Facts:
    """The same, with the edit of the cells and what a view shows of it."""
    short, full = sheet.quantity
    # A constant restores nothing and breaks nothing.
    direction = sheet.direction if sheet.edit["corners"] else short
    told = {"edit": edit_words(sheet.edit), "direction": direction}
    return {**study_facts(study, pair), **told, "shows": f"{full}, {sheet.unit_words}"}


def edit_words(edit: Mapping[str, Any]) -> str:
    """What sites are set to: "zero", "patch: to its value on the other prompt", "to no attention".

    An edit with settings of its own goes by what it does, for it is none of those on the page.
    """
    kind, goal = str(edit["kind"]), str(edit["goal"])
    if kind in ("source", "mixed"):
        return goal
    return kind if goal == f"to {kind}" else f"{kind}: {goal}"
