"""What happens at a module, inside a trace: the batch grows, edits are written, values are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from .calls import fit_arguments
from .edits.part import Moved
from .mediators import Point
from .shipping import near
from .tanh_gelu import tanh_gelu
from .taps import Tap
from .unembedding import unembedded
from .whole_mlp import mlp_output

if TYPE_CHECKING:
    from transformers.models.gpt2.modeling_gpt2 import GPT2MLP

Confined = tuple[Tensor, Moved, Mapping[str, Tensor]]
"""Entries of a write, how much of their change counts, and the tensors that says it."""


@dataclass(frozen=True)
class Write:
    """Edits at one place of ``value[row, position, unit]``.

    They become keep * (old) + take * value[source, position, unit] + added. ``keep`` is None where
    nothing is kept and all is taken: a patch, which copies bit by bit. Of the entries ``within``
    a part of the value that part is set, the rest stays.
    """

    n_units: int
    row: Tensor
    position: Tensor
    unit: Tensor
    source: Tensor
    keep: Tensor | None
    take: Tensor | None
    added: Tensor | None
    within: tuple[Confined, ...] = ()


@dataclass(frozen=True)
class FittedTo:
    """What ``calls.fit_arguments`` needs of a model."""

    n_heads: int
    batched: tuple[tuple[str, Literal["row", "heads"]], ...]


@dataclass(frozen=True)
class Op:
    """What happens at one module.

    Attributes:
        tap: where.
        grow: rows of the batch so far that make the new one.
        given: what enters instead of what came, before it grows.
        writes: edits, one after another.
        capture: rows whose activation is wanted, as it is after the edits.
        trim: positions to keep of what came.
        widen: (positions, n): the positions were trimmed, and what follows adds all n of them.
        n_rows: of the batch.
        fit: what the attention's keywords need to be fitted to ``n_rows``.
        prompts: which prompt each row continues, and the keywords that have a row for each prompt.
        mask: the keyword that is the attention's mask.
        skip: the module is not called: its input is its output.
        tuple_output: and that is the first entry of a tuple.
        fused: the module is not called: ``tanh_gelu`` does what it does.
        mlp: the module is not called, nor any inside it: this one is computed in one go.
        head: the module is not called: this map to the logits is computed in parts.
        late: rows that are born here, as copies of these.
        early: how many rows there are from the block's entrance on, where others are born inside.
        point: where this is, for what late rows need.
    """

    tap: Tap
    n_rows: int
    grow: Tensor | None = None
    given: Tensor | None = None
    writes: tuple[Write, ...] = ()
    capture: Tensor | None = None
    trim: Tensor | None = None
    widen: tuple[Tensor, int] | None = None
    fit: FittedTo | None = None
    prompts: tuple[Tensor, tuple[str, ...]] | None = None
    mask: str = "attention_mask"
    skip: bool = False
    tuple_output: bool = False
    fused: bool = False
    mlp: GPT2MLP | None = None
    head: nn.Linear | None = None
    late: Tensor | None = None
    early: int | None = None
    point: Point | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing happens."""
        some = (self.grow, self.given, self.capture, self.trim, self.widen, self.fit, self.early)
        none = all(part is None for part in (*some, self.prompts, self.mlp))
        return not self.writes and not self.skip and none


def open_source(op: Op) -> None:
    """Make the values inside a module's forward known, inside a trace, before the model runs."""
    if op.tap.source:
        assert op.tap.envoy.source is not None


def apply_op(op: Op, moved: list[Tensor], seen: list[Tensor], late: LateRows) -> None:
    """Do it, inside a trace."""
    tap = op.tap
    if op.fused or op.skip or op.head is not None:
        tap.envoy.skip(_instead(op, tap.envoy.input))
    elif tap.side == "arguments":
        _apply_to_arguments(op, moved)
    elif tap.side == "source":
        inner = tap.envoy
        for name in tap.source:
            inner = getattr(inner.source, name)
        rows = inner.output.transpose(1, 2).clone(memory_format=torch.contiguous_format)
        new = _changed(op, rows.flatten(2), moved, seen)
        inner.output = new.view(rows.shape).transpose(1, 2).contiguous()
    elif tap.side == "assigned":
        place = getattr(tap.envoy.source, tap.source[0])
        place.output = _changed(op, place.output, moved, seen)
    elif tap.side == "input":
        value = late.joined(op, tap.envoy.input)
        new = _changed(op, value, moved, seen)
        if op.early is not None:
            late.keep(op, new, tap.envoy.input)
        if new is not value or op.early is not None:
            tap.envoy.input = new
    elif op.mlp is not None:
        made = mlp_output(op.mlp, tap.envoy.input)
        tap.envoy.skip(late.parted(op, _changed(op, late.joined(op, made), moved, seen)))
    else:
        new = _changed(op, late.joined(op, tap.envoy.output), moved, seen)
        tap.envoy.output = late.parted(op, new)


def _instead(op: Op, entered: Tensor) -> Any:
    """What a module that is not called would have made."""
    if op.fused:
        return tanh_gelu(entered)
    if op.head is not None:
        assert op.trim is not None
        return unembedded(op.head, entered.index_select(1, op.trim))
    return (entered, None) if op.tuple_output else entered


