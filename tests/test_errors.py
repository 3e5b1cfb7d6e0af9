"""Bad input is answered with the value, what was expected and the fix, before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.engine.cases import lm_of, random_pair
from tests.small_models import random_model, tokenizer_of

CLEAN = "ant bee cat dog eel"
CORRUPT = "ant owl cat dog eel"


def pair(**change: Any) -> mw.PromptPair:
    """A valid pair of five tokens, but for what a test changes."""
    fields: dict[str, Any] = {"clean": CLEAN, "corrupt": CORRUPT, "answer": "fox", "wrong": "gnu"}
    return mw.PromptPair(**{**fields, **change})


def study(*pairs: mw.PromptPair, kind: str = "gpt2") -> mw.Study:
    return mw.Study(lm_of(kind), mw.Contrast(list(pairs) or [pair()]))


def raised(call: Callable[[], object]) -> mw.MediationError:
    """The error of ``call``, after the checks that every error has to pass."""
    with pytest.raises(mw.MediationError) as caught:
        call()
    error = caught.value
    assert isinstance(error, ValueError)
    text = str(error)
    assert error.expected.strip()
    assert error.fix.strip()
    assert str(error.value) in text
    assert error.expected in text
    assert error.fix in text
    return error


def test_the_valid_pair_is_valid() -> None:
    """Else every test below would pass for the wrong reason."""
    assert study().sweep("head")["TIE"].shape == (5, 3)
    assert study(kind="llama").total["TE"] != 0


def test_unequal_token_lengths_show_both_tokenisations() -> None:
    error = raised(lambda: study(pair(corrupt="ant bee owl dog eel hen")).total)
    text = str(error)
    for word in ("cat", "owl", "hen"):
        assert word in text
    assert re.search(r"\b5\b", text)
    assert re.search(r"\b6\b", text)
    # Where they part: at token 2, the third.
    assert re.search(r"\b2\b", text)


def test_unequal_lengths_in_a_contrast_show_the_pair() -> None:
    longer = pair(corrupt="ant owl cat dog eel hen")
    text = str(raised(lambda: study(pair(), pair(answer="hay"), longer).total))
    assert "hen" in text


@pytest.mark.parametrize("which", ["answer", "wrong"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_an_answer_the_tokenizer_does_not_know(kind: str, which: str) -> None:
    error = raised(lambda: study(pair(**{which: "zeppelin"}), kind=kind).total)
    assert "zeppelin" in str(error.value)
    assert which in str(error)


@pytest.mark.parametrize("which", ["answer", "wrong"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_an_answer_of_several_tokens(kind: str, which: str) -> None:
    error = raised(lambda: study(pair(**{which: "fox hen"}), kind=kind).total)
    text = str(error)
    assert "fox" in text
    assert "hen" in text
    assert re.search(r"one token|single token|1 token", text)


def test_a_prompt_word_the_tokenizer_does_not_know() -> None:
    """Two unknown words would be one token, and the effect a silent 0."""
    unknown = pair(clean="ant zeppelin cat dog eel", corrupt="ant balloon cat dog eel")
    text = str(raised(lambda: study(unknown).total))
    assert "zeppelin" in text or "unk" in text


def test_equal_prompts() -> None:
    error = raised(lambda: pair(corrupt=CLEAN))
    assert CLEAN in str(error.value)


def test_prompts_equal_once_tokenised() -> None:
    error = raised(lambda: study(pair(corrupt="ant  bee cat dog  eel")).total)
    assert "ant" in str(error)


def test_equal_answers() -> None:
    raised(lambda: pair(wrong="fox"))
    raised(lambda: pair(wrong=" fox"))


@pytest.mark.parametrize("call", ["sweep", "intervene", "run"])
def test_unknown_mediator(call: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "sweep": lambda: study().sweep("heads"),
        "intervene": lambda: study().intervene([mw.Site("heads", 1, head=1)]),
        "run": lambda: study().engine.evaluate(
            [mw.Run("clean", {mw.Site("heads", 1, head=1): mw.Patch()})]
        ),
    }
    error = raised(calls[call])
    assert "heads" in str(error.value)
    for name in ("head", "residual", "attn_out", "mlp_out"):
        assert name in error.expected


@pytest.mark.parametrize(
    ("site", "value", "limit"),
    [
        (mw.Site("head", 5, head=0), "5", "4"),
        (mw.Site("head", -1, head=0), "-1", "4"),
        (mw.Site("head", 0, head=3), "3", "2"),
        (mw.Site("head", 0, head=-1), "-1", "2"),
        (mw.Site("residual", 6), "6", "5"),
        (mw.Site("attn_out", 5), "5", "4"),
        (mw.Site("mlp_out", 5), "5", "4"),
        (mw.Site("mlp_out", 1, position=5), "5", "4"),
        (mw.Site("mlp_out", 1, position=(0, 7)), "7", "4"),
        (mw.Site("residual", 1, position=-1), "-1", "4"),
    ],
    ids=lambda item: item.label() if isinstance(item, mw.Site) else str(item),
)
def test_site_out_of_range(site: mw.Site, value: str, limit: str) -> None:
    error = raised(lambda: study().intervene([site]))
    assert value in str(error.value)
    assert limit in error.expected
    raised(lambda: study().engine.evaluate([mw.Run("corrupt", {site: mw.Zero()})]))


def test_a_head_site_needs_its_head_and_others_have_none() -> None:
    raised(lambda: study().intervene([mw.Site("head", 1)]))
    raised(lambda: study().intervene([mw.Site("mlp_out", 1, head=0)]))


def test_one_place_set_twice_in_a_run() -> None:
    """Two values for one place have no meaning, and no order that a reader could guess."""
    twice = {
        mw.Site("head", 1, head=0): mw.Zero(),
        mw.Site("head", 1, head=0, position=3): mw.Patch(),
    }
    raised(lambda: study().engine.evaluate([mw.Run("clean", twice)]))


def test_normalising_by_a_total_effect_near_0() -> None:
    flat = mw.load(_deaf_model(), tokenizer=tokenizer_of("gpt2"))
    effect = mw.Study(flat, pair()).sweep("head")
    assert abs(mw.Study(flat, pair()).total["TE"]) < 1e-9
    error = raised(lambda: effect.normalized("PIE"))
    assert "TE" in str(error.value) or "total" in str(error)
    assert (abs(study().sweep("head").normalized("PIE")) > 0.01).any()


def _deaf_model() -> Any:
    """A random GPT-2 for which ``bee`` and ``owl`` are one word."""
    model: Any = random_model("gpt2")
    words = tokenizer_of("gpt2")
    bee, owl = words("bee owl")["input_ids"]
    with torch.no_grad():
        model.transformer.wte.weight[bee] = model.transformer.wte.weight[owl]
    return model


class Nameless(torch.nn.Module):
    """A network whose modules have names of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(3, 3)
        self.second = torch.nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.second(self.first(x))
        return out


