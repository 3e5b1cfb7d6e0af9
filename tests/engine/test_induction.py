"""The hand-set induction circuit: its effects are known before any code runs.

The closed numbers are computed here once more in plain numpy, from the mechanism and not from the
module's weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.models._induction import build, tokenizer

WORDS = "0ABCD"


def softmax(score: np.ndarray) -> np.ndarray:
    weight = np.exp(score - score.max(-1, keepdims=True))
    return np.asarray(weight / weight.sum(-1, keepdims=True))


def mechanism(prompt: str, beta: float, prev: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """What the circuit computes, with L0H0's output optionally taken from another prompt.

    ``prev`` and ``out`` are what the two heads write, rows are positions, columns words.
    """
    ids = [WORDS.index(letter) for letter in prompt]
    token = np.eye(len(WORDS))[ids]
    length = len(ids)
    future = np.where(np.tri(length) > 0, 0.0, -np.inf)
    back = softmax(beta * np.eye(length, k=-1) + future) @ token
    prev = back if prev is None else prev
    out = softmax(beta * token @ prev.T + future) @ token
    return {"prev": back, "out": out}


def answer(out: np.ndarray) -> float:
    """logit(B) - logit(D) at the last position."""
    return float(out[-1, WORDS.index("B")] - out[-1, WORDS.index("D")])


def closed(clean: str, corrupt: str, beta: float) -> dict[str, np.ndarray]:
    """The four corners for (L0H0, L1H0)."""
    one, nil = mechanism(clean, beta), mechanism(corrupt, beta)
    y11, y00 = answer(one["out"]), answer(nil["out"])
    return {
        "Y11": np.array([y11, y11]),
        "Y00": np.array([y00, y00]),
        "Y10": np.array([answer(mechanism(clean, beta, prev=nil["prev"])["out"]), y00]),
        "Y01": np.array([answer(mechanism(corrupt, beta, prev=one["prev"])["out"]), y11]),
    }


PROMPTS = {"value swap": ("0ABCDA", "0ADCBA"), "key swap": ("0ABCDA", "0CBADA")}


def grid(effect: mw.Effect, key: str) -> np.ndarray:
    return np.broadcast_to(effect[key], (2, 1))[:, 0]


@pytest.mark.parametrize("name", PROMPTS)
def test_the_pairs_are_the_ones_described(name: str) -> None:
    pair = mw.models.induction_pairs()[name]
    assert (pair.clean.replace(" ", ""), pair.corrupt.replace(" ", "")) == PROMPTS[name]
    assert (pair.answer, pair.wrong) == ("B", "D")


@pytest.mark.parametrize(("name", "l0h0"), [("value swap", 0.0), ("key swap", 2.0)])
def test_whole_numbers_at_beta_20(name: str, l0h0: float) -> None:
    """Clean +1, corrupt -1; L1H0 carries everything, L0H0 only where the keys were exchanged."""
    study = mw.Study(mw.models.induction(beta=20.0), mw.models.induction_pairs()[name])
    assert study.total["Y11"] == pytest.approx(1, abs=1e-7)
    assert study.total["Y00"] == pytest.approx(-1, abs=1e-7)
    assert study.total["TE"] == pytest.approx(2, abs=1e-7)
    effect = study.sweep("head")
    for key in ("TIE", "PIE"):
        np.testing.assert_allclose(grid(effect, key), [l0h0, 2.0], atol=1e-7)
    np.testing.assert_allclose(grid(effect, "INT"), 0, atol=1e-7)


@pytest.mark.parametrize("beta", [20.0, 8.0, 3.0, 1.0])
@pytest.mark.parametrize("name", PROMPTS)
def test_closed_numbers_at_any_beta(name: str, beta: float) -> None:
    """Soft attention too: all four corners agree with the mechanism to float64."""
    study = mw.Study(mw.models.induction(beta=beta), mw.models.induction_pairs()[name])
    effect = study.sweep("head")
    for key, expected in closed(*PROMPTS[name], beta).items():
        np.testing.assert_allclose(grid(effect, key), expected, atol=1e-12)


def test_where_the_key_is_read() -> None:
    """By position: patching L0H0 matters where the word after A stands, in either prompt."""
    study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])
    effect = study.sweep("head", by="position")
    assert effect["PIE"].shape == (2, 1, 6)
    # Corrupt `0 C B A D A`: telling B (2) that A came before makes it rival D (4), a tie at 0.
    np.testing.assert_allclose(effect["PIE"][0, 0], [0, 0, 1, 0, 1, 0], atol=1e-7)
    # L1H0 writes the prediction at the last position and nowhere else that is read.
    np.testing.assert_allclose(effect["PIE"][1, 0], [0, 0, 0, 0, 0, 2], atol=1e-7)


def test_patching_both_heads_is_no_more_than_one() -> None:
    """In series, not in parallel: the joint effect is TE, not the sum of 2 and 2."""
    study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])
    both = study.intervene([mw.Site("head", 0, head=0), mw.Site("head", 1, head=0)])
    assert both["PIE"] == pytest.approx(2, abs=1e-7)
    assert both["TIE"] == pytest.approx(2, abs=1e-7)


@pytest.mark.parametrize("decoys", [1, 4])
@pytest.mark.parametrize("name", PROMPTS)
def test_decoys_stay_small(name: str, decoys: int) -> None:
    """The planted heads stand out from the random ones: patching ranks them without a mistake."""
    lm = mw.models.induction(beta=20.0, decoys=decoys, seed=3)
    assert (lm.n_layers, lm.n_heads) == (2, 1 + decoys)
    effect = mw.Study(lm, mw.models.induction_pairs()[name]).sweep("head")
    expected = {"value swap": [0.0, 2.0], "key swap": [2.0, 2.0]}[name]
    for key in ("TIE", "PIE"):
        values = effect[key]
        assert values.shape == (2, 1 + decoys)
        np.testing.assert_allclose(values[:, 0], expected, atol=0.2)
        assert np.abs(values[:, 1:]).max() < 0.2
        assert np.abs(values[:, 1:]).max() > 1e-4


def test_the_value_swap_hides_l0h0_among_decoys() -> None:
    """Nothing that it carries differs, so it ranks like a decoy; the key swap shows it."""
    lm = mw.models.induction(decoys=4)
    ranks = {}
    for name, pair in mw.models.induction_pairs().items():
        pie = np.abs(mw.Study(lm, pair).sweep("head")["PIE"])
        ranks[name] = int((pie > pie[0, 0]).sum())
    assert ranks["key swap"] <= 1
    assert ranks["value swap"] > 1


def test_decoys_are_seeded() -> None:
    weights = [
        torch.cat([p.flatten() for p in build(decoys=2, seed=seed)[0].parameters()])
        for seed in (0, 0, 1)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_module_refuses_what_it_cannot_do() -> None:
    module, words = build()
    ids = torch.tensor([words("0 A B C D A")["input_ids"]])
    with pytest.raises(ValueError, match="past_key_values"):
        module(ids, past_key_values=object())
    with pytest.raises(ValueError, match="padding"):
        module(ids, attention_mask=torch.tensor([[0, 1, 1, 1, 1, 1]]))
    with pytest.raises(ValueError, match="17 tokens"):
        module(ids[:, :1].repeat(1, 17))


def test_the_module_behaves_like_a_decoder() -> None:
    module, words = build(decoys=1)
    ids = torch.tensor([words(text)["input_ids"] for text in ("0 A B C D A", "0 C B A D A")])
    with torch.no_grad():
        whole: Any = module(ids).logits
        future = torch.full((6, 6), float("-inf"), dtype=torch.float64).triu(1)[None, None]
        for kwargs in (
            {"attention_mask": torch.ones_like(ids)},
            {"attention_mask": future},
            {"position_ids": torch.arange(6)[None]},
        ):
            torch.testing.assert_close(module(ids, **kwargs).logits, whole)
        torch.testing.assert_close(module(ids, logits_to_keep=1).logits, whole[:, -1:])
        torch.testing.assert_close(module(ids[1:]).logits, whole[1:])
    assert whole.shape == (2, 6, 10)


def test_tokens_show_a_leading_space() -> None:
    words = tokenizer()
    ids = words("0 A B")["input_ids"]
    assert [words.decode([token]) for token in ids] == [" 0", " A", " B"]
    assert words("B")["input_ids"] == words(" B")["input_ids"] == ids[2:]
    assert words("Z")["input_ids"] == [words.unk_token_id]
