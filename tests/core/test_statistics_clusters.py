"""Which pairs belong together: names on pairs, on effects, and in files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.effects import Effect, Status
from mediawidget.statistics import cluster_codes, clusters_of, groups_of


def pair(**more: Any) -> mw.PromptPair:
    return mw.PromptPair(**{"clean": "a b", "corrupt": "a c", "answer": "x", "wrong": "y", **more})


def effect(clusters: tuple[str, ...] = (), groups: tuple[str, ...] = (), n: int = 4) -> Effect:
    rng = np.random.default_rng(0)
    return Effect(
        axes={"layer": (0, 1)},
        bases=rng.normal(size=(n, 2, 3)),
        edited=rng.normal(size=(n, 2, 2, 3)),
        status=np.full(2, Status.EXACT, dtype=np.uint8),
        clusters=clusters,
        groups=groups,
    )


def test_a_pair_keeps_its_template_and_group() -> None:
    named = pair(template="gave", group="ABBA")
    assert mw.PromptPair.from_json(named.to_json()) == named != pair()
    assert named.swapped() == pair(
        clean="a c", corrupt="a b", answer="y", wrong="x", template="gave", group="ABBA"
    )
    assert "template" not in pair().to_json()


@pytest.mark.parametrize("name", ["template", "group"])
@pytest.mark.parametrize("value", [3, None, ["a"]])
def test_a_template_is_a_text(name: str, value: object) -> None:
    with pytest.raises(mw.MediationError, match=f"{name} is named"):
        pair(**{name: value})


def test_a_contrast_without_names_has_no_clusters() -> None:
    assert clusters_of(mw.Contrast([pair(), pair()])) == ()
    assert clusters_of([pair(template="t"), pair(template="t")]) == (), "the only one there is"
    assert groups_of([pair()]) == ()
    some = [pair(template="t", group="g"), pair()]
    assert clusters_of(some) == ("t", "")
    assert groups_of(some) == ("g", "")


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        ((), [0, 1, 2, 3]),
        (("b", "a", "b", "a"), [0, 1, 0, 1]),
        (("b", "", "b", ""), [0, 1, 0, 2]),
        (("", "", "", ""), [0, 1, 2, 3]),
        (("t", "t", "t", "t"), [0, 0, 0, 0]),
    ],
)
def test_codes_of_clusters(names: tuple[str, ...], codes: list[int]) -> None:
    assert cluster_codes(names, 4).tolist() == codes


@pytest.mark.parametrize("what", ["clusters", "groups"])
@pytest.mark.parametrize("names", [("a", "b"), ["a"] * 4, (1, 2, 3, 4), "abcd", None])
def test_a_name_for_every_pair_or_none(what: str, names: Any) -> None:
    with pytest.raises(mw.MediationError, match=f"The {what} of an effect"):
        replace(effect(), **{what: names})


def test_names_follow_their_pairs() -> None:
    named = effect(("s", "s", "t", ""), ("g", "h", "g", "h"))
    assert named.pair(2).clusters == ("t",)
    assert named.pair(1).groups == ("h",)
    assert named.cell(1).clusters == named.clusters
    assert named.rescore(mw.Prob()).groups == named.groups
    assert effect().pair(2).clusters == effect().pair(2).groups == ()


@pytest.mark.parametrize("name", ["effect.json", "effect.npz"])
def test_names_come_back_from_a_file(tmp_path: Path, name: str) -> None:
    named = effect(("s", "s", "t", ""), ("g", "h", "g", "h"))
    back = Effect.load(named.save(tmp_path / name))
    assert (back.clusters, back.groups) == (named.clusters, named.groups)
