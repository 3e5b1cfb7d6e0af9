"""The checks that come with every result: they pass on a sound model and fail on an unsound one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.engine.cases import case, random_pair
from tests.small_models import KINDS, random_model, tokenizer_of

FAILED = 4


def check_named(effect: mw.Effect, name: str) -> mw.Check:
    (found,) = [check for check in effect.checks if check.name == name]
    assert found.words.strip()
    return found


def preferring_pair(kind: str) -> mw.PromptPair:
    """A random pair, its answers exchanged where needed so that the clean prompt prefers one."""
    pair = random_pair(kind, 90, length=7, first=3)
    kept = case(kind, [pair]).oracle.run("clean")
    if kept[0] > kept[1]:
        return pair
    return mw.PromptPair(pair.clean, pair.corrupt, pair.wrong, pair.answer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_sweep_passes_every_check(kind: str) -> None:
    effect = case(kind, [preferring_pair(kind)]).study.sweep("head")
    names = {check.name for check in effect.checks}
    assert {"edit fired", "self-patch", "full cut", "clean answer", "plain forward"} <= names
    assert all(check.ok for check in effect.checks), effect.checks


@pytest.mark.parametrize("mediator", ["residual", "attn_out", "mlp_out"])
def test_other_mediators_pass_too(mediator: str) -> None:
    study = case("llama", [preferring_pair("llama")]).study
    for by in (None, "position"):
        effect = study.sweep(mediator, by=by)
        assert all(check.ok for check in effect.checks), effect.checks


@pytest.mark.parametrize("kind", KINDS)
def test_a_clean_prompt_that_prefers_the_wrong_answer_is_told(kind: str) -> None:
    pair = preferring_pair(kind)
    other = mw.PromptPair(pair.clean, pair.corrupt, pair.wrong, pair.answer)
    study = case(kind, [pair, other]).study
    assert check_named(study.total, "clean answer").ok is False
    assert check_named(study.sweep("head"), "clean answer").ok is False


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_that_changes_nothing_is_told(kind: str) -> None:
    """After the first difference the same token has the same embedding in both prompts."""
    study = case(kind, [random_pair(kind, 91, length=7, first=3)]).study
    assert check_named(study.intervene([mw.Site("residual", 0, position=5)]), "edit fired").ok is (
        False
    )
    assert check_named(study.intervene([mw.Site("residual", 0, position=3)]), "edit fired").ok


class FeelsItsRow(torch.nn.Module):
    """Wraps a module so that its output depends on the row's place in the batch."""

    def __init__(self, inside: torch.nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        out: torch.Tensor = self.inside(*args, **kwargs)
        row = torch.arange(out.shape[0], dtype=out.dtype)
        return out * (1 + 0.05 * row).view(-1, 1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_mixes_rows_gets_no_numbers(kind: str) -> None:
    """Batched evaluation is wrong for it, so a result without a failed check would be a lie."""
    model: Any = random_model(kind)
    blocks = model.transformer.h if kind == "gpt2" else model.model.layers
    blocks[3].mlp = FeelsItsRow(blocks[3].mlp)
    study = mw.Study(mw.load(model, tokenizer=tokenizer_of(kind)), preferring_pair(kind))
    effect = study.sweep("head")
    assert not check_named(effect, "self-patch").ok
    assert not check_named(effect, "full cut").ok
    assert not check_named(effect, "plain forward").ok
    assert (effect.status == FAILED).all()
    assert np.isnan(effect["TIE"]).all()
    assert np.isnan(effect["PIE"]).all()
