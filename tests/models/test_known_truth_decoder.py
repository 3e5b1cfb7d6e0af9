"""Hand-set models are models like any other: every kind of site, every way to call and to load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.mediators import MEDIATORS
from mediawidget.models._decoder import Head, additive_mask, layout
from mediawidget.models._words import word_tokenizer
from tests.asking import raised

STUDIES: dict[str, Callable[[], mw.Study]] = {
    "gate": lambda: mw.Study(mw.models.gate("OR"), mw.models.gate_pair()),
    "equations": lambda: mw.Study(
        mw.models.equations([(0.5, 2.0)] * 2, [1.0, 2.0], interactions={(0, 1): 0.5}),
        mw.models.equation_pairs(),
    ),
    "ioi": lambda: mw.Study(mw.models.ioi_mini(decoys=1), mw.models.ioi_mini_pairs()["flip"]),
    "planted": lambda: mw.Study(mw.models.planted_subspace(), mw.models.planted_pairs(3)),
    "arithmetic": lambda: mw.Study(mw.models.arithmetic(), mw.models.arithmetic_pair()),
}


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("mediator", [name for name in MEDIATORS if "unit" not in name])
def test_every_kind_of_site(name: str, mediator: str) -> None:
    """Swept, and the engine's own checks hold: self-patch, full cut and a plain forward pass."""
    study = STUDIES[name]()
    if mediator == "edge":  # edges are cut here, as they are patched everywhere
        study.edit = mw.Knockout()
    if not study.lm.has(MEDIATORS[mediator]):
        without_mlps = ("mlp_out", "neuron", "neurons", "residual_mid") if name == "ioi" else ()
        # What there is without attention, and of an encoder's states.
        foreign = ("mixer_out", "mixer_channel", "cross_out", "cross_head")
        assert mediator in (*foreign, *without_mlps)
        raised(lambda: study.sweep(mediator, progress=False))
        return
    effect = study.sweep(mediator, progress=False)
    possible = effect.status[effect.status != mw.Status.IMPOSSIBLE]
    assert np.isin(possible, (mw.Status.EXACT, mw.Status.IMPLIED_ZERO)).all()
    found = {check.name: check for check in effect.checks}
    # An edge that is cut has no value of its own to be set to.
    proofs = {"plain forward"} | ({"self-patch", "full cut"} if mediator != "edge" else set())
    assert all(found[proof].ok for proof in proofs), effect.checks


@pytest.mark.parametrize("name", STUDIES)
def test_a_saved_model_opens(name: str, tmp_path: Path) -> None:
    """Weights and config go through a folder; the paths are given again."""
    study = STUDIES[name]()
    study.lm.hf.save_pretrained(tmp_path)  # type: ignore[operator]
    study.lm.tokenizer.save_pretrained(tmp_path)
    lm = mw.load(tmp_path, paths=study.lm.paths, dtype=torch.float64)
    again = mw.Study(lm, study.contrast)
    for key in ("Y11", "Y00"):
        found, expected = again.total.pairs(key), study.total.pairs(key)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_module_behaves_like_a_decoder() -> None:
    lm = mw.models.ioi_mini(decoys=1)
    module: Any = lm.hf
    texts = [mw.models.ioi_mini_pairs()["flip"].clean, mw.models.ioi_mini_pairs()["flip"].corrupt]
    ids = torch.tensor([lm.tokenizer(text)["input_ids"] for text in texts])
    with torch.no_grad():
        whole = module(ids).logits
        future = torch.full((5, 5), float("-inf"), dtype=torch.float64).triu(1)[None, None]
        for kwargs in (
            {"attention_mask": torch.ones_like(ids)},
            {"attention_mask": future},
            {"position_ids": torch.arange(5)[None]},
        ):
            torch.testing.assert_close(module(ids, **kwargs).logits, whole)
        torch.testing.assert_close(module(ids, logits_to_keep=1).logits, whole[:, -1:])
        torch.testing.assert_close(module(ids[1:]).logits, whole[1:])
    assert whole.shape == (2, 5, 11)


def test_the_module_refuses_what_it_cannot_do() -> None:
    module: Any = mw.models.gate("AND").hf
    ids = torch.tensor([[0, 1, 2]])
    with pytest.raises(ValueError, match="past_key_values"):
        module(ids, past_key_values=object())
    with pytest.raises(ValueError, match="padding"):
        additive_mask(torch.tensor([[0, 1, 1]]))
    with pytest.raises(ValueError, match="4 tokens"):
        module(torch.tensor([[0, 1, 2, 1]]))


def test_blocks_lie_side_by_side() -> None:
    assert layout(a=2, b=1, c=3) == {"a": slice(0, 2), "b": slice(2, 3), "c": slice(3, 6)}


def test_a_form_is_a_head() -> None:
    """Its queries times its keys are the form, its values times its output the write."""
    form, write = torch.randn((2, 4, 4), generator=torch.Generator().manual_seed(0))
    head = Head.of_form(form, write)
    torch.testing.assert_close(head.query @ head.key.T, form)
    torch.testing.assert_close(head.value @ head.out, write)


def test_words_are_tokens() -> None:
    words = word_tokenizer(["<s>", "a", "=", "<unk>"])
    assert words("<s> a =")["input_ids"] == words("  <s>  a = ")["input_ids"] == [0, 1, 2]
    assert [words.decode([token]) for token in (0, 1, 2)] == [" <s>", " a", " ="]
    assert words("b")["input_ids"] == [words.unk_token_id] == [3]
