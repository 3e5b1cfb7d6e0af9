"""What edits add: means, noise, steering vectors and captured values, as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .applying import Confined
from .edits import Values
from .edits.base import MeanOf, NoiseOf, Vector
from .edits.part import refuse_another_width, stacked
from .errors import MediationError
from .lm import LM
from .mediators import POINTS, mediator_named
from .plan import Frame, Step, Template
from .plan.frame import OtherPrompt

WIDTHS = "lm.d_model for residual, attn_out and mlp_out; lm.d_head for a head"

Place = tuple[int, str]
Captured = Mapping[tuple[int, str, str], Tensor]
"""(stage, point, base) -> a value per pair, (pair, position, columns)."""


@dataclass
class Bank:
    """The constants of a template on one group of pairs.

    Attributes:
        means: (stage, point, base) -> (position, columns).
        spreads: constant -> (pair,) the standard deviation that scales a pair's noise.
        prefix: how many positions the chunk's own positions count from.
    """

    lm: LM
    template: Template
    members: np.ndarray[Any, np.dtype[np.int64]]
    means: dict[tuple[int, str, str], Tensor]
    spreads: dict[int, Tensor]
    prefix: int = 0

    def of_step(self, step: Step, pairs: Any, captured: Captured) -> Tensor | None:
        """What a step adds to each of its entries, weighted: (entry, width); None for nothing."""
        asked = np.unique(step.constant[step.constant >= 0])
        if not len(asked):
            return None
        width = self.lm.width_at(step.point, self.template.frame.n_positions) // step.n_units
        device, dtype = self.lm.device, self.lm.dtype
        added = torch.zeros(len(step.row), width, dtype=dtype, device=device)
        for index in asked.tolist():
            rows = np.flatnonzero(step.constant == index)
            value = self._values(index, step, rows, width, pairs, captured)
            weight = torch.from_numpy(step.add[rows]).to(device=device, dtype=dtype)[:, None]
            added[torch.from_numpy(rows).to(device)] = weight * value.to(device, dtype)
        return added

    def parts(self, step: Step) -> tuple[Confined, ...]:
        """Which entries of a step are confined to a part, those of one family together."""
        width = self.lm.width_at(step.point, self.template.frame.n_positions) // step.n_units
        families: dict[Any, list[int]] = {}
        for index in np.unique(step.within[step.within >= 0]).tolist():
            part = self.template.parts[index]
            refuse_another_width(part, width, step.point, WIDTHS)
            families.setdefault(part.family, []).append(index)
        return tuple(self._confined(step, members) for members in families.values())

    def _confined(self, step: Step, members: list[int]) -> Confined:
        entries = np.flatnonzero(np.isin(step.within, members))
        parts = [self.template.parts[index] for index in members]
        rows = torch.from_numpy(entries).to(self.lm.device)
        whose = np.searchsorted(members, step.within[entries])
        return rows, parts[0].moved, tensors(stacked(parts, whose), self.lm.device, self.lm.dtype)

    def _values(
        self, index: int, step: Step, rows: Any, width: int, pairs: Any, captured: Captured
    ) -> Tensor:
        """(entry, width), not yet weighted."""
        constant = self.template.constants[index]
        pair, unit = step.pair[rows], step.unit[rows]
        position = step.position[rows] + self.prefix
        if isinstance(constant, MeanOf):
            mean = self.means[step.stage, step.point, constant.base]
            return torch.unflatten(mean, -1, (step.n_units, -1))[position, unit]
        if isinstance(constant, OtherPrompt):
            value = captured[step.stage, step.point, constant.base]
            partner = np.array([self.template.frame.partners[p] for p in position.tolist()])
            return torch.unflatten(value, -1, (step.n_units, -1))[pair, partner, unit]
        if isinstance(constant, NoiseOf):
            spread = self.spreads[index][torch.from_numpy(pairs[pair])]
            drawn = noise_draw(constant, position, width).to(self.lm.device, self.lm.dtype)
            return spread[:, None].to(self.lm.device) * drawn
        if isinstance(constant, Vector):
            return steering_vector(constant, width, step.point).expand(len(rows), width)
        return self._given(constant, self.members[pairs[pair]], position, width)

    def _given(self, values: Values, member: Any, position: Any, width: int) -> Tensor:
        frame = self.template.frame
        held = frame.captured(values.site.position)
        _check_values(values, held, int(member.max()), position, width)
        index = np.full(frame.n_positions, -1)
        index[list(held)] = np.arange(len(held))
        return torch.from_numpy(values.array[member, index[position]])


def tensors(
    arrays: Mapping[str, np.ndarray[Any, Any]], device: torch.device, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The same as tensors: whole numbers and flags as they are, the others as the model's."""
    found = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    return {
        name: value.to(device, dtype if value.is_floating_point() else value.dtype)
        for name, value in found.items()
    }


def steering_vector(constant: Vector, width: int, point: str) -> Tensor:
    """(width,): the numbers, refused where they are not as many as the site is wide."""
    if len(constant.numbers) != width:
        raise MediationError(
            "The vector is not as wide as the site.",
            value=f"{len(constant.numbers)} numbers at {point}",
            expected=f"{width} numbers",
            fix="lm.d_model for residual, attn_out and mlp_out; lm.d_head for a head",
        )
    return torch.tensor(constant.numbers, dtype=torch.float64)


def noise_draw(constant: NoiseOf, position: Any, width: int) -> Tensor:
    """Standard normal numbers, (position, width): the same for every pair and prompt length."""
    site = constant.site
    where = (*(ord(c) for c in site.mediator), site.layer, site.head or 0, site.unit or 0)
    stream = np.random.default_rng([constant.seed, constant.draw, *where])
    return torch.from_numpy(stream.standard_normal((int(position.max()) + 1, width))[position])


def noise_spread(value: Tensor, constant: NoiseOf, frame: Frame) -> Tensor:
    """The standard deviation over a site's own numbers, per pair: (pair,)."""
    place = mediator_named(constant.site.mediator).place(constant.site, frame.shape)
    positions = frame.positions(constant.site.position)
    own = torch.unflatten(value, -1, (place.n_units, -1))[:, list(positions), place.unit]
    return own.flatten(1).double().std(dim=1, correction=0)


def places_of(template: Template, kind: type) -> list[tuple[int, Any, tuple[int, str]]]:
    """(index, constant, (stage, point)) of every constant of one kind, each place once."""
    entries = template.entries
    wanted = [i for i, constant in enumerate(template.constants) if isinstance(constant, kind)]
    if not wanted:
        return []
    asked = np.isin(entries.constant, wanted)
    columns = (entries.constant[asked], entries.stage[asked], entries.point[asked])
    places = dict.fromkeys(zip(*(column.tolist() for column in columns), strict=True))
    return [(i, template.constants[i], (stage, POINTS[point])) for i, stage, point in places]


def _check_values(
    values: Values, held: tuple[int, ...], last: int, position: Any, width: int
) -> None:
    n_pairs, n_positions, columns = values.array.shape
    if columns != width or n_positions != len(held) or last >= n_pairs:
        raise MediationError(
            "These values do not fit the site or the pairs.",
            value=f"{values!r}",
            expected=f"(pair, {len(held)}, {width}), with at least {last + 1} pairs",
            fix="study.activations(site) of the same kind of site, in the same study",
        )
    if not set(position.tolist()) <= set(held):
        raise MediationError(
            "The values were captured at other positions.",
            value=f"{values!r} for positions {sorted(set(position.tolist()))}",
            expected=f"positions among {held}",
            fix="capture the values at all positions: Site(..., position=None)",
        )
