"""Measure everything in one run, say it in one table, and keep it in RESULTS.md."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

import mediawidget as mw
from mediawidget.encoding import TokenPair

from . import clock, plain_hooks, subject
from .clicks import click_milliseconds
from .lens import Lens
from .report import write

FIRST_DIFFERENCES = (9, 1)
"""Where the prompts part: late, as in most tasks, and right after the start token."""

ALLOWED = 1e-4
"""How far two programs' logit differences may part in float32."""

UNITS = 12
"""Plain forwards whose median is the unit of one round."""

Grid = NDArray[np.float64]
Grids = Callable[[TokenPair], tuple[Grid, float]]


@dataclass
class Case:
    """What was measured at one first difference, a value a round."""

    first_difference: int
    unit: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    flat: list[float] = field(default_factory=list)
    lens: list[float] = field(default_factory=list)
    gap_flat: float = 0.0
    gap_lens: float = 0.0
    largest_effect: float = 0.0

    def forwards(self) -> float:
        """Our time in plain forwards."""
        return _ratio(self.ours, self.unit)

    def flat_ratio(self) -> float:
        """Plain hooks' time over ours."""
        return _ratio(self.flat, self.ours)

    def lens_ratio(self) -> float | None:
        """TransformerLens's time over ours; None where it was left out."""
        return _ratio(self.lens, self.ours) if self.lens else None


def _ratio(above: list[float], below: list[float]) -> float:
    return median(a / b for a, b in zip(above, below, strict=True))


def our_grid(lm: mw.LM, pair: mw.PromptPair) -> tuple[mw.Study, Grid]:
    """A fresh study's head grid with all its checks: (Y01 or Y10, layer, head)."""
    study = mw.Study(lm, pair)
    effect = study.sweep("head", progress=False)
    failed = [check.words for check in effect.checks if check.name in _MUST and not check.ok]
    if failed:
        raise SystemExit("bench: " + " ".join(failed))
    return study, np.stack([effect["Y01"], effect["Y10"]])


_MUST = ("edit fired", "self-patch", "full cut", "plain forward")


def measure_unit(model: torch.nn.Module, pair: TokenPair) -> float:
    """Processor seconds of one plain last-token forward of one prompt."""
    ids = torch.from_numpy(pair.clean)[None]
    with torch.no_grad():
        times = [clock.timed(lambda: plain_hooks.forward(model, ids))[1] for _ in range(UNITS)]
    return median(times)


def measure_round(
    case: Case, target: subject.Subject, lm: mw.LM, rng: random.Random, lens: Grids | None
) -> None:
    """One fresh pair through all programs, the unit before and after."""
    pair = target.pair(case.first_difference, rng)
    (study, ours), seconds = clock.timed(lambda: our_grid(lm, pair))
    tokens = study.token_pairs[0]
    if tokens.first_difference != case.first_difference or len(tokens) != subject.N_TOKENS:
        raise SystemExit(f"bench: the pair is not what was asked for: {tokens}")
    before = measure_unit(target.hf, tokens)
    flat, flat_seconds = clock.timed(lambda: plain_hooks.head_grid(target.hf, tokens))
    case.gap_flat = max(case.gap_flat, float(np.abs(ours - flat).max()))
    if lens is not None:
        theirs, lens_seconds = lens(tokens)
        case.gap_lens = max(case.gap_lens, float(np.abs(ours - theirs).max()))
        case.lens.append(lens_seconds)
    case.unit.append((before + measure_unit(target.hf, tokens)) / 2)
    case.ours.append(seconds)
    case.flat.append(flat_seconds)
    base = study.total
    unpatched = np.array([base["Y00"], base["Y11"]]).reshape(2, 1, 1)
    case.largest_effect = max(case.largest_effect, float(np.abs(ours - unpatched).max()))
    if max(case.gap_flat, case.gap_lens) > ALLOWED:
        raise SystemExit(f"bench: the programs disagree: {case}")


def measure(target: subject.Subject, rounds: int, lens: Grids | None) -> list[Case]:
    """All cases, round by round, so that a change of the machine's pace meets all alike."""
    torch.set_num_threads(1)
    lm = mw.load(target.hf, tokenizer=target.tokenizer)
    rng = random.Random(0)
    our_grid(lm, target.pair(FIRST_DIFFERENCES[0], rng))  # Warm: the first trace reads sources.
    cases = [Case(first) for first in FIRST_DIFFERENCES]
    for number in range(rounds):
        for case in cases:
            measure_round(case, target, lm, rng, lens)
        print(f"bench: round {number + 1} of {rounds}", flush=True)
    return cases


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="fresh pairs per case")
    parser.add_argument("--no-lens", action="store_true", help="without TransformerLens")
    options = parser.parse_args()
    started = time.monotonic()
    target = subject.make()
    click = click_milliseconds()
    if options.no_lens:
        cases = measure(target, options.rounds, None)
    else:
        with Lens(target) as lens:
            cases = measure(target, options.rounds, lens.head_grid)
    # Only a whole run is kept.
    keep = None if options.no_lens else Path(__file__).parent / "RESULTS.md"
    print(write(cases, click, keep))
    print(f"bench: {time.monotonic() - started:.0f} s")
    return 0
