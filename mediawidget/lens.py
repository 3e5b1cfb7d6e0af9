"""The logit lens: what a model would say next if it stopped after each layer.

Source: nostalgebraist, "interpreting GPT: the logit lens", 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .architectures import follow
from .errors import MediationError
from .lens_remote import lens_numbers, read_there, through_the_end
from .looking import look
from .remote_traces import only_logits
from .runs import Run
from .sites import Site

if TYPE_CHECKING:
    from .engine import Engine
    from .lm import LM

TOP = 3
AT_ONCE = 2**24
"""Logits that are held at a time: 64 MB in single precision."""


@dataclass(frozen=True)
class Lens:
    """Next-token probabilities read off the residual stream of one prompt.

    Layers are those of the mediator "residual": before each block, and after the last.

    Attributes:
        tokens: (layer, position, k) ids of the likeliest next tokens, likeliest first.
        p: (layer, position, k) their probabilities.
        answer: (layer, position) probability of the answer: of a set all of it, of an answer of
            several tokens its first.
        wrong: (layer, position) the same of the wrong answer.
    """

    tokens: NDArray[np.int64]
    p: NDArray[np.float64]
    answer: NDArray[np.float64]
    wrong: NDArray[np.float64]


def logit_lens(engine: Engine, pair: int, run: Run, top: int = TOP) -> Lens:
    """Read every layer and position of a run on one pair through the model's own way out.

    The final norm, the unembedding and whatever stands behind them (soft caps, scales) are the
    model's own, so after the last block this is the model's own next-token distribution.

    Raises:
        MediationError: the model has no final norm that is known, or predicts labels; and what
            ``Engine.evaluate`` raises for the run.
    """
    lm = engine.lm
    refuse_no_way_out(lm)
    answers = engine.pairs[pair].answers
    if engine.pairs[pair].strands[0].forced:
        answers = (answers[0][:1], answers[1][:1])
    if lm.backend is not None:
        return Lens(*read_there(engine, pair, run, answers, top))
    layers = [Site("residual", layer) for layer in range(lm.n_layers + 1)]
    stream = torch.stack(look(engine, pair, run, layers))
    n_layers, n_positions, width = stream.shape
    parts = [
        _read(lm, part, answers, top)
        for part in torch.split(stream.reshape(-1, width), max(1, AT_ONCE // lm.vocabulary))
    ]
    tokens, p, right, wrong = (
        np.concatenate(columns).reshape(n_layers, n_positions, *columns[0].shape[1:])
        for columns in zip(*parts, strict=True)
    )
    return Lens(tokens, p, right, wrong)


def logits_of(lm: LM, stream: Tensor, *, gradients: bool = False) -> Tensor:
    """What the model makes of its residual stream after the last block: (row, width) to logits.

    The model runs on one token, and what its final norm reads is exchanged for ``stream``; so all
    that stands behind is computed by the model's own code. ``gradients``: of the stream.

    On a server this is one request, without gradients.
    """
    if lm.backend is not None:
        found: Tensor = through_the_end(lm, stream, only_logits)[:, 0]
        return found
    norm: nn.Module = follow(lm.hf, lm.paths.final_norm)

    def exchange(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return (stream[:, None], *given[1:]), named

    with lm.lock, torch.set_grad_enabled(gradients):
        handle = norm.register_forward_pre_hook(exchange, with_kwargs=True)
        try:
            logits: Tensor = lm.logits_at(lm.blank, [0], gradients=gradients)[:, 0]
        finally:
            handle.remove()
    return logits


def _read(
    lm: LM, stream: Tensor, answers: tuple[tuple[int, ...], ...], top: int
) -> tuple[NDArray[Any], ...]:
    """Of some rows: likeliest tokens, their probabilities, those of the answers."""
    numbers = lens_numbers(logits_of(lm, stream), answers, top)
    tokens, *p = (number.cpu().numpy() for number in numbers)
    return tokens, *p


def refuse_no_way_out(lm: LM) -> None:
    """Raise where intermediate layers cannot be read through the final norm."""
    why = "its logits are of labels, not of next tokens" if lm.classifies else ""
    if why:
        raise MediationError(
            "The logit lens cannot be read off this model.",
            value=f"{lm.name}: {why}",
            expected="a language model",
            fix="mw.load('gpt2')",
        )
