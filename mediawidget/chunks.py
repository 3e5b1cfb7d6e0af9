"""How runs are cut into batches: by what fits in memory and what positions they change."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from . import attending
from .errors import MediationError
from .lm import LM
from .mediators import POINTS
from .memory import chunk_bytes, out_of_memory
from .plan import Template
from .plan.frame import Ints

Work = TypeVar("Work")
Done = TypeVar("Done")

CPU_TOKENS = 8192
"""Positions a chunk has on a CPU, where matrix products gain nothing from more."""

FEWEST_ROWS = 3
"""Of a batch: a pair's two prompts and one run."""

PREFIX_PAYS = 256
"""Positions that a prefix must save to be worth a forward pass of its own."""

BAND_TOKENS = 2048
"""Positions of a batch below which it is not cut further by where its runs begin to differ."""


@dataclass(frozen=True)
class Chunk:
    """Runs on some pairs of a group, for one batch.

    Attributes:
        pairs: indices into the group's members.
        runs: indices into the template's runs.
        idle: runs that are what they are by construction; nothing is computed for them.
        prefix: positions that none of the runs changes.
    """

    pairs: Ints
    runs: Ints
    idle: Ints
    prefix: int

    def halves(self) -> tuple[Chunk, Chunk] | None:
        """The same work in two, by pairs or else by runs; None for a single run on a pair."""
        if len(self.pairs) > 1:
            one, two = np.array_split(self.pairs, 2)
            return tuple(Chunk(p, self.runs, self.idle, self.prefix) for p in (one, two))  # type: ignore[return-value]
        if len(self.runs) > 1:
            one, two = np.array_split(self.runs, 2)
            first = Chunk(self.pairs, one, self.idle, self.prefix)
            return first, Chunk(self.pairs, two, self.idle[:0], self.prefix)
        return None


def in_halves(
    work: Sequence[Work],
    do: Callable[[Work], Done],
    halves: Callable[[Work], tuple[Work, ...] | None],
    n_positions: int,
) -> Iterator[tuple[Work, Done]]:
    """Do each piece of work; where the device runs out of memory, its halves in its place.

    Args:
        work: in order.
        do: leaves nothing behind where it fails.
        halves: of a piece; None where it cannot be cut.
        n_positions: of the prompts, for the message.

    Raises:
        MediationError: a piece that cannot be cut does not fit.
    """
    left = list(reversed(work))
    while left:
        piece = left.pop()
        try:
            done = do(piece)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            parts = halves(piece)
            if parts is None:
                raise _too_large(n_positions, error) from error
        else:
            yield piece, done
            continue
        # Outside the handler, which would keep the failed pass's tensors alive.
        left += reversed(parts)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def half_of(pairs: Ints) -> tuple[Ints, ...] | None:
    """Some pairs in two parts; None for one."""
    return tuple(np.array_split(pairs, 2)) if len(pairs) > 1 else None


def _too_large(n_positions: int, error: BaseException) -> MediationError:
    return MediationError(
        "A single run on a single pair does not fit the device's memory.",
        value=f"a prompt of {n_positions} tokens: {(str(error).splitlines() or [''])[0]}",
        expected="memory for one forward pass beside the weights",
        fix="a shorter prompt, a smaller dtype, or load(..., device='cpu')",
    )


