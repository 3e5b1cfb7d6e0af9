"""Models that read one text and write another: the rows of ids they are given, and their encoder.

A row of ids has the source's tokens, what fills it up to the longest source, a mark, and then the
tokens of the decoder, which are the positions that sites name. A row of any other model has no
mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import MediationError, require

if TYPE_CHECKING:
    from .lm import LM

FILL, MARK = -1, -2
"""No tokens: what fills a source up, and what stands before the decoder's own tokens."""

Ids = NDArray[np.int64]


def rows_of(sources: Sequence[Ids], own: Ids, width: int) -> Ids:
    """Rows of ids: (row, width + 1 + position).

    Args:
        sources: per row the encoder's tokens, at most ``width`` of them.
        own: (row, position) the decoder's tokens.
        width: of the part before the mark.
    """
    rows = np.full((len(own), width + 1 + own.shape[1]), FILL, dtype=np.int64)
    for row, source in zip(rows, sources, strict=True):
        row[: len(source)] = source
    rows[:, width] = MARK
    rows[:, width + 1 :] = own
    return rows


def blank(*, encodes: bool) -> list[list[int]]:
    """The shortest row there is, of tokens that nobody reads."""
    return [[0, MARK, 0]] if encodes else [[0]]


def halves(lm: LM, ids: Tensor) -> tuple[Tensor | None, Tensor]:
    """The sources (None: there are none), and the tokens whose positions sites name."""
    if not lm.encodes:
        return None, ids  # a look at the ids would wait for the device
    found = (ids[:1] == MARK).flatten().nonzero().flatten().tolist()
    if not found:
        return None, ids
    return ids[:, : found[0]], ids[:, found[0] + 1 :]


def n_positions(lm: LM, ids: Tensor) -> int:
    """How many positions sites may name in rows of ids."""
    return halves(lm, ids)[1].shape[1]


def encoded(lm: LM, sources: Tensor) -> tuple[Tensor, Tensor]:
    """What the decoder reads of its sources: states (row, source, d_model), and a mask of them.

    Sources of one length are encoded together, and none is ever padded: what is filled up
    afterwards is hidden by the mask, (row, 1, 1, source), additive, so it counts for nothing.

    Raises:
        MediationError: the encoder is on a server.
    """
    if lm.backend is not None:
        raise MediationError(
            "A model that reads one text and writes another is not run on a server.",
            value=lm.name,
            expected="a decoder, whose prompts are all that it reads",
            fix="mw.load(name) without remote=, or a decoder on the server",
        )
    encoder = lm.hf.get_encoder()  # type: ignore[operator]
    there = sources >= 0
    lengths = there.sum(1)
    states = torch.zeros(*sources.shape, lm.d_model, dtype=lm.dtype, device=lm.device)
    for length in sorted(set(lengths.tolist())):
        rows = (lengths == length).nonzero().flatten()
        some = sources[rows, :length]
        distinct, which = torch.unique(some, dim=0, return_inverse=True)
        with lm.lock, torch.no_grad():
            states[rows, :length] = encoder(input_ids=distinct).last_hidden_state[which]
    hidden = torch.finfo(lm.dtype).min
    mask = torch.zeros(sources.shape, dtype=lm.dtype, device=lm.device)
    return states, mask.masked_fill(~there, hidden)[:, None, None]


def start_of(config: Any) -> int:
    """The token that a decoder begins with."""
    start = getattr(config, "decoder_start_token_id", None)
    start = getattr(config, "pad_token_id", None) if start is None else start
    require(
        start is not None,
        "A decoder begins with a token of its own.",
        value="config.decoder_start_token_id is None",
        expected="the id of a token",
        fix="model.config.decoder_start_token_id = tokenizer.pad_token_id",
    )
    return int(start)  # type: ignore[arg-type]
