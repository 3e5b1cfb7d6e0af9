"""The passes behind an attribution to features: slope times change, code by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..edits.sparse import SAE
from ..first_order import Grid, Method
from ..mediators import mediator_named
from ..pieces import Piece, wide
from ..plan.frame import Ints
from ..questions import Question
from ..search.integrated import refuse_apart
from .averaging import Averaging

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Gradient(Method):
    """Slope times change, code by code, and the error's."""

    name: ClassVar[str] = "attribution to features"
    words: ClassVar[str] = (
        "First order: the gradient along the decoder row times the code's change."
    )

    sae: SAE

    def moved(self, piece: Piece) -> Sequence[Array]:
        slope = piece.slopes()[piece.places[0]]
        return [_Codes(piece, self.sae, slope.value).cells(wide(slope.gradient))]


@dataclass(frozen=True)
class Stepped(Gradient):
    """The same, the slope averaged on the way to the other prompt's value, in equal steps."""

    name: ClassVar[str] = "integrated gradients to features"
    words: ClassVar[str] = "The gradient averaged on the way to the other prompt's value."

    steps: int

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"steps": self.steps}

    def refuse(self, question: Question, metric: Any) -> None:
        refuse_apart(question, metric, "ig")

    def moved(self, piece: Piece) -> Sequence[Array]:
        codes = _Codes(piece, self.sae, piece.values(piece.places)[piece.places[0]])
        far = (np.arange(self.steps)[:, None] + 0.5) / self.steps
        (mean,) = codes.means(far, np.full((1, self.steps), 1 / self.steps))
        return [codes.cells(mean)]


@dataclass(frozen=True)
class Averaged(Gradient):
    """The same, in steps that are smaller where the slope changes fast, until its sum is right.

    Args:
        exact: (pair, base) by how much the run moves the metric in which all is set at once.
        allowed: (base,) how far off the sum and each cell may be.
        tolerance: the same as a share of the mean size of ``exact``.
        most: gradients a pair and prompt.
    """

    name: ClassVar[str] = Stepped.name
    words: ClassVar[str] = Stepped.words

    exact: Array
    allowed: Array
    tolerance: float
    most: int
    points: dict[int, int] = field(default_factory=dict, compare=False)

    @property
    def facts(self) -> Mapping[str, Any]:
        spent = list(self.points.values())
        told = {"points": round(float(np.mean(spent)), 1), "most_points": max(spent)}
        return {"rule": "Gauss-Legendre, halved", "tolerance": self.tolerance, **told}

    def refuse(self, question: Question, metric: Any) -> None:
        refuse_apart(question, metric, "ig")

    def moved(self, piece: Piece) -> Sequence[Array]:
        (where,) = piece.places
        own = piece.values([where])[where]
        bases, n = piece.group.bases, len(piece.pairs)
        wanted = self.exact[piece.group.members[piece.pairs]][:, bases]
        allowed = self.allowed[bases]
        rows = torch.unflatten(own, 0, (len(bases), -1))

        def codes(some: Ints) -> _Codes:
            part = Piece(piece.grid, piece.group, piece.pairs[some], piece.bank, piece.most_rows)
            return _Codes(part, self.sae, rows[:, torch.from_numpy(some)].flatten(0, 1))

        def means(some: Ints, at: Array, weights: Array) -> Tensor:
            one = codes(some)
            found = one.means(np.tile(at, (1, len(bases))), weights)
            for count in ("passes", "rows", "backward"):
                setattr(piece, count, getattr(piece, count) + getattr(one.piece, count))
            return torch.unflatten(found, 1, (len(bases), -1)).transpose(1, 2)

        def error(some: Ints, mean: Tensor) -> Array:
            one, gradient = codes(some), mean.transpose(0, 1).flatten(0, 1)
            cells = np.abs(one.cells(gradient)).max(axis=(2, 3)).T
            return _times(np.maximum(cells, np.abs(one.total(gradient))), allowed)

        def missed(some: Ints, mean: Tensor) -> Array:
            total = codes(some).total(mean.transpose(0, 1).flatten(0, 1))
            return _times(np.abs(total - wanted[some]), allowed)

        like = wide(rows).transpose(0, 1)
        averaging = Averaging(means, error, missed, self.most)
        mean = averaging.of(n, like)
        members = piece.group.members[piece.pairs].tolist()
        self.points.update(zip(members, averaging.points.tolist(), strict=True))
        return [codes(np.arange(n)).cells(mean.transpose(0, 1).flatten(0, 1))]