def cut(
    lm: LM, template: Template, n_pairs: int, *, n_once: int = 0, budget: int | None = None
) -> Iterator[Chunk]:
    """Chunks of pairs, or of runs where those of one pair are too many, of equal size.

    Runs that are what they are by construction cost nothing and go with the first chunk; so do
    the last ``n_once`` runs, on the first pairs alone. Runs are taken in the order of the first
    position that they change, and where that saves more than it costs in bands of it: what comes
    before a band is computed once for each prompt.
    """
    asked = np.arange(template.n_runs - n_once)
    live = asked[~template.implied[asked]]
    idle = asked[template.implied[asked]]
    once = np.arange(template.n_runs - n_once, template.n_runs)
    extra = template.n_bases + _n_lenders(template)
    n_positions = template.frame.n_positions
    per_pair = len(live) + len(once) + extra
    room = max_rows(lm, template, budget, per_pair)
    at_once = max(1, min(n_pairs, room // per_pair))
    first = True
    for pairs in np.array_split(np.arange(n_pairs), -(-n_pairs // at_once)):
        for band in _bands(lm, template, live, len(pairs)):
            per_part = max(1, room // len(pairs) - extra - len(once))
            for some in np.array_split(band, max(1, -(-len(band) // per_part))):
                runs = np.concatenate([some, once]) if first else some
                start = int(min(template.first[runs], default=n_positions))
                prefix = _prefix(lm, template, start, len(runs) * len(pairs))
                yield Chunk(pairs, runs, idle, prefix)
                first, idle = False, idle[:0]
        idle = asked[template.implied[asked]]


def _bands(lm: LM, template: Template, live: Ints, n_pairs: int) -> list[Ints]:
    """Runs that begin to differ at about the same position, so that little is computed twice."""
    keys = [(template.first[r], template.start[r], template.paths[r]) for r in live.tolist()]
    order = live[sorted(range(len(keys)), key=keys.__getitem__)] if len(live) else live
    if not lm.lends_prefix or not len(live):
        return [order]
    n, first = template.frame.n_positions, template.first[order]
    # Of the runs from each on: the blocks that they go through, and those times their position.
    blocks = np.maximum(template.frame.n_stages - 1 - template.start[order], 0)
    left, weighed = (np.cumsum(some[::-1])[::-1] for some in (blocks, blocks * first))
    bands: list[Ints] = []
    start = 0
    for stop in (np.flatnonzero(np.diff(first)) + 1).tolist():
        tokens = (stop - start) * n_pairs * (n - first[start])
        saved = n_pairs * (weighed[stop] - first[start] * left[stop])
        if tokens >= BAND_TOKENS and saved >= PREFIX_PAYS * lm.n_layers:
            bands.append(order[start:stop])
            start = stop
    return [*bands, order[start:]]


def _prefix(lm: LM, template: Template, start: int, n_rows: int) -> int:
    """How many positions to compute once per prompt instead of once per row."""
    start = min(start, *template.frame.read_at, template.frame.n_positions - 1)
    return start if lm.lends_prefix and start * n_rows >= PREFIX_PAYS else 0


def _n_lenders(template: Template) -> int:
    return len(template.base) - template.n_runs


def max_rows(
    lm: LM, template: Template, budget: int | None = None, per_pair: int | None = None
) -> int:
    """How many rows fit the budget at the positions this template computes.

    Args:
        lm: the model.
        template: of the runs.
        budget: bytes; None asks the machine.
        per_pair: rows that a pair has, which share what its prompts lend them; None for a batch
            to which nothing is lent.
    """
    free = chunk_bytes(lm) if budget is None else budget
    each = row_bytes(lm, template)
    limit = free // each
    if per_pair is not None:
        lent = _lent_bytes(lm, template)
        limit = free // (each + lent // per_pair)
        if limit < per_pair:
            # The rows of a single pair are cut, and each part has all that they share.
            limit = (free - lent) // each
    if limit < FEWEST_ROWS:
        _say_too_small(free, FEWEST_ROWS * each + _lent_bytes(lm, template))
    if lm.device.type == "cpu":
        limit = min(limit, CPU_TOKENS // _computed(lm, template))
    return max(FEWEST_ROWS, int(limit))


def rows_captured(
    lm: LM,
    template: Template,
    places: Sequence[tuple[int, str]],
    budget: int | None = None,
    rows: int = 1,
) -> int:
    """How many prompts fit the budget, whole ones, in a pass that hands out what they are.

    Args:
        lm: the model.
        template: of the runs that it is for.
        places: (stage, point) of what is handed out, whole activations of all positions.
        budget: bytes; None asks the machine.
        rows: of the pass for each prompt, where others go beside it.
    """
    free = chunk_bytes(lm) if budget is None else budget
    positions = template.frame.n_positions
    each = rows * row_bytes(lm, template, places) + _captured_bytes(lm, positions, places)
    if free < each:
        _say_too_small(free, each)
    limit = free // each
    if lm.device.type == "cpu":
        limit = min(limit, CPU_TOKENS // positions)
    return max(1, int(limit))


def _say_too_small(free: int, needed: int) -> None:
    mib = 2**20
    warnings.warn(
        f"One run of these prompts needs some {-(-needed // mib)} MiB beside the weights, more "
        f"than the budget of {free // mib} MiB. Runs go one at a time, above the budget; shorter "
        "prompts or a smaller dtype need less.",
        stacklevel=3,
    )


def row_bytes(lm: LM, template: Template, places: Sequence[tuple[int, str]] = ()) -> int:
    """Bytes of one row at the widest moment of a pass: in attention, in an MLP, or at the logits.

    Fitted to peaks of resident memory (GPT-2, GPT-NeoX, Llama, Gemma 2; 15 to 500 tokens), which
    it hits within a few per cent or exceeds: what was freed a moment ago is still resident.

    Args:
        lm: the model.
        template: of the runs.
        places: (stage, point) of what is captured, of all positions; what that takes is not in it.
    """
    positions = template.frame.n_positions
    computed = positions if places else _computed(lm, template)
    size = torch.empty((), dtype=lm.dtype).element_size()
    heads, keys = lm.n_heads * lm.d_head, lm.n_kv_heads * lm.d_head
    attention = computed * (3 * lm.d_model + 6 * heads + 6 * keys)
    attention += template.frame.source * (lm.d_model + 4 * heads)  # each row has its own keys
    attention += computed * lm.d_mixer * (6 + 4 * lm.d_state)  # a scan keeps a state a position
    if computed < positions:
        attention += 4 * heads * positions  # keys and values of the prefix, and with the new ones
    if _eager(lm, template, places) or (
        attending.fits(lm) and positions * computed <= attending.SHORT
    ):
        attention += 2 * lm.n_heads * positions * computed
    mlp = computed * (3 * lm.d_mlp + 8 * lm.d_model)
    # Half precision is read as single precision.
    logits = lm.vocabulary * (2 * len(template.frame.read_at) + (4 // size if size < 4 else 0))
    return size * max(attention, mlp, logits)


def _lent_bytes(lm: LM, template: Template) -> int:
    """Bytes of the keys and values, of all layers, that a pair's prompts lend its rows."""
    shared = template.frame.n_positions - _computed(lm, template)
    size = torch.empty((), dtype=lm.dtype).element_size()
    return template.n_bases * lm.n_layers * 2 * lm.n_kv_heads * lm.d_head * shared * size


def _captured_bytes(lm: LM, n_positions: int, places: Sequence[tuple[int, str]]) -> int:
    """Bytes that a prompt's values take at all places, and what is made of one at a time.

    It is copied as it is captured, and summed up in double precision.
    """
    size = torch.empty((), dtype=lm.dtype).element_size()
    widths = [lm.width_at(point, n_positions) for _, point in places]  # type: ignore[arg-type]
    return n_positions * (size * sum(widths) + (size + 8) * max(widths))


def _eager(lm: LM, template: Template, places: Sequence[tuple[int, str]]) -> bool:
    """Whether attention scores are tensors, and not inside one kernel."""
    config = getattr(lm.hf, "config", None)
    named = getattr(config, "_attn_implementation", None) == "eager"
    named |= any(point == "pattern" for _, point in places)
    return named or bool((template.entries.point == POINTS.index("pattern")).any())


def _computed(lm: LM, template: Template) -> int:
    shared = template.shared if lm.lends_prefix else 0
    return max(1, template.frame.n_positions - shared)
