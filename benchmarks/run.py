"""Measure everything in one run, say it in one table, and keep it."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import torch

import mediawidget as mw
from mediawidget import chunks

from . import case, clock, flat_hooks, memory, scaling, subject, traces
from .case import Case, Peer
from .clicks import click_seconds
from .estimates import estimate_seconds
from .lens import Lens
from .memory import MIB, Ask
from .report import MAIN, Report
from .rows import ALL, LONG, large_cases, long_cases, parted, small_cases, teaching_cases
from .subject import Subject

BUDGETS = (64, 128, 256, 512)


def measure(report: Report, cases: list[Case], rounds: int, *, lens: bool) -> None:
    """Cases of one model, round by round, so that a change of pace meets all alike."""
    target, rng = cases[0].target, random.Random(0)
    peers: dict[str, Peer] = {
        "trace": lambda pair, cells, _: traces.grid(target.hf, pair, cells),
        "flat": lambda pair, cells, _: flat_hooks.grid(target.hf, pair, cells),
    }
    with ExitStack() as stack:
        if lens:
            peers["lens"] = stack.enter_context(Lens(target)).grid
        # The first trace reads sources, and each program's first run wakes its threads.
        warm = Case("", target, "head", cases[0].draw, ALL, range(1), 2)
        case.measure(warm, rng, peers)
        for number in range(rounds):
            for one in cases:
                if number < one.rounds:
                    case.measure(one, rng, peers)
            print(f"bench: {target.name}, round {number + 1} of {rounds}", flush=True)
    report.cases += cases
    for one in cases:
        print("bench:", *report.row(one), flush=True)


def without_bands(one: Case, rounds: int) -> str:
    """What it gains to compute shared positions once, in bands."""
    rng, seconds = random.Random(1), []
    with case.threads(one.threads):
        for _ in range(rounds):
            pairs = one.draw(rng)
            _, ours = clock.timed(lambda: case.sweep(one, pairs))  # noqa: B023 - called at once
            with mock.patch.multiple(chunks, PREFIX_PAYS=10**12, BAND_TOKENS=10**12):
                _, plain = clock.timed(lambda: case.sweep(one, pairs))  # noqa: B023
            seconds.append((ours, plain))
    gain = case.ratio([plain for _, plain in seconds], [ours for ours, _ in seconds])
    return f"{one.words}, {one.n_tokens} tokens: without shared prefixes {gain:.1f} times as long."


def clicks(target: Subject, draw: Callable[[random.Random], Any]) -> str:
    """The time of a click beside that of a forward."""
    one = Case("", target, "head", draw, ALL)
    with case.threads(ALL):
        pairs = draw(random.Random(2))
        seconds = click_seconds(target.lm, pairs[0])
        unit = case.measure_unit(one, mw.Study(target.lm, pairs[:1]).token_pairs[0])
    forwards = max(0.0, seconds - 0.005) / unit
    return (
        f"A click (`study.intervene(site)`, one pair, any head), {target.name}: "
        f"{1000 * seconds:.1f} ms, which is 5 ms and {forwards:.2f} forwards."
    )


def estimates(target: Subject, draw: Callable[[random.Random], Any]) -> str:
    """The time of estimates of all heads and of all neurons."""
    with case.threads(ALL):
        pair = draw(random.Random(3))[0]
        heads, neurons = (estimate_seconds(target.lm, pair, m) for m in ("head", "neuron"))
    return (
        f"An estimate (`study.estimate`, one pair, both directions), {target.name}: "
        f"{heads:.2f} s for all heads, {neurons:.2f} s for all "
        f"{target.lm.n_layers * target.lm.d_mlp:,} neurons."
    )


def peaks(budgets: Iterable[int]) -> list[tuple[Ask, int]]:
    """Peak memory under several budgets, where it can be seen."""
    asks = [Ask("gpt2", {}, "head", None, 15, 1, 1, budget * MIB) for budget in budgets]
    asks += [
        Ask("gpt2", LONG, "residual", "position", 512, 384, 1, budget * MIB, [4])
        for budget in budgets
    ]
    return [(ask, memory.measure(ask)) for ask in asks] if memory.possible() else []


def everything(rounds: int, *, lens: bool) -> Report:
    """The whole benchmark."""
    report = Report()
    small, long, teaching = subject.gpt2(), subject.gpt2(**LONG), subject.teaching()
    report.notes += [
        clicks(small, parted(small, 9)),
        clicks(teaching, teaching_cases(teaching)[0].draw),
        estimates(small, parted(small, 9)),
    ]
    measure(report, small_cases(small), rounds, lens=lens)
    cases = long_cases(long)
    measure(report, cases, rounds, lens=lens)
    report.notes.append(without_bands(cases[-1], 1))
    measure(report, teaching_cases(teaching), rounds, lens=lens)
    if torch.cuda.is_available():
        measure(report, large_cases(subject.llama()), rounds, lens=False)
    report.doublings = scaling.measure(scaling.SMALL, min(rounds, 2))
    report.peaks = peaks(BUDGETS)
    return report


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="fresh prompts per row, at most")
    parser.add_argument("--no-lens", action="store_true", help="without TransformerLens")
    parser.add_argument(
        "--keep", default=MAIN, metavar="FILE", help=f"in benchmarks/, which keeps it: {MAIN}"
    )
    options = parser.parse_args()
    if options.no_lens and options.keep != MAIN:
        parser.error("--keep with --no-lens: only a whole run is kept")
    started = time.monotonic()
    text = everything(options.rounds, lens=not options.no_lens).text(options.keep)
    print(text)
    if not options.no_lens:  # Only a whole run is kept.
        (Path(__file__).parent / options.keep).write_text(text, encoding="utf-8")
    print(f"bench: {time.monotonic() - started:.0f} s")
    return 0
