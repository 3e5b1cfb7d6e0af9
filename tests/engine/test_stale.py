"""Nothing is served stale: a weight changed between two questions changes the second answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.engine.cases import random_pair
from tests.oracle import Oracle
from tests.small_models import KINDS, random_model, tokenizer_of


def in_place(weight: torch.nn.Parameter) -> None:
    with torch.no_grad():
        weight.mul_(1.5)


def through_data(weight: torch.nn.Parameter) -> None:
    """This does not raise the parameter's version counter."""
    weight.data.mul_(1.5)


def new_data(weight: torch.nn.Parameter) -> None:
    weight.data = weight.data * 1.5


def through_numpy(weight: torch.nn.Parameter) -> None:
    """Neither the version nor the address changes."""
    weight.detach().numpy()[...] *= 1.5


CHANGES = (in_place, through_data, new_data, through_numpy)

# The first and last layers, the embedding (which a stored prefix would hold) and the final norm.
WEIGHTS = {
    "gpt2": (
        "transformer.wte",
        "transformer.h.0.attn.c_attn",
        "transformer.h.4.attn.c_proj",
        "transformer.ln_f",
    ),
    "llama": (
        "model.embed_tokens",
        "model.layers.0.self_attn.k_proj",
        "model.layers.4.self_attn.o_proj",
        "model.norm",
    ),
}


def answers(study: mw.Study, site: mw.Site) -> dict[str, float]:
    """The same questions, asked anew."""
    return {
        "total": study.total["TE"],
        "clean": study.total["Y11"],
        "TIE": study.intervene([site])["TIE"],
        "PIE": study.intervene([site])["PIE"],
        "sweep": float(study.sweep("head")["TIE"][2, 1]),
        "by position": float(study.sweep("mlp_out", by="position")["PIE"][1, 5]),
        "engine": float(
            study.engine.evaluate([mw.Run("corrupt", {site: mw.Patch()})]).kept[0, 0, 0]
        ),
    }


def truth(model: Any, kind: str, pair: mw.PromptPair, site: mw.Site) -> dict[str, float]:
    oracle = Oracle(model, tokenizer_of(kind), [pair])

    def effects(place: mw.Site) -> dict[str, float]:
        y = {key: kept[0] - kept[1] for key, kept in oracle.corners(place).items()}
        return {"TIE": y["Y11"] - y["Y10"], "PIE": y["Y01"] - y["Y00"], "clean": y["Y11"]} | {
            "total": y["Y11"] - y["Y00"]
        }

    one = effects(site)
    return {
        **one,
        "sweep": effects(mw.Site("head", 2, head=1))["TIE"],
        "by position": effects(mw.Site("mlp_out", 1, position=5))["PIE"],
        "engine": float(oracle.run("corrupt", [(site, "clean")])[0]),
    }


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_weight_changes_every_answer(
    kind: str, place: int, change: Callable[[torch.nn.Parameter], None]
) -> None:
    model: Any = random_model(kind)
    pair = random_pair(kind, 50, length=7, first=4)
    study = mw.Study(mw.load(model, tokenizer=tokenizer_of(kind)), pair)
    site = mw.Site("head", 1, head=0)
    before = answers(study, site)
    assert before == pytest.approx(truth(model, kind, pair, site), abs=1e-9)
    change(model.get_submodule(WEIGHTS[kind][place]).weight)
    after = answers(study, site)
    assert after == pytest.approx(truth(model, kind, pair, site), abs=1e-9)
    moved = [abs(after[key] - before[key]) for key in before]
    assert min(moved) > 1e-6, dict(zip(before, moved, strict=True))


def test_a_weight_changed_back_gives_the_first_answer_again() -> None:
    model: Any = random_model("gpt2")
    study = mw.Study(mw.load(model, tokenizer=tokenizer_of("gpt2")), random_pair("gpt2", 51))
    site = mw.Site("residual", 2, position=5)
    first = study.intervene([site])["PIE"]
    weight = model.transformer.h[3].mlp.c_fc.weight
    kept = weight.detach().clone()
    weight.data.zero_()
    assert abs(study.intervene([site])["PIE"] - first) > 1e-3
    weight.data.copy_(kept)
    assert study.intervene([site])["PIE"] == pytest.approx(first, abs=1e-12)


def test_another_study_of_one_lm_does_not_answer_for_this_one() -> None:
    """Two studies share a model and must not share results of different prompts."""
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    one, two = (mw.Study(lm, random_pair("gpt2", seed)) for seed in (52, 53))
    first = one.sweep("head")["TIE"]
    second = two.sweep("head")["TIE"]
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(one.sweep("head")["TIE"], first)
