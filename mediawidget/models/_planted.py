"""Two variables in one hidden layer, along directions that are known, and a gate that reads them.

A network of three layers on inputs x = (z1, z2, noise):

- ``turn``: h = Q^T x, Q orthogonal; so h = z1 Q[0] + z2 Q[1] + noise, and z1 = Q[0] h.
- ``read``: two ReLU units, of s = z1 + z2: relu(s) and relu(s - 1).
- ``answer``: from these the gate, exactly: AND is the second unit, XOR the first less twice the
  second. The logits are (no, yes) = SHARP (0, gate - 1/2).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ..errors import require
from ..inputs import InputPair
from ..prompts import Contrast
from ._drawing import drawing_nothing

Gate = Literal["XOR", "AND", "OR", "ADD"]

UNITS = {"XOR": (1.0, -2.0), "AND": (0.0, 1.0), "OR": (1.0, -1.0), "ADD": (1.0, 0.0)}
"""The gate as a sum of relu(s) and relu(s - 1)."""

VARIABLES = ("z1", "z2")

SHARP = 8.0
"""The logits' scale: "yes" has a probability of 0.982 where the gate is 1."""

N_NOISE = 6
SPREAD = 2.0
"""Of the noise, larger than the variables: no direction of much variance is one of theirs."""

WIDTH = 2 + N_NOISE


class Planted(nn.Module):
    """Inputs (row, 8) to logits (row, 2) of no and yes; in double precision.

    Attributes:
        planted: Q (8, 8), orthogonal: row 0 is the direction of z1 in ``turn``'s output, row 1
            that of z2, the rest those of the noise.
        gate: which function of z1 and z2 is the answer.
    """

    planted: Tensor

    def __init__(self, gate: Gate, turn: Tensor) -> None:
        super().__init__()
        self.gate = gate
        self.register_buffer("planted", turn, persistent=False)
        self.turn = nn.Linear(WIDTH, WIDTH, bias=False, dtype=torch.float64)
        self.read = nn.Linear(WIDTH, 2, dtype=torch.float64)
        self.answer = nn.Linear(2, 2, dtype=torch.float64)
        with torch.no_grad():
            self.turn.weight.copy_(turn.T)
            self.read.weight.copy_((turn[0] + turn[1]).expand(2, -1))
            self.read.bias.copy_(torch.tensor([0.0, -1.0]))
            self.answer.weight.copy_(SHARP * torch.tensor([(0.0, 0.0), UNITS[gate]]))
            self.answer.bias.copy_(SHARP * torch.tensor([0.0, -0.5]))

    def forward(self, x: Tensor) -> Tensor:
        answers: Tensor = self.answer(torch.relu(self.read(self.turn(x))))
        return answers


def build(gate: object, rotated: bool, seed: int) -> Planted:
    """The network; without ``rotated`` Q is the identity, so that each variable is a coordinate.

    Raises:
        MediationError: no such gate.
    """
    _refuse_no_gate(gate, "mw.models.planted('XOR')")
    turn = torch.eye(WIDTH, dtype=torch.float64)
    if rotated:
        draw = torch.Generator().manual_seed(seed)
        random = torch.randn((WIDTH, WIDTH), generator=draw, dtype=torch.float64)
        turn, upper = torch.linalg.qr(random)
        turn = turn * upper.diagonal().sign()  # without it not uniform (Mezzadri 2007)
    with drawing_nothing():
        return Planted(gate, turn).eval()  # type: ignore[arg-type]


def inputs(n: int, seed: int) -> Tensor:
    """(n, 8): z1 and z2 at random 0 or 1, and noise."""
    draw = torch.Generator().manual_seed(seed)
    bits = torch.randint(0, 2, (n, 2), generator=draw).double()
    noise = SPREAD * torch.randn((n, N_NOISE), generator=draw, dtype=torch.float64)
    return torch.cat([bits, noise], dim=1)


def counterfactuals(gate: str, variable: str, n: int, seed: int) -> Contrast:
    """Pairs whose answer is the gate on the corrupt input's bits, one of them the clean one's.

    Raises:
        MediationError: no such gate or variable.
    """
    _refuse_no_gate(gate, "mw.models.planted_counterfactuals('XOR')")
    require(
        variable in VARIABLES,
        "The network has two variables.",
        value=variable,
        expected=" or ".join(map(repr, VARIABLES)),
        fix="mw.models.planted_counterfactuals('XOR', 'z1')",
    )
    both = inputs(2 * n, seed)
    answers = interchanged(gate, both[:n], both[n:], VARIABLES.index(variable)).tolist()
    pairs = [
        InputPair(clean=source, corrupt=base, answer=answer, wrong=1 - answer)
        for base, source, answer in zip(both[:n].numpy(), both[n:].numpy(), answers, strict=True)
    ]
    return Contrast(pairs, f"{variable} of {gate}")


def interchanged(gate: str, base: Tensor, source: Tensor, variable: int) -> Tensor:
    """(row,) 0 or 1: the gate on the base's bits, one of them from the source."""
    bits = base[:, :2].clone()
    bits[:, variable] = source[:, variable]
    total = bits.sum(1)
    first, second = UNITS[gate]
    number = first * total.relu() + second * (total - 1).relu()
    return (number > 0.5).long()


def _refuse_no_gate(gate: object, fix: str) -> None:
    require(
        gate in get_args(Gate),
        "Unknown gate.",
        value=gate,
        expected="one of " + ", ".join(get_args(Gate)),
        fix=fix,
    )
