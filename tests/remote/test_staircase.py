"""A grid of patches as one growing batch: the body that the engine's trace is, on a server."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from nnsight import save
from torch import Tensor
from torch.nn.functional import gelu

import mediawidget as mw
from mediawidget import calls
from mediawidget.architectures import follow, module_paths
from tests.remote.sandbox import Sandbox, largest_difference

pytestmark = pytest.mark.remote

IDS = torch.tensor([[2, 3, 4, 5, 6], [2, 7, 4, 5, 6]])
LENGTH = IDS.shape[1]

Step = tuple[Any, Any, Tensor, Tensor, Tensor, Tensor]
"""Block and its output projection; rows of the grown batch; then row, unit and source of edits."""


def call() -> dict[str, Any]:
    """A mask and positions of one row, which hold however large the batch becomes."""
    hidden = torch.full((LENGTH, LENGTH), torch.finfo(torch.float64).min, dtype=torch.float64)
    return {
        "input_ids": IDS,
        "attention_mask": hidden.triu(1)[None, None],
        "position_ids": torch.arange(LENGTH)[None],
        "use_cache": False,
        # A tensor, for with one nnsight hands all arguments on as they are.
        "logits_to_keep": torch.tensor([-1]),
    }


def steps_of(sandbox: Sandbox) -> list[Step]:
    """Every head at the last position, patched from the other prompt, both ways."""
    paths = module_paths(sandbox.hf, None)
    heads = sandbox.hf.config.num_attention_heads
    units = torch.arange(heads).repeat(2)
    bases = torch.tensor([0, 1]).repeat_interleave(heads)
    steps, rows = [], 2
    for block in follow(sandbox.model, paths.blocks):
        grow = torch.cat([torch.arange(rows), bases])
        row = torch.arange(rows, rows + len(bases))
        steps.append((block, follow(block, paths.attn_proj), grow, row, units, 1 - bases))
        rows += len(bases)
    return steps


def grid(sandbox: Sandbox, backend: Any = None) -> Tensor:
    """(row, vocabulary) logits at the last position; the base rows first."""
    root, heads = sandbox.model, sandbox.hf.config.num_attention_heads
    steps = steps_of(sandbox)
    with torch.no_grad(), root.trace(**call(), backend=backend):
        for block, proj, grow, row, unit, source in steps:
            block.input = block.input.index_select(0, grow)
            value = proj.input.clone()
            units = value.unflatten(-1, (heads, -1))
            units[row, -1, unit] = units[source, -1, unit]
            proj.input = value
        logits: Tensor = save(root.output.logits[:, -1])
    return logits


def one_by_one(sandbox: Sandbox) -> Tensor:
    """The same rows, a forward pass of the module with a hook for each."""
    paths = module_paths(sandbox.hf, None)
    width = (
        sandbox.hf.get_submodule(f"{paths.blocks}.0.{paths.attn_proj}").weight.numel()
        // sandbox.hf.config.hidden_size
    )
    d_head = width // sandbox.hf.config.num_attention_heads
    rows = [sandbox.hf(**call()).logits[:, -1]]
    for layer, (_, _, _, row, units, sources) in enumerate(steps_of(sandbox)):
        proj = sandbox.hf.get_submodule(f"{paths.blocks}.{layer}.{paths.attn_proj}")
        for unit, source in zip(units.tolist(), sources.tolist(), strict=True):
            part = slice(unit * d_head, (unit + 1) * d_head)

            def patch(
                _: Any, args: tuple[Tensor], part: slice = part, source: int = source
            ) -> tuple[Tensor]:
                value = args[0].clone()
                value[1 - source, -1, part] = args[0][source, -1, part]
                return (value,)

            handle = proj.register_forward_pre_hook(patch)
            rows.append(sandbox.hf(**call()).logits[1 - source, -1][None])
            handle.remove()
        assert len(row) == len(units)
    return torch.cat(rows)


def test_the_grid_is_that_of_single_forwards_and_of_the_server(sandbox: Sandbox) -> None:
    here = grid(sandbox)
    with torch.no_grad():
        assert largest_difference(here, one_by_one(sandbox)) < 1e-9
    assert largest_difference(here, grid(sandbox, sandbox.backend())) < 1e-9
    assert largest_difference(here[2:], here[:1].expand_as(here[2:])) > 0.1, "no patch did a thing"


def patterns(sandbox: Sandbox, backend: Any = None) -> Tensor:
    """Rows grown at layer 1, with another row's attention pattern in every layer from there."""
    root, paths = sandbox.model, module_paths(sandbox.hf, None)
    held = [(b, follow(b, str(paths.attention))) for b in follow(root, paths.blocks)][1:]
    grow = torch.tensor([0, 1, 0, 1])
    with torch.no_grad(), root.trace(**call(), backend=backend):
        held[0][0].input = held[0][0].input.index_select(0, grow)
        for _, attention in held:
            weights = attention.source.attention_interface_1.source.nn_functional_softmax_0
            value = weights.output.clone()
            value[2], value[3] = value[1], value[0]
            weights.output = value
        logits: Tensor = save(root.output.logits[:, -1])
    return logits


def test_attention_patterns_are_those_of_the_server(sandbox: Sandbox) -> None:
    with calls.attention(mw.load(sandbox.hf, tokenizer=sandbox.tokenizer), "eager"):
        here = patterns(sandbox)
        assert largest_difference(here, patterns(sandbox, sandbox.backend())) < 1e-9
    assert largest_difference(here[2:], here[:2]) > 0.1


def skipped(sandbox: Sandbox, backend: Any = None) -> Tensor:
    """Every activation function replaced by another kernel, and queries swapped in one layer."""
    root, paths = sandbox.model, module_paths(sandbox.hf, None)
    name = "mlp.act" if sandbox.kind == "gpt2" else "mlp.act_fn"
    held = [(follow(b, str(paths.attention)), follow(b, name)) for b in follow(root, paths.blocks)]
    with torch.no_grad(), root.trace(**call(), backend=backend):
        for attention, activation in held:
            interface = attention.source.attention_interface_1
            args, kwargs = interface.inputs
            interface.inputs = ((args[0], args[1].flip(0), *args[2:]), kwargs)
            activation.skip(gelu(activation.input, approximate="tanh"))
        logits: Tensor = save(root.output.logits[:, -1])
    return logits


def test_skips_and_queries_are_those_of_the_server(sandbox: Sandbox) -> None:
    here = skipped(sandbox)
    assert largest_difference(here, skipped(sandbox, sandbox.backend())) < 1e-9
    with torch.no_grad():
        assert largest_difference(here, sandbox.hf(**call()).logits[:, -1]) > 0.1


def test_what_a_body_prints_arrives(sandbox: Sandbox) -> None:
    root = sandbox.model
    with root.trace(**call(), backend=sandbox.backend()):
        print("half way")
        logits = save(root.output.logits)
    assert logits.shape[0] == 2
    assert sandbox.logs[-1] == "half way"
