"""Base runs that are kept, so that a click computes its own rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .groups import Group
from .lm import LM
from .memory import chunk_bytes
from .plan import Program
from .prefix import KeysValues, keys_values
from .trace import Call, run_program

SHARE = 0.1
"""Of the memory that a chunk may take, what is kept of base runs."""


@dataclass(frozen=True)
class Sources:
    """What every block of a model was given on the prompts of a group.

    Attributes:
        mark: of the weights it was computed with (``LM.fingerprint``).
        given: per stage from 1 on, (base, pair, position, d_model): what entered the block.
        prefix: per layer keys and values, (base * pair, kv head, position, d_head); None where
            the model lends none.
        kept: (pair, base, K) what the prompts kept.
        logits: per base (pair, vocabulary) at the first position that is read.
        top: (ids, log probabilities) of the likeliest next tokens, (base * pair, k) each.
    """

    mark: Any
    given: tuple[Tensor, ...]
    prefix: KeysValues | None
    kept: NDArray[np.float64]
    logits: tuple[Tensor, Tensor]
    top: tuple[NDArray[np.int64], NDArray[np.float64]]


def sources_of(lm: LM, group: Group, top: int, mark: Any) -> Sources:
    """Run the prompts of a group and keep what enters every block."""
    n_bases, n_pairs, _ = group.ids.shape
    rows, stages = n_bases * n_pairs, range(1, lm.n_layers + 2)
    program = Program.of_bases(n_bases, n_pairs, lm.n_layers + 2)
    call = Call(
        ids=group.ids.flatten(0, 1),
        reads=group.frame.read_at,
        reading=group.reading,
        constants=[],
        captures={(stage, "block_in"): np.arange(rows) for stage in stages},
        top=top,
    )
    seen = run_program(lm, program, call)
    given = [seen.captured[stage, "block_in"] for stage in stages]
    return Sources(
        mark=mark,
        given=tuple(value.view(n_bases, n_pairs, *value.shape[1:]) for value in given),
        prefix=keys_values(lm, call.ids) if lm.lends_prefix else None,
        kept=seen.kept.reshape(n_bases, n_pairs, -1).swapaxes(0, 1),
        logits=_logits(seen.first_logits, n_bases, n_pairs),
        top=(seen.top_ids, seen.top_logprobs),
    )


def fit_to_keep(lm: LM, group: Group) -> bool:
    """Whether what would be kept is small beside what a chunk may take."""
    size = torch.empty((), dtype=lm.dtype).element_size()
    width = lm.d_model + 2 * lm.n_kv_heads * lm.d_head
    return group.ids.numel() * (lm.n_layers + 1) * width * size < SHARE * chunk_bytes(lm)


def _logits(first: Tensor, n_bases: int, n_pairs: int) -> tuple[Tensor, Tensor]:
    both = first.view(n_bases, n_pairs, -1)
    return both[0], both[-1]
