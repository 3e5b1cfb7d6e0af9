"""One program, one traced forward pass: where a language model is traced.

But for plain passes on a server, which are ``remote_traces``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from nnsight import save
from numpy.typing import NDArray
from torch import Tensor

from . import attending
from .applying import Confined, LateRows, apply_op, open_source
from .architectures import follow
from .calls import attention, forward_arguments
from .failing import noting_what_a_pass_asks
from .lm import LM
from .mediators import POINTS
from .ops import make_ops
from .plan import Program
from .pooling import rows_classified
from .prefix import KeysValues, PrefixCache
from .products import products
from .reading import Reading, read
from .remote.asking import answered
from .remote.shapes import refuse_other_shapes
from .shipping import by_value, near, shipped
from .two_texts import n_positions

Captures = Mapping[tuple[int, str], NDArray[np.int64]]
"""(stage, point) -> the rows, at that stage, whose whole activation is wanted."""


@dataclass(frozen=True)
class Kept:
    """All that leaves a forward pass.

    Attributes:
        kept: (row, K) the kept numbers of each last row.
        moved: (entry,) the largest change that each edit made to its unit's value.
        top_ids, top_logprobs: (row, k) the likeliest next tokens, first the likeliest.
        captured: (stage, point) -> (row, position, columns), what was asked for.
        first_logits: (row, vocabulary) at the first position that is read, where anything was
            captured; else empty.
    """

    kept: NDArray[np.float64]
    moved: NDArray[np.float64]
    top_ids: NDArray[np.int64]
    top_logprobs: NDArray[np.float64]
    captured: Mapping[tuple[int, str], Tensor]
    first_logits: Tensor


@dataclass(frozen=True)
class Call:
    """What a program is run on.

    Attributes:
        ids: (row, position) token ids of the first rows; whole prompts.
        reads: positions whose logits are read.
        reading: what is asked of them.
        constants: per step what it adds, or None.
        prefix: keys and values of the positions before the program's, and per stage which of
            their rows each row of the batch continues.
        given: what enters the first block that is computed, (row, position, d_model), where the
            blocks before it are skipped.
        references: logits of the bases, where these are not in the batch themselves.
        captures: activations that are wanted.
        top: how many of the likeliest next tokens to keep.
        within: per step which entries are confined to which parts, as in ``Write``; empty for none.
    """

    ids: Tensor
    reads: Sequence[int]
    reading: Reading
    constants: Sequence[Tensor | None]
    prefix: tuple[KeysValues, list[Tensor]] | None = None
    given: Tensor | None = None
    references: tuple[Tensor, Tensor] | None = None
    captures: Captures = field(default_factory=dict)
    top: int = 0
    within: Sequence[tuple[Confined, ...]] = ()


def run_program(lm: LM, program: Program, call: Call) -> Kept:
    """Evaluate a program in one forward pass.

    Raises:
        MediationError: in training mode, or a server fails.
    """
    if lm.backend is not None:
        return answered(lambda: _run(lm, program, call))
    with noting_what_a_pass_asks():
        return _run(lm, program, call)


def _run(lm: LM, program: Program, call: Call) -> Kept:
    lm.refuse_training_mode()
    ops = make_ops(lm, program, call)
    arguments = forward_arguments(lm, call.ids, program.prefix, n_positions(lm, call.ids))
    if call.prefix is not None:
        arguments["past_key_values"] = PrefixCache(*call.prefix)
    pair_of_row = torch.from_numpy(program.pair_of_row).to(lm.device)
    bases = _base_rows(lm, program, call)
    # In the order in which a forward pass meets them.
    ordered = sorted(call.captures, key=lambda place: (place[0], POINTS.index(place[1])))
    # The body may run on a server: it names functions, tensors and envoys, never ``lm``.
    ship = shipped if lm.backend else _as_it_is
    ops, reading, references, top = ship(ops), ship(call.reading), call.references, call.top
    capturing, root, place, own = bool(call.captures), lm.traced, lm.logits_place, lm.dtype
    reads, n_first = [at - program.prefix for at in call.reads], len(call.ids)
    outer, inner = lm.trace_arguments(arguments)
    eager = any(step.point == "pattern" for step in program.steps) or any(
        point == "pattern" for _, point in call.captures
    )
    implementation = "eager" if eager else attending.NAME if attending.fits(lm) else None
    with (  # noqa: SIM117 - nnsight captures either body by the line of its own `with`
        lm.lock,
        torch.no_grad(),
        rows_classified(lm),
        attention(lm, implementation) if implementation else nullcontext(),
        by_value() if lm.backend else nullcontext(),
        products(lm, program.rows * (n_positions(lm, call.ids) - program.prefix)),
        root.trace(**outer, backend=lm.backend() if lm.backend else None) as tracer,
    ):
        with tracer.invoke(**inner):
            # Made here: what was made outside comes back from a server as it went.
            moved: list[Tensor] = []
            seen: list[Tensor] = []
            late = LateRows()
            for op in ops:
                open_source(op)
            for op in ops:
                apply_op(op, moved, seen, late)
            logits = _logits(root, place, reads, own, n_first)
            where = near([reading, pair_of_row, bases, references], logits)
            kept = save(read(logits, *where))
            first = logits[:, 0].float()
            likely = save(first.topk(min(top, first.shape[-1])))
            # Copies: a server sends of a slice all that it was cut from, here the vocabulary.
            scale = save(first.logsumexp(-1, keepdim=True) if top else first[:, :1].clone())
            moved = near(moved, logits)
            change = save(torch.cat(moved) if moved else first[:0, 0].clone())
            values = save(seen)
            whole = save((logits[:, 0] if capturing else logits[:0, 0]).clone())
    if lm.backend is not None:
        _refuse_misshapen(program, call, kept, likely, scale, change)
    return Kept(
        kept.double().cpu().numpy(),
        change.double().cpu().numpy(),
        likely.indices.cpu().numpy(),
        (likely.values - scale).double().cpu().numpy(),
        dict(zip(ordered, values, strict=True)),
        whole,
    )


def _logits(
    root: Any, place: tuple[str | None, bool], reads: list[int], own: torch.dtype, n_first: int
) -> Tensor:
    """Inside a trace: the logits of the positions that are read, (row, read, logit).

    At least in the model's own precision: Mamba rounds its logits to single.
    """
    path, whole = place
    # The model's own output, for softcapping and scaling come after the head module.
    logits: Tensor = root.output.logits if path is None else follow(root, path).output
    if path is not None and logits.ndim == 3:
        # What comes after, for nobody, is a choice of a position in each row of its tokens.
        follow(root, path).output = logits[:n_first]
    logits = logits.to(torch.promote_types(logits.dtype, own))
    if logits.ndim == 2:
        # Of a position that the model chose by itself.
        return logits[:, None].expand(-1, len(reads), -1)
    return logits[:, reads] if whole else logits


def _refuse_misshapen(program: Program, call: Call, *answer: Any) -> None:
    """Raise where a server's numbers are not one for each that was asked: others would be shown."""
    kept, likely, scale, change = answer
    both = getattr(likely, "indices", None), getattr(likely, "values", None)
    found, n = [kept, *both, scale, change], len(program.pair_of_row)
    (tops,) = tuple(getattr(both[0], "shape", ()))[-1:] or (0,)
    entries = len(program.node_of_entry) * program.n_pairs
    expected = [(n, len(call.reading.columns)), (n, tops), (n, tops), (n, 1), (entries,)]
    refuse_other_shapes(found, expected)


