"""Attribution to features and to the error: gradients instead of runs, and how far off they are.

A feature's share of the change at its site is its code's change times its decoder row, so its
effect is estimated by the gradient along that row; the error's by the gradient along the error's
change. Both add up to the estimate of the whole site.

Sources: Marks et al. 2024 (sparse feature circuits); Nanda 2023 (attribution patching).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..asking import Asked
from ..attribution import refuse_no_estimate
from ..checks import broken
from ..edits import Patch
from ..edits.sparse import SAE
from ..effects import Effect, Status
from ..errors import require
from ..estimated import ESTIMATE_COLUMNS, Estimated
from ..filing import weights_changed
from ..first_order import Grid, Method
from ..gradients import refuse_no_gradients
from ..mediators import mediator_named
from ..outcomes import Outcomes
from ..pieces import Piece, wide
from ..plan.frame import Ints
from ..questions import Question
from ..readouts import ANSWER, WRONG
from ..results import facts
from ..runs import Run
from ..search.integrated import Integrated
from ..search.judged import Judged, chosen, judged, refuse_no_check
from ..statistics import clusters_of, groups_of
from ..study import Study
from ..sweeps import Sweep
from ..validity import Check, premises, too_near_zero
from .cells import ERROR, Cells, Unit
from .sweeping import By

Array = NDArray[np.float64]
STEPS = 50
"""With 10 the cells of an IOI study add up to 26.5 logits where the site carries 19.4."""
MISSED = 0.1
"""Cells that add up to what the site does but for more than this share of it are flagged."""


def attribute(
    study: Study,
    sae: SAE,
    by: By = "position",
    method: Literal["gradient", "ig"] = "gradient",
    steps: int | None = None,
) -> Effect:
    """What a sweep of all features would come to, from gradients: nothing is set.

    PIE from the gradient on the corrupt prompt, TIE from that on the clean one:

    - "gradient": the gradient times the change of the code. One forward and one backward pass
      (``facts["passes"]``, ``facts["backward"]``; that codes are read before is not counted).
    - "ig": the gradient averaged on the way from the site's own value to the other prompt's, at
      all positions at once (midpoint rule; Marks et al. 2024). ``steps`` passes. With enough of
      them all cells of features and errors add up to what patching the whole site does.

    Args:
        study: its pairs and metric.
        sae: of a site of its model.
        by: "position", "role", {name: positions}, or None for all positions at once.
        method: "gradient" or "ig".
        steps: of "ig"; default 50. More where the check "completeness" fails.

    Returns:
        Axes feature (all whose codes part, then "error") and position, cells of status ESTIMATE.
        ``check(study, sae, effect)`` runs the largest; ``effect.checks`` has "completeness": what
        all cells add up to, beside what setting the whole site there does, which is run.

    Raises:
        MediationError: a metric or a model without gradients, and what ``sweep`` raises.

    Example:
        >>> effect = mw.features.attribute(study, mw.features.teaching(3), method="ig")
        >>> mw.features.check(study, mw.features.teaching(3), effect).rank_correlation()
    """
    how = _method(method, steps, sae)
    cells, lm = Cells(study, sae, by), study.lm
    question = _question(cells)
    refuse_no_gradients(study.lm, "mw.features.sweep(study, sae)")
    refuse_no_estimate(question, study.metric, how)
    outcomes = study.engine.evaluate([])
    study.admit(outcomes.bases)
    version, began = lm.version(), time.perf_counter()
    moved = _FeatureGrid(question, study.metric, outcomes, how).moved()[:, :, 0]
    if lm.version() != version:
        raise weights_changed(lm)
    outcomes.seconds += time.perf_counter() - began
    units: list[Unit] = [*cells.moving, None]
    found = moved[:, :, [-1 if u is None else u for u in units]]
    effect = _effect(cells, units, found, outcomes, how)
    return replace(effect, checks=(*effect.checks, _completeness(cells, effect)))


def _completeness(cells: Cells, effect: Effect) -> Check:
    """Whether all cells add up to what setting the whole site does at the same positions."""
    study = cells.study
    whole: Any = {cells.site(spot): Patch() for spot in cells.spots}
    done = study.engine.evaluate([Run("corrupt", whole), Run("clean", whole)])
    y = study.metric.read(done.kept, done.columns)
    base = study.metric.read(done.bases, done.columns)
    exact = {"PIE": float((y[0] - base[:, 1]).mean()), "TIE": float((base[:, 0] - y[1]).mean())}
    sums = {key: float(np.sum(effect[key])) for key in exact}
    off = max(abs(sums[key] - exact[key]) for key in exact)
    size, unit = max(map(abs, exact.values())), study.metric.unit
    told = ", ".join(f"{key} {sums[key]:+.3g} of {exact[key]:+.3g}" for key in exact)
    words = f"All cells together against the site set at once: {told} {unit}"
    words = words.replace("-", "\N{MINUS SIGN}")
    if too_near_zero(size, 0.0):
        return Check("completeness", None, f"{words}, too near 0 for shares.")
    return Check("completeness", bool(off <= MISSED * size), f"{words}: {off / size:.0%} off.")


def check(
    study: Study,
    sae: SAE,
    effect: Any,
    k: int = 10,
    sample: int = 10,
    seed: int = 0,
    *,
    progress: bool = True,
) -> Judged:
    """How far off an attribution is: its ``k`` largest cells, and some of the rest, really set.

    Args:
        study: that it is of.
        sae: the same.
        effect: from ``attribute``, by position, by role, or everywhere.
        k: how many of the largest.
        sample: how many of the rest, drawn at random.
        seed: of the draw.
        progress: whether to show a bar.

    Raises:
        MediationError: an effect that is no estimate of this autoencoder's features.
    """
    refuse_no_check(k, sample, seed)
    require(
        isinstance(effect, Effect) and effect.facts.get("digest") == sae.digest,
        "This is no attribution to the features of this autoencoder.",
        value=effect,
        expected="what mw.features.attribute(study, sae) gave",
        fix="mw.features.check(study, sae, mw.features.attribute(study, sae))",
    )
    kept = chosen(effect, k, sample, seed, None)
    cells = Cells(study, sae, _by(effect))
    at = [np.unravel_index(int(cell), effect.shape) for cell in kept.cells]
    units: list[Unit] = [
        None if (unit := effect.axes["feature"][place[0]]) == ERROR else int(unit) for place in at
    ]
    spots = [cells.spots[int(place[1])] if len(place) > 1 else None for place in at]
    sites = [
        {cells.site(spot): cells.set_to(Patch(), [unit], spot)}
        for unit, spot in zip(units, spots, strict=True)
    ]
    labels = tuple(effect.labels[int(cell)] for cell in kept.cells)
    asked = Asked({"site": labels}, labels, sites, [()] * len(sites), Patch())
    return judged(effect, study.ask(asked).result(progress=progress), kept)


# --- the passes ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Gradient(Method):
    """Slope times change, code by code, and the error's."""

    name: ClassVar[str] = "attribution to features"
    words: ClassVar[str] = (
        "First order: the gradient along the decoder row times the code's change."
    )

    sae: SAE

    def moved(self, piece: Piece) -> Sequence[Array]:
        slope = piece.slopes()[piece.places[0]]
        return [self._cells(piece, slope.value, wide(slope.gradient))]

    def _cells(self, piece: Piece, value: Tensor, gradient: Tensor) -> Array:
        """(base, strand, feature and error, position) of the slope at ``value``."""
        layer, sae = piece.layers[0], self.sae
        columns = _columns(piece, sae)
        own, change = wide(value)[..., columns], piece.change(layer, value)[..., columns]
        more = sae.encode(own + change) - sae.encode(own)
        w_dec = own.new_tensor(sae.w_dec)
        slope = gradient[..., columns]
        each = more * (slope @ w_dec.T)
        left = ((change - more @ w_dec) * slope).sum(-1, keepdim=True)
        both = torch.cat([each, left], -1).double()
        spots = torch.from_numpy(piece.positions(layer)).to(both)
        cells = torch.einsum("rtu,tp->rup", both, spots)
        return torch.unflatten(cells, 0, (len(piece.group.frame.bases), -1)).cpu().numpy()


