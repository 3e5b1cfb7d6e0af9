"""One row of the table: a sweep, and the other programs on the same cells."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from statistics import median
from unittest import mock

import numpy as np
import torch

import mediawidget as mw
from mediawidget import products
from mediawidget.encoding import TokenPair

from . import arithmetic, clock, flat_hooks, rate
from .cells import Answer, Cell, Grid, Kind, all_cells, spread
from .subject import Subject

Peer = Callable[[TokenPair, Sequence[Cell], int], Answer]

ALLOWED = 1e-4
"""How far two programs' logit differences may part in float32."""

BATCH = 32
"""Both ways 64 rows of 15 positions: 960, from where on larger batches gain a CPU nothing."""

UNITS = 6
"""Plain forwards whose median is the unit of one round, before and after what it measures."""

ALONE = 3
"""Times that the runs alone are timed in a round, for their median."""

_MUST = ("edit fired", "self-patch", "full cut", "plain forward")


@dataclass
class Case:
    """A sweep on fresh pairs, a value a round.

    Attributes:
        words: for the table.
        draw: makes the pairs of a round.
        by_torch: ours computes by torch's own products too, as the other programs do.
        layers: which of them; None for all.
        ours: seconds of the sweep. alone: of its runs without the checks and what is made of them.
        rates: of matrix products, before and after each.
        sampled: on how many cells, spread evenly, of the first pair other programs are timed;
            those that take many at once on ``BATCH``.
        needed: operations of the runs. checking: of the checks.
        gap: the largest difference between the programs' numbers. effect: the largest of a patch.
    """

    words: str
    target: Subject
    kind: Kind
    draw: Callable[[random.Random], Sequence[mw.PromptPair]]
    threads: int = 1
    layers: range | None = None
    sampled: int = 12
    rounds: int = 3
    by_torch: bool = False
    unit: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    rates: list[rate.Rate] = field(default_factory=list)
    peers: dict[str, list[float]] = field(default_factory=dict)
    needed: float = 0.0
    checking: float = 0.0
    gap: float = 0.0
    effect: float = 0.0
    parted: int = 0
    n_tokens: int = 0

    @property
    def forwards(self) -> float:
        """Our time in plain forwards."""
        return ratio(self.ours, self.unit)

    def over_ours(self, peer: str) -> float | None:
        """Another program's time over ours; None where it was left out."""
        return ratio(self.peers[peer], self.ours) if self.peers.get(peer) else None

    def share(self, *, of_torch: bool = False) -> float:
        """Of the rate of the library that computes, that of the whole sweep's operations.

        Args:
            of_torch: of the rate of torch's own products, whoever computes.
        """
        return (self.needed + self.checking) * ratio(self._paces(of_torch=of_torch), self.ours)

    @property
    def share_alone(self) -> float:
        """The same of the runs without the checks."""
        return self.needed * ratio(self._paces(), self.alone)

    def _paces(self, *, of_torch: bool = False) -> list[float]:
        """Seconds an operation takes at that rate, one a round."""
        own = self.by_torch or of_torch
        return [1 / (rate.own if own else rate.quickest) for rate in self.rates]


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median over rounds."""
    return median(a / b for a, b in zip(above, below, strict=True))


def sweep(case: Case, pairs: Sequence[mw.PromptPair]) -> tuple[mw.Study, Grid]:
    """A fresh study's sweep with all its checks: (pair, Y01 or Y10, cell)."""
    study = mw.Study(case.target.lm, pairs)
    by = "position" if case.kind == "residual" else None
    layers = case.layers or range(case.target.lm.n_layers)
    effect = study.sweep(case.kind, by, layers=list(layers), progress=False)
    failed = [check.words for check in effect.checks if check.name in _MUST and not check.ok]
    if failed:
        raise SystemExit("bench: " + " ".join(failed))
    grids = [effect.pairs(key).reshape(len(pairs), -1) for key in ("Y01", "Y10")]
    return study, np.stack(grids, axis=1)


def head_runs(case: Case) -> list[mw.Run]:
    """The runs of a sweep over heads, and no others."""
    lm = case.target.lm
    layers = case.layers or range(lm.n_layers)
    sites = [mw.Site("head", layer, head=head) for layer in layers for head in range(lm.n_heads)]
    return [mw.Run(base, {site: mw.Patch()}) for base in ("corrupt", "clean") for site in sites]


def measure(case: Case, rng: random.Random, peers: Mapping[str, Peer]) -> None:
    """One round: fresh pairs through all programs, the unit before and after."""
    with threads(case.threads):
        pairs = case.draw(rng)
        before_all = rate.measure(case.target.lm)
        with by_torch() if case.by_torch else nullcontext():
            (study, ours), seconds = clock.timed(lambda: sweep(case, pairs))
            if case.kind == "head":
                case.alone.append(runs_alone(case, study))
        case.rates.append(before_all.mean(rate.measure(case.target.lm)))
        token_pairs = study.token_pairs
        before = measure_unit(case, token_pairs[0])
        first, n_tokens = token_pairs[0].first_difference, len(token_pairs[0])
        layers = case.layers or range(case.target.lm.n_layers)
        cells = all_cells(case.target.lm, case.kind, layers, n_tokens)
        for name, peer in peers.items():
            n_cells = max(case.sampled, BATCH * 15 // n_tokens if name == "flat" else 0)
            some = spread(cells, n_cells)
            answer = peer(token_pairs[0], [cells[i] for i in some], case.threads)
            whole = answer.sources + answer.cells * len(cells) / len(some)
            case.peers.setdefault(name, []).append(whole * len(pairs))
            case.gap = max(case.gap, float(np.abs(ours[0][:, some] - answer.values).max()))
        case.unit.append((before + measure_unit(case, token_pairs[0])) / 2)
    case.ours.append(seconds)
    case.parted, case.n_tokens = first, n_tokens
    size = arithmetic.Sizes.of(case.target.lm)
    case.needed = len(pairs) * arithmetic.needed(size, n_tokens, first, cells)
    case.checking = arithmetic.checks(size, n_tokens, first, cells)
    unpatched = np.stack([study.known_total.pairs(key) for key in ("Y00", "Y11")], axis=1)
    case.effect = max(case.effect, float(np.abs(ours - unpatched[..., None]).max()))
    if case.target.lm.dtype == torch.float32 and not case.gap <= ALLOWED:
        raise SystemExit(f"bench: the programs disagree by {case.gap:.1g}: {case.words}")


def runs_alone(case: Case, study: mw.Study) -> float:
    """Seconds of a sweep's runs without its checks and what is made of them."""
    runs = head_runs(case)
    times = [clock.timed(lambda: study.engine.evaluate(runs))[1] for _ in range(ALONE)]
    return median(times)


def measure_unit(case: Case, pair: TokenPair) -> float:
    """Seconds of one plain last-token forward of one prompt."""
    ids = torch.from_numpy(pair.clean)[None].to(case.target.lm.device)
    with torch.no_grad():
        runs = [clock.timed(lambda: flat_hooks.forward(case.target.hf, ids)) for _ in range(UNITS)]
    return median(seconds for _, seconds in runs)


def by_torch() -> AbstractContextManager[object]:
    """Compute by torch's own products."""
    return mock.patch.object(products, "pays", return_value=False)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Compute with so many."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
