"""Hostile saved data and files: refused in words, or an effect that can be read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.edits import edit_from_json
from mediawidget.metrics import METRICS, metric_from_json
from tests.asking import pair
from tests.core.hostile import (
    FEW,
    HEAD,
    answers,
    effect_of,
    jsons,
)


@pytest.mark.parametrize(
    "read", [mw.PromptPair.from_json, mw.Contrast.from_json, mw.Site.from_json, mw.Run.from_json]
)
def test_saved_data_of_another_kind(read: Callable[[Any], Any]) -> None:
    whole: dict[Any, dict[str, Any]] = {
        mw.PromptPair.from_json: pair().to_json(),
        mw.Contrast.from_json: mw.Contrast([pair()]).to_json(),
        mw.Site.from_json: HEAD.to_json(),
        mw.Run.from_json: mw.Run("clean", {HEAD: mw.Patch(alpha=0.5)}, ("head",)).to_json(),
    }

    @FEW
    @given(st.sampled_from(sorted(whole[read])), jsons)
    def check(name: str, value: Any) -> None:
        answers(read, {**whole[read], name: value})
        answers(read, {key: kept for key, kept in whole[read].items() if key != name})

    assert read(whole[read]).to_json() == whole[read]
    check()


@pytest.mark.parametrize("kind", ["patch", "zero", "mean", "noise", "steer", "scale", "resample"])
def test_saved_edits_and_metrics_of_another_kind(kind: str) -> None:
    @FEW
    @given(st.dictionaries(st.sampled_from(["source", "alpha", "base", "seed", "x"]), jsons))
    def check(fields: dict[str, Any]) -> None:
        answers(edit_from_json, {"kind": kind, **fields})
        for metric in METRICS:
            answers(metric_from_json, {"name": metric, **fields})

    check()


@pytest.mark.parametrize("ending", ["json", "npz"])
@pytest.mark.parametrize("kind", ["patch", "zero", "total"])
def test_files_with_bytes_changed(kind: str, ending: str) -> None:
    """Cut, overwritten or with bytes put in: refused, or an effect that can be read."""
    with tempfile.TemporaryDirectory() as folder:
        place = effect_of(kind).save(Path(folder) / f"effect.{ending}")
        whole = place.read_bytes()

        @FEW
        @given(st.integers(0, len(whole)), st.integers(0, 60), st.binary(max_size=12))
        def check(start: int, n: int, new: bytes) -> None:
            place.write_bytes(whole[:start] + new + whole[start + n :])
            usable(answers(mw.Effect.load, place))
            place.write_bytes(whole[:start])
            usable(answers(mw.Effect.load, place))

        check()
        place.write_bytes(whole)
        np.testing.assert_array_equal(mw.Effect.load(place).edited, effect_of(kind).edited)


def usable(effect: mw.Effect | None) -> None:
    """Whatever was read can be asked for everything that an effect can be."""
    if effect is None:
        return
    for ask in (repr, mw.Effect.to_dataframe, lambda e: e.pair(0), lambda e: e["TE"]):
        answers(ask, effect)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_files_with_fields_changed() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = effect_of("patch").save(Path(folder) / "effect.json")
        whole = json.loads(place.read_text(encoding="utf-8"))

        @settings(FEW, max_examples=150)
        @given(st.sampled_from(sorted(whole)), jsons, st.booleans())
        def check(name: str, value: Any, leave_out: bool) -> None:
            changed = {key: kept for key, kept in whole.items() if key != name}
            if not leave_out:
                changed[name] = value
            place.write_text(json.dumps(changed), encoding="utf-8")
            found = answers(mw.Effect.load, place)
            if name not in ("edit", "metric"):
                usable(found)

        check()


def test_files_that_are_not_there() -> None:
    for place in ("/no/such/effect.json", "/no/such/effect.npz", "/", "effect", "effect.csv"):
        assert answers(mw.Effect.load, place) is None
