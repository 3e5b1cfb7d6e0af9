"""How the metric moves with a site of a network that is no language model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import require
from ..mediators.base import positions_of
from ..metrics import Metric
from ..networks import Network, NetworkEngine, differentiated
from ..reading import read
from ..readouts import BASE_COLUMNS
from ..sites import Site
from ..study import Study
from .found import Array


def of_network(study: Study, site: Site, network: Network, steps: Sequence[float]) -> Array:
    """The slopes on both inputs of every pair, and on the way from each to its other one.

    Args:
        study: of the network.
        site: where.
        network: the same network.
        steps: parts of the way, 0 for the input as it is.

    Returns:
        (step * input * position, width).

    Raises:
        MediationError: a metric that is read from more than the two answers' logits.
    """
    engine: object = study.engine
    assert isinstance(engine, NetworkEngine)
    require(
        set(study.metric.columns) <= set(BASE_COLUMNS),
        "Slopes are those of a metric of the two answers.",
        value=study.metric.name,
        expected="a metric of logits or probabilities of the answer and the wrong answer",
        fix="study.metric = mw.LogitDiff()",
    )
    spot = engine.anatomy.spot(site)
    at = list(positions_of(site.position, spot.n_positions, engine.common_roles))
    units = slice(None) if site.unit is None else slice(site.unit, site.unit + 1)
    inputs = engine.inputs.flatten(0, 1)
    pair = torch.arange(len(study.contrast), device=inputs.device)

    def number(out: Tensor) -> Tensor:
        kept = read(out[:, None], engine.reading, pair.repeat(2), (pair, pair + len(pair)))
        weights = torch.from_numpy(_slopes(study.metric, engine.columns, kept))
        return (kept * weights.to(kept)).sum()

    with differentiated(network, inputs, [spot.name], number) as own:
        clean, corrupt = own.seen[spot.name].chunk(2)
    change = torch.zeros_like(own.seen[spot.name])
    both = torch.cat([corrupt - clean, clean - corrupt])
    change[:, at, units] = both[:, at, units]
    found = []
    for step in steps:
        shifts = {spot.name: step * change}
        with differentiated(network, inputs, [spot.name], number, shifts=shifts) as moved:
            here = moved.slopes()[spot.name].gradient[:, at, units]
        found.append(here.double().cpu().numpy().reshape(-1, here.shape[-1]))
    return np.concatenate(found)


def _slopes(metric: Metric, columns: Sequence[str], kept: Tensor) -> Array:
    """(row, K): how the metric moves with what a run keeps."""
    values = kept.detach().double().cpu().numpy()
    named = {name: values[:, columns.index(name)] for name in metric.columns}
    slopes = np.zeros_like(values)
    for name, slope in metric.slopes(named).items():
        slopes[:, columns.index(name)] = slope
    return slopes