class LateRows:
    """Rows that are born inside a block, beside those that are there from its entrance on.

    The block itself carries on with the early rows. The late ones are handed to its maps behind
    them, and what is added to their residual stream is added here.
    """

    def __init__(self) -> None:
        self.entered: Tensor | None = None
        self.added: Tensor | None = None
        self.middle: Tensor | None = None
        self.pending: Tensor | None = None
        self.parents: list[Tensor] = []

    def joined(self, op: Op, value: Tensor) -> Tensor:
        """The value of all rows there are at this point."""
        if op.point == "block_in" and self.pending is not None:
            value, self.pending = torch.cat([value, self.pending]), None
        if op.early is None:
            return value
        if op.point == "mid" and self.added is not None:
            born = torch.cat(self.parents)
            assert self.entered is not None
            value = torch.cat([value, self.entered.index_select(0, born) + self.added])
            self.added, self.parents = None, []
        if op.late is not None:
            value = torch.cat([value, value.index_select(0, op.late)])
            self.parents.append(op.late)
        return value

    def keep(self, op: Op, value: Tensor, own: Tensor) -> None:
        """What late rows will need of the residual stream."""
        if op.point == "block_in":
            self.entered = value
        if op.point == "mid":
            self.middle, self.parents = value, []
            if op.writes:
                # A residual stream is added to later on, so those who hold it must see the edit.
                own.copy_(value[: op.early])

    def parted(self, op: Op, value: Tensor) -> Tensor:
        """The early rows of what a block adds; the late ones are kept."""
        if op.early is None or op.point not in ("attn_out", "mlp_out"):
            return value
        late = value[op.early :]
        if op.point == "attn_out":
            self.added = late if len(late) else None
        elif len(late):
            assert self.middle is not None
            rest = [self.middle.index_select(0, parents) for parents in self.parents]
            self.pending = torch.cat([self.middle[op.early :], *rest]) + late
            self.parents, self.middle, self.entered = [], None, None
        return value[: op.early]


def _changed(op: Op, value: Tensor, moved: list[Tensor], seen: list[Tensor]) -> Tensor:
    """The value after all that the op does to it."""
    op = near(op, value)
    if op.given is not None:
        value = op.given
    if op.grow is not None:
        value = value.index_select(0, op.grow)
    shape = value.shape
    if op.writes:
        # A residual stream is added to later on, so those who hold it must see the edit.
        value = value if op.tap.in_place and op.early is None else value.clone()
    rows = value.view(op.n_rows, -1, value.shape[-1]) if op.tap.flat else value
    moved.extend(written(rows, write) for write in op.writes)
    if op.capture is not None:
        seen.append(rows.index_select(0, op.capture).clone())
    value = rows.reshape(shape) if op.tap.flat else rows
    if op.trim is not None:
        value = value.index_select(1, op.trim)
    if op.widen is not None:
        positions, n = op.widen
        full = value.new_zeros(value.shape[0], n, value.shape[2])
        value = full.index_copy(1, positions, value)
    return value


def written(rows: Tensor, write: Write) -> Tensor:
    """Write into ``rows``; return the largest change that each entry made."""
    w = write
    units = rows.view(*rows.shape[:-1], w.n_units, -1)
    old = units[w.row, w.position, w.unit]
    new = units[w.source, w.position, w.unit]
    if w.keep is not None and w.take is not None:
        # Multiplied only where asked for: 0 times infinity would be no number.
        new = torch.where(w.take == 0, 0.0, new * w.take) + torch.where(
            w.keep == 0, 0.0, old * w.keep
        )
    if w.added is not None:
        new = new + w.added
    for entries, moved, arrays in w.within:
        own = old[entries]
        # Mamba's stream is in single precision in a model of half precision.
        alike = {n: a.to(own.dtype) if a.is_floating_point() else a for n, a in arrays.items()}
        new = new.index_copy(0, entries, own + moved(own, new[entries], alike))
    # A pattern is in single precision whatever the model is in.
    new = new.to(units.dtype)
    units[w.row, w.position, w.unit] = new
    change: Tensor = (new - old).abs().amax(-1)
    return change


def _apply_to_arguments(op: Op, moved: list[Tensor]) -> None:
    """Fit the attention's keywords to the batch, and hide knocked out edges in its mask."""
    arguments, keywords = op.tap.envoy.inputs
    tensors = (one for one in (*arguments, *keywords.values()) if isinstance(one, Tensor))
    op = near(op, next(tensors))
    if op.fit is not None:
        keywords = fit_arguments(keywords, op.n_rows, op.fit.n_heads, op.fit)
    if op.prompts is not None:
        rows, names = op.prompts
        keywords = {**keywords, **{name: keywords[name].index_select(0, rows) for name in names}}
    for write in op.writes:
        keywords = {**keywords, op.mask: _hidden(op, keywords, write, moved)}
    op.tap.envoy.inputs = (arguments, keywords)


def _hidden(op: Op, keywords: dict[str, Tensor], write: Write, moved: list[Tensor]) -> Tensor:
    """The additive mask per row and head, (row, head, query, key), without the edges' keys."""
    assert write.added is not None
    mask, least = keywords[op.mask], torch.finfo(write.added.dtype).min
    if mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=write.added.dtype).masked_fill(~mask, least)
    n_keys = mask.shape[-1]
    n_heads = write.n_units // n_keys
    mask = mask.expand(op.n_rows, n_heads, -1, -1).clone()
    head, key = write.unit // n_keys, write.unit % n_keys
    moved.append((mask[write.row, head, write.position, key] > least).to(mask.dtype))
    mask[write.row, head, write.position, key] = least
    # Within a sliding window a token may have nothing left to attend to; no number is right then.
    return mask.masked_fill((mask <= least).all(-1, keepdim=True), torch.nan)
