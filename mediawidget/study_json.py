"""The record of a study as plain data, and back: effects and edits once each, by number."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .edits import Edit
from .effect_files import ARRAYS, arrays_of, effect_of, header_of
from .effects import Effect
from .grids import Grids
from .history import Intervention
from .logbook import Record
from .metrics import Metric
from .sites import Site

if TYPE_CHECKING:
    from .study import Study

Tokens = Sequence[tuple[str, float]]
"""The likeliest next tokens of one run, with their probabilities."""


def body_of(study: Study) -> dict[str, Any]:
    """All of a study but what tells its model from others."""
    record, write = study.record(), _Writer(study)
    return {
        "contrast": write.contrast,
        "metric": study.metric.to_json(),
        "readout": study.readout.to_json(),
        "columns": list(record.columns),
        "edit": write.edit(study.edit),
        "total": write.effect(record.total),
        "last": write.effect(record.last),
        "grids": [
            [write.edit(edit), key, write.effect(effect)]
            for edit, key, effect in record.grids.items()
        ],
        "entries": [write.entry(entry) for entry in record.entries],
        "names": list(record.names),
        "cursor": record.cursor,
        "effects": write.effect_data,
        "edits": [edit.to_json() for edit in write.edits],
        "tops": [[[token, _finite(p)] for token, p in found] for found in write.tops],
    }


def record_of(body: dict[str, Any], edits: list[Edit], metric: Metric) -> Record:
    """The inverse, under a metric that may be another than the saved one."""
    effects = [_effect(data, body, edits, metric) for data in body["effects"]]
    tops = [
        [(str(token), math.nan if p is None else float(p)) for token, p in found]
        for found in body["tops"]
    ]

    def effect(index: int | None) -> Effect | None:
        return None if index is None else effects[index]

    return Record(
        columns=tuple(body["columns"]),
        entries=tuple(_entry(data, edits, effects, tops) for data in body["entries"]),
        names=tuple(str(name) for name in body["names"]),
        cursor=body["cursor"],
        grids=Grids({(edits[e], str(key)): effects[i] for e, key, i in body["grids"]}),
        total=effect(body["total"]),
        last=effect(body["last"]),
    )


def _entry(
    data: dict[str, Any] | None, edits: list[Edit], effects: list[Effect], tops: Sequence[Tokens]
) -> Intervention | None:
    if data is None:
        return None
    likely = tuple({name: tops[i] for name, i in pair.items()} for pair in data["next_tokens"])
    return Intervention(sites_of(data, edits), effects[data["effect"]], likely, freeze_of(data))


def sites_of(data: dict[str, Any], edits: list[Edit]) -> dict[Site, Edit]:
    """What an entry sets its sites to."""
    return {Site.from_json(site): edits[index] for site, index in data["sites"]}


def freeze_of(data: dict[str, Any]) -> tuple[str | Site, ...]:
    """What an entry holds at its base."""
    return tuple(h if isinstance(h, str) else Site.from_json(h) for h in data["freeze"])


class _Writer:
    """Effects and edits, each written once and named by its number."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.contrast = study.contrast.to_json()
        self.effects: dict[int, int] = {}
        self.effect_data: list[dict[str, Any]] = []
        self.edits: dict[Edit, int] = {}
        # The prompts' own are the same in every entry.
        self.tops: dict[tuple[tuple[str, float], ...], int] = {}

    def edit(self, edit: Edit) -> int:
        return self.edits.setdefault(edit, len(self.edits))

    def top(self, found: Tokens) -> int:
        return self.tops.setdefault(tuple(found), len(self.tops))

    def effect(self, effect: Effect | None) -> int | None:
        if effect is None:
            return None
        if id(effect) not in self.effects:
            self.effects[id(effect)] = len(self.effects)
            header = header_of(effect) | {"edit": self.edit(effect.edit)}
            if header["metric"] == self.study.metric.to_json():
                header["metric"] = None
            if header["facts"].get("contrast") == self.contrast:
                header["facts"] = header["facts"] | {"contrast": None}
            arrays = {name: _packed(array) for name, array in arrays_of(effect).items()}
            self.effect_data.append(header | arrays)
        return self.effects[id(effect)]

    def entry(self, entry: Intervention | None) -> dict[str, Any] | None:
        if entry is None:
            return None
        return {
            "sites": [[site.to_json(), self.edit(edit)] for site, edit in entry.edits.items()],
            "freeze": [held if isinstance(held, str) else held.to_json() for held in entry.freeze],
            "effect": self.effect(entry.effect),
            "next_tokens": [
                {name: self.top(found) for name, found in pair.items()}
                for pair in entry.next_tokens
            ],
        }


def _effect(
    data: dict[str, Any], body: dict[str, Any], edits: list[Edit], metric: Metric
) -> Effect:
    header = dict(data)
    own = header["metric"] is None
    if own:
        header["metric"] = body["metric"]
    if "contrast" in header["facts"] and header["facts"]["contrast"] is None:
        header["facts"] = header["facts"] | {"contrast": body["contrast"]}
    header["edit"] = body["edits"][data["edit"]]
    arrays = {name: _unpacked(data[name], dtype) for name, dtype in ARRAYS.items()}
    effect = effect_of(header, arrays)
    if effect.n_pairs != len(body["contrast"]["pairs"]):
        raise ValueError(f"{effect.n_pairs} pairs in an effect of the study")
    # The very edits of the study: those that hold values are equal to themselves alone.
    effect = replace(effect, edit=edits[data["edit"]])
    return effect.rescore(metric) if own and metric != effect.metric else effect


def _finite(number: float) -> float | None:
    """As JSON has it: a run that overflowed has no probabilities."""
    return number if math.isfinite(number) else None


def _unpacked(data: Any, dtype: Any) -> Any:
    raw = base64.b64decode(data["bytes"], validate=True)
    stored = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype)
    return stored.reshape(data["shape"])


def _packed(array: Any) -> dict[str, Any]:
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {"shape": list(array.shape), "bytes": base64.b64encode(ordered.tobytes()).decode()}