@dataclass(frozen=True)
class _Integrated(_Gradient):
    """The same, the slope averaged on the way to the other prompt's value."""

    name: ClassVar[str] = "integrated gradients to features"
    words: ClassVar[str] = "The gradient averaged on the way to the other prompt's value."

    steps: int

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"steps": self.steps}

    def refuse(self, question: Question, metric: Any) -> None:
        Integrated(self.steps).refuse(question, metric)

    def moved(self, piece: Piece) -> Sequence[Array]:
        where, columns = piece.places[0], _columns(piece, self.sae)
        own = piece.values([where])[where]
        way = torch.zeros_like(wide(own))
        way[..., columns] = piece.change(piece.layers[0], own)[..., columns]
        mean = torch.zeros_like(way)
        for step in range(self.steps):
            shifts = {where: way * ((step + 0.5) / self.steps)}
            with piece.passing([where], shifts=shifts) as passed:
                mean += wide(passed.slopes()[where].gradient) / self.steps
        return [self._cells(piece, own, mean)]


class _FeatureGrid(Grid):
    """A sweep of one site whose units are the features and, last, the error."""

    @cached_property
    def units(self) -> Ints:
        method = self.method
        assert isinstance(method, _Gradient)
        return np.arange(method.sae.n_features + 1)


def _columns(piece: Piece, sae: SAE) -> slice:
    """Which columns of the point are the site's."""
    place = mediator_named(sae.site.mediator).place(sae.site, piece.lm.shape)
    return slice(place.unit * sae.width, (place.unit + 1) * sae.width)


