"""One program, one traced forward pass. The only place where a model is traced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from nnsight import save
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu
from transformers.activations import NewGELUActivation

from .architectures import follow
from .errors import MediationError
from .lm import LM
from .mediators import POINTS, Point
from .plan import MEAN, NO_CONSTANT, Program, Step
from .prefix import PrefixCache, prefix_layers

Means = dict[tuple[int, Point], Tensor]
"""(layer, point) to the mean over pairs on each base: (2, position, width)."""

_ON_INPUT: frozenset[Point] = frozenset({"block_in", "attn_z"})


@dataclass(frozen=True)
class Kept:
    """All that leaves a forward pass.

    Attributes:
        kept: (row, 3) the answer's logit, the wrong answer's logit, the logsumexp.
        moved: (entry,) the largest change that each edit made to its unit's value.
        top_ids, top_logprobs: (row, k) the likeliest next tokens, first the likeliest.
    """

    kept: NDArray[np.float64]
    moved: NDArray[np.float64]
    top_ids: NDArray[np.int64]
    top_logprobs: NDArray[np.float64]


@dataclass(frozen=True)
class Write:
    """Edits at one place: ``value[row, position, unit]`` becomes ``value[source, ...]``.

    Where ``chosen`` holds, it becomes ``constant`` instead; both are None for patches alone.
    """

    row: Tensor
    position: Tensor
    unit: Tensor
    source: Tensor
    chosen: Any
    constant: Tensor | None


@dataclass(frozen=True)
class Op:
    """What happens at one module: grow the batch, keep the last position only, write edits.

    Or, where ``fused`` holds, the module is not called: one kernel does what it does.
    """

    envoy: Any
    on_input: bool
    n_units: int
    grow: Tensor | None
    trim: bool
    write: Write | None
    fused: bool = False


def run_program(
    lm: LM,
    program: Program,
    ids: Tensor,
    *,
    answers: Tensor,
    means: Means,
    top: int = 0,
) -> Kept:
    """Evaluate a program in one forward pass.

    Args:
        lm: the model.
        program: rows and edits.
        ids: (2 * pair, position) token ids: pair 0 clean, pair 0 corrupt, pair 1 clean, ...
        answers: (pair, 2) ids of the answer and the wrong answer.
        means: values of mean edits.
        top: how many of the likeliest next tokens to keep.
    """
    pair_of_row = torch.from_numpy(program.pair_of_row).to(lm.device)
    ops = _ops(lm, program, means)
    asked = answers[pair_of_row]
    moved: list[Tensor] = []
    with lm.lock, torch.no_grad():
        call = _call(lm, ids, program.prefix, [pair_of_row[:n] for n in program.rows_at])
        with lm.traced.trace(**call):
            for op in ops:
                if op.fused:
                    op.envoy.skip(gelu(op.envoy.input, approximate="tanh"))
                    continue
                value = op.envoy.input if op.on_input else op.envoy.output
                if op.grow is not None:
                    value = value.index_select(0, op.grow)
                if op.trim:
                    value = value[:, -1:]
                if op.write is not None:
                    w = op.write
                    value = value.clone()
                    units = value.unflatten(-1, (op.n_units, -1))
                    new = units[w.source, w.position, w.unit]
                    if w.constant is not None:
                        new = torch.where(w.chosen, w.constant, new)
                    old = units[w.row, w.position, w.unit]
                    moved.append((new - old).abs().amax(-1))
                    units[w.row, w.position, w.unit] = new
                if op.on_input:
                    op.envoy.input = value
                else:
                    op.envoy.output = value
            # The model's own output, for softcapping and scaling come after the head module.
            logits = lm.traced.output.logits[:, -1]
            logits = logits if logits.dtype == torch.float64 else logits.float()
            total = logits.logsumexp(-1, keepdim=True)
            kept = save(torch.cat([logits.gather(1, asked), total], dim=1))
            likely = save(logits.topk(top))
            scale = save(total)
            change = save(torch.cat(moved) if moved else total[:0, 0])
    return Kept(
        kept.double().cpu().numpy(),
        change.double().cpu().numpy(),
        likely.indices.cpu().numpy(),
        (likely.values - scale).double().cpu().numpy(),
    )


def capture(lm: LM, places: list[tuple[int, Point]], ids: Tensor) -> Means:
    """Sums over pairs of the activations at some places, (2, position, width) each.

    ``places`` are sorted by layer and point; ``ids`` as in ``run_program``. Divide by the number
    of pairs for the mean on the clean and on the corrupt prompts.
    """
    envoys = lm.envoys()
    ordered = sorted(places, key=lambda place: (place[0], POINTS.index(place[1])))
    asked = [(envoys[point][layer], point in _ON_INPUT) for layer, point in ordered]
    sums: list[Tensor] = []
    with lm.lock, torch.no_grad(), lm.traced.trace(**_call(lm, ids, 0, [])):
        for envoy, on_input in asked:
            value = envoy.input if on_input else envoy.output
            wide = torch.promote_types(value.dtype, torch.float32)
            sums.append(save(value.unflatten(0, (-1, 2)).sum(0, dtype=wide)))
    return dict(zip(ordered, sums, strict=True))


def _call(lm: LM, ids: Tensor, prefix: int, pair_of_row: list[Tensor]) -> dict[str, Any]:
    """The arguments of the model's forward."""
    lm.refuse_training_mode()
    length = ids.shape[1]
    window = lm.sliding_window
    if window is not None and length > window:
        raise MediationError(
            "The prompt is longer than this model's attention window.",
            value=f"{length} tokens",
            expected=f"at most {window}",
            fix="shorten the prompt",
        )
    call: dict[str, Any] = {
        "input_ids": ids[:, prefix:],
        "attention_mask": _causal_mask(lm, prefix, length),
        "position_ids": torch.arange(prefix, length, device=lm.device)[None],
        "use_cache": False,
        "logits_to_keep": 1,
    }
    if prefix:
        call["past_key_values"] = PrefixCache(prefix_layers(lm, ids[::2, :prefix]), pair_of_row)
    return call


