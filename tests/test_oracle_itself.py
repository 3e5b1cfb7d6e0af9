"""The oracle is the judge of the engine, so it is judged first, by other means than hooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from mediawidget.models._induction import build
from tests.oracle import Oracle, modules_of
from tests.small_models import KINDS, random_model, tokenizer_of


@dataclass(frozen=True)
class Place:
    mediator: str
    layer: int
    head: int | None = None
    position: Any = None


@dataclass(frozen=True)
class Pair:
    clean: str
    corrupt: str
    answer: str
    wrong: str


PAIR = Pair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")


def oracle(kind: str, pair: Pair = PAIR) -> Oracle:
    return Oracle(random_model(kind), tokenizer_of(kind), [pair])


@pytest.mark.parametrize("kind", KINDS)
def test_an_unedited_run_is_the_model(kind: str) -> None:
    judge = oracle(kind)
    ids = torch.tensor([tokenizer_of(kind)(PAIR.clean)["input_ids"]])
    model: Any = judge.model
    with torch.no_grad():
        logits = model(ids).logits[0, -1]
    fox, gnu = tokenizer_of("gpt2")("fox gnu")["input_ids"]
    expected = [logits[fox], logits[gnu], logits.exp().sum().log()]
    np.testing.assert_allclose(judge.run("clean"), expected, atol=1e-12)
    assert judge.first_difference() == (2 if kind == "llama" else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_what_transformers_reports(kind: str) -> None:
    """Its own ``output_hidden_states``: before every block; the last is after the final norm."""
    judge = oracle(kind)
    model: Any = judge.model
    ids = torch.tensor([judge.ids(PAIR.clean)])
    with torch.no_grad():
        states = model(ids, output_hidden_states=True).hidden_states
    values = judge.values(PAIR.clean)
    for layer in range(5):
        torch.testing.assert_close(values["residual", layer], states[layer][0])
    norm, _ = modules_of(model)["residual", 5]
    with torch.no_grad():
        torch.testing.assert_close(norm(values["residual", 5]), states[5][0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_residual_stream_adds_up(kind: str) -> None:
    """residual(l + 1) = residual(l) + attn_out(l) + mlp_out(l): the four names fit together."""
    values = oracle(kind).values(PAIR.clean)
    for layer in range(5):
        total = values["residual", layer] + values["attn_out", layer] + values["mlp_out", layer]
        torch.testing.assert_close(values["residual", layer + 1], total)


@pytest.mark.parametrize("kind", KINDS)
def test_zeroing_a_head_is_cutting_its_columns_of_the_projection(kind: str) -> None:
    judge = oracle(kind)
    for head in range(judge.n_heads):
        edited = judge.run("clean", [(Place("head", 2, head=head), "zero")])
        cut = oracle(kind)
        projection: Any = modules_of(cut.model)["head", 2][0]
        # GPT-2's Conv1D keeps (in, out), a Linear (out, in).
        weight = projection.weight.data if kind == "gpt2" else projection.weight.data.T
        width = weight.shape[0] // judge.n_heads
        weight[head * width : (head + 1) * width] = 0
        np.testing.assert_allclose(edited, cut.run("clean"), atol=1e-12)
        assert np.abs(edited - judge.run("clean")).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_stream_from_the_other_prompt_is_the_other_prompt(kind: str) -> None:
    judge = oracle(kind)
    for layer in range(6):
        moved = judge.run("corrupt", [(Place("residual", layer), "clean")])
        np.testing.assert_allclose(moved, judge.run("clean"), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_do_not_stay(kind: str) -> None:
    judge = oracle(kind)
    before = judge.run("clean")
    edited = judge.run("clean", [(Place("mlp_out", 0, position=3), "zero")])
    assert np.abs(edited - before).max() > 0.01
    np.testing.assert_array_equal(judge.run("clean"), before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in judge.model.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_values_come_from_unedited_runs(kind: str) -> None:
    """Also where an edit earlier in the list is already decided when they are captured."""
    edits = [(Place("mlp_out", 0, position=2), "zero"), (Place("attn_out", 3), "corrupt")]
    fresh, warm = oracle(kind), oracle(kind)
    warm.values(PAIR.corrupt)
    np.testing.assert_array_equal(fresh.run("clean", edits), warm.run("clean", edits))
    np.testing.assert_array_equal(fresh.run("clean", edits[::-1]), warm.run("clean", edits))


def test_means_are_over_the_prompts_of_one_name() -> None:
    pairs = [PAIR, Pair("hen jay cat dog fox", "hen kite cat dog fox", "eel", "owl")]
    judge = Oracle(random_model("gpt2"), tokenizer_of("gpt2"), pairs)
    mean = judge.new_value(("attn_out", 1), "mean:corrupt", 0)
    assert mean is not None
    by_hand = sum(judge.values(pair.corrupt)["attn_out", 1] for pair in pairs) / 2
    torch.testing.assert_close(mean, by_hand)


@pytest.mark.parametrize(
    ("corrupt", "l0h0"), [("0 A D C B A", 0.0), ("0 C B A D A", 2.0)], ids=["value", "key"]
)
def test_the_induction_circuit(corrupt: str, l0h0: float) -> None:
    module, words = build(beta=20.0)
    judge = Oracle(module, words, [Pair("0 A B C D A", corrupt, "B", "D")])
    for layer, expected in enumerate((l0h0, 2.0)):
        y = {
            key: kept[0] - kept[1]
            for key, kept in judge.corners(Place("head", layer, head=0)).items()
        }
        assert y["Y11"] - y["Y10"] == pytest.approx(expected, abs=1e-7)
        assert y["Y01"] - y["Y00"] == pytest.approx(expected, abs=1e-7)
