"""Attribution patching: what every edit of a sweep would do, from two gradients.

The metric of an edited run is its base's, plus the gradient at the unedited base times the change
of the site's value: Y01 of Y00 and the gradient on the corrupt prompt (PIE), Y10 of Y11 and the
gradient on the clean one (TIE). All sites of a kind at once, on both prompts, in one forward and
one backward pass. It is exact where the metric is linear between the two values, and fails where
it is not: behind a saturated softmax, through a norm (Kramar et al. 2024).

Sources: Nanda 2023; Syed, Rager and Conmy 2023; Kramar, Lieberum, Shah and Nanda 2024.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .checks import broken, refused_plainly
from .edits import Edit, Knockout
from .edits.base import BASES, MeanOf, Vector
from .effects import Effect, Status
from .errors import MediationError
from .estimated import ESTIMATE_COLUMNS, Estimated
from .filing import weights_changed
from .first_order import Grid, Method
from .gradients import refuse_no_gradients
from .mediators import mediator_named
from .metrics import KL, Metric
from .networks import refuse_network
from .outcomes import Outcomes
from .pieces import Piece
from .plain import plain_run
from .prompts import Contrast
from .questions import Question
from .readouts import ANSWER, WRONG
from .results import facts
from .runs import Run
from .sites import Site
from .statistics import clusters_of, groups_of
from .validity import Check, premises

Array = NDArray[np.float64]


class Attribution(Method):
    """Attribution patching: the slope at the unedited run times the change."""

    name: ClassVar[str] = "attribution patching"
    words: ClassVar[str] = (
        "First order: the gradient at the unedited run times the change of the site's value "
        "(attribution patching), which saturation can fool."
    )

    def moved(self, piece: Piece) -> Sequence[Array]:
        return piece.first_order(piece.slopes())


FAR = 0.5
"""A strongest estimate that misses the exact effect by more than this share of it is flagged."""


def estimated(
    question: Question,
    metric: Metric,
    contrast: Contrast,
    outcomes: Outcomes,
    labels: tuple[str, ...],
    method: Method,
) -> Effect:
    """The estimate of a sweep's effect, on the axes of the sweep.

    Args:
        question: the sweep and the pairs.
        metric: whose gradient is taken.
        contrast: the pairs.
        outcomes: of the base runs.
        labels: a name per cell.
        method: how the cells are estimated.

    Returns:
        Cells of status ESTIMATE; IMPLIED_ZERO and IMPOSSIBLE as in the sweep.

    Raises:
        MediationError: what ``refuse_no_estimate`` raises, and what the sweep raises.
    """
    refuse_no_estimate(question, metric, method)
    lm, sweep = question.engine.lm, question.sweep
    version, began = lm.version(), time.perf_counter()
    grid = Grid(question, metric, outcomes, method)
    moved, status = grid.moved(), grid.status()
    if lm.version() != version:
        raise weights_changed(lm)
    outcomes.seconds += time.perf_counter() - began
    effect = _effect(grid, moved, status, labels)
    found = facts(lm, contrast, outcomes) | sweep.facts()
    found |= {"method": method.name, **method.facts}
    effect = replace(
        effect, facts=found, clusters=clusters_of(contrast), groups=groups_of(contrast)
    )
    checks = (
        *premises(outcomes.bases, metric.over(outcomes.columns)),
        *broken(effect, "the gradient or the new value overflows there"),
        _accuracy(grid, effect),
    )
    return replace(effect, checks=checks)


def refuse_no_language_model(lm: object) -> None:
    """Raise where the gradients of a network that is no language model are asked for.

    Raises:
        MediationError: it is such a network.
    """
    fix = "study.sweep(kind) runs all sites of a kind, with layers=[0] those of the first point"
    refuse_network(lm, "An estimate of a sweep", fix)


def refuse_no_estimate(question: Question, metric: Metric, method: Method) -> None:
    """Raise where a sweep cannot be estimated by this method.

    Raises:
        MediationError: a mediator, edit, metric or model that has no gradient of this kind.
    """
    lm, sweep = question.engine.lm, question.sweep
    refuse_no_language_model(lm)
    mediator = mediator_named(sweep.mediator)
    if mediator.point == "pattern":
        raise MediationError(
            "The attention pattern cannot be estimated.",
            value=repr(mediator.name),
            expected="a mediator outside the softmax: head, query, key, value, attn_out, mlp_out, "
            "residual, residual_mid, residual_post, neuron, mlp_unit, embedding",
            fix=f"study.sweep({mediator.name!r}), or study.estimate('head')",
        )
    if not _adds_up(sweep.edit):
        raise MediationError(
            "This edit cannot be estimated.",
            value=repr(sweep.edit)[:200],
            expected="Patch() between the two prompts, Zero(), Mean(), Steer(...) or Scale(...)",
            fix=f"study.sweep({mediator.name!r}, edit=...)",
        )
    refuse_no_gradients(lm, f"study.sweep({mediator.name!r})")
    lm.refuse_missing(mediator)
    question.engine.refuse_edit(sweep.edit)
    metric.slopes({name: np.zeros(1) - (name != "logsumexp") for name in metric.columns})
    _refuse_flat(mediator.name, metric, method)
    method.refuse(question, metric)


def _refuse_flat(name: str, metric: Metric, method: Method) -> None:
    """Raise where the metric is at its lowest on a base, and every gradient is taken there."""
    if isinstance(metric, KL) and method.at_base:
        raise MediationError(
            "The divergence from a prompt's own distribution has no slope at that prompt.",
            value=f"KL({metric.base!r}), method: {method.name}",
            expected="another metric, or a method whose gradients are taken on the way",
            fix=f"study.metric = mw.LogitDiff(), study.estimate({name!r}, method='ig'), or "
            f"study.sweep({name!r})",
        )


def _adds_up(edit: Edit) -> bool:
    """Whether the whole new value is made of the prompts' own, a mean and a vector alone."""
    if edit.samples > 1 or isinstance(edit, Knockout):
        return False
    site = Site("head", layer=0, head=0)
    recipes = [edit.recipe(base, site) for base in BASES]
    return all(
        recipe.within is None
        and (recipe.source is None or recipe.source in BASES)
        and isinstance(recipe.constant, MeanOf | Vector | None)
        for recipe in recipes
    )


