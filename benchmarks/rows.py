"""The rows of the table: which sweeps, on which models and prompts."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch

import mediawidget as mw
from mediawidget.products import pays

from .case import Case
from .subject import Subject

ALL = torch.get_num_threads()
LONG = {"n_layer": 6, "n_head": 8, "n_embd": 512, "vocab_size": 8192, "n_positions": 512}


def parted(target: Subject, at: int, n_tokens: int = 15) -> Callable[[random.Random], Any]:
    """Draws a pair that differs at one position."""
    return lambda rng: [target.pair(at, rng, n_tokens)]


def small_cases(target: Subject) -> list[Case]:
    """GPT-2 small's shape, 15 tokens."""
    late, early = parted(target, 9), parted(target, 1)
    stream = "residual by position"
    words = "144 heads, torch's products"
    own = [Case(words, target, "head", draw, ALL, by_torch=True) for draw in (late, early)]
    return [
        *(
            Case("144 heads", target, "head", draw, n)
            for n in dict.fromkeys((1, ALL))
            for draw in (late, early)
        ),
        *(own if pays() else ()),
        *(Case(stream, target, "residual", draw, ALL) for draw in (late, early)),
        Case("3,072 neurons of layer 5", target, "neuron", late, ALL, range(5, 6), 12, 1),
    ]


def long_cases(target: Subject) -> list[Case]:
    """512 tokens, a smaller model."""
    half, late = parted(target, 256, 512), parted(target, 384, 512)
    stream = "residual by position, layer 4"
    return [
        Case("48 heads", target, "head", half, ALL, None, 3, 2),
        Case(stream, target, "residual", late, ALL, range(4, 5), 3, 2),
    ]


def teaching_cases(target: Subject) -> list[Case]:
    """The embedded model on 100 pairs."""
    pairs = mw.tasks.ioi(target.lm, n=100, seed=0)
    return [Case("24 heads, 100 IOI pairs", target, "head", lambda _: pairs, ALL)]


def large_cases(target: Subject) -> list[Case]:
    """For a GPU: Llama 8B's shape, 20 tokens."""
    draw = parted(target, 12, 20)
    return [Case("1,024 heads, bfloat16", target, "head", draw, ALL, None, 12)]
