"""What objects print of themselves: one short line, that says what they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pytest

import mediawidget as mw
from mediawidget.widgets.boards.worth import Worth

HEADS = [mw.Site("head", layer, head=0) for layer in (1, 2)]


@lru_cache
def study() -> mw.Study:
    lm = mw.load()
    found = mw.Study(lm, mw.tasks.ioi(lm, n=2))
    found.intervene(HEADS[0])
    return found


def induction() -> mw.Study:
    return mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])


SAID: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "trace": (
        lambda: mw.CausalTrace(mw.causal_tracing(induction(), kinds=("residual",), progress=False)),
        ("CausalTrace(", "residual", "TE"),
    ),
    "history": (lambda: study().history, ("History(2 entries", "L1H0")),
    "steer": (lambda: mw.Steer([3.0, 4.0] * 64, 2.0), ("Steer(128 numbers", "scale=2")),
    "scores": (lambda: mw.search.exact_edges(induction(), progress=False), ("EdgeScores(exact, ",)),
    "board": (
        lambda: Worth(study(), "resample").result(mw.Circuit(HEADS), "node", None),
        ("BoardResult(node mode", "2 of ", "model"),
    ),
}


@pytest.mark.parametrize("name", list(SAID))
def test_one_line(name: str) -> None:
    ask, words = SAID[name]
    said = repr(ask())
    assert "\n" not in said
    assert len(said) < 200
    assert all(word in said for word in words)
    assert "array(" not in said
    assert "exact, exact" not in said
