"""The present selection's effect on every single pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..effects import Effect
from ._goals import edit_payload
from ._parts import Part
from .payload import intervals

if TYPE_CHECKING:
    from ..history import Intervention
    from ._base import View

LONGEST_PROMPT = 300
MOST_ROWS = 12
"""Groups that are drawn apart; more are no picture."""


class Pairs(Part):
    """The corners of the present intervention pair by pair; a click shows one pair everywhere."""

    NAME = "pairs"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._kept: tuple[Intervention | None, list[dict[str, Any]]] = (None, [])

    def payload(self) -> dict[str, Any]:
        study, entry = self.study, self.study.history.current
        prompts = [pair.clean[:LONGEST_PROMPT] for pair in study.contrast]
        templates = [pair.template for pair in study.contrast]
        groups = [pair.group for pair in study.contrast]
        named = groups if any(groups) else templates
        payload: dict[str, Any] = {"prompts": prompts, "groups": named if any(named) else []}
        if entry is None:
            return payload
        effect = entry.effect
        corners = effect.corners()
        return payload | {
            "label": entry.label,
            "edit": edit_payload(entry.edits.values(), entry.effect.held),
            "corners": {
                name.lower(): corners[name].astype("<f4").tobytes()
                for name in ("Y11", "Y00", "Y10", "Y01")
            },
            "rows": self._rows(entry, named),
        }

    def _rows(self, entry: Intervention, named: list[str]) -> list[dict[str, Any]]:
        """The rows of an intervention; another pair that is shown changes none of them."""
        if self._kept[0] is not entry:
            self._kept = (entry, [_row(entry.effect, name, at) for name, at in _rows(named)])
        return self._kept[1]


def _rows(named: list[str]) -> list[tuple[str, list[int]]]:
    """Which pairs stand in a row: all of them, then each group where there are a few."""
    rows = [("", list(range(len(named))))]
    groups = list(dict.fromkeys(named))
    if 1 < len(groups) <= MOST_ROWS:
        rows += [
            (name or "no group", [i for i, one in enumerate(named) if one == name])
            for name in groups
        ]
    return rows


def _row(effect: Effect, name: str, at: list[int]) -> dict[str, Any]:
    """A row's pairs, and the 95% intervals of its mean in the metric's unit."""
    some = effect.of_pairs(at) if len(at) < effect.n_pairs else effect
    members = np.array(at, dtype="<i4").tobytes()
    return {"name": name, "n": len(at), "members": members, "ci": intervals(some)}