def test_a_model_whose_modules_are_not_known() -> None:
    error = raised(lambda: mw.load(Nameless(), tokenizer=tokenizer_of("gpt2")))
    assert "Nameless" in str(error)


@pytest.mark.parametrize("call", ["sweep", "intervene", "run", "study"])
def test_mean_of_a_single_pair(call: str) -> None:
    site = mw.Site("head", 1, head=1)
    calls: dict[str, Callable[[], object]] = {
        "sweep": lambda: study().sweep("head", edit=mw.Mean()),
        "intervene": lambda: study().intervene({site: mw.Mean("clean")}),
        "run": lambda: study().engine.evaluate([mw.Run("clean", {site: mw.Mean()})]),
        "study": lambda: mw.Study(lm_of("gpt2"), pair(), edit=mw.Mean()).sweep("head"),
    }
    error = raised(calls[call])
    assert "1" in str(error.value) or "one" in str(error.value)


@pytest.mark.parametrize("key", ["PIE", "TIE", "INT", "PDE", "TDE"])
@pytest.mark.parametrize("edit", [mw.Zero(), mw.Mean()])
def test_constants_have_no_corners(edit: mw.Edit, key: str) -> None:
    two = study(pair(), random_pair("gpt2", 60, length=5, first=2))
    for effect in (
        two.sweep("head", edit=edit),
        two.intervene({mw.Site("head", 1, head=1): edit}),
    ):
        for read in (
            lambda effect=effect: effect[key],
            lambda effect=effect: effect.pairs(key),
            lambda effect=effect: effect.normalized(key),
        ):
            error = raised(read)
            assert key in str(error.value)
            assert "clean" in error.expected
            assert "corrupt" in error.expected
        assert effect["clean"] is not None


