"""What the commands print is what was measured."""

import re

import numpy as np
import pytest

from mediawidget import Check, Effect, LogitDiff, Patch
from mediawidget.__main__ import main
from mediawidget.commands import study


def kept(value: float) -> list[float]:
    """What a run keeps for a logit difference of this size: both logits and the logsumexp."""
    return [value, 0.0, value + 1.0]


@pytest.fixture
def effect() -> Effect:
    """One pair, TE = 10; L0H0 restores 2 and breaks 3, L0H1 restores -5 and breaks 6."""
    return Effect(
        axes={"layer": (0,), "head": (0, 1)},
        bases=np.array([[kept(7.0), kept(-3.0)]]),
        edited=np.array([[[[kept(4.0), kept(1.0)]], [[kept(-1.0), kept(-8.0)]]]]),
        status=np.ones((1, 2), dtype=np.uint8),
        edit=Patch(),
        metric=LogitDiff(),
        labels=("L0H0", "L0H1"),
    )


def test_the_strongest_head_comes_first_with_both_directions(effect: Effect) -> None:
    _, first, second, *_ = study.strongest_heads(effect)
    assert first.split() == ["L0H1", "-5.00", "-50%", "+6.00", "60%", "##########|"]
    assert second.split() == ["L0H0", "+2.00", "20%", "+3.00", "30%", "|####"]
    assert first.index("|") == second.index("|")


def test_a_bar_is_as_long_as_its_share_and_says_where_it_is_cut() -> None:
    drawn = {1.0: "#" * 20, -0.25: "#####", 0.02: "", float("nan"): ""}
    assert {share: study.bar(share) for share in drawn} == drawn
    assert study.bar(1.5) == "#" * 19 + ">"
    assert study.bar(-1.5) == "<" + "#" * 19


def test_checks_say_passed_failed_or_not_applicable() -> None:
    results = [Check("a", ok, "words") for ok in (True, False, None)]
    lines = list(study.checks(results))[1:4]
    assert [line.split()[0] for line in lines] == ["ok", "FAILED", "n/a"]


@pytest.mark.slow
def test_the_first_study_names_heads_checks_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study"]) == 0
    words = capsys.readouterr().out
    assert len(re.findall(r"^  L\dH\d ", words, re.MULTILINE)) == study.N_HEADS
    assert re.search(r"total effect [+-]\d", words)
    assert "FAILED" not in words
    assert re.search(r"both directions: \d+\.\d\d s", words)


@pytest.mark.slow
def test_check_prints_versions_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    words = capsys.readouterr().out
    for name in ("Python", "torch", "nnsight", "device", "self-patch"):
        assert name in words
    assert "Self-check passed." in words
