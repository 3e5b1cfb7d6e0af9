"""What is learned of a site: a basis, a rotation with a boundary, a mask over its numbers.

Each is a linear map from a change of the site's value, source less base, to the part of it that is
written: at the end an orthogonal projection, in training a soft one where there is a temperature.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..edits import Subspace

STEP = 0.1
HALFWAY = 0.5 / STEP
"""The boundary is a parameter times this, in parts of the site: it moves slower than bases turn."""

OPEN = 0.5
"""From this share on a direction counts as inside."""


class Learner(ABC):
    """A map to be learned.

    Attributes:
        width: of the site's value.
        parameters: what is trained.
        soft: whether it has a temperature; else it is a projection all the time.
        temperature: how soft the map is.
    """

    soft: ClassVar[bool] = True
    temperature: float = 1.0

    def __init__(self, width: int, *parameters: Tensor) -> None:
        self.width = width
        # A tensor that was made in inference mode cannot be differentiated, not even outside it.
        with torch.inference_mode(mode=False):
            self.parameters = [one.detach().clone().requires_grad_() for one in parameters]

    @abstractmethod
    def rows(self) -> tuple[Tensor, Tensor]:
        """Orthonormal rows (n, width) and the share (n,) of each that is written."""

    def moved(self, change: Tensor) -> Tensor:
        """(..., width): what of a change is written, differentiable in the parameters."""
        rows, shares = self.rows()
        return ((change @ rows.T) * shares) @ rows

    def penalty(self) -> Tensor:
        """What the size costs, of the order of 1."""
        return torch.zeros(())

    @property
    def size(self) -> float:
        """How many directions are inside, in parts where the map is soft."""
        with torch.no_grad():
            return float(self.rows()[1].sum())

    def subspace(self) -> Subspace:
        """The directions whose share is at least a half, or the one of the largest share."""
        with torch.no_grad():
            rows, shares = self.rows()
        kept = shares >= min(OPEN, float(shares.max()))
        return Subspace(rows[kept].double().cpu().numpy())


class Basis(Learner):
    """An orthonormal basis of k directions: the Q of a free matrix (width, k).

    The matrix starts with numbers of about 1, so that a step of Adam turns the basis by as much
    whatever the width is.
    """

    soft = False

    def __init__(self, width: int, k: int, seed: int, like: Tensor) -> None:
        super().__init__(width, _random_basis(width, k, seed).to(like))

    def rows(self) -> tuple[Tensor, Tensor]:
        rows = torch.linalg.qr(self.parameters[0]).Q.T
        return rows, torch.ones(len(rows)).to(rows)


class Bounded(Learner):
    """A whole rotation, of which the directions before a learned boundary are written.

    Direction i, from 0, is inside by sigmoid((b width - i - 1/2) / temperature); b starts at 1/2.
    """

    def __init__(self, width: int, seed: int, like: Tensor) -> None:
        turn = _random_basis(width, width, seed).to(like)
        super().__init__(width, turn, torch.tensor(HALFWAY).to(like))

    def rows(self) -> tuple[Tensor, Tensor]:
        turn, steps = self.parameters
        rows = torch.linalg.qr(turn).Q.T
        places = torch.arange(self.width).to(rows) + 0.5
        return rows, ((steps * STEP * self.width - places) / self.temperature).sigmoid()

    def penalty(self) -> Tensor:
        return (self.parameters[1] * STEP).clamp(0.0, 1.0)


class Mask(Learner):
    """Which of the site's own numbers are written, each by sigmoid(logit / temperature)."""

    def __init__(self, width: int, like: Tensor) -> None:
        super().__init__(width, torch.zeros(width).to(like))

    def rows(self) -> tuple[Tensor, Tensor]:
        logits = self.parameters[0]
        return torch.eye(self.width).to(logits), (logits / self.temperature).sigmoid()

    def penalty(self) -> Tensor:
        return self.rows()[1].mean()

    def coordinates(self) -> tuple[int, ...]:
        """The numbers that are inside."""
        return tuple(int(i) for i in np.flatnonzero(self.subspace().basis.any(0)))


def _random_basis(width: int, k: int, seed: int) -> Tensor:
    """(width, k) orthogonal columns, drawn uniformly, numbers of about 1."""
    drawn = np.random.default_rng(seed).standard_normal((width, k))
    columns: Tensor = torch.from_numpy(np.linalg.qr(drawn)[0])
    return columns * math.sqrt(width)