def test_nie_names_both_conventions() -> None:
    error = raised(lambda: study().sweep("head")["NIE"])
    for word in ("PIE", "TIE", "Pearl", "VanderWeele"):
        assert word in str(error)


def test_unknown_estimand_metric_base_and_axis() -> None:
    effect = study().sweep("head")
    assert "XYZ" in str(raised(lambda: effect["XYZ"]).value)
    assert "cleaner" in str(raised(lambda: mw.Patch("cleaner")).value)  # type: ignore[arg-type]
    assert "clear" in str(raised(lambda: mw.Run("clear")).value)  # type: ignore[arg-type]
    assert "token" in str(raised(lambda: study().sweep("head", by="token")).value)


def test_an_empty_intervention() -> None:
    raised(lambda: study().intervene([]))


def test_not_a_pair() -> None:
    raised(lambda: mw.Contrast([]))
    raised(lambda: mw.Contrast([("a", "b")]))  # type: ignore[list-item]
    raised(lambda: mw.PromptPair(clean="", corrupt=CORRUPT, answer="fox", wrong="gnu"))


def test_a_mediator_the_model_does_not_have() -> None:
    """The hand-set induction model has no MLPs."""
    lm = mw.models.induction()
    asked = mw.Study(lm, mw.models.induction_pairs()["key swap"])
    for call in (
        lambda: asked.sweep("mlp_out"),
        lambda: asked.intervene([mw.Site("mlp_out", 0)]),
    ):
        error = raised(call)
        assert "mlp_out" in str(error)
        assert "attn_out" in error.expected


def test_numbers_of_numpy_and_ranges_are_numbers() -> None:
    """Loops over ``np.arange`` are common; a site is compared and saved by its plain numbers."""
    site = mw.Site("head", np.int64(1), head=np.int64(2), position=np.int64(3))  # type: ignore[arg-type]
    assert site == mw.Site("head", 1, head=2, position=3)
    assert json.loads(json.dumps(site.to_json())) == site.to_json()
    assert mw.Site("mlp_out", 1, position=range(2)) == mw.Site("mlp_out", 1, position=(0, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize("position", [1.0, True, "store", (), (1, 2.5), (2, 2)], ids=repr)
def test_positions_that_are_none(position: Any) -> None:
    raised(lambda: study().intervene([mw.Site("mlp_out", 1, position=position)]))


@pytest.mark.parametrize("source", ["clean", "corrupt"])
def test_a_fixed_source_has_no_four_corners(source: Any) -> None:
    """On its own prompt such a patch is a self-patch: TIE (or PIE) would be a silent 0."""
    edit = mw.Patch(source)
    for ask in (
        lambda: study().sweep("head", edit=edit)["INT"],
        lambda: study().intervene({mw.Site("head", 1, head=1): edit})["INT"],
    ):
        raised(ask)


def test_by_position_needs_one_length() -> None:
    two = study(pair(), random_pair("gpt2", 61, length=6, first=2))
    error = raised(lambda: two.sweep("residual", by="position"))
    assert "5" in str(error.value)
    assert "6" in str(error.value)
    assert two.sweep("residual").n_pairs == 2


def test_a_prompt_longer_than_the_model_reads() -> None:
    error = raised(lambda: study(random_pair("gpt2", 62, length=25, first=2)).total)
    assert "25" in str(error.value)
    assert "24" in error.expected


def test_a_model_in_training_mode() -> None:
    """Dropout would make every number random."""
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    lm.hf.train()
    raised(lambda: mw.Study(lm, pair()).sweep("head"))
