"""Hostile arguments of circuits, edges and edits of parts: an answer, or an error that helps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from tests.core.hostile import HEAD
from tests.hostile_arguments import Call, assert_helped, unasked

MLP = mw.Site("mlp_out", 2)
EDGE = mw.Edge(HEAD, mw.Site("mlp_out", 2))
PART = mw.Subspace([[1.0, 0.0, 0.0]])
OBLIQUE = mw.Projection([[1.0, 0.0]], [[1.0, 5.0]])


def circuit(**more: Any) -> mw.Circuit:
    """Saved too, for what cannot be told from a file is no circuit."""
    made = mw.Circuit(**more)
    assert mw.Circuit.from_json(made.to_json()) == made
    return written(made)


def classed(text: Any) -> mw.Circuit:
    return circuit(nodes=[HEAD], classes={HEAD: text})


def written(made: mw.Circuit) -> mw.Circuit:
    made.save(saved())
    return made


@lru_cache
def saved() -> Path:
    """Where it is saved, for as long as the tests run."""
    path = Path(tempfile.mkdtemp()) / "circuit.json"
    mw.Circuit([HEAD]).save(path)
    return path


def save(path: Any) -> mw.Circuit:
    """Nothing is written to a name that a hostile text happens to be."""
    made = mw.Circuit([HEAD])
    made.save(saved() if isinstance(path, str) else path)
    return made


CALLS: dict[str, Callable[[], Call]] = {
    "Circuit": lambda: (
        circuit,
        {"nodes": [HEAD, MLP], "edges": None, "name": "", "source": "", "classes": {HEAD: "a"}},
    ),
    "Circuit of edges": lambda: (circuit, {"nodes": [], "edges": [EDGE]}),
    "Circuit.class": lambda: (classed, {"text": "a"}),
    "Circuit.node": lambda: (lambda node: circuit(nodes=[node]), {"node": HEAD}),
    "Circuit.from_json": lambda: (mw.Circuit.from_json, {"data": mw.Circuit([HEAD]).to_json()}),
    "Circuit.save": lambda: (save, {"path": saved()}),
    "Circuit.load": lambda: (mw.Circuit.load, {"path": saved()}),
    "Edge": lambda: (mw.Edge, {"sender": HEAD, "receiver": MLP}),
    "Edge.from_json": lambda: (mw.Edge.from_json, {"data": EDGE.to_json()}),
    "Subspace": lambda: (mw.Subspace, {"basis": np.eye(3)[:1]}),
    "Subspace.spanned": lambda: (mw.Subspace.spanned, {"vectors": np.eye(3)[:1]}),
    "Subspace.random": lambda: (mw.Subspace.random, {"k": 1, "width": 3, "seed": 0}),
    "Subspace.from_json": lambda: (mw.Subspace.from_json, {"data": PART.to_json()}),
    "Projection": lambda: (
        mw.Projection,
        {"writers": [[1.0, 0.0]], "readers": [[1.0, 5.0]]},
    ),
    "Projection.from_json": lambda: (mw.Projection.from_json, {"data": OBLIQUE.to_json()}),
    "Within": lambda: (mw.Within, {"part": PART, "edit": mw.Zero()}),
    "Within.from_json": lambda: (mw.Within, {"part": PART.to_json(), "edit": {"kind": "zero"}}),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_no_argument_is_left_out() -> None:
    assert unasked(CALLS) == []
