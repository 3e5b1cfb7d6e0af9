"""What of a site's space is read: the row space of what reads it; the rest is null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..attribution import Attribution, refuse_no_estimate
from ..decomposition.linear import map_of
from ..edits import Subspace
from ..erasure.labelled import numbers
from ..errors import MediationError, require
from ..first_order import Array as Cells
from ..first_order import Grid
from ..gradients import refuse_no_gradients
from ..mediators import mediator_named
from ..networks import as_network
from ..outcomes import Outcomes
from ..pieces import Piece
from ..plain_hooks import module_at
from ..questions import Question
from ..sites import Site
from ..study import Study, refuse_no_study
from ..sweeps import Sweep
from .found import Array
from .makers import components
from .network_slopes import of_network
from .samples import refuse_no_vector

READ = ("neurons", "head")
"""Sites that one linear map alone reads."""

RANK = 1e-5
"""A singular value of a smaller share of the largest is rounding of single precision."""

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the way from a prompt's value to the other one's: at its ends alone a softmax may be flat."""

PLACEBO = "mw.directions.placebo(study, site, found)"
"""What to ask of a direction where what reads it is not known."""

KEPT = 0.99
"""Of the squared slopes, where they stand for what reads a site."""


@dataclass(frozen=True, eq=False)
class RowSpace:
    """The directions of a site that what comes after it reads.

    Attributes:
        site: whose.
        label: its name.
        subspace: of its space.
        exact: whether the rest is read by nothing at all. Else it is so to first order, on the
            prompts of the study.
        words: what it was taken from.
    """

    site: Site
    label: str
    subspace: Subspace
    exact: bool
    words: str

    def parts(self, rows: Array) -> tuple[Array, Array]:
        """(n, width) vectors as the sum of what lies in the row space and of what does not.

        Raises:
            MediationError: no vectors of numbers, or of another width.
        """
        array, basis = numbers(rows), self.subspace.basis
        require(
            array.ndim > 0 and array.shape[-1] == self.subspace.width,
            "What is read of vectors is asked of those of the site.",
            value=rows,
            expected=f"(n, {self.subspace.width}) finite numbers",
            fix="reads.parts(found.subspace.basis)",
        )
        inside = array @ basis.T @ basis
        return inside, array - inside

    def __repr__(self) -> str:
        how = "exact" if self.exact else "first order"
        return (
            f"RowSpace({self.label}: {self.subspace.k} of {self.subspace.width} "
            f"dimensions, {how}: {self.words})"
        )


def row_space(study: Study, site: Site) -> RowSpace:
    """What reads a site.

    - ``neurons``: the MLP's output map alone, so the span of its rows is exact. It is at most
      d_model wide, and an MLP is usually wider.
    - ``head``: its slice of the output projection, exact too. As a head is narrower than the
      stream, that is mostly all of it.
    - Any other site is read by everything that comes after it, through norms. What is read is
      taken to be the span of the metric's slopes at the site (the directions that hold 99% of
      their square), on both prompts of every pair and at three points between their values: what
      moves the answer there to first order. A direction that they all miss may be read elsewhere.

    Args:
        study: whose weights or slopes are read; its metric is the one that has the slopes.
        site: what is read, with a position if it is read by slopes.

    Raises:
        MediationError: no site of a vector, a model on a server, weights that are no plain linear
            map, a metric without slopes.
    """
    refuse_no_study(study)
    refuse_no_vector(site)
    if site.mediator in READ:
        return _weights(study, site)
    rows = slopes(study, site)
    _, sizes, right = np.linalg.svd(rows, full_matrices=False)
    power = np.cumsum(sizes**2) / max((sizes**2).sum(), np.finfo(np.float64).tiny)
    kept = right[: int(np.searchsorted(power, KEPT)) + 1]
    words = f"slopes of {study.metric.name} on {len(study.contrast)} pairs, {KEPT:.0%} of them"
    return RowSpace(site, study.labels([site])[0], Subspace(kept), exact=False, words=words)


def slopes(study: Study, site: Site) -> Array:
    """How the metric moves with a site, on all prompts, on the way from each to its other one.

    Returns:
        (step * prompt * position, width).

    Raises:
        MediationError: a model or a metric that gives none.
    """
    network = as_network(study.lm)
    rows = _of_decoder(study, site) if network is None else of_network(study, site, network, STEPS)
    require(
        bool(np.abs(rows).max() > 0),
        "The metric does not move with this site at all.",
        value=study.labels([site])[0],
        expected="a site from which the answer is read",
        fix="study.sweep(mediator, by='position') shows where there is an effect",
    )
    return rows


def _of_decoder(study: Study, site: Site) -> Array:
    by = None if site.position is None else {"here": site.position}
    question = Question(Sweep(site.mediator, by=by, layers=(site.layer,)), study.engine, ())
    found: list[Array] = []
    method = _Slopes(site, found)
    refuse_no_gradients(study.lm, PLACEBO)
    refuse_no_estimate(question, study.metric, method)
    outcomes: Outcomes = study.engine.evaluate([])
    Grid(question, study.metric, outcomes, method).moved()
    return np.concatenate(found)


@dataclass(frozen=True)
class _Slopes(Attribution):
    """Keeps the slopes at a site, in passing."""

    name: ClassVar[str] = "slopes"

    site: Site
    found: list[Array]

    def moved(self, piece: Piece) -> Sequence[Cells]:
        slopes = piece.slopes()
        (layer,), place = piece.layers, piece.place(self.site.layer)
        where = place.stage, place.point
        unit = mediator_named(self.site.mediator).place(self.site, piece.lm.shape).unit
        at = list(piece.group.frame.positions(self.site.position))

        def here(value: Tensor) -> Tensor:
            """A view of the site's own numbers: (row, position, width)."""
            return torch.unflatten(value, -1, (place.n_units, -1))[:, at, unit]

        change = piece.change(layer, slopes[where].value)
        only = torch.zeros_like(change)
        torch.unflatten(only, -1, (place.n_units, -1))[:, at, unit] = here(change)
        for step in STEPS:
            with piece.passing([where], shifts={where: step * only}) as found:
                rows = here(found.slopes()[where].gradient).double().cpu().numpy()
            self.found.append(rows.reshape(-1, rows.shape[-1]))
        return piece.first_order(slopes)


def _weights(study: Study, site: Site) -> RowSpace:
    lm, mediator = study.lm, mediator_named(site.mediator)
    if lm.backend is not None:
        raise MediationError(
            "The weights of a remote model are not here.",
            value=lm.name,
            expected="a model that runs here",
            fix=f"{PLACEBO}, which its server answers; or load the model without remote=",
        )
    lm.refuse_missing(mediator)
    mediator.check(replace(site, position=None), lm.shape, 1)
    place = mediator.place(site, lm.shape)
    module = module_at(lm, place.stage, place.point)
    weight = map_of(module, place.point).weight.double().cpu().numpy()
    part = weight.reshape(place.n_units, -1, weight.shape[1])[place.unit]
    left, sizes, _ = np.linalg.svd(part, full_matrices=False)
    rows = left.T[sizes > RANK * sizes[0]]
    what = "the MLP's output map" if site.mediator == "neurons" else "its output projection"
    label = study.labels([site])[0]
    words = f"the weights of {what}"
    return RowSpace(site, label, Subspace(components(rows)), exact=True, words=words)
