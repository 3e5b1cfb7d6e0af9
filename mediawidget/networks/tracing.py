"""One batch, one traced forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from nnsight import save
from torch import Tensor

from ..applying import Write, written
from ..architectures import follow
from .anatomy import Tap
from .failing import reading_inputs
from .network import Network
from .points import from_columns, to_columns


@dataclass(frozen=True)
class Op:
    """What happens at a tap: writes, one after another, and then a look at some rows."""

    envoy: Any
    tap: Tap
    writes: Sequence[Write]
    rows: Tensor | None


@dataclass(frozen=True)
class Seen:
    """What a pass came to.

    Attributes:
        output: (row, class).
        moved: per write, in the order of taps, the largest change of each entry.
        captured: tap -> (row, position, column), after its writes.
    """

    output: Tensor
    moved: Sequence[Tensor]
    captured: Mapping[int, Tensor]


def run_batch(
    network: Network,
    taps: Sequence[Tap],
    inputs: Tensor,
    writes: Mapping[int, Sequence[Write]],
    captures: Mapping[int, Tensor] | None = None,
) -> Seen:
    """Run inputs (row, ...) through the network, written over and looked at at some taps.

    Args:
        network: in evaluation mode.
        taps: in forward order.
        inputs: of all rows; the module gets a copy, which it may write over.
        writes: by the tap's number.
        captures: by the tap's number, which rows are wanted.

    Raises:
        MediationError: whatever the module's forward raises, but for want of memory.
    """
    network.refuse_training_mode()
    wanted = captures or {}
    touched = sorted({*writes, *wanted})
    root = network.traced
    ops = [
        Op(follow(root, taps[i].path), taps[i], writes.get(i, ()), wanted.get(i)) for i in touched
    ]
    with reading_inputs(inputs), network.lock, torch.no_grad(), root.trace(inputs.clone()):
        moved: list[Tensor] = []
        seen: list[Tensor] = []
        for op in ops:
            apply_op(op, moved, seen)
        output = save(root.output)
        change = save(moved)
        values = save(seen)
    looked = [i for i in touched if i in wanted]
    return Seen(output, change, dict(zip(looked, values, strict=True)))


def apply_op(op: Op, moved: list[Tensor], seen: list[Tensor]) -> None:
    """Do it, inside a trace."""
    tap = op.tap
    value = op.envoy.input if tap.side == "input" else op.envoy.output
    columns = to_columns(value, tap.layout)
    moved.extend(written(columns, write) for write in op.writes)
    if op.rows is not None:
        seen.append(columns.index_select(0, op.rows))
    if op.writes:
        new = from_columns(columns, tap.layout, tap.tail)
        if tap.side == "input":
            op.envoy.input = new
        else:
            op.envoy.output = new
