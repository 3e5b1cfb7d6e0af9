"""The first study, in the terminal: which attention heads carry the answer?"""

from __future__ import annotations

import time
from collections.abc import Iterable
from math import isfinite

from ..effects import Effect
from ..lm import LM
from ..loading import load
from ..prompts import Contrast
from ..study import Study
from ..tasks import ioi
from ..validity import Check

N_PAIRS = 16
N_HEADS = 8
BAR = 20
"""Characters for a share of 100 %."""


def main() -> int:
    """Run the study and print it; 1 where a check failed, else 0."""
    started = time.perf_counter()
    lm = load()
    contrast = ioi(lm, n=N_PAIRS, seed=0)
    study = Study(lm, contrast)
    loaded = time.perf_counter()
    effect = study.sweep("head")
    swept = time.perf_counter()

    print("\n".join(introduction(lm, contrast, effect)))
    print("\n".join(strongest_heads(effect)))
    print("\n".join(checks(effect.checks)))
    print(
        f"{effect.status.size} heads x {effect.n_pairs} pairs, both directions: "
        f"{swept - loaded:.2f} s (loading: {loaded - started:.1f} s)"
    )
    return int(any(check.ok is False for check in effect.checks))


def introduction(lm: LM, contrast: Contrast, effect: Effect) -> Iterable[str]:
    """Say what is asked of which model, on which prompts, in which unit."""
    pair = contrast.pairs[0]
    yield ""
    yield lm.describe()
    yield ""
    yield "Which attention heads carry the answer?"
    yield f"  clean    {pair.clean} ... {pair.answer_text}"
    yield f"  corrupt  {pair.corrupt} ... {pair.wrong_text}"
    yield f"  (the first of {effect.n_pairs} pairs; every number is their mean)"
    yield f"  {effect.metric.label(pair.answer_text.strip(), pair.wrong_text.strip())}"
    yield (
        f"    clean {effect['Y11'].flat[0]:+.2f}, corrupt {effect['Y00'].flat[0]:+.2f}, "
        f"total effect {effect['TE'].flat[0]:+.2f}"
    )
    yield ""


def strongest_heads(effect: Effect, n: int = N_HEADS) -> Iterable[str]:
    """Return a line per head, strongest first, in the metric's unit and in % of the total effect.

    Restore (PIE): the corrupt run with the head's clean value. Break (TIE): what the clean run
    loses with its corrupt value. Their difference is the interaction. The bars are Restore's:
    right of the line toward the clean answer, left of it away from it.
    """
    table = effect.top(n)
    total = float(effect["TE"].flat[0])
    shares = [restore / total for restore in table["PIE"]]
    left = max((len(bar(share)) for share in shares if share < 0), default=0)
    yield "  head      Restore (PIE)     Break (TIE)"
    rows = zip(table["site"], table["PIE"], table["TIE"], shares, strict=True)
    for site, restore, broken, share in rows:
        sides = (bar(share), "") if share < 0 else ("", bar(share))
        numbers = f"{restore:+8.2f} {share:>6.0%}  {broken:+8.2f} {broken / total:>6.0%}"
        yield f"  {site:<6} {numbers}  {sides[0]:>{left}}|{sides[1]}"
    yield ""


def bar(share: float) -> str:
    """A share's size in characters; one that is beyond 100 % ends in an arrow."""
    if not isfinite(share):
        return ""
    length = round(BAR * abs(share))
    if length <= BAR:
        return "#" * length
    return "<" + "#" * (BAR - 1) if share < 0 else "#" * (BAR - 1) + ">"


def checks(results: Iterable[Check]) -> Iterable[str]:
    """Return a line per check: passed, failed, or not applicable."""
    marks = {True: "ok    ", False: "FAILED", None: "n/a   "}
    yield "Checks"
    for check in results:
        yield f"  {marks[check.ok]}  {check.name}: {check.words}"
    yield ""