class FeatureGrid(Grid):
    """A sweep of one site whose units are the features and, last, the error."""

    @cached_property
    def units(self) -> Ints:
        method = self.method
        assert isinstance(method, Gradient)
        return np.arange(method.sae.n_features + 1)


@dataclass
class _Codes:
    """A piece's site taken apart: what each feature and the error change there."""

    piece: Piece
    sae: SAE
    value: Tensor

    @cached_property
    def columns(self) -> slice:
        """Which columns of the point are the site's."""
        site, shape = self.sae.site, self.piece.lm.shape
        place = mediator_named(site.mediator).place(site, shape)
        return slice(place.unit * self.sae.width, (place.unit + 1) * self.sae.width)

    @cached_property
    def spots(self) -> Tensor:
        """(position, cell) 1 where a cell is at that position."""
        return torch.from_numpy(self.piece.positions(self.piece.layers[0])).to(self.value.device)

    @cached_property
    def change(self) -> Tensor:
        """(row, position, width): the other prompt's value less the own."""
        return self.piece.change(self.piece.layers[0], self.value)[..., self.columns]

    @cached_property
    def way(self) -> Tensor:
        """(row, position, columns): what is set, at the positions of the cells, in all."""
        way = torch.zeros_like(wide(self.value))
        moved = (self.spots > 0).any(dim=1)[:, None].to(way)
        way[..., self.columns] = self.change * moved
        return way

    def means(self, far: Array, weights: Array) -> Tensor:
        """(rule, row, position, columns) of the gradients so ``far`` (point, row) on the way.

        Args:
            far: 0 for the site's own value, 1 for the other prompt's; (point, 1) for all rows.
            weights: (rule, point).
        """
        where, n = self.piece.places[0], self.piece.copies
        found = self.way.new_zeros((len(weights), *self.way.shape))
        for start in range(0, len(far), n):
            some = torch.from_numpy(far[start : start + n]).to(self.way)
            shifts = {where: (some[..., None, None] * self.way).flatten(0, 1)}
            with self.piece.passing([where], shifts=shifts, copies=len(some)) as passed:
                gradient = wide(passed.slopes()[where].gradient)
            seen = torch.unflatten(gradient, 0, (len(some), -1))
            mine = torch.from_numpy(weights[:, start : start + n]).to(seen)
            found += torch.einsum("wp,prtc->wrtc", mine, seen)
        return found

    def total(self, gradient: Tensor) -> Array:
        """(pair, base): the gradient times the whole change."""
        each = (gradient * self.way).double().sum((-1, -2)).cpu().numpy()
        return np.asarray(each.reshape(len(self.piece.group.frame.bases), -1).T)

    def cells(self, gradient: Tensor) -> Array:
        """(base, strand, feature and error, position) of the gradient times the changes."""
        own, change, sae = wide(self.value)[..., self.columns], self.change, self.sae
        more = sae.encode(own + change) - sae.encode(own)
        w_dec = own.new_tensor(sae.w_dec)
        slope = gradient[..., self.columns]
        each = more * (slope @ w_dec.T)
        left = ((change - more @ w_dec) * slope).sum(-1, keepdim=True)
        both = torch.cat([each, left], -1).double()
        cells = torch.einsum("rtu,tp->rup", both, self.spots.to(both))
        return torch.unflatten(cells, 0, (len(self.piece.group.frame.bases), -1)).cpu().numpy()


def _times(size: Array, allowed: Array) -> Array:
    """(pair,) how many times what is allowed (base,) some sizes (pair, base) are, at most."""
    large = np.where(size > 0, np.inf, 0.0)
    times: Array = np.divide(size, allowed, out=large, where=allowed > 0).max(axis=1)
    return times
