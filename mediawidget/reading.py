"""Reads the kept numbers off logits: tensors in, tensors out, nothing that waits for the device.

The vocabulary is gone through in parts, so that no further tensor as large as the logits is made,
and sums over it are in double precision: differences of runs, KL and log odds live in the digits
that single precision loses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import MediationError
from .readouts import ANSWER, BASE_COLUMNS, KL_CLEAN, KL_CORRUPT, RANK, WRONG, joined, token_of
from .token_pairs import Strand

CPU_PART, PART = 1 << 17, 1 << 24
"""Numbers of a part of the vocabulary that are looked at together.

In double precision 1 MiB on a CPU, which stays in its cache, and 128 MiB elsewhere.
"""


@dataclass(frozen=True)
class Reading:
    """What is asked of a group of strands that are alike.

    Attributes:
        ids: of both answers (pair, 2, k), the members of two sets; or of a teacher-forced answer
            (pair, n_reads), what is asked for at each read.
        member: (pair, 2, k) which of the ids are members; None for a teacher-forced answer.
        mean: whether the reads of a teacher-forced answer are averaged instead of added.
        tokens: (m,) ids of the tokens whose logits are kept, in the order of their columns.
        columns: what is kept, in order.
    """

    ids: Tensor
    member: Tensor | None
    mean: bool
    tokens: Tensor
    columns: tuple[str, ...]

    @property
    def n_reads(self) -> int:
        """How many positions of a row are read."""
        return 1 if self.member is not None else self.ids.shape[1]

    def of(self, pairs: Tensor) -> Reading:
        """The same for some pairs, or a pair several times: indices (pair,)."""
        member = None if self.member is None else self.member[pairs]
        return Reading(self.ids[pairs], member, self.mean, self.tokens, self.columns)


def make_reading(
    strands: Sequence[Strand],
    columns: Sequence[str],
    device: torch.device | str = "cpu",
    token_ids: Mapping[str, int] | None = None,
) -> Reading:
    """The tensors that ``read`` needs for strands of one kind.

    Args:
        strands: one a pair, all giving both answers or all teacher-forced with as many reads.
        columns: what to keep, as ``readouts.joined`` puts them together.
        device: where the logits will be.
        token_ids: column -> id for the ``logit:<token>`` columns (``Encoder.column_ids``).

    Raises:
        MediationError: strands that are not alike, unknown columns, a token without its id.
    """
    columns = joined(columns)
    ids = token_ids or {}
    asked = [name for name in columns if token_of(name) is not None]
    missing = [name for name in asked if name not in ids]
    if missing:
        raise MediationError(
            "A token's logit is asked for without its id.",
            value=", ".join(map(repr, missing)),
            expected="an id for every such column",
            fix="token_ids=encoder.column_ids(columns)",
        )
    kinds = {(strand.forced, len(strand.reads), strand.reduce) for strand in strands}
    if len(kinds) != 1:
        raise MediationError(
            "Only strands of one kind are read together.",
            value=f"(teacher-forced, reads, reduce): {sorted(kinds)}",
            expected="at least one strand, and all of one kind",
            fix="group them by (strand.forced, len(strand.reads), strand.reduce)",
        )
    ((forced, _, reduce),) = kinds
    tokens = torch.tensor([ids[name] for name in asked], dtype=torch.int64, device=device)
    if forced:
        targets = torch.tensor([strand.targets[0] for strand in strands], device=device)
        return Reading(targets, None, reduce == "mean", tokens, columns)
    members, member = (torch.from_numpy(array).to(device) for array in _padded(strands))
    return Reading(members, member, reduce == "mean", tokens, columns)


def read(
    logits: Tensor,
    reading: Reading,
    pair_of_row: Tensor,
    bases: tuple[Tensor, Tensor],
    references: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The kept numbers of every row.

    A strand that is teacher-forced gives log probabilities: the answer's in ``answer`` and in
    ``wrong`` alike (``assemble_columns`` puts two strands together), a logsumexp of 0, and log
    probabilities for single tokens. KL, rank and single tokens are read at the first read, where
    nothing of an answer has been fed yet; the rank is that of the answer's first token.

    Args:
        logits: (row, n_reads, vocabulary), the next-token logits at the positions that are read.
        reading: what is asked of each pair.
        pair_of_row: (row,) indices into the pairs of ``reading``.
        bases: for each pair the row of its clean and of its corrupt run, (pair,) each.
        references: logits (n, vocabulary) that ``bases`` index instead of the first reads of
            ``logits``: where a prompt's own run was in another pass.

    Returns:
        (row, K), in double precision where the device has it.
    """
    first = logits[:, 0]
    wide = _wide(logits)
    total = _logsumexp(logits)
    if reading.member is None:
        chosen = logits.gather(2, reading.ids[pair_of_row][..., None])[..., 0].to(wide)
        log_probs = chosen - total
        answer = log_probs.mean(1) if reading.mean else log_probs.sum(1)
        best, wrong, scale = chosen[:, 0], answer, torch.zeros_like(answer)
        shift = total[:, 0]
    else:
        ids, member = reading.ids[pair_of_row], reading.member[pair_of_row]
        values = first.gather(1, ids.flatten(1)).view(ids.shape).to(wide)
        values = values.masked_fill(~member, -torch.inf)
        answer, wrong = values.logsumexp(2).unbind(1)
        best, scale, shift = values[:, 0].amax(1), total[:, 0], None
    singles = first.index_select(1, reading.tokens).to(wide)
    singles = singles if shift is None else singles - shift[:, None]
    kept = [answer, wrong, scale]
    following = iter(singles.unbind(1))
    for name in reading.columns[len(BASE_COLUMNS) :]:
        if name in (KL_CLEAN, KL_CORRUPT):
            which = 0 if name == KL_CLEAN else 1
            base = first if references is None else references[which]
            kept.append(_kl(first, total[:, 0], base, bases[which], pair_of_row))
        elif name == RANK:
            kept.append(_rank(first, best))
        else:
            kept.append(next(following))
    return torch.stack(kept, dim=1)


