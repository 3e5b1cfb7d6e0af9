"""Known networks as studies, and the places where their variables are."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import mediawidget as mw


@cache
def planted(gate: str = "XOR", rotated: bool = True, n: int = 256) -> tuple[mw.Study, mw.Site]:
    """z1 is row 0 of ``directions(study)``, at the site."""
    module = mw.models.planted(gate, rotated=rotated)
    network = mw.load(module, points={"hidden": "turn"})
    study = mw.Study(network, mw.models.planted_counterfactuals(gate, "z1", n))
    return study, network.site("layer", "hidden")


@cache
def equality(rotated: bool = True, n: int = 256) -> tuple[mw.Study, mw.Site]:
    """a == b is in rows 0 to 3 of ``directions(study)``, at the site."""
    module = mw.models.hierarchical_equality(rotated=rotated)
    network = mw.load(module, points={"hidden": "turn"})
    study = mw.Study(network, mw.models.equality_counterfactuals("a == b", n))
    return study, network.site("layer", "hidden")


def directions(study: mw.Study) -> np.ndarray:
    """Q of a planted network, (width, width)."""
    module: Any = study.lm.hf
    return np.asarray(module.planted)
