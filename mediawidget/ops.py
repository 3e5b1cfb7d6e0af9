"""A program as what happens at each module, in the order of the forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers.activations import NewGELUActivation

from .applying import FittedTo, Op, Write
from .architectures import follow
from .identity import untouched
from .lm import LM
from .mediators import Point
from .plan import Program
from .taps import Tap
from .two_texts import n_positions
from .unembedding import cuts
from .whole_mlp import is_whole

if TYPE_CHECKING:
    from transformers.models.gpt2.modeling_gpt2 import GPT2MLP

    from .trace import Call

TRIMMED = ("attn_out", "neurons", "mlp_out")
"""Points after the last block dropped the positions that nobody reads."""


def make_ops(lm: LM, program: Program, call: Call) -> list[Op]:
    """The program's growth, edits and captures as tensors, in the order of the forward pass.

    In the last block nothing but the positions that are read is read any more once attention has
    mixed the positions, so the rest is dropped there, and what is added to the residual stream
    leaves its other positions meaningless, for nobody reads those.
    """
    ops = list(_Builder(lm, program, call).ops())
    for op in ops:
        if op.tap.source:
            # The first look inside a module must come before its forward begins, and queries are
            # read after that.
            _ = op.tap.envoy.source
    return ops


class _Builder:
    """Goes through the points of a model in forward order."""

    def __init__(self, lm: LM, program: Program, call: Call) -> None:
        self.lm, self.program, self.call = lm, program, call
        self.reads = self._index(np.array(call.reads) - program.prefix)
        self.n_positions = n_positions(lm, call.ids) - program.prefix
        whole = bool(call.captures) or lm.runs_own_code
        self.trims = lm.paths.last_mlp_in is not None and not whole
        self.steps: dict[tuple[int, Point], list[int]] = {}
        for index, step in enumerate(program.steps):
            self.steps.setdefault((step.stage, step.point), []).append(index)

    def ops(self) -> Iterator[Op]:
        begin, n_layers = self.program.begin, self.lm.n_layers
        yield from (op for op in self._embedding() if not op.idle)
        for stage in range(1, n_layers + 2):
            if stage < begin:
                several = self.lm.paths.tuple_output
                yield Op(self.lm.tap(stage, "block_in"), 0, skip=True, tuple_output=several)
                continue
            yield from (op for op in self._entering(stage) if not op.idle)
            if stage <= n_layers:
                yield from (op for op in self._inside(stage) if not op.idle or op.fused)

    # --- parts ------------------------------------------------------------------------------

    def _embedding(self) -> Iterator[Op]:
        first = self.program.begin == 0
        if first and (self.lm.paths.embed is not None or self._grown(0) is not None):
            yield self._op(0, "embed", grow=self._grown(0))

    def _entering(self, stage: int) -> Iterator[Op]:
        given = self.call.given if stage == self.program.begin else None
        yield self._op(stage, "block_in", grow=self._grown(stage), given=given)
        if stage > self.lm.n_layers and self.lm.trims_head:
            # After the norm, for some models put its output into a shape they made before it.
            yield self._head(stage)

    def _head(self, stage: int) -> Op:
        path = str(self.lm.paths.head)
        module = follow(self.lm.hf, path)
        tap = Tap(follow(self.lm.traced, path), "input")
        ours = module if self.lm.backend is None and cuts(module) else None
        return Op(tap, self._rows(stage), trim=self.reads, head=ours)

    def _inside(self, stage: int) -> Iterator[Op]:
        last = stage == self.lm.n_layers and self.trims
        if self.lm.paths.batched:
            # In every block: rows may be gone by the time the model makes them, so that as many as
            # it was called with may be more than they are for.
            yield self._op(stage, "mask", fit=FittedTo(self.lm.n_heads, self.lm.paths.batched))
        elif (stage, "mask") in self.steps:
            yield self._op(stage, "mask")
        for point in ("query", "key", "value", "qkv", "pattern"):
            if self._wanted(stage, point):
                yield self._op(stage, point)
        yield self._op(stage, "attn_z", trim=self.reads if last else None)
        yield self._op(stage, "attn_out", widen=self._widened() if last else None)
        if self.lm.paths.cross is not None:
            yield from self._crossing(stage)
        if self._wanted(stage, "mid") or self._late(stage):
            yield self._op(stage, "mid")
        yield from self._in_mlp(stage, last=last)

    def _in_mlp(self, stage: int, *, last: bool) -> Iterator[Op]:
        if last:
            yield self._mlp_in(stage)
        mlp = self._whole_mlp(stage)
        if mlp is None:
            yield from self._fused(stage)
        if self._wanted(stage, "neurons"):
            yield self._op(stage, "neurons")
        if self.lm.paths.mlp is not None:
            yield self._op(stage, "mlp_out", widen=self._widened() if last else None, mlp=mlp)

    def _crossing(self, stage: int) -> Iterator[Op]:
        """Attention to an encoder's states: of its own prompt in every row there is by now."""
        pairs, bases = self.program.n_pairs, self.program.base_of_row[stage - self.program.begin]
        rows = bases * pairs + np.tile(np.arange(pairs), len(bases) // pairs)
        if not np.array_equal(rows, np.arange(len(self.call.ids))):
            prompts = (self._index(rows), self.lm.paths.from_prompt)
            yield self._op(stage, "cross", prompts=prompts)
        for point in ("cross_z", "cross_out"):
            if self._wanted(stage, point):
                yield self._op(stage, point)

    def _mlp_in(self, stage: int) -> Op:
        block = self.lm.tap(stage, "block_in").envoy
        norm = follow(block, str(self.lm.paths.last_mlp_in))
        return Op(Tap(norm, "input"), self._rows(stage), trim=self.reads)

    def _whole_mlp(self, stage: int) -> GPT2MLP | None:
        """The MLP of a block, where it can be computed in one go and nobody looks inside it."""
        path = self.lm.paths.mlp
        if path is None or self.lm.backend is not None or self._wanted(stage, "neurons"):
            return None
        # Another of the paths may lead inside, and edits that the user keeps on the traced model.
        known = (self.lm.paths.activation, self.lm.paths.neurons)
        others = [own for own in vars(self.lm.paths).values() if own not in known]
        inside = any(isinstance(own, str) and own.startswith(f"{path}.") for own in others)
        module = self._in_block(stage, path)
        edited = bool(getattr(self.lm.traced, "_edits", ()))
        return module if is_whole(module) and not inside and not edited else None

    def _fused(self, stage: int) -> Iterator[Op]:
        """The activation function of a block in one go, where that is the same function.

        GPT-2's is written in eight steps, each of which reads and writes the widest tensor there
        is: up to a fifth of a sweep. One that somebody hooked or subclassed is left alone.
        """
        path = self.lm.paths.activation
        if path is None:
            return
        module = self._in_block(stage, path)
        if module is None or not untouched(module, NewGELUActivation):
            return
        envoy = follow(self.lm.tap(stage, "block_in").envoy, path)
        yield Op(Tap(envoy, "input"), self._rows(stage), fused=True)

    # --- pieces -----------------------------------------------------------------------------

    def _in_block(self, stage: int, path: str) -> nn.Module | None:
        """A block's module, which may be gone: an MLP that somebody replaced need not have it."""
        block = follow(self.lm.hf, self.lm.paths.blocks)[stage - 1]
        return dict(block.named_modules()).get(path)

    def _op(self, stage: int, point: Point, **more: Any) -> Op:
        capture = self.call.captures.get((stage, point))
        born = dict(self._late(stage)).get(point)
        return Op(
            self.lm.tap(stage, point),
            self._rows(stage),
            mask=self.lm.paths.mask,
            late=None if born is None else self._index(born),
            early=self._rows(stage) if self._late(stage) else None,
            point=point,
            writes=tuple(self._write(i) for i in self.steps.get((stage, point), [])),
            capture=None if capture is None else self._index(capture),
            **more,
        )

    def _wanted(self, stage: int, point: str) -> bool:
        return (stage, point) in self.steps or (stage, point) in self.call.captures

    def _rows(self, stage: int) -> int:
        return len(self.program.base_of_row[stage - self.program.begin])

    def _late(self, stage: int) -> list[tuple[Point, Any]]:
        return self.program.late[stage - self.program.begin]

    def _grown(self, stage: int) -> Tensor | None:
        grow = self.program.grow[stage - self.program.begin]
        return None if grow is None else self._index(grow)

    def _widened(self) -> tuple[Tensor, int] | None:
        # One position broadcasts against all of them.
        return (self.reads, self.n_positions) if len(self.reads) > 1 else None

    def _index(self, array: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.lm.device)

    def _write(self, index: int) -> Write:
        step, added = self.program.steps[index], self.call.constants[index]
        position = step.position
        if self.trims and step.stage == self.lm.n_layers and step.point in TRIMMED:
            reads = np.array(self.call.reads) - self.program.prefix
            position = np.searchsorted(reads, position)
        keep = take = None
        if step.point == "mask":
            added = torch.empty(0, dtype=self.lm.dtype)
        elif not (step.keep == 0).all() or not (step.take == 1).all():
            keep, take = (self._weight(weights) for weights in (step.keep, step.take))
        columns = (step.row, position, step.unit, step.source)
        row, where, unit, source = (self._index(column) for column in columns)
        within = self.call.within[index] if self.call.within else ()
        return Write(step.n_units, row, where, unit, source, keep, take, added, within)

    def _weight(self, weights: Any) -> Tensor:
        return self._index(weights)[:, None].to(self.lm.dtype)