def assemble_columns(
    parts: Sequence[NDArray[np.float64]], gives: Sequence[str]
) -> NDArray[np.float64]:
    """What the strands of a pair kept, as the pair's own numbers.

    Args:
        parts: (..., K) of each strand, in the order of ``TokenPair.strands``.
        gives: ``Strand.gives`` of each.

    Returns:
        (..., K): of one strand what it kept; of two the answer's, with ``wrong`` from the other.

    Raises:
        MediationError: strands that are not a pair's.
    """
    if list(gives) == ["both"] and len(parts) == 1:
        return parts[0]
    if list(gives) != ["answer", "wrong"] or len(parts) != 2:
        raise MediationError(
            "These are not the strands of a pair.",
            value=f"{len(parts)} results of {list(gives)}",
            expected="one that gives both, or an answer's and a wrong answer's",
            fix="assemble_columns([...], [strand.gives for strand in pair.strands])",
        )
    kept = parts[0].copy()
    kept[..., WRONG] = parts[1][..., ANSWER]
    return kept


# --- inside ---------------------------------------------------------------------------------


def _padded(strands: Sequence[Strand]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Members of the sets, (pair, 2, k), and which of them are real."""
    k = max(len(members) for strand in strands for members in strand.targets)
    ids = np.zeros((len(strands), 2, k), dtype=np.int64)
    real = np.zeros((len(strands), 2, k), dtype=bool)
    for i, strand in enumerate(strands):
        for side, members in enumerate(strand.targets):
            ids[i, side, : len(members)] = members
            real[i, side, : len(members)] = True
    return ids, real


def _wide(logits: Tensor) -> torch.dtype:
    """Double precision, but for devices that have none (Apple's)."""
    return torch.float32 if logits.device.type == "mps" else torch.float64


def _logsumexp(logits: Tensor) -> Tensor:
    """Over the vocabulary, the last axis: (...). Terms to single precision, their sum to double."""
    wide = _wide(logits)
    terms = torch.promote_types(logits.dtype, torch.float32)
    top = logits.amax(-1, keepdim=True).to(terms)
    parts = (
        (logits[..., part].to(terms) - top).exp_().sum(-1, dtype=wide) for part in _parts(logits)
    )
    return top[..., 0].to(wide) + _added(parts).log()


def _kl(first: Tensor, total: Tensor, base: Tensor, row_of_pair: Tensor, pair: Tensor) -> Tensor:
    """KL(base || row) in nats, (row,): the sum of p (log p - log q) - p + q, each term >= 0.

    The last two, which cancel in exact arithmetic, keep rounding of the totals from turning up in
    small numbers.
    """
    wide = _wide(first)
    row = row_of_pair[pair]
    base_total = total[row] if base is first else _logsumexp(base)[row]

    def parts() -> Iterator[Tensor]:
        for part in _parts(first):
            own = first[:, part].to(wide) - total[:, None]
            other = base[:, part].index_select(0, row).to(wide)
            other -= base_total[:, None]
            p = other.exp()
            # Where p is 0 nothing is lost, whatever the logarithms say; NaN stays NaN.
            lost = torch.where(p == 0, 0.0, p * (other - own)) - p
            yield (lost + own.exp_()).sum(-1)

    return _added(parts())


def _rank(first: Tensor, best: Tensor) -> Tensor:
    """How many logits are larger than ``best``; NaN where that is no number."""
    least = best[:, None].to(first.dtype)
    above = _added((first[:, part] > least).sum(-1) for part in _parts(first))
    return torch.where(best.isnan(), best, above.to(best.dtype))


def _parts(logits: Tensor) -> Iterator[slice]:
    """The vocabulary, the last axis, cut into parts of bounded size."""
    n_tokens = logits.shape[-1]
    size = CPU_PART if logits.device.type == "cpu" else PART
    width = max(1, min(n_tokens, size * n_tokens // max(1, logits.numel())))
    yield from (slice(start, start + width) for start in range(0, n_tokens, width))


def _added(parts: Iterator[Tensor]) -> Tensor:
    total = next(parts)
    for part in parts:
        total = total + part
    return total
