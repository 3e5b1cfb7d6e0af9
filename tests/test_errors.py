"""Bad input is answered with the value, what was expected and the fix, before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import mediawidget as mw
from tests.asking import CLEAN, CORRUPT, pair, raised, study
from tests.engine.cases import lm_of, random_pair
from tests.small_models import random_model, tokenizer_of


def test_the_valid_pair_is_valid() -> None:
    """Else every test below would pass for the wrong reason."""
    assert study().sweep("head")["TIE"].shape == (5, 3)
    assert study(kind="llama").total["TE"] != 0


def test_a_sweep_by_position_needs_pairs_of_one_length() -> None:
    both = study(pair(), pair(clean="ant bee cat dog eel hen", corrupt="ant bee owl dog eel hen"))
    text = str(raised(lambda: both.sweep("head", by="position")))
    assert re.search(r"\b5\b", text)
    assert re.search(r"\b6\b", text)


def test_a_position_without_a_partner_is_named() -> None:
    longer = study(pair(corrupt="ant bee owl hay dog eel"))
    site = mw.Site("head", 1, head=0, position=2)
    error = raised(lambda: longer.intervene(site))
    assert "partner" in str(error)
    assert "2" in str(error.value)


@pytest.mark.parametrize("which", ["answer", "wrong"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_an_answer_the_tokenizer_does_not_know(kind: str, which: str) -> None:
    error = raised(lambda: study(pair(**{which: "zeppelin"}), kind=kind).total)
    assert "zeppelin" in str(error.value)
    assert which in str(error)


def test_a_prompt_word_the_tokenizer_does_not_know() -> None:
    """Two unknown words would be one token, and the effect a silent 0."""
    unknown = pair(clean="ant zeppelin cat dog eel", corrupt="ant balloon cat dog eel")
    error = raised(lambda: study(unknown).total)
    assert "does not know" in error.message
    assert error.value == repr("zeppelin")


def test_equal_prompts() -> None:
    error = raised(lambda: pair(corrupt=CLEAN))
    assert CLEAN in str(error.value)


def test_prompts_equal_once_tokenised() -> None:
    error = raised(lambda: study(pair(corrupt="ant  bee cat dog  eel")).total)
    assert "ant" in str(error)


def test_equal_answers() -> None:
    for same in ("fox", " fox"):
        assert "are the same token" in raised(lambda: pair(wrong=same)).message  # noqa: B023


def test_normalising_by_a_total_effect_near_0() -> None:
    flat = mw.load(_deaf_model(), tokenizer=tokenizer_of("gpt2"))
    effect = mw.Study(flat, pair()).sweep("head")
    assert abs(mw.Study(flat, pair()).total["TE"]) < 1e-9
    error = raised(lambda: effect.normalized("PIE"))
    assert "too near 0 to normalise by" in error.message
    assert str(error.value).startswith("TE = ")
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
    assert "needs several prompts" in error.message
    assert str(error.value).startswith("1 pair ")


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


def test_not_a_pair() -> None:
    raised(lambda: mw.Contrast([]))
    raised(lambda: mw.Contrast([("a", "b")]))  # type: ignore[arg-type]
    raised(lambda: mw.PromptPair(clean="", corrupt=CORRUPT, answer="fox", wrong="gnu"))


@pytest.mark.parametrize("source", ["clean", "corrupt"])
def test_a_fixed_source_has_no_four_corners(source: Any) -> None:
    """On its own prompt such a patch is a self-patch: TIE (or PIE) would be a silent 0."""
    edit = mw.Patch(source)
    for ask in (
        lambda: study().sweep("head", edit=edit)["INT"],
        lambda: study().intervene({mw.Site("head", 1, head=1): edit})["INT"],
    ):
        raised(ask)


def test_a_prompt_longer_than_the_model_reads() -> None:
    error = raised(lambda: study(random_pair("gpt2", 62, length=25, first=2)).total)
    assert "25" in str(error.value)
    assert "24" in error.expected


def test_a_model_in_training_mode() -> None:
    """Dropout would make every number random."""
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    lm.hf.train()
    raised(lambda: mw.Study(lm, pair()).sweep("head"))
