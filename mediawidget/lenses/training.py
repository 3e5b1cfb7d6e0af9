"""Training a lens on the residual streams of prompts, and how far a lens is from the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..edits.base import as_number
from ..engine_inputs import refuse_no_lm
from ..errors import MediationError, require
from ..gradients import only_activations, refuse_no_gradients
from ..lens import logits_of, refuse_no_way_out
from ..lm import LM
from ..prompts import PromptPair
from ..runner import observe
from ..statistics import refuse_no_seed
from ..statistics.resampling import whole
from .tuned import TunedLens, refuse_no_lens

Array = NDArray[np.float64]
Prompts = Iterable[str | PromptPair | Sequence[PromptPair]]

ROWS = 128
"""Tokens of a step, at every layer."""


def tuned_lens(
    lm: LM,
    prompts: Prompts,
    *,
    steps: int = 200,
    rate: float = 3e-3,
    seed: int = 0,
    told: Callable[[int, float], None] | None = None,
) -> TunedLens:
    """Learn an affine map per layer, by KL from the model's own output to what the lens reads.

    All layers are trained at once, on every position of the prompts; the model stays as it is.
    Maps start at 0, so that the lens begins as the logit lens.

    Args:
        lm: a model that runs here.
        prompts: texts, pairs (both of their prompts) or contrasts.
        steps: of Adam, each on tokens drawn at random.
        rate: its learning rate, going down to 0 along a cosine.
        seed: of the draw.
        told: called with the step and its mean KL in nats.

    Raises:
        MediationError: no prompts, a model whose layers cannot be read or differentiated, numbers
            that are none.

    Source: Belrose et al. 2023, "Eliciting latent predictions from transformers with the tuned
    lens".

    Example:
        >>> lens = mw.lenses.tuned_lens(lm, [mw.tasks.ioi(lm), mw.tasks.facts(lm)])
        >>> lens
        TunedLens(6 layers, width 128)
    """
    refuse_no_lm(lm, "A lens is of a model.", "mw.lenses.tuned_lens(mw.load(), prompts)")
    _refuse_no_training(steps, rate, told)
    refuse_no_seed(seed, torch=True)
    refuse_no_gradients(lm, "mw.lenses.logit_lens(study)")
    refuse_no_way_out(lm)
    stream = _streams(lm, prompts)
    generator = torch.Generator().manual_seed(int(seed))
    n, _, width = stream.shape
    like = {"device": lm.device, "dtype": torch.float32}
    # Which leaves inference mode: what is made there cannot be differentiated, here or later.
    with lm.lock, only_activations(lm):
        weight = torch.zeros(n - 1, width, width, requires_grad=True, **like)  # type: ignore[call-overload]
        bias = torch.zeros(n - 1, width, requires_grad=True, **like)  # type: ignore[call-overload]
        optimiser = torch.optim.Adam([weight, bias], lr=float(rate))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps))
        for step in range(steps):
            some = torch.randint(stream.shape[1], (ROWS,), generator=generator).to(lm.device)
            x = stream[:, some]
            moved = x[:-1] + x[:-1] @ weight.to(x) + bias[:, None].to(x)
            loss = _kl(lm, moved, _final(lm, x[-1])).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            if told is not None:
                told(step, loss.item())
    return TunedLens(weight.detach(), bias.detach())


def kl_to_final(lm: LM, prompts: Prompts, lens: TunedLens | None = None) -> Array:
    """How far what a lens reads is from what the model says in the end, per layer: (layer,).

    KL(model || lens) in nats, the mean over all positions of the prompts; the last entry, behind
    the last block, is 0.

    Args:
        lm: a model that runs here.
        prompts: texts, pairs or contrasts.
        lens: None for the logit lens.

    Raises:
        MediationError: no prompts, a lens of another model, a model on a server.
    """
    refuse_no_lm(lm, "A lens is of a model.", "mw.lenses.kl_to_final(mw.load(), prompts)")
    refuse_no_way_out(lm)
    require(
        lm.backend is None,
        "How far every layer is from the end takes all logits of all layers, which a server keeps.",
        value=lm.name,
        expected="a model that runs here",
        fix="study.metric = mw.KL('clean'); mw.lenses.logit_lens(study)",
    )
    if lens is not None:
        refuse_no_lens(lens)
        lens.refuse_other(lm)
    stream = _streams(lm, prompts)
    total = np.zeros(len(stream))
    with torch.no_grad():
        for x in torch.split(stream, ROWS, dim=1):
            moved = [x[i] if lens is None else lens.moved(i, x[i]) for i in range(len(x))]
            total += _kl(lm, torch.stack(moved), _final(lm, x[-1])).sum(1).double().cpu().numpy()
    return total / stream.shape[1]


def _kl(lm: LM, stream: Tensor, final: Tensor) -> Tensor:
    """(layer, row) KL to the final log probabilities (row, vocabulary)."""
    flat = logits_of(lm, stream.flatten(0, 1), gradients=stream.requires_grad)
    own = torch.unflatten(flat, 0, stream.shape[:2]).float().log_softmax(-1)
    return (final.exp() * (final - own)).sum(-1)


def _final(lm: LM, stream: Tensor) -> Tensor:
    return logits_of(lm, stream).float().log_softmax(-1)


def _streams(lm: LM, prompts: Prompts) -> Tensor:
    """(layer, row, d_model): every position of every prompt, before each block and at the end."""
    by_length: dict[int, list[NDArray[np.int64]]] = {}
    for text in dict.fromkeys(_texts(prompts)):
        ids = np.asarray(lm.encoder.ids(text), dtype=np.int64)
        by_length.setdefault(len(ids), []).append(ids)
    if not by_length:
        raise _no_prompts(prompts)
    places = [(stage, "block_in") for stage in range(1, lm.n_layers + 2)]
    found = []
    for alike in by_length.values():
        seen = observe(lm, torch.from_numpy(np.stack(alike)).to(lm.device), places)
        found.append(torch.stack([seen[place].reshape(-1, lm.d_model) for place in places]))
    return torch.cat(found, dim=1)


def _refuse_no_training(steps: object, rate: object, told: object) -> None:
    for ok, name, value, expected, fix in (
        (whole(steps, 0), "steps", steps, "an int from 0", "steps=200"),
        (0 <= as_number(rate) < math.inf, "rate", rate, "a number from 0", "rate=0.003"),
        (told is None or callable(told), "told", told, "a function of step and KL", "told=print"),
    ):
        require(
            ok,
            "Training a lens goes step by step.",
            value=f"{name}={value!r}",
            expected=expected,
            fix=f"mw.lenses.tuned_lens(lm, prompts, {fix})",
        )


def _texts(prompts: Any) -> list[str]:
    if isinstance(prompts, str):
        return [prompts]
    if isinstance(prompts, PromptPair):
        return [prompts.clean, prompts.corrupt]
    try:
        several = list(prompts)
    except TypeError:
        raise _no_prompts(prompts) from None
    return [text for one in several for text in _texts(one)]


def _no_prompts(given: object) -> MediationError:
    return MediationError(
        "A lens is read on prompts.",
        value=repr(given)[:200],
        expected="texts, PromptPairs or contrasts",
        fix="[mw.tasks.ioi(lm), mw.tasks.facts(lm)]",
    )
