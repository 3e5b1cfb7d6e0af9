"""What mediators are compared on: tasks of the teaching model, and models whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mediawidget as mw

LAYER = 4
"""Before this block the last token holds what each of the tasks is answered by."""

N_PAIRS = 64
N_PLANTED = 256
"""Of a model of a thousand weights: what is trained needs so many to find one direction."""

OTHERS = 16
"""Pairs of each other question."""

TASKS = ("ioi", "facts", "agreement", "induction")


@dataclass(frozen=True)
class Subject:
    """A question and the site at which mediators carry it.

    Attributes:
        name: for the table.
        lm: the model.
        fit, test: pairs that mediators are found on, and others that they are judged on; of other
            templates where there are several.
        others: by name pairs that ask for something else of the same site.
        site: where the residual stream is cut.
        sae: of the same site, where there is one.
        known: (width,) the direction that was built in; None where nothing is known.
        templates: whether the two halves share no template.
    """

    name: str
    lm: mw.LM
    fit: mw.Contrast
    test: mw.Contrast
    others: Mapping[str, mw.Contrast]
    site: mw.Site
    sae: mw.features.SAE | None = None
    known: NDArray[np.float64] | None = None
    templates: bool = False


def taught(n: int = N_PAIRS, tasks: tuple[str, ...] = TASKS) -> list[Subject]:
    """Tasks of the teaching model, before one block at the last token."""
    lm = mw.load()
    contrasts = {name: getattr(mw.tasks, name)(lm, n=n, seed=0) for name in TASKS}
    site, sae = mw.Site("residual", LAYER, position="END"), mw.features.teaching(LAYER)
    found = []
    for name in tasks:
        fit, test = mw.directions.halves(mw.Study(lm, contrasts[name]))
        others = {other: some[:OTHERS] for other, some in contrasts.items() if other != name}
        several = len({pair.template for pair in contrasts[name]}) > 1
        halves = (_single(fit.contrast), test.contrast)
        found.append(Subject(name, lm, *halves, others, site, sae, templates=several))
    return found


def planted(n: int = N_PLANTED, *, rotated: bool) -> Subject:
    """XOR of two variables, each one direction of the stream, among noise that is larger.

    The first variable is asked for; pairs of the second are what else the site carries.
    """
    lm = mw.models.planted_subspace("XOR", rotated=rotated)
    fit, test, second = (_planted_pairs(n // 2, at, seed) for at, seed in ((0, 0), (0, 1), (1, 2)))
    site = mw.Site("residual", 1, position="END")
    name = "planted XOR, rotated" if rotated else "planted XOR, in coordinates"
    turn: Any = lm.hf.planted
    return Subject(name, lm, fit, test, {"second variable": second}, site, known=turn[0].numpy())


def _planted_pairs(n: int, changed: int, seed: int) -> mw.Contrast:
    """Prompts that differ in one variable and in the noise; the other variable is drawn."""
    draw = random.Random(seed)
    pairs: list[mw.PromptPair] = []
    while len(pairs) < n:
        value, other = draw.randrange(2), draw.randrange(2)
        words = []
        for own in (value, 1 - value):
            a, b = (own, other) if changed == 0 else (other, own)
            words.append(f"<s> {a} {b} n{draw.randrange(16)}")
        right, wrong = ("yes", "no") if value != other else ("no", "yes")
        roles = {"first input": 1, "second input": 2, "END": 3}
        pairs.append(mw.PromptPair(words[0], words[1], right, wrong, roles))
    return mw.Contrast(pairs, f"variable {changed}")


def _single(contrast: mw.Contrast) -> mw.Contrast:
    """The same with one answer a prompt, the first of a set: what is trained needs one."""
    pairs = [replace(p, answer=p.answers[0], wrong=p.wrongs[0]) for p in contrast]
    return mw.Contrast(pairs, contrast.name)