def _causal_mask(lm: LM, start: int, stop: int) -> Tensor:
    """Additive, (1, 1, stop - start, stop): one for all rows, so it need not grow with them."""
    full = torch.full((stop - start, stop), torch.finfo(lm.dtype).min, dtype=lm.dtype)
    return full.triu(start + 1)[None, None].to(lm.device)


def _ops(lm: LM, program: Program, means: Means) -> list[Op]:
    """The program's growth and edits as tensors, in the order of the forward pass.

    In the last block nothing but the last position is read any more once attention has mixed
    the positions, so the rest is dropped there: adding (row, 1, d) to the residual stream leaves
    its last position right and its others meaningless, and nobody reads those.
    """
    envoys = lm.envoys()
    steps = {(step.layer, step.point): step for step in program.steps}
    last = lm.n_layers - 1
    trims = lm.paths.norm_before_mlp is not None
    ops = []
    for layer in range(lm.n_layers + 1):
        for point in POINTS:
            if layer > last and point != "block_in":
                break
            step = steps.get((layer, point))
            grow = program.grow[layer] if point == "block_in" else None
            trim = trims and layer == last and point == "attn_z"
            if step is not None or grow is not None or trim:
                trimmed = trims and layer == last and point != "block_in"
                ops.append(
                    Op(
                        envoys[point][layer],
                        on_input=point in _ON_INPUT,
                        n_units=lm.n_heads if point == "attn_z" else 1,
                        grow=None if grow is None else torch.from_numpy(grow).to(lm.device),
                        trim=trim,
                        write=None
                        if step is None
                        else _write(lm, step, means, program.prefix, trimmed),
                    )
                )
            if trims and layer == last and point == "attn_out":
                norm = follow(envoys["block_in"][last], str(lm.paths.norm_before_mlp))
                ops.append(Op(norm, on_input=True, n_units=1, grow=None, trim=True, write=None))
            if point == "attn_out":
                ops.extend(_fused(lm, envoys["block_in"][layer], layer))
    return ops


def _fused(lm: LM, block: Any, layer: int) -> list[Op]:
    """The activation function of a block as one kernel, where that is the same function.

    GPT-2's is written in eight steps, each of which reads and writes the widest tensor there is:
    up to a fifth of a sweep. One that somebody hooked or subclassed is left alone.
    """
    path = lm.paths.activation
    if path is None:
        return []
    # The module may be gone: an MLP that somebody replaced need not have it.
    module = dict(follow(lm.hf, lm.paths.blocks)[layer].named_modules()).get(path)
    if type(module) is not NewGELUActivation:
        return []
    if module._forward_hooks or module._forward_pre_hooks:  # noqa: SLF001 - no public way to ask
        return []
    envoy = follow(block, path)
    return [Op(envoy, on_input=True, n_units=1, grow=None, trim=False, write=None, fused=True)]


def _write(lm: LM, step: Step, means: Means, prefix: int, trimmed: bool) -> Write:
    # Of a trimmed activation only the last position is left, and only it was planned for.
    position = np.zeros_like(step.position) if trimmed else step.position
    columns = (step.row, position, step.unit, step.source)
    row, place, unit, source = (torch.from_numpy(column).to(lm.device) for column in columns)
    chosen = constant = None
    if (step.constant != NO_CONSTANT).any():
        chosen = torch.from_numpy(step.constant != NO_CONSTANT)[:, None].to(lm.device)
        constant = torch.zeros((), dtype=lm.dtype, device=lm.device)
        if (step.constant >= MEAN).any():
            base = torch.from_numpy(np.maximum(step.constant - MEAN, 0)).to(lm.device)
            where = torch.from_numpy(step.position + prefix).to(lm.device)
            values = means[(step.layer, step.point)]
            n_units = lm.n_heads if step.point == "attn_z" else 1
            mean = values.reshape(*values.shape[:-1], n_units, -1)[base, where, unit]
            asked = torch.from_numpy(step.constant >= MEAN)[:, None].to(lm.device)
            constant = torch.where(asked, mean, constant)
    return Write(row, place, unit, source, chosen, constant)
