"""Growing batches, prefixes, windows and cut edges on every architecture, without the engine.

What a trace is given by ``calls`` and told by ``paths`` must be enough for rows that join the
batch at any block to come out as in a forward pass of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pytest
import torch
from nnsight import save
from torch import Tensor
from transformers import Cache

import mediawidget as mw
from mediawidget.architectures import follow
from mediawidget.calls import attention, causal_mask, fit_arguments, forward_arguments
from tests.engine.cases import random_pair
from tests.oracle import Oracle
from tests.small_models import (
    ALL_KINDS,
    SINGLE_PRECISION_ATTENTION,
    random_model,
    tokenizer_of,
)

LENGTH, FIRST = 9, 6
#: Eager attention takes its softmax in single precision.
EAGER = 2e-5


@dataclass(frozen=True)
class Row:
    """A row that joins the batch at ``layer`` as a copy of a base row and is patched there."""

    base: int
    layer: int
    mediator: str
    position: int
    head: int | None = None
    unit: None = None
    key: Any = None


@lru_cache
def lm_of(kind: str) -> Any:
    return mw.load(random_model(kind), tokenizer=tokenizer_of(kind))


@lru_cache
def oracle_of(kind: str, n_pairs: int) -> Oracle:
    pairs = [random_pair(kind, seed, LENGTH, FIRST, changes=2) for seed in range(n_pairs)]
    return Oracle(random_model(kind), tokenizer_of(kind), pairs)


def tolerance(kind: str) -> float:
    return 2e-5 if kind in SINGLE_PRECISION_ATTENTION else 1e-9


def rows_of(oracle: Oracle) -> Iterator[Row]:
    """For every base row and layer one residual and one head, at a position before the last."""
    for layer in range(oracle.n_layers):
        for base in range(2 * len(oracle.pairs)):
            position = FIRST + (base + layer) % 3
            yield Row(base, layer, "residual", position)
            yield Row(base, layer, "head", position, head=(base + layer) % oracle.n_heads)


def ids_of(oracle: Oracle) -> Tensor:
    """(row, position): pair 0 clean, pair 0 corrupt, pair 1 clean, ..."""
    texts = [text for pair in oracle.pairs for text in (pair.clean, pair.corrupt)]
    return torch.tensor([oracle.ids(text) for text in texts])


def expected(oracle: Oracle, row: Row) -> Tensor:
    names = ("clean", "corrupt")
    base, other = names[row.base % 2], names[1 - row.base % 2]
    return oracle.logits(base, [(row, other)], row.base // 2)[-1]


class Lent(Cache):
    """Keys and values of a prefix, lent to each row by the base row it comes from.

    A model that makes its own masks asks it for their sizes.
    """

    def __init__(self, layers: list[Any], base_of_row: list[Tensor]) -> None:
        super().__init__(layers=[])
        self.lent, self.base_of_row = layers, base_of_row

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        keys, values = (x[self.base_of_row[layer_idx]] for x in self.lent[layer_idx])
        return torch.cat([keys, key_states], 2), torch.cat([values, value_states], 2)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return int(self.lent[layer_idx][0].shape[2])

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return self.get_seq_length(layer_idx) + query_length, 0

    def get_query_offset(self, layer_idx: int = 0) -> int:
        return self.get_seq_length(layer_idx)


@dataclass
class Recorder(Cache):
    """Keeps what every layer computed, also what a window would drop."""

    kept: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(layers=[])

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        self.kept.append((key_states, value_states))
        return key_states, value_states

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002
        return 0


def grown(lm: Any, ids: Tensor, rows: list[Row], prefix: int = 0, *, trim: bool = False) -> Tensor:
    """Last logits, (row, vocabulary): first the base rows, then ``rows`` in their order."""
    joins = [[row for row in rows if row.layer == layer] for layer in range(lm.n_layers)]
    base_of_row = list(range(len(ids)))
    rows_at = []
    for new in joins:
        base_of_row += [row.base for row in new]
        rows_at.append(torch.tensor(base_of_row))
    call = forward_arguments(lm, ids, prefix, ids.shape[1])
    if prefix:
        recorder = Recorder()
        with torch.no_grad():
            lm.hf(**forward_arguments(lm, ids, 0, prefix) | {"past_key_values": recorder})
        call["past_key_values"] = Lent(recorder.kept, rows_at)
    last = lm.n_layers - 1
    trims = trim and lm.paths.last_mlp_in is not None
    with torch.no_grad(), lm.traced.trace(**call):
        for layer, block in enumerate(follow(lm.traced, lm.paths.blocks)):
            joined = joins[layer]
            first = len(rows_at[layer]) - len(joined)
            stream = block.input[[*range(first), *(row.base for row in joined)]]
            for number, row in enumerate(joined, first):
                if row.mediator == "residual":
                    at = row.position - prefix
                    stream[number, at] = stream[row.base ^ 1, at]
            block.input = stream
            if lm.paths.batched:
                attends = follow(block, lm.paths.attention)
                args, kwargs = attends.inputs
                n_rows = len(rows_at[layer])
                attends.inputs = (args, fit_arguments(kwargs, n_rows, lm.n_heads, lm.paths))
            projection = follow(block, lm.paths.attn_proj)
            z = projection.input.clone()
            for number, row in enumerate(joined, first):
                if row.head is not None:
                    columns = slice(row.head * lm.d_head, (row.head + 1) * lm.d_head)
                    at = row.position - prefix
                    z[number, at, columns] = z[row.base ^ 1, at, columns]
            projection.input = z[:, -1:] if trims and layer == last else z
            if trims and layer == last:
                entry = follow(block, lm.paths.last_mlp_in)
                entry.input = entry.input[:, -1:]
        head = follow(lm.traced, lm.paths.head)
        head.input = head.input[:, -1:]
        logits: Tensor = save(lm.traced.output.logits[:, 0])
    return logits


@pytest.mark.parametrize("n_pairs", [1, 2])
@pytest.mark.parametrize("prefix", [0, 2, FIRST])
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_rows_join_at_every_block(kind: str, prefix: int, n_pairs: int) -> None:
    """With two and four base rows, a prefix shorter and longer than any window, and without."""
    oracle, lm = oracle_of(kind, n_pairs), lm_of(kind)
    assert lm.paths.caches
    rows = list(rows_of(oracle))
    logits = grown(lm, ids_of(oracle), rows, prefix, trim=prefix == FIRST)
    bases = 2 * n_pairs
    for number, row in enumerate(rows, bases):
        reference = expected(oracle, row)
        torch.testing.assert_close(logits[number], reference, atol=tolerance(kind), rtol=0)
    moved = (logits[bases:] - logits[[row.base for row in rows]]).abs().amax(1)
    assert moved.max() > 1.0
    for base in range(bases):
        plain = oracle.logits(("clean", "corrupt")[base % 2], index=base // 2)[-1]
        torch.testing.assert_close(logits[base], plain, atol=tolerance(kind), rtol=0)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_edges_are_cut_by_the_mask_of_each_row_and_head(kind: str) -> None:
    """Every attention module takes ``attention_mask`` as a keyword, (row, head, query, key)."""
    oracle, lm = oracle_of(kind, 1), lm_of(kind)
    ids = ids_of(oracle)
    edges = [Row(1, layer, "edge", 8, head=layer % 2, key=(6, 7)) for layer in range(lm.n_layers)]
    with torch.no_grad(), lm.traced.trace(**forward_arguments(lm, ids, 0, LENGTH)):
        for layer, block in enumerate(follow(lm.traced, lm.paths.blocks)):
            if layer == 0:
                block.input = block.input[[0, 1] + [1] * len(edges)]
            attends = follow(block, lm.paths.attention)
            args, kwargs = attends.inputs
            n_rows = 2 + len(edges)
            fitted = fit_arguments(kwargs, n_rows, lm.n_heads, lm.paths)
            mask = fitted["attention_mask"].expand(n_rows, lm.n_heads, -1, -1).clone()
            for number, edge in enumerate(edges, 2):
                if edge.layer == layer:
                    mask[number, edge.head, edge.position, list(edge.key)] = -1e300
            attends.inputs = (args, {**fitted, "attention_mask": mask})
        logits = save(lm.traced.output.logits[:, -1])
    plain = oracle.logits("corrupt")[-1]
    moved = []
    for number, edge in enumerate(edges, 2):
        reference = oracle.logits("corrupt", [(edge, ("knockout",))])[-1]
        torch.testing.assert_close(logits[number], reference, atol=tolerance(kind), rtol=0)
        moved.append((reference - plain).abs().max())
    assert max(moved) > 1e-2


@pytest.mark.parametrize("kind", [kind for kind in ALL_KINDS if kind != "falcon_alibi"])
def test_the_pattern_is_where_the_table_says(kind: str) -> None:
    """Read under eager attention as the oracle's; an edge zeroed in it arrives."""
    oracle, lm = oracle_of(kind, 1), lm_of(kind)
    before = lm.hf.config._attn_implementation
    seen = []
    with (
        attention(lm, "eager"),
        torch.no_grad(),
        lm.traced.trace(**forward_arguments(lm, ids_of(oracle), 0, LENGTH)),
    ):
        for layer, block in enumerate(follow(lm.traced, lm.paths.blocks)):
            place = follow(block, lm.paths.attention)
            for name in lm.paths.pattern:
                place = getattr(place.source, name)
            pattern = place.output
            seen.append(save(pattern.clone()))
            if layer == 1:
                pattern[0, 1, 8, [6, 7]] = 0
        logits = save(lm.traced.output.logits[:, -1])
    assert lm.hf.config._attn_implementation == before
    edge = Row(0, 1, "edge", 8, head=1, key=(6, 7))
    values = oracle.values_in("clean", [(edge, "zero")])
    for layer in (0, 1):
        reference = oracle.values(oracle.pairs[0].clean)["pattern", layer].double()
        torch.testing.assert_close(seen[layer][0].double(), reference, atol=EAGER, rtol=0)
    torch.testing.assert_close(
        seen[3][0].double(), values["pattern", 3].double(), atol=EAGER, rtol=0
    )
    reference = oracle.logits("clean", [(edge, "zero")])[-1]
    torch.testing.assert_close(logits[0], reference, atol=EAGER, rtol=0)
    assert (reference - oracle.logits("clean")[-1]).abs().max() > 1e-3


