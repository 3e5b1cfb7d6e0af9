"""Each place of the table is written in a trace, and the run is the oracle's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from nnsight import save
from torch import Tensor

from mediawidget.architectures import follow
from mediawidget.calls import fit_arguments, forward_arguments
from tests.engine.test_calls import LENGTH, ids_of, lm_of, oracle_of, tolerance
from tests.oracle import key_of
from tests.small_models import ALL_KINDS

LAYER = 1
POSITION = 7


@dataclass(frozen=True)
class Place:
    mediator: str
    head: int | None = None
    unit: int | None = None
    layer: int = LAYER
    position: int = POSITION
    key: None = None


def places_in(kind: str) -> list[Place]:
    """In forward order."""
    lm = lm_of(kind)
    found = [
        Place("embedding"),
        Place("query", head=lm.n_heads - 1),
        Place("key", head=lm.n_kv_heads - 1),
        Place("value", head=0),
        Place("attn_out"),
        Place("residual_mid"),
        Place("neuron", unit=3),
        Place("mlp_out"),
    ]
    missing = {
        "residual_mid": lm.paths.norm_before_mlp is None,
        "neuron": lm.paths.neurons is None,
    }
    return [place for place in found if not missing.get(place.mediator, False)]


def slot(lm: Any, place: Place) -> tuple[int, int]:
    """Where a head's columns start and how wide they are, by the table's layout."""
    n, kv = lm.n_heads, lm.n_kv_heads
    head = place.head or 0
    if lm.paths.qkv == "separate":
        number = head
    elif lm.paths.qkv == "thirds":
        number = {"query": head, "key": n + head, "value": n + kv + head}[place.mediator]
    else:
        group = n // kv
        number = {
            "query": head // group * (group + 2) + head % group,
            "key": head * (group + 2) + group,
            "value": head * (group + 2) + group + 1,
        }[place.mediator]
    return number * lm.d_head, lm.d_head


def write(lm: Any, value: Tensor, row: int, place: Place, n_rows: int) -> Tensor:
    """The clean row's numbers at the place into ``row``; ``value`` (row, position, width)."""
    # In place: who holds the residual between attention and MLP adds to it later on.
    value = value if place.mediator == "residual_mid" else value.clone()
    rows = value.view(n_rows, -1, value.shape[-1])
    columns = slice(None)
    if place.head is not None:
        start, width = slot(lm, place)
        columns = slice(start, start + width)
    elif place.unit is not None:
        columns = slice(place.unit, place.unit + 1)
    rows[row, POSITION, columns] = rows[0, POSITION, columns]
    return value


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_place(kind: str) -> None:
    oracle, lm = oracle_of(kind, 1), lm_of(kind)
    places, paths = places_in(kind), lm.paths
    rows = {place.mediator: number for number, place in enumerate(places, 2)}
    named = {place.mediator: place for place in places}
    n_rows = 2 + len(places)
    path_of = {
        "query": paths.query,
        "key": paths.key,
        "value": paths.value,
        "attn_out": paths.attn_out or paths.attn_proj,
        "mlp_out": paths.mlp,
    }
    inputs = {"residual_mid": paths.norm_before_mlp, "neuron": paths.neurons}
    with torch.no_grad(), lm.traced.trace(**forward_arguments(lm, ids_of(oracle), 0, LENGTH)):
        embed = follow(lm.traced, paths.embed)
        embedded = embed.output[[0, 1] + [1] * len(places)]
        embed.output = write(lm, embedded, rows["embedding"], named["embedding"], n_rows)
        for layer, block in enumerate(follow(lm.traced, paths.blocks)):
            attends = follow(block, paths.attention)
            args, kwargs = attends.inputs
            attends.inputs = (args, fit_arguments(kwargs, n_rows, lm.n_heads, paths))
            for place in places if layer == LAYER else []:
                name = place.mediator
                if name in path_of:
                    module = follow(block, path_of[name])
                    module.output = write(lm, module.output, rows[name], place, n_rows)
                elif name in inputs:
                    module = follow(block, inputs[name])
                    module.input = write(lm, module.input, rows[name], place, n_rows)
        logits = save(lm.traced.output.logits[:, -1])
    plain = oracle.logits("corrupt")[-1]
    moved = {}
    for place in places:
        assert key_of(place) in oracle.keys
        reference = oracle.logits("corrupt", [(place, "clean")])[-1]
        got = logits[rows[place.mediator]]
        torch.testing.assert_close(got, reference, atol=tolerance(kind), rtol=0)
        moved[place.mediator] = (reference - plain).abs().max()
    # An MLP neuron behind a rectifier may be silent on both prompts.
    assert all(change > 1e-6 for name, change in moved.items() if name != "neuron"), moved
