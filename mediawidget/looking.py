"""Whole activations of one pair, at several places in one pass: for what shows one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from .banks import fill_bank
from .engine import Engine
from .errors import require
from .mediators import mediator_named
from .outcomes import Outcomes
from .plan import make_template
from .products import products_within
from .runner import Batch
from .runs import Run, roles_named
from .sites import Site


def look(engine: Engine, pair: int, run: Run, sites: Sequence[Site]) -> list[Tensor]:
    """What some sites are in a run on one pair, in one pass over that pair's prompt alone.

    Args:
        engine: of the model and its pairs.
        pair: which of them.
        run: the prompt, and what is set in it.
        sites: whole ones, of all positions.

    Returns:
        For each site (position, width), over the positions of the prompt that ``run`` reads. The
        width of a pattern is the prompt's positions.

    Raises:
        MediationError: a place that the model does not have, a site that it does not have, and
            what ``Engine.evaluate`` raises for the run.
    """
    require(
        all(site.position is None and site.key is None for site in sites) and len(sites) > 0,
        "Whole sites are looked at.",
        value=list(sites),
        expected="at least one site, each without a position",
        fix="Site('pattern', layer=3, head=1)",
    )
    for site in sites:
        engine.lm.refuse_missing(mediator_named(site.mediator))
    engine.cost([run])  # refuses what these pairs cannot be asked
    engine.prove()
    group = next(
        group
        for group in engine.groups_of(roles_named([run]))
        if run.base in group.frame.bases and group.gives != "wrong" and pair in group.members
    )
    frame = group.frame
    for site in sites:
        mediator_named(site.mediator).check(site, frame.shape, frame.n_named)
    places = [mediator_named(site.mediator).place(site, frame.shape) for site in sites]
    # Every position is looked at, not what is read alone.
    everywhere = replace(frame, reads=tuple(range(frame.n_positions)))
    template = make_template([run], everywhere)
    at = np.flatnonzero(group.members == pair)[:1]
    wanted = list(dict.fromkeys((place.stage, str(place.point)) for place in places))
    with products_within(engine.budget):
        bank = fill_bank(engine.lm, template, group, Outcomes.empty(1, 1, ()), engine.budget)
        seen = Batch(engine.lm, group, template, bank, at).observe(wanted)
    n = frame.n_positions - frame.fed
    found = []
    for place in places:
        value = seen[place.stage, place.point][0, :n]
        unit = value.reshape(n, place.n_units, -1)[:, place.unit]
        found.append(unit[:, :n] if place.point == "pattern" else unit)
    return found
