"""The logit lens of a model on a server: all layers and positions in the pass that makes them.

Behind the last block what every block began with goes on, a row each, so that the final norm, the
head and whatever caps or scales the logits are the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .plain import PlainStrand
from .plain_remote import Rows
from .reading import Reading, read
from .remote.shapes import Shapes
from .remote_traces import Act, act_at, passed
from .runs import Run, roles_named

if TYPE_CHECKING:
    from .engine import Engine
    from .lm import LM

AT_ONCE = 2**28
"""Logits that a server holds for one pass: half a gigabyte in half precision."""

Answers = Sequence[Sequence[int]]


def read_there(
    engine: Engine, pair: int, run: Run, answers: Answers, top: int
) -> list[NDArray[Any]]:
    """Likeliest tokens, their probabilities, those of both answers: (layer, position, ...) each."""
    engine.cost([run])  # refuses what these pairs cannot be asked
    engine.prove()
    lm, strand = engine.lm, _strand(engine, pair, run)
    frame = strand.group.frame
    positions = list(range(frame.n_positions - frame.fed))
    stages = list(range(1, lm.n_layers + 2))
    several = max(1, AT_ONCE // (lm.vocabulary * len(positions)))
    given = ([list(ids) for ids in answers], top)
    parts = []
    for first in range(0, len(stages), several):
        rows, ids, some = Rows(strand), strand.ids(run.base), stages[first : first + several]
        rows.of(run, ids)
        for stage in some:
            rows.look(run, ids, (stage, "block_in"))
        tops = (len(some), len(positions), min(top, lm.vocabulary))
        shapes: Shapes = [tops, tops, *(tops[:2] for _ in answers)]
        asked = torch.stack(rows.ids), positions, numbers_of, given, _piled(lm, rows), shapes
        parts.append(passed(lm, *asked))
    return [torch.cat(several).cpu().numpy() for several in zip(*parts, strict=True)]


def through_the_end(
    lm: LM,
    stream: Tensor,
    finish: Callable[..., Any],
    given: Sequence[Any] = (),
    shapes: Shapes | None = None,
) -> Any:
    """What ``finish`` makes of the logits (row, 1, vocabulary) of streams (row, width)."""
    act = act_at(lm, lm.n_layers + 1, "block_in", enters=stream[:, None])
    return passed(lm, lm.blank, [0], finish, given, [act], shapes)


def kept_there(
    lm: LM, streams: Tensor, reading: Reading, references: tuple[Tensor, Tensor] | None
) -> Tensor:
    """What is kept of every layer's streams (layer, row, width), each with its own reading."""
    n, columns = streams.shape[1], len(reading.columns)
    several = max(1, AT_ONCE // (lm.vocabulary * n))
    parts = []
    for part in torch.split(streams, several):
        given, shape = (len(part), reading, references), (len(part), n, columns)
        parts.append(through_the_end(lm, part.flatten(0, 1), kept_of, given, shape))
    return torch.cat(parts)


def kept_of(
    logits: Tensor,
    seen: list[Tensor],  # noqa: ARG001
    n_layers: int,
    reading: Reading,
    references: tuple[Tensor, Tensor] | None,
) -> Tensor:
    """Inside a trace: (layer, row, K), one layer after the other for the memory's sake."""
    row = torch.arange(len(logits) // n_layers, device=logits.device)
    layers = torch.unflatten(logits, 0, (n_layers, -1))
    return torch.stack([read(one, reading, row, (row, row), references) for one in layers])


def numbers_of(logits: Tensor, seen: list[Tensor], answers: Answers, top: int) -> list[Tensor]:  # noqa: ARG001
    """Inside a trace: the numbers of every layer, one after the other for the memory's sake."""
    of_layers = [lens_numbers(layer, answers, top) for layer in logits]
    return [torch.stack(several) for several in zip(*of_layers, strict=True)]


def lens_numbers(logits: Tensor, answers: Answers, top: int) -> tuple[Tensor, ...]:
    """Of logits (row, vocabulary): likeliest tokens, their probabilities, those of the answers."""
    p = logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
    best = p.topk(min(top, p.shape[-1]))
    of = [p[:, list(ids)].sum(-1).double() for ids in answers]
    return best.indices, best.values.double(), *of


def _strand(engine: Engine, pair: int, run: Run) -> PlainStrand:
    """The pair's prompt that a run reads, where its answer is read."""
    group = next(
        group
        for group in engine.groups_of(roles_named([run]))
        if run.base in group.frame.bases and group.gives != "wrong" and pair in group.members
    )
    return PlainStrand(engine, group, int(np.flatnonzero(group.members == pair)[0]))


def _piled(lm: LM, rows: Rows) -> list[Act]:
    """What happens at each place; at the end all that was looked at goes on."""
    acts, last = rows.acts(), lm.n_layers + 1
    end = act_at(lm, last, "block_in", len(rows.ids))
    if acts[-1].envoy is end.envoy:
        end = acts.pop()
    return [*acts, replace(end, piled=True)]
