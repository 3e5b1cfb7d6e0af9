"""Every place that the oracle edits, on every architecture, judged by other means than hooks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.oracle import Oracle
from tests.small_models import ALL_KINDS, random_model, tokenizer_of


@dataclass(frozen=True)
class Place:
    mediator: str
    layer: int
    head: int | None = None
    position: Any = None
    unit: int | None = None
    key: Any = None


@dataclass(frozen=True)
class Pair:
    clean: str
    corrupt: str
    answer: str
    wrong: str


PAIR = Pair("ant bee cat dog eel fox gnu hen", "ant owl cat dog eel pig gnu hen", "jay", "kite")
#: Eager attention takes its softmax in single precision.
EAGER = 3e-5


@lru_cache
def oracle(kind: str) -> Oracle:
    return Oracle(random_model(kind), tokenizer_of(kind), [PAIR])


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_captured_values_add_up(kind: str) -> None:
    """Of all names for one stream, and of what is added to it."""
    judge = oracle(kind)
    values = judge.values(PAIR.clean)
    for layer in range(judge.n_layers):
        before, after = values["residual", layer], values["residual", layer + 1]
        torch.testing.assert_close(values["residual_post", layer], after)
        mid = before + values["attn_out", layer]
        if judge.body.blocks[layer].mid:
            torch.testing.assert_close(values["residual_mid", layer], mid)
        if not kind.endswith("post_norm"):
            torch.testing.assert_close(after, mid + values["mlp_out", layer])


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_patterns_are_what_transformers_reports(kind: str) -> None:
    judge = oracle(kind)
    model: Any = random_model(kind)
    if kind == "falcon_alibi":
        pytest.skip("its eager attention adds alibi twice")
    model.config._attn_implementation = "eager"
    with torch.no_grad():
        reported = model(torch.tensor([judge.ids(PAIR.clean)]), output_attentions=True).attentions
    for layer, pattern in enumerate(reported):
        ours = judge.values(PAIR.clean)["pattern", layer].double()
        torch.testing.assert_close(ours, pattern[0].double(), atol=EAGER, rtol=0)


def _heads(x: Tensor, n_heads: int) -> Tensor:
    return x.reshape(len(x), n_heads, -1)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_heads_are_mixed_from_values_by_their_pattern(kind: str) -> None:
    """z of a head = its pattern times the value of its key-value head: order and width of both."""
    judge = oracle(kind)
    values = judge.values(PAIR.clean)
    for layer in range(judge.n_layers):
        z = _heads(values["head", layer], judge.n_heads)
        v = _heads(values["value", layer], judge.n_kv_heads)
        for head in range(judge.n_heads):
            group = head * judge.n_kv_heads // judge.n_heads
            mixed = values["pattern", layer][head].to(v.dtype) @ v[:, group]
            torch.testing.assert_close(z[:, head], mixed, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_queries_and_keys_make_the_pattern(kind: str) -> None:
    """Exchanged between the prompts together, they bring the other prompt's pattern."""
    judge = oracle(kind)
    for head in range(judge.n_heads):
        group = head * judge.n_kv_heads // judge.n_heads
        edits = [(Place("query", 1, head), "corrupt"), (Place("key", 1, group), "corrupt")]
        pattern = judge.values_in("clean", edits)["pattern", 1]
        of_corrupt = judge.values(PAIR.corrupt)["pattern", 1]
        of_clean = judge.values(PAIR.clean)["pattern", 1]
        torch.testing.assert_close(pattern[head], of_corrupt[head], atol=1e-9, rtol=1e-6)
        assert (of_clean[head] - of_corrupt[head]).abs().max() > 1e-3
        others = [h for h in range(judge.n_heads) if h * judge.n_kv_heads // judge.n_heads != group]
        torch.testing.assert_close(pattern[others], of_clean[others], atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_neurons_are_what_the_last_map_of_the_mlp_reads(kind: str) -> None:
    judge = oracle(kind)
    for layer, block in enumerate(judge.body.blocks):
        if block.neurons is None:
            assert kind == "mixtral"
            continue
        out = block.neurons(judge.values(PAIR.clean)["neuron", layer])
        if kind in ("gemma2", "gemma3", "olmo2"):
            out = block.mlp_added(out)
        torch.testing.assert_close(out, judge.values(PAIR.clean)["mlp_out", layer])


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("mediator", ["embedding", "residual", "residual_mid", "residual_post"])
def test_a_whole_stream_from_the_other_prompt_is_the_other_prompt(kind: str, mediator: str) -> None:
    judge = oracle(kind)
    for layer in range(1 if mediator == "embedding" else judge.n_layers):
        if (mediator, layer) not in judge.keys:
            continue
        moved = judge.run("corrupt", [(Place(mediator, layer), "clean")])
        np.testing.assert_allclose(moved, judge.run("clean"), atol=1e-9)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_an_edit_changes_its_numbers_and_no_others(kind: str) -> None:
    judge = oracle(kind)
    base = judge.run("clean")
    for mediator, unit in [("attn_out", None), ("mlp_out", None), ("neuron", 3), ("mlp_unit", 5)]:
        if mediator == "neuron" and kind == "mixtral":
            continue
        name = "mlp_out" if mediator == "mlp_unit" else mediator
        expected = judge.values(PAIR.clean)[name, 1].clone()
        columns = torch.arange(expected.shape[-1]) if unit is None else torch.tensor([unit])
        # A norm takes a vector of equal numbers away again.
        vector = 1.0 + columns % 3
        edits = [(Place(mediator, 1, position=(2, 7), unit=unit), ("add", vector))]
        expected[torch.tensor([[2], [7]]), columns] += vector
        torch.testing.assert_close(judge.values_in("clean", edits)[name, 1], expected)
        assert np.abs(judge.run("clean", edits) - base).max() > 1e-3


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_cut_edge(kind: str) -> None:
    """Before the softmax the rest of the row grows to 1, after it the rest stays as it was."""
    judge = oracle(kind)
    plain = judge.values(PAIR.clean)["pattern", 2].double()
    place = Place("edge", 2, head=1, position=7, key=(5, 6))
    knocked = judge.values_in("clean", [(place, ("knockout",))])["pattern", 2].double()
    zeroed = judge.values_in("clean", [(place, "zero")])["pattern", 2].double()
    row = plain[1, 7].clone()
    row[5:7] = 0
    torch.testing.assert_close(zeroed[1, 7], row)
    torch.testing.assert_close(knocked[1, 7], row / row.sum(), atol=1e-6, rtol=1e-6)
    untouched = torch.ones_like(plain, dtype=torch.bool)
    untouched[1, 7] = False
    torch.testing.assert_close(knocked[untouched], plain[untouched])
    assert_differ(judge, [(place, ("knockout",))], [(place, "zero")])


def assert_differ(judge: Oracle, first: Any, second: Any) -> None:
    difference = judge.run("clean", first) - judge.run("clean", second)
    assert np.abs(difference).max() > 1e-4


def test_arithmetic_of_edits() -> None:
    judge = oracle("llama")
    clean, corrupt = (judge.values(text)["head", 2] for text in (PAIR.clean, PAIR.corrupt))
    columns, vector = slice(10, 20), torch.arange(10.0)

    def after(how: Any) -> Tensor:
        return judge.values_in("clean", [(Place("head", 2, head=1, position=(3, 6)), how)])[
            "head", 2
        ]

    cases = [
        (("patch", "corrupt", 0.25), 0.75 * clean[6, columns] + 0.25 * corrupt[6, columns]),
        (("scale", 3.0), 3 * clean[6, columns]),
        (("add", vector), clean[6, columns] + vector),
        (("value", vector), vector.double()),
        ("zero", torch.zeros(10).double()),
        ("corrupt", corrupt[6, columns]),
    ]
    for how, expected in cases:
        torch.testing.assert_close(after(how)[6, columns], expected)
        torch.testing.assert_close(after(how)[6, 20:], clean[6, 20:])
        torch.testing.assert_close(after(how)[5], clean[5])


@pytest.mark.parametrize("kind", ["gpt2", "gpt_neox", "gemma2"])
def test_frozen_components_keep_the_base_and_edited_ones_do_not(kind: str) -> None:
    judge = oracle(kind)
    place = Place("head", 1, head=1)
    values = judge.values_in("corrupt", [(place, "clean")], freeze=["head", "mlp_out"])
    base, other = judge.values(PAIR.corrupt), judge.values(PAIR.clean)
    width = base["head", 1].shape[-1] // judge.n_heads
    expected = base["head", 1].clone()
    expected[:, width : 2 * width] = other["head", 1][:, width : 2 * width]
    torch.testing.assert_close(values["head", 1], expected)
    torch.testing.assert_close(values["head", 3], base["head", 3])
    torch.testing.assert_close(values["mlp_out", 3], base["mlp_out", 3])
    assert (values["query", 3] - base["query", 3]).abs().max() > 1e-3
    # With attention and MLPs held, what the head adds goes straight to the end of the stream.
    moved = values["residual", judge.n_layers] - base["residual", judge.n_layers]
    torch.testing.assert_close(moved, values["attn_out", 1] - base["attn_out", 1])
    one = judge.run("corrupt", [(place, "clean")], freeze=[Place("mlp_out", 2)])
    assert np.abs(one - judge.run("corrupt", [(place, "clean")])).max() > 1e-3