def _as_it_is(value: Any) -> Any:
    return value


def _base_rows(lm: LM, program: Program, call: Call) -> tuple[Tensor, Tensor]:
    """Per pair the row of its clean and of its corrupt prompt (or of ``references``)."""
    if call.references is not None:
        pairs = torch.arange(program.n_pairs, device=lm.device)
        return pairs, pairs
    rows = torch.from_numpy(np.maximum(program.bases, 0)).to(lm.device)
    return rows[0], rows[-1]


def inside(lm: LM, envoy: Any, names: Sequence[str]) -> tuple[list[tuple[str, ...]], list[Any]]:
    """Go by names into a module's forward, in a pass over one token under eager attention.

    Args:
        lm: a model that is here.
        envoy: of the module.
        names: each of a call or an assignment in the forward that the one before leads into.

    Returns:
        The names that there are at every level that was reached, and, where all lead on, what the
        last one returns.
    """
    ids = lm.blank
    outer, inner = lm.trace_arguments(forward_arguments(lm, ids, 0, n_positions(lm, ids)))
    root = lm.traced
    with (  # noqa: SIM117 - nnsight captures either body by the line of its own `with`
        lm.lock,
        torch.no_grad(),
        attention(lm, "eager"),
        root.trace(**outer) as tracer,
    ):
        with tracer.invoke(**inner):
            here, found, levels = envoy, save([]), save([])
            for name in names:
                source = here.source
                levels.append(source.names)
                if name not in source.names:
                    break
                here = getattr(source, name)
            else:
                found.append(here.output)
    return levels, found


__all__ = ["Call", "Captures", "Kept", "inside", "run_program"]
