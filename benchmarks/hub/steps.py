"""What a student's kernel does, a cell a step, and what a page sends it."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from .kernels import Cell, Kernel

STEPS: Mapping[str, str] = {
    "`import mediawidget`": "import mediawidget as mw",
    "the model": 'lm = mw.teach.load("")',
    "a sweep of all heads": """pair = mw.PromptPair(
    clean="When Mary and John went to the store, John gave a book to",
    corrupt="When Mary and John went to the store, Mary gave a book to",
    answer="Mary",
    wrong="John",
)
study = mw.Study(lm, pair)
study.sweep("head", progress=False)""",
    "an Explorer": "explorer = mw.Explorer(study)\nexplorer",
    "a question": """lesson = mw.teach.Lesson("1 One intervention", file="answers/01.json")
card = lesson.pick("which", "Which head restores Mary?", study)
card""",
}
"""What every student does."""

FURTHER: Mapping[str, str] = {
    "an Explorer of 8 pairs": """many = mw.Study(lm, mw.tasks.ioi(lm, n=8))
many.sweep("head", progress=False)
mw.Explorer(many)""",
    "a chart of theirs": 'mw.charts.effects(many.sweep("head", progress=False))',
}
"""What some do then."""

CLICKS = 12


def refuse_trouble(cell: Cell) -> None:
    """Raise unless a cell ran to its end and wrote no traceback.

    Raises:
        RuntimeError: it did not.
    """
    if cell.error or "Traceback" in cell.warnings:
        raise RuntimeError(cell.error or cell.warnings)


def click(kernel: Kernel, count: int = CLICKS) -> list[float]:
    """Click heads of the Explorer, another one each time: seconds from click to answer.

    Raises:
        RuntimeError: a click was refused.
    """
    model = kernel.value("explorer.model_id")
    revision = kernel.value("study.revision")
    heads = kernel.value("lm.n_layers * lm.n_heads")
    times = []
    for index in range(0, heads, max(1, heads // count)):
        cells = [{"panel": "head", "index": index}]
        request = {"kind": "request", "id": index + 1, "action": "intervene", "cells": cells}
        seconds, answers = kernel.click(model, {**request, "revision": revision})
        if not answers[-1]["content"]["ok"]:
            raise RuntimeError(str(answers[-1]["content"]))
        times.append(seconds)
    return times


def guess(kernel: Kernel, label: str = "L2H1") -> Mapping[str, Any]:
    """Commit a guess on the card: what the card shows then.

    Raises:
        RuntimeError: the guess was refused.
    """
    message = {"do": "commit", "id": "which", "guess": [label]}
    _, answers = kernel.click(kernel.value("card.model_id"), message)
    state: Mapping[str, Any] = answers[-1]["state"]["state"]
    if state["card"]["error"]:
        raise RuntimeError(state["card"]["error"])
    return state


def words_of(times: list[float]) -> str:
    """Seconds from click to answer, for people."""
    return f"median {1000 * median(times):.0f} ms, largest {1000 * max(times):.0f} ms"
