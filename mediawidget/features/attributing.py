"""Attribution to features and to the error: gradients instead of runs, and how far off they are.

A feature's share of the change at its site is its code's change times its decoder row, so its
effect is estimated by the gradient along that row; the error's by the gradient along the error's
change. Both add up to the estimate of the whole site.

Sources: Marks et al. 2024 (sparse feature circuits); Nanda 2023 (attribution patching).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..asking import Asked
from ..attribution import refuse_no_estimate
from ..checks import broken
from ..edits import Patch
from ..edits.sparse import SAE, refuse_no_sae
from ..effects import Effect, Status
from ..errors import require
from ..estimated import ESTIMATE_COLUMNS, Estimated
from ..filing import weights_changed
from ..gradients import refuse_no_gradients
from ..outcomes import Outcomes
from ..questions import Question
from ..readouts import ANSWER, WRONG
from ..results import facts
from ..search.judged import Judged, chosen, judged, refuse_another_study, refuse_no_check
from ..statistics import clusters_of, groups_of
from ..statistics.resampling import whole
from ..study import Study, refuse_no_study
from ..sweeps import Sweep
from ..validity import premises
from .cells import ERROR, Cells, Unit
from .slopes import Averaged, FeatureGrid, Gradient, Stepped
from .sweeping import By
from .wholes import whole_of

Array = NDArray[np.float64]
TOLERANCE, MOST = 0.01, 2000
"""How far off integrated gradients may be, of what the site does; and gradients a pair, prompt."""
_MOST_COUNTED = 10**6
_ANEW = "mw.features.check(study, sae, mw.features.attribute(study, sae))"


def attribute(
    study: Study,
    sae: SAE,
    by: By = "position",
    method: Literal["gradient", "ig"] = "gradient",
    steps: int | None = None,
    *,
    tolerance: float | None = None,
    most: int | None = None,
) -> Effect:
    """What a sweep of all features would come to, from gradients: nothing is set.

    PIE from the gradient on the corrupt prompt, TIE from that on the clean one:

    - "gradient": the gradient times the change of the code. One forward and one backward pass
      (``facts["passes"]``, ``facts["backward"]``; that codes are read before is not counted).
    - "ig": the gradient averaged on the straight way from the site's own value to the other
      prompt's, at all positions of the cells at once (Marks et al. 2024): the cells of all
      features and of the error add up to what patching the site at these positions does.

    The gradient on the way can be a narrow spike, where attention goes over from one token to
    another: in an IOI study of the teaching model a third of a pair's 31 logits come within 0.4% of
    the way, and 50 equal steps miss the site's 19.4 logits by 11%. So each pair's way is halved
    where two rules (Gauss-Legendre, 10 and 6 points) differ, until the cells and their sum are
    within ``tolerance``: 16 gradients a part, ``facts["points"]`` a prompt. With ``steps`` there
    are so many equal ones instead, as published (midpoint rule).

    What remains: a cell is a share of the joint change, not what setting the feature alone does
    (``check`` runs that), and it is a straight line's share: between the prompts lie activations
    that no prompt gives. A feature counts by the difference of its codes at the two ends, wherever
    it would be on between. Where a model jumps (experts chosen anew) no gradient sees it, and
    "completeness" fails.

    Args:
        study: its pairs and metric.
        sae: of a site of its model.
        by: "position", "role", {name: positions}, or None for all positions at once.
        method: "gradient" or "ig".
        steps: of "ig": equal steps, whatever they miss; default None, as many as it takes.
        tolerance: of "ig" without ``steps``: how far off a pair's sum and each of its cells may
            be, as a share of what the site does, the mean size over pairs; default 0.01.
        most: of the same: gradients a pair and prompt after which no part is halved; default 2000.

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
    _refuse_options(method, {"steps": steps, "tolerance": tolerance, "most": most})
    cells, lm = Cells(study, sae, by), study.lm
    question = _question(cells)
    refuse_no_gradients(study.lm, "mw.features.sweep(study, sae)")
    plain = Gradient(sae) if method == "gradient" else Stepped(sae, steps or 1)
    refuse_no_estimate(question, study.metric, plain)
    whole = whole_of(cells)
    how = plain
    if method == "ig" and steps is None:
        share = TOLERANCE if tolerance is None else tolerance
        how = Averaged(sae, *whole.allowing(share), share, MOST if most is None else most)
    outcomes = study.engine.evaluate([])
    study.admit(outcomes.bases)
    version, began = lm.version(), time.perf_counter()
    moved = FeatureGrid(question, study.metric, outcomes, how).moved()[:, :, 0]
    if lm.version() != version:
        raise weights_changed(lm)
    outcomes.seconds += time.perf_counter() - began
    units: list[Unit] = [*cells.moving, None]
    found = moved[:, :, [-1 if u is None else u for u in units]]
    effect = _effect(cells, units, found, outcomes, how)
    return replace(effect, checks=(*effect.checks, whole.completeness(effect)))


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
        MediationError: an effect that is no estimate of this autoencoder's features, or one of
            another metric, other pairs or other weights than the study's.

    Source: Kramar et al. 2024, for a sample of what an estimate ranks low.
    """
    refuse_no_study(study)
    refuse_no_sae(sae)
    refuse_no_check(k, sample, seed)
    require(
        isinstance(effect, Effect)
        and isinstance(effect.metric, Estimated)
        and effect.facts.get("digest") == sae.digest,
        "This is no attribution to the features of this autoencoder.",
        value=effect,
        expected="what mw.features.attribute(study, sae) gave",
        fix=_ANEW,
    )
    refuse_another_study(study, effect, Patch(), _ANEW)
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


def _question(cells: Cells) -> Question:
    """The sweep of the whole site at the cells' positions."""
    study, site = cells.study, cells.sae.site
    sweep = Sweep(site.mediator, Patch(), cells.by, layers=[site.layer])
    return Question(sweep, study.engine, study.roles)


# --- the result ---------------------------------------------------------------------------------


def _effect(
    cells: Cells, units: Sequence[Unit], moved: Array, outcomes: Outcomes, how: Gradient
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


def _refuse_options(method: object, given: Mapping[str, Any]) -> None:
    options = {name: value for name, value in given.items() if value is not None}
    alone = "steps" in options and len(options) > 1
    require(
        isinstance(method, str)
        and method in ("gradient", "ig")
        and (method == "ig" or not options)
        and not alone,
        "Unknown method of attribution.",
        value=", ".join(
            f"{name}={value!r}" for name, value in {"method": method, **options}.items()
        ),
        expected="'gradient'; 'ig', with its steps, or with its tolerance and most",
        fix="mw.features.attribute(study, sae, method='ig')",
    )
    for name in ("steps", "most"):
        count = options.get(name, 1)
        require(
            whole(count, 1) and count <= _MOST_COUNTED,
            f"{name.capitalize()} are counted.",
            value=count,
            expected=f"an int from 1 to {_MOST_COUNTED}",
            fix=f"mw.features.attribute(study, sae, method='ig', {name}=50)",
        )
    share = options.get("tolerance", TOLERANCE)
    require(
        isinstance(share, int | float) and not isinstance(share, bool) and 0 < share < 1,
        "The tolerance is a share of what the site does.",
        value=share,
        expected="a number between 0 and 1",
        fix="mw.features.attribute(study, sae, method='ig', tolerance=0.01)",
    )
