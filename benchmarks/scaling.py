"""Whether twice the arithmetic takes twice the time: more pairs, more layers, more heads."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from . import case, subject
from .case import Case

SMALL = {"n_layer": 6, "n_head": 6, "n_embd": 384}


@dataclass(frozen=True)
class Doubling:
    """What was doubled, by how much the operations and the seconds grew."""

    words: str
    operations: float
    seconds: float

    @property
    def ratio(self) -> float:
        """1 where time follows arithmetic, less where something is only paid once."""
        return self.seconds / self.operations


def measure(sizes: Mapping[str, int], rounds: int) -> list[Doubling]:
    """Sweeps of all heads beside sweeps of one that is twice as large, in turns."""
    wider = {"n_head": 2 * sizes["n_head"], "n_embd": 2 * sizes["n_embd"]}
    base = subject.gpt2(**sizes)
    cases = {
        "": _case(base, 2),
        "pairs": _case(base, 4),
        "layers": _case(subject.gpt2(**{**sizes, "n_layer": 2 * sizes["n_layer"]}), 2),
        "heads of the same width": _case(subject.gpt2(**{**sizes, **wider}), 2),
    }
    rng = random.Random(0)
    for number in range(rounds + 1):
        for one in cases.values():
            case.measure(one, rng, {})
            del one.ours[: number == 0]  # the first warms up
    once = cases.pop("")
    return [
        Doubling(words, one.needed / once.needed, median(one.ours) / median(once.ours))
        for words, one in cases.items()
    ]


def _case(target: subject.Subject, n_pairs: int) -> Case:
    return Case("", target, "head", lambda rng: [target.pair(1, rng) for _ in range(n_pairs)])
