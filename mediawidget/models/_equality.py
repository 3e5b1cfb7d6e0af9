"""Hierarchical equality: whether (a == b) is the same as (c == d), of four objects.

Source: the task of Geiger et al. 2023 (section 3), after Premack 1983.

An object is four numbers from -1 to 1, and x holds a, b, c, d. Three layers:

- ``pairs``: each of the two pairs is read by the same small network, four numbers out.
- ``turn``: h = Q^T (first pair's four, second pair's four), Q orthogonal. So what the network knows
  of a == b is in the plane of Q[:4], and of c == d in that of Q[4:].
- ``judge``: two layers, to the logits of no and yes.

``pairs`` and ``judge`` are trained (training/train_equality.py, in a minute); Q is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import require
from ..inputs import InputPair
from ..prompts import Contrast
from ._drawing import drawing_nothing

WEIGHTS = Path(__file__).parent / "equality.safetensors"
VARIABLES = ("a == b", "c == d")

N_NUMBERS = 4
"""Of an object."""

N_CODE = 4
"""What is kept of a pair of objects."""

WIDTH = 2 * N_CODE
N_HIDDEN = 32


class _Pairs(nn.Module):
    """Objects (row, 16) to what is kept of each pair of them, (row, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(2 * N_NUMBERS, N_HIDDEN)
        self.write = nn.Linear(N_HIDDEN, N_CODE)

    def forward(self, x: Tensor) -> Tensor:
        halves = x.reshape(len(x), 2, 2 * N_NUMBERS)
        code: Tensor = self.write(torch.relu(self.read(halves)))
        return code.flatten(1)


class HierarchicalEquality(nn.Module):
    """Inputs (row, 16) to logits (row, 2) of no and yes.

    Attributes:
        planted: Q (8, 8), orthogonal: rows 0 to 3 span what ``turn``'s output has of the first
            pair, rows 4 to 7 what it has of the second.
    """

    planted: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.pairs = _Pairs()
        self.turn = nn.Linear(WIDTH, WIDTH, bias=False)
        self.judge = nn.Sequential(nn.Linear(WIDTH, N_HIDDEN), nn.ReLU(), nn.Linear(N_HIDDEN, 2))
        self.register_buffer("planted", torch.eye(WIDTH), persistent=False)
        with torch.no_grad():
            self.turn.weight.copy_(torch.eye(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.judge(self.turn(self.pairs(x)))
        return logits

    def turned(self, by: Tensor) -> None:
        """Turn the hidden layer by Q, (8, 8), and what reads it, so that all answers stay."""
        with torch.no_grad():
            self.turn.weight.copy_(by.T @ self.turn.weight)
            reader: Any = self.judge[0]
            reader.weight.copy_(reader.weight @ by)
            self.planted.copy_(self.planted @ by)


def build(rotated: bool, seed: int) -> HierarchicalEquality:
    """The trained network, in double precision."""
    from safetensors.torch import load_file

    with drawing_nothing():
        network = HierarchicalEquality()
    network.load_state_dict(load_file(WEIGHTS))
    network = network.double()
    if rotated:
        draw = torch.Generator().manual_seed(seed)
        random = torch.randn((WIDTH, WIDTH), generator=draw, dtype=torch.float64)
        turn, upper = torch.linalg.qr(random)
        network.turned(turn * upper.diagonal().sign())
    return network.eval()


def inputs(n: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Objects (n, 16), and (n, 2) whether a == b and c == d, each in half of the rows."""
    objects = 2 * torch.rand((n, 4, N_NUMBERS), generator=draw, dtype=torch.float64) - 1
    equal = torch.rand((n, 2), generator=draw) < 0.5
    for pair in range(2):
        first, second = objects[:, 2 * pair], objects[:, 2 * pair + 1]
        second[equal[:, pair]] = first[equal[:, pair]]
    return objects.flatten(1), equal


def counterfactuals(variable: str, n: int, seed: int) -> Contrast:
    """Pairs whose answer is the corrupt input's, one of its two equalities the clean one's.

    Raises:
        MediationError: no such variable.
    """
    require(
        variable in VARIABLES,
        "The task has two variables below its answer.",
        value=variable,
        expected=" or ".join(map(repr, VARIABLES)),
        fix="mw.models.equality_counterfactuals('a == b')",
    )
    x, equal = inputs(2 * n, torch.Generator().manual_seed(seed))
    known = equal[:n].clone()
    at = VARIABLES.index(variable)
    known[:, at] = equal[n:, at]
    answers = (known[:, 0] == known[:, 1]).long().tolist()
    pairs = [
        InputPair(clean=source, corrupt=base, answer=answer, wrong=1 - answer)
        for base, source, answer in zip(x[:n].numpy(), x[n:].numpy(), answers, strict=True)
    ]
    return Contrast(pairs, variable)