def _question(cells: Cells) -> Question:
    """The sweep of the whole site at the cells' positions."""
    study, site = cells.study, cells.sae.site
    sweep = Sweep(site.mediator, Patch(), cells.by, layers=[site.layer])
    return Question(sweep, study.engine, study.roles)


# --- the result ---------------------------------------------------------------------------------


def _effect(
    cells: Cells, units: Sequence[Unit], moved: Array, outcomes: Outcomes, how: _Gradient
) -> Effect:
    """The estimate as an effect: of edited runs there is the metric alone."""
    study = cells.study
    axes: dict[str, tuple[int | str, ...]] = {
        "feature": tuple(ERROR if unit is None else unit for unit in units)
    }
    if cells.places:
        axes["position"] = tuple(cells.places)
    shape = tuple(len(names) for names in axes.values())
    moved = moved.reshape(len(moved), 2, *shape)
    y = study.metric.read(outcomes.bases, outcomes.columns)
    bases = np.stack([outcomes.bases[..., ANSWER], outcomes.bases[..., WRONG], y], axis=-1)
    edited = np.broadcast_to(
        bases.reshape(len(bases), 2, *(1,) * len(shape), 3), (*moved.shape, 3)
    ).copy()
    edited[..., 2] += moved
    status = np.where(np.isfinite(moved).all(axis=(0, 1)), Status.ESTIMATE, Status.FAILED)
    labels = tuple(cells.label(unit, spot) for unit in units for spot in cells.spots)
    beside = {"mediator": "feature", "autoencoder": repr(cells.sae), "digest": cells.sae.digest}
    method = {"method": how.name, **how.facts, "by": cells.by if cells.by else "everywhere"}
    effect = Effect(
        axes,
        bases,
        edited,
        status.astype(np.uint8),
        Patch(),
        Estimated(study.metric),
        labels,
        facts={**facts(study.lm, study.contrast, outcomes), **beside, **method},
        columns=ESTIMATE_COLUMNS,
        clusters=clusters_of(study.contrast),
        groups=groups_of(study.contrast),
    )
    found = premises(outcomes.bases, study.metric.over(outcomes.columns))
    return replace(effect, checks=(*found, *broken(effect, "the gradient overflows there")))


def _by(effect: Effect) -> By:
    """What an attribution was by."""
    by: Any = effect.facts["by"]
    return None if by == "everywhere" else by


def _method(name: object, steps: Any, sae: SAE) -> _Gradient:
    require(
        name in ("gradient", "ig") and (steps is None or name == "ig"),
        "Unknown method of attribution.",
        value=f"method={name!r}, steps={steps!r}",
        expected="'gradient', or 'ig' with its steps",
        fix="mw.features.attribute(study, sae, method='ig', steps=50)",
    )
    taken = STEPS if steps is None else steps
    require(
        isinstance(taken, int) and not isinstance(taken, bool) and taken >= 1,
        "Steps are counted.",
        value=steps,
        expected="an int, at least 1",
        fix="mw.features.attribute(study, sae, method='ig', steps=50)",
    )
    return _Integrated(sae, taken) if name == "ig" else _Gradient(sae)