def _effect(grid: Grid, moved: Array, status: NDArray[np.uint8], labels: tuple[str, ...]) -> Effect:
    """The estimate as an effect: no logits of edited runs, but the metric itself."""
    outcomes, axes = grid.outcomes, grid.question.axes
    shape = tuple(len(coordinates) for coordinates in axes.values())
    everywhere = np.broadcast_to(status, moved.shape[2:]).reshape(shape)
    broken = ~np.isfinite(moved).all(axis=(0, 1)).reshape(shape)
    everywhere = np.where((everywhere == Status.ESTIMATE) & broken, Status.FAILED, everywhere)
    y = grid.metric.read(outcomes.bases, outcomes.columns)
    bases = np.stack([outcomes.bases[..., ANSWER], outcomes.bases[..., WRONG], y], axis=-1)
    n, ones = len(bases), (1,) * len(shape)
    change = np.where(everywhere == Status.IMPLIED_ZERO, 0.0, moved.reshape(n, 2, *shape))
    edited = np.empty((n, 2, *shape, 3))
    edited[...] = bases.reshape(n, 2, *ones, 3)
    edited[..., 2] += change
    edited[:, :, np.isin(everywhere, (Status.IMPOSSIBLE, Status.FAILED))] = np.nan
    return Effect(
        axes,
        bases,
        edited,
        everywhere.astype(np.uint8),
        grid.question.sweep.edit,
        Estimated(grid.metric),
        labels,
        columns=ESTIMATE_COLUMNS,
    )


def _accuracy(grid: Grid, effect: Effect) -> Check:
    """What kind of number this is, and how far off the strongest one on each prompt is."""
    words = grid.method.words
    name = str(grid.question.engine.lm.dtype).removeprefix("torch.")
    if name in ("float16", "bfloat16"):
        words += f" Gradients are in {name}."
    guessed = np.flatnonzero(effect.status.reshape(-1) == Status.ESTIMATE)
    engine, edit = grid.question.engine, grid.question.sweep.edit
    refused = refused_plainly([edit], effect.n_pairs)
    if refused or not len(guessed):
        return Check("estimate", None, f"{words} {refused}".rstrip())
    y = effect.scores(effect.bases)[0]
    ok, told = True, []
    for which, base in enumerate(BASES):
        moved = effect.scores(effect.edited[0, which]).reshape(-1)[guessed] - y[which]
        at = int(np.argmax(np.abs(moved)))
        cell = int(guessed[at])
        run = Run(base, {grid.site(cell): edit})
        kept = plain_run(engine, run)
        exact = float(grid.metric.read(kept, engine.columns)) - float(y[which])
        ok = ok and bool(abs(moved[at] - exact) <= FAR * abs(exact))
        told.append(f"{effect.labels[cell]} on {base} {moved[at]:+.3g}, run {exact:+.3g}")
    measured = f" Strongest of the first pair: {'; '.join(told)} {effect.metric.unit}."
    return Check("estimate", ok, words + measured.replace("-", "\N{MINUS SIGN}"))
