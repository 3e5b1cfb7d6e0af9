"""The history as a row of entries: walked, named and compared on the page, written as code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..edits import Edit, Patch, Scale
from ..history import Intervention
from ..mediators import mediator_named
from ..mediators.base import positions_of
from ..naming import spanned
from ..sites import Site
from ._goals import edit_payload
from ._parts import Action, Part, Request

if TYPE_CHECKING:
    from ..study import Study
    from ._base import View

SHOWN = 100
"""Entries that travel: the newest, or those around the present one."""

MARKS = 64
"""Sites of an entry that its picture shows."""

LONGEST_LABEL = 120


class Log(Part):
    """The entries of the study's history, and where we are in it."""

    NAME: ClassVar[str] = "entries"
    FOLLOWS: ClassVar[tuple[str, ...]] = ("prompts", "result", "pair", "name")

    def __init__(self, view: View) -> None:
        super().__init__(view)
        # What is drawn of an entry costs more than a click of a long history may; it stays.
        self._drawn: dict[int, tuple[Intervention, int | None, dict[str, Any]]] = {}

    def actions(self) -> Mapping[str, Action]:
        return {"walk": self._walk, "name": self._name, "code": self._code}

    def payload(self) -> dict[str, Any]:
        history = self.study.history
        first = max(0, min(len(history) - SHOWN, history.cursor - SHOWN // 2))
        shown = range(first, min(len(history), first + SHOWN))
        entries = [{"index": i, "name": history.names[i], **self._entry(history[i])} for i in shown]
        kept = {id(history[i]) for i in shown}
        self._drawn = {key: value for key, value in self._drawn.items() if key in kept}
        return {
            "entries": entries,
            "total": len(history),
            "cursor": history.cursor,
            "rows": self.study.lm.n_layers + 1,
        }

    def _entry(self, entry: Intervention | None) -> dict[str, Any]:
        if entry is None:
            return {"label": ""}
        pair = self.view.pair
        known = self._drawn.get(id(entry))
        if known is None or known[0] is not entry or known[1] != pair:
            known = (entry, pair, entry_payload(self.study, entry, pair))
            self._drawn[id(entry)] = known
        return known[2]

    def _walk(self, request: Request) -> None:
        self.study.walk(request.get("index"))  # type: ignore[arg-type]

    def _name(self, request: Request) -> None:
        self.study.history.name(request.get("index"), request.get("name"))  # type: ignore[arg-type]

    def _code(self, _request: Request) -> dict[str, str]:
        return {"code": self.study.to_code()}


def entry_payload(study: Study, entry: Intervention, pair: int | None) -> dict[str, Any]:
    """One intervention: its corners (the mean over pairs, or one pair's), and where it was."""
    effect = entry.effect
    index = slice(None) if pair is None else slice(pair, pair + 1)
    base = effect.scores(effect.bases)[index].mean(axis=0)
    edited = effect.scores(effect.edited)[index].mean(axis=0)
    corners = dict(zip(("y11", "y00", "y10", "y01"), (*base, *edited), strict=True))
    return {
        "label": entry.label[:LONGEST_LABEL],
        "edit": edit_payload(entry.edits.values(), entry.effect.held),
        "word": _word(set(entry.edits.values())),
        "status": int(effect.status),
        "n": effect.n_pairs if pair is None else 1,
        "marks": [_mark(study, site) for site in entry.sites[:MARKS]],
        **{name: float(y) if np.isfinite(y) else None for name, y in corners.items()},
    }


def _word(edits: set[Edit]) -> str:
    """What sites were set to, short enough for a chip."""
    first, *more = edits
    if more:
        return "mixed"
    match first:
        case Patch(source, alpha):
            share = "" if alpha == 1.0 else "half " if alpha == 0.5 else f"{alpha:.0%} "
            where = f" from {source}" if isinstance(source, str) else "" if source is None else "*"
            return f"{share}patch{where}"
        case Scale(factor):
            return f"\N{MULTIPLICATION SIGN} {factor:g}"
        case _:
            return "knock-out" if first.kind == "knockout" else first.kind


def _mark(study: Study, site: Site) -> list[float]:
    """Row, left end and width of a site in a picture of width 1: its head, or its position."""
    mediator, n = mediator_named(site.mediator), len(study.token_pairs[0])
    row = 0 if mediator.one_layer else site.layer + mediator.shift
    start, among = 0, 1
    if mediator.index == "head" and site.head is not None:
        start, among = site.head, mediator.units(study.lm.shape)
    elif site.position is not None:
        roles = study.contrast[0].roles
        places = {name: spanned(at) for name, at in roles.items()}
        start, among = positions_of(site.position, n, places)[0], n
    return [row, round(start / among, 4), round(1 / among, 4)]
