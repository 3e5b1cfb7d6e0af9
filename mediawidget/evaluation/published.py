"""Circuits that others found, as data, to hold results against."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ..circuit import Circuit
from ..errors import require
from ..sites import Site
from ..statistics.resampling import refuse_no_flag


def known(name: str, *, positions: bool = False) -> Circuit:
    """A published circuit, its nodes by class.

    - "ioi": indirect objects in GPT-2 small (``gpt2``), 26 heads in 7 classes. Its authors leave
      the MLPs out of the question: evaluate it with ``over=("head",)``.
    - "greater-than": years in GPT-2 small, 9 heads and 8 MLPs.
    - "docstring": argument names in a four-layer attention-only model, 8 heads.

    It is what its authors found by their own ablation, which is not the only truth.

    Args:
        name: which.
        positions: at the roles where the paper says that a head works (of "ioi" alone: END, S2,
            S1+1, as ``mw.tasks.ioi`` names them), instead of everywhere.

    Raises:
        MediationError: no such circuit, or no positions of it.

    Example:
        >>> mw.evaluation.known("ioi").classes[mw.Site("head", 9, head=9)]
        'name mover'
    """
    refuse_no_flag("positions", positions)
    published, given = _published(), str(name)
    require(
        given in published,
        "No such circuit is known here.",
        value=name,
        expected=" or ".join(map(repr, published)),
        fix="mw.evaluation.known('ioi')",
    )
    data = published[given]
    require(
        not positions or all("position" in one for one in data["classes"]),
        "Of this circuit no positions are listed.",
        value=name,
        expected="'ioi'",
        fix=f"known({name!r})",
    )
    classes: dict[Site, str] = {}
    for one in data["classes"]:
        at = one["position"] if positions else None
        for layer, head in one.get("heads", ()):
            classes[Site("head", layer, head=head, position=at)] = one["class"]
        for layer in one.get("mlps", ()):
            classes[Site("mlp_out", layer, position=at)] = one["class"]
    source = f"{data['source']}; model {data['model']}"
    return Circuit(classes, name=data["name"], source=source, classes=classes)


@cache
def _published() -> Mapping[str, Any]:
    text = files(__package__).joinpath("published.json").read_text(encoding="utf-8")
    found: Mapping[str, Any] = json.loads(text)
    return found
