"""Passes that come before the runs: what means and noise are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .chunks import half_of, in_halves, max_rows
from .constants import Bank, noise_spread, places_of
from .edits.base import Base, MeanOf, NoiseOf
from .groups import Group
from .lm import LM
from .mediators import mediator_named
from .outcomes import Outcomes
from .plan import Template, make_template
from .plan.frame import Ints
from .runner import Batch, observe
from .runs import Run
from .sites import Site


def fill_bank(
    lm: LM, template: Template, group: Group, outcomes: Outcomes, budget: int | None
) -> Bank:
    """The constants that a template's edits ask for, over all pairs of the group."""
    bank = Bank(lm, template, group.members, {}, {})
    wanted = [(kind, found) for kind in (MeanOf, NoiseOf) if (found := places_of(template, kind))]
    if not wanted:
        return bank
    at_once = max_rows(lm, template, budget)
    for kind, constants in wanted:
        for base in dict.fromkeys(constant.base for _, constant, _ in constants):
            places = list(dict.fromkeys(p for _, constant, p in constants if constant.base == base))
            own = kind is not MeanOf
            prompts = group.ids[group.frame.bases.index(base)] if own else group.pools[base].ids
            for part, seen in _seen(lm, prompts, places, at_once):
                if kind is MeanOf:
                    _add_means(bank, base, seen, len(prompts))
                else:
                    _add_spreads(bank, base, seen)
                outcomes.passes += 1
                outcomes.rows += len(part)
    return bank


def _seen(
    lm: LM, prompts: Tensor, places: list[tuple[int, str]], at_once: int
) -> Iterator[tuple[Ints, dict[tuple[int, str], Tensor]]]:
    """Which prompts, and what they are at some places: in parts that fit, one after another."""

    def see(part: Ints) -> dict[tuple[int, str], Tensor]:
        return observe(lm, prompts[torch.from_numpy(part)], places)

    parts = np.array_split(np.arange(len(prompts)), -(-len(prompts) // at_once))
    return in_halves(parts, see, half_of, prompts.shape[1])


def _add_means(bank: Bank, base: Base, seen: dict[tuple[int, str], Tensor], n: int) -> None:
    """Put a part of the ``n`` prompts into the means."""
    wide = torch.promote_types(bank.lm.dtype, torch.float32)
    for place, value in seen.items():
        part = (value.sum(0, dtype=wide) / n).to(bank.lm.dtype)
        key = (*place, base)
        bank.means[key] = bank.means[key] + part if key in bank.means else part


def _add_spreads(bank: Bank, base: Base, seen: dict[tuple[int, str], Tensor]) -> None:
    """Append a part of the prompts' standard deviations."""
    for index, constant, place in places_of(bank.template, NoiseOf):
        if constant.base == base:
            part = noise_spread(seen[place], constant, bank.template.frame)
            part = part.to(bank.lm.dtype).cpu()
            before = bank.spreads.get(index)
            bank.spreads[index] = part if before is None else torch.cat([before, part])


def observed(
    lm: LM, group: Group, sites: Sequence[Site], run: Run, budget: int | None
) -> NDArray[Any]:
    """What sites of one width are in a run, on a group: (site, strand, position, width)."""
    # Here every position is looked at, not what is read alone.
    everywhere = replace(group.frame, reads=tuple(range(group.frame.n_positions)))
    template = make_template([run], everywhere)
    bank = fill_bank(lm, template, group, Outcomes.empty(1, 1, ()), budget)
    places = [mediator_named(site.mediator).place(site, group.frame.shape) for site in sites]
    positions = [list(group.frame.captured(site.position)) for site in sites]
    wanted: list[tuple[int, str]] = [(place.stage, place.point) for place in places]
    n = len(group.members)

    def see(pairs: Ints) -> Tensor:
        seen = Batch(lm, group, template, bank, pairs).observe(list(dict.fromkeys(wanted)))
        units = [
            seen[at].reshape(*seen[at].shape[:-1], place.n_units, -1)[:, some, place.unit]
            for at, place, some in zip(wanted, places, positions, strict=True)
        ]
        several = torch.stack(units, dim=1)
        return several.float() if several.dtype == torch.bfloat16 else several

    parts = np.array_split(np.arange(n), -(-n // max_rows(lm, template, budget)))
    found = in_halves(parts, see, half_of, group.frame.n_positions)
    return torch.cat([part for _, part in found]).transpose(0, 1).cpu().numpy()
