"""Amnesic probing: what a task loses with a property, held against what it loses by chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..edits import Clamp, Edit, Patch, Subspace, Values, Within
from ..edits.base import BASES
from ..errors import require
from ..runs import Run
from ..sites import Site
from ..statistics import clusters_of, refuse_no_seed
from ..statistics.resampling import whole
from ..study import Study, refuse_no_study
from .amnesic_result import BACK, ERASED, MOVED, RANDOM, Amnesic
from .erasers import Eraser
from .labelled import Array, of_pairs


def amnesic(
    study: Study,
    eraser: Eraser,
    site: Site | None = None,
    labels: Any = None,
    *,
    controls: int = 20,
    seed: int = 0,
    progress: bool = True,
) -> Amnesic:
    """Run the task with a property erased from a site, and with its controls.

    That a probe reads a property off a site does not say that the network uses it. Erase it, and
    see what the task loses. Beside it: as many random directions set to their mean, which is what
    any loss of so many directions does; every value moved exactly as far, along random directions,
    for a property that is told well lies where values differ most; and the erased part set to the
    mean of each prompt's own label, which gives the property back and nothing else: what the task
    does not get back was no loss of the property.

    Args:
        study: its pairs and metric; let them be others than those the eraser was fitted on.
        eraser: of ``mw.erasure.leace`` or ``mw.erasure.inlp``.
        site: where; default the eraser's own.
        labels: of these pairs, to give the property back; default as the eraser was given them.
        controls: how many draws of random directions.
        seed: of the draws.
        progress: whether to show a bar.

    Raises:
        MediationError: no eraser, no site, a site of another width.

    Source: Elazar et al. 2021. They give the property back by fine-tuning on its gold labels.

    Example:
        >>> fit = mw.Study(lm, mw.tasks.agreement(lm, n=48))
        >>> test = mw.Study(lm, mw.tasks.agreement(lm, n=24, seed=5))
        >>> leace = mw.erasure.leace(fit, site, labels="answers")
        >>> result = mw.erasure.amnesic(test, leace, controls=5)
        >>> result.share, result.against()
    """
    refuse_no_study(study)
    where = _refuse(eraser, site, controls, seed)
    own = [study.activations(where, base).array.astype(np.float64) for base in BASES]
    _refuse_width(eraser, where, own[0].shape[-1])
    edits: list[list[Edit]] = [[eraser.edit] * 2]
    edits += [[_random(eraser, seed + i)] * 2 for i in range(controls)]
    change = eraser.part.moved(np.stack(own), eraser.mean, eraser.part.shared())
    moves = [np.stack(own) + _turned(eraser, change, seed + i) for i in range(controls)]
    edits += [_set(where, both, "moved at random") for both in moves]
    means = _own_means(study, eraser, labels, own[0].shape)
    if means is not None:
        given = _set(where, means, "class means")
        edits.append([Within(eraser.part, patch) for patch in given])
    runs = [
        Run(base, {where: edit}) for both in edits for base, edit in zip(BASES, both, strict=True)
    ]
    outcomes = study.engine.job(runs).result(progress=progress)
    n = len(study.contrast)
    scores = outcomes.values(study.metric).reshape(len(edits), 2, n).swapaxes(1, 2)
    prompts = [getattr(pair, base) for base in BASES for pair in study.contrast]
    return Amnesic(
        eraser=eraser,
        site=where,
        bases=study.metric.read(outcomes.bases, outcomes.columns),
        erased=scores[0],
        random=scores[1 : 1 + controls],
        moves=scores[1 + controls : 1 + 2 * controls],
        back=None if means is None else scores[-1],
        moved=_moved(eraser, own, change, means, range(seed, seed + controls)),
        size=float(np.linalg.norm(np.stack(own) - eraser.mean, axis=-1).mean()),
        unit=study.metric.unit,
        clusters=clusters_of(study.contrast),
        seen=eraser.seen(prompts),
    )


def _random(eraser: Eraser, seed: int) -> Within:
    """As many directions as are erased, drawn at random, set to their mean."""
    return Within(Subspace.random(eraser.k, eraser.width, seed), Clamp(eraser.mean))


def _turned(eraser: Eraser, change: Array, seed: int) -> Array:
    """The change that the erasure makes, turned into random directions: as long, value by value."""
    part = eraser.part
    basis = (part if isinstance(part, Subspace) else Subspace.spanned(part.written)).basis
    turned: Array = change @ basis.T @ Subspace.random(eraser.k, eraser.width, seed).basis
    return turned


def _set(site: Site, both: Any, origin: str) -> list[Edit]:
    """A patch to given values per base."""
    return [Patch(Values(site, array, origin)) for array in both]


def _own_means(
    study: Study, eraser: Eraser, labels: Any, shape: tuple[int, ...]
) -> list[Array] | None:
    """Per base (pair, position, width) the mean of each prompt's label; None if one is unknown."""
    rule = eraser.labels if labels is None else labels
    if labels is None and not (rule is None or isinstance(rule, str) or callable(rule)):
        return None  # a list names the prompts that it was made for, and no others
    if labels is None and eraser.site is None:
        return None  # fitted on arrays
    known = {name: i for i, name in enumerate(eraser.classes)}
    found = []
    for names in of_pairs(list(study.contrast), rule):
        if not {str(name) for name in names} <= set(known):
            return None
        means = eraser.means[[known[str(name)] for name in names]]
        found.append(np.broadcast_to(means[:, None], shape).copy())
    return found


def _moved(
    eraser: Eraser, own: list[Array], change: Array, means: list[Array] | None, seeds: range
) -> dict[str, float]:
    """The mean length of the change of the site, by what was done."""
    values = np.stack(own)

    def length(part: Any, new: Any) -> float:
        moved = part.moved(values, new, part.shared())
        return float(np.linalg.norm(moved, axis=-1).mean())

    drawn = [length(_random(eraser, seed).part, eraser.mean) for seed in seeds]
    far = float(np.linalg.norm(change, axis=-1).mean())
    found = {ERASED: far, RANDOM: float(np.mean(drawn)), MOVED: far}
    return found | ({} if means is None else {BACK: length(eraser.part, np.stack(means))})


def _refuse(eraser: object, site: object, controls: object, seed: object) -> Site:
    require(
        isinstance(eraser, Eraser),
        "Amnesic probing takes an eraser.",
        value=eraser,
        expected="what mw.erasure.leace or mw.erasure.inlp gave",
        fix="mw.erasure.amnesic(study, mw.erasure.leace(study, site))",
    )
    where = eraser.site if site is None else site  # type: ignore[attr-defined]
    require(
        isinstance(where, Site),
        "An eraser that was fitted on arrays knows no site.",
        value=where,
        expected="Site('residual', 3, position='END')",
        fix="mw.erasure.amnesic(study, eraser, site)",
    )
    require(
        whole(controls, 1),
        "Controls are counted.",
        value=controls,
        expected="an int, at least 1",
        fix="controls=20",
    )
    refuse_no_seed(seed)
    return where  # type: ignore[return-value]


def _refuse_width(eraser: Eraser, site: Site, width: int) -> None:
    require(
        eraser.width == width,
        "An eraser is of a site of one width.",
        value=f"{eraser!r}, at {site.label()} of {width} numbers",
        expected=f"a site of {eraser.width} numbers",
        fix="fit an eraser at this site",
    )