def test_the_implementation_comes_back_whatever_happens() -> None:
    lm = lm_of("llama")
    used = []

    def interrupted() -> None:
        with attention(lm, "eager"):
            used.append(lm.hf.config._attn_implementation)
            raise KeyboardInterrupt

    assert lm.hf.config._attn_implementation == "sdpa"
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert used == ["eager"]
    assert lm.hf.config._attn_implementation == "sdpa"


def test_a_pattern_of_another_function_is_none() -> None:
    """Falcon's eager attention adds alibi twice, so what it shows is not what the model does."""
    oracle, lm = oracle_of("falcon_alibi", 1), lm_of("falcon_alibi")
    assert lm.paths.pattern is None
    with attention(lm, "eager"), torch.no_grad():
        eager = lm.hf(ids_of(oracle)[:1]).logits[0, -1]
    assert (eager - oracle.logits("clean")[-1]).abs().max() > 0.1


@pytest.mark.parametrize("window", [None, 1, 3, 8, 20])
@pytest.mark.parametrize("start", [0, 2, 7])
def test_masks_show_what_a_query_sees(start: int, window: int | None) -> None:
    mask = causal_mask(lm_of("llama"), start, 8, window)
    assert mask.shape == (1, 1, 8 - start, 8)
    for query in range(start, 8):
        for key in range(8):
            sees = key <= query and (window is None or key > query - window)
            assert mask[0, 0, query - start, key] == (0 if sees else torch.finfo(mask.dtype).min)


def test_masks_by_layer_type() -> None:
    """Qwen's first layers see everything, its later ones a window; without it all do."""
    masks = forward_arguments(lm_of("qwen2"), torch.zeros(2, 8, dtype=torch.long), 0, 8)
    by_type = masks["attention_mask"]
    assert (by_type["full_attention"][0, 0, 7] == 0).all()
    assert (by_type["sliding_attention"][0, 0, 7] == 0).tolist() == [False] * 3 + [True] * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"is_causal": False}, "not causal"),
        ({"layer_types": ["chunked_attention"] * 4}, "not known"),
    ],
)
def test_attention_of_another_kind_is_refused(change: dict[str, Any], message: str) -> None:
    lm = mw.load(random_model("qwen3"), tokenizer=tokenizer_of("qwen3"))
    for name, value in change.items():
        setattr(lm.hf.config, name, value)
    with pytest.raises(mw.MediationError, match=message):
        forward_arguments(lm, torch.zeros(2, 8, dtype=torch.long), 0, 8)
