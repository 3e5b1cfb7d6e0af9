"""Questions whose directions are known: what the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

import mediawidget as mw
from mediawidget.models._ioi_mini import BLOCK, WIDTH
from mediawidget.models._vocabulary import END, NAMES, START
from tests.engine.cases import lm_of
from tests.engine.judging import pairs_of

#: Where the S-inhibition head of ``ioi_mini`` has written, and what reads it is still to come.
STREAM = mw.Site("residual", 2, position=4)
HIDDEN = mw.Site("neurons", 5, position="END")


def block(name: str) -> mw.Subspace:
    """The coordinates of one of the blocks of ``ioi_mini``."""
    return mw.Subspace(np.eye(WIDTH)[BLOCK[name]])


@lru_cache
def ioi() -> mw.Study:
    """Four pairs of names, the second mention flipped, each both ways round."""
    pairs = []
    for first, second in zip(NAMES[::2], NAMES[1::2], strict=True):
        for s, io in ((first, second), (second, first)):
            clean, corrupt = (f"{START} {first} {second} {who} {END}" for who in (s, io))
            pairs.append(mw.PromptPair(clean, corrupt, io, s, {"S2": 3, "END": 4}))
    return mw.Study(mw.models.ioi_mini(), mw.Contrast(pairs, "names"))


def of_one_order() -> mw.Study:
    """The pairs of ``ioi`` in which the first name comes twice: their means differ."""
    whole = ioi()
    return mw.Study(whole.lm, mw.Contrast(list(whole.contrast)[::2], "one order"))


@lru_cache
def verbs() -> mw.Study:
    """Singular or plural on the teaching model: answers that are the same in all pairs."""
    lm = mw.load()
    return mw.Study(lm, mw.tasks.agreement(lm, n=24, seed=0))


@lru_cache
def small(kind: str = "gpt2", n: int = 4) -> mw.Study:
    """A random model in double precision; the answer of a pair is what its clean prompt favours."""
    drawn = mw.Study(lm_of(kind), pairs_of(kind, n))
    favoured = drawn.total.pairs("TE") > 0
    pairs = [
        pair if yes else replace(pair, answer=pair.wrong, wrong=pair.answer)
        for pair, yes in zip(drawn.contrast, favoured, strict=True)
    ]
    return mw.Study(lm_of(kind), pairs)


def values(study: mw.Study, site: mw.Site) -> tuple[np.ndarray, np.ndarray]:
    """(pair * position, width) on the clean and on the corrupt prompts."""
    both = (study.activations(site, base).array for base in ("clean", "corrupt"))
    clean, corrupt = (array.reshape(-1, array.shape[-1]) for array in both)
    return clean, corrupt
