"""Passes that come before the runs: what means and noise are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .chunks import half_of, in_halves, rows_captured
from .constants import Bank, Place, noise_spread, places_of
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

Asked = Sequence[tuple[int, Any, Place]]
Seen = Mapping[Place, Tensor]
Made = TypeVar("Made")


def fill_bank(
    lm: LM, template: Template, group: Group, outcomes: Outcomes, budget: int | None
) -> Bank:
    """The constants that a template's edits ask for, over all pairs of the group."""
    bank = Bank(lm, template, group.members, {}, {})
    filling = _Filling(bank, group, outcomes, budget)
    for kind, fill in ((MeanOf, filling.means), (NoiseOf, filling.spreads)):
        constants = places_of(template, kind)
        for base in dict.fromkeys(constant.base for _, constant, _ in constants):
            fill(base, [one for one in constants if one[1].base == base])
    return bank


@dataclass(frozen=True)
class _Filling:
    """Puts into a bank what is asked: (index, constant, place) of one kind and base at a time."""

    bank: Bank
    group: Group
    outcomes: Outcomes
    budget: int | None

    def means(self, base: Base, asked: Asked) -> None:
        """Of all prompts of a length, the same for every group of pairs."""
        prompts, dtype = self.group.pools[base].ids, self.bank.lm.dtype
        wide = torch.promote_types(dtype, torch.float32)

        def shares(seen: Seen) -> dict[Place, Tensor]:
            return {place: value.sum(0, dtype=wide) / len(prompts) for place, value in seen.items()}

        means: dict[Place, Tensor] = {}
        for part in self._passes(prompts, asked, shares):
            for place, share in part.items():
                means[place] = means[place] + share if place in means else share
        # Rounded at the end: in half precision many shares would add up to another mean.
        self.bank.means.update({(*at, base): mean.to(dtype) for at, mean in means.items()})

    def spreads(self, base: Base, asked: Asked) -> None:
        """Of each pair's own prompt."""
        prompts = self.group.ids[self.group.frame.bases.index(base)]
        frame, dtype = self.bank.template.frame, self.bank.lm.dtype

        def deviations(seen: Seen) -> dict[int, Tensor]:
            found = {i: noise_spread(seen[place], constant, frame) for i, constant, place in asked}
            return {i: spread.to(dtype).cpu() for i, spread in found.items()}

        parts = list(self._passes(prompts, asked, deviations))
        self.bank.spreads.update({i: torch.cat([part[i] for part in parts]) for i in parts[0]})

    def _passes(
        self, prompts: Tensor, asked: Asked, made: Callable[[Seen], Made]
    ) -> Iterator[Made]:
        """What is made of the prompts' values, in parts that fit, one after another."""
        lm, places = self.bank.lm, list(dict.fromkeys(place for _, _, place in asked))
        at_once = rows_captured(lm, self.bank.template, places, self.budget)

        # Made inside, so that the values of a part are gone before those of the next one come.
        def see(part: Ints) -> Made:
            return made(observe(lm, prompts[torch.from_numpy(part)], places))

        parts = np.array_split(np.arange(len(prompts)), -(-len(prompts) // at_once))
        for part, found in in_halves(parts, see, half_of, prompts.shape[1]):
            self.outcomes.passes += 1
            self.outcomes.rows += len(part)
            yield found


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

    # A pair's prompts go with the run.
    rows = template.n_bases + int((~template.implied).sum())
    at_once = rows_captured(lm, template, list(dict.fromkeys(wanted)), budget, rows)
    parts = np.array_split(np.arange(n), -(-n // at_once))
    found = in_halves(parts, see, half_of, group.frame.n_positions)
    return torch.cat([part for _, part in found]).transpose(0, 1).cpu().numpy()
