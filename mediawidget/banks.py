"""Passes that come before the runs: what means and noise are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .chunks import max_rows
from .constants import Bank, noise_spread, places_of
from .edits.base import Base, MeanOf, NoiseOf
from .groups import Group
from .lm import LM
from .mediators import mediator_named
from .outcomes import Outcomes
from .plan import Template, make_template
from .runner import Batch, observe
from .runs import Run
from .sites import Site


def fill_bank(
    lm: LM, template: Template, group: Group, outcomes: Outcomes, budget: int | None
) -> Bank:
    """The constants that a template's edits ask for, over all pairs of the group."""
    bank = Bank(lm, template, group.members, {}, {})
    wanted = [*places_of(template, MeanOf), *places_of(template, NoiseOf)]
    if not wanted:
        return bank
    n_pairs = len(group.members)
    at_once = max_rows(lm, template, budget)
    for base in dict.fromkeys(constant.base for _, constant, _ in wanted):
        places = list(dict.fromkeys(p for _, constant, p in wanted if constant.base == base))
        for pairs in np.array_split(np.arange(n_pairs), -(-n_pairs // at_once)):
            ids = group.ids[group.frame.bases.index(base), torch.from_numpy(pairs)]
            _add(bank, base, observe(lm, ids, places), n_pairs)
            outcomes.passes += 1
            outcomes.rows += len(pairs)
    return bank


def _add(bank: Bank, base: Base, seen: dict[tuple[int, str], Tensor], n_pairs: int) -> None:
    """Put one part of the pairs into the means and spreads."""
    wide = torch.promote_types(bank.lm.dtype, torch.float32)
    for _, constant, place in places_of(bank.template, MeanOf):
        if constant.base == base and place in seen:
            key = (*place, base)
            part = (seen[place].sum(0, dtype=wide) / n_pairs).to(bank.lm.dtype)
            bank.means[key] = bank.means[key] + part if key in bank.means else part
    for index, constant, place in places_of(bank.template, NoiseOf):
        if constant.base == base:
            part = noise_spread(seen[place], constant, bank.template.frame)
            before = bank.spreads.get(index)
            part = part.to(bank.lm.dtype).cpu()
            bank.spreads[index] = part if before is None else torch.cat([before, part])


def observed(lm: LM, group: Group, site: Site, run: Run, budget: int | None) -> NDArray[Any]:
    """What a site is in a run, on every strand of a group: (strand, position, width)."""
    template = make_template([run], group.frame)
    bank = fill_bank(lm, template, group, Outcomes.empty(1, 1, ()), budget)
    place = mediator_named(site.mediator).place(site, group.frame.shape)
    positions = group.frame.positions(site.position)
    n = len(group.members)
    parts = []
    for pairs in np.array_split(np.arange(n), -(-n // max_rows(lm, template, budget))):
        at = (place.stage, place.point)
        seen = Batch(lm, group, template, bank, pairs).observe([at])[at]
        unit = seen.unflatten(-1, (place.n_units, -1))[:, list(positions), place.unit]
        parts.append(unit.float() if unit.dtype == torch.bfloat16 else unit)
    return torch.cat(parts).cpu().numpy()
