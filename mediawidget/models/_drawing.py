"""Modules that are made without a draw from anybody's random numbers."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def drawing_nothing() -> AbstractContextManager[None]:
    """Modules that are made within draw weights, and torch's generator stays where it was.

    Whoever set a seed is to get the same numbers, whether or not a model was made meanwhile.
    """
    return torch.random.fork_rng(devices=[])
