"""What must hold for an effect to mean what it says: measured with every result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from .edits import Edit, Mean, Patch, Within
from .edits.base import BASES
from .effects import Effect, Status
from .engine import Engine, widened
from .lm import LM
from .networks import as_network
from .outcomes import Outcomes
from .plain import plain_run
from .precision import logits_of, tolerance
from .runs import Freeze, Run
from .sites import Site
from .turns import Hurried
from .validity import Check, Read, fired, premises

Array = NDArray[np.float64]
Edits = Mapping[Site, Edit]

MANY = 64
"""Prompts that are not averaged one by one just to check a mean."""


def proofs(
    engine: Engine,
    effect: Effect,
    outcomes: Outcomes,
    cells: Sequence[Edits],
    freezes: Sequence[Freeze],
) -> list[Check]:
    """What shows that the engine computes what it says: it may be trusted only if all hold.

    Args:
        engine: which is checked, on its first pairs.
        effect: of ``cells``, in row-major order of its axes, those that are possible.
        outcomes: of both directions of every cell, then of ``check_runs``.
        cells: what each cell sets, ``{site: edit}``.
        freezes: what the runs of each cell held at their base.
    """
    if not cells:
        words = "There was nothing to run."
        return [Check(name, None, words) for name in ("self-patch", "full cut", "plain forward")]
    try:
        plain = _plain_check(engine, effect, cells, freezes)
    except Hurried:
        plain = [Check("plain forward", None, "Not compared: the rest was cancelled.")]
    return [*engine_checks(engine, cells, outcomes), *plain]


def read_by(model: object) -> Read:
    """What a model reads, as people call it."""
    return "prompt" if as_network(model) is None else "input"


def with_checks(
    effect: Effect, outcomes: Outcomes, proven: Sequence[Check], read: Read = "prompt"
) -> Effect:
    """The effect with all its checks; without its numbers where the engine failed one."""
    n_runs = 2 * int((effect.status != Status.IMPOSSIBLE).sum())
    moved = fired(outcomes.fired[:n_runs], outcomes.implied[:n_runs])
    checks = (
        *premises(effect.bases, effect.metric.over(effect.columns), read),
        moved,
        *broken(effect, "the model overflows there, or a token has nothing left to attend to"),
        *proven,
    )
    return withheld(replace(effect, checks=checks), proven)


def withheld(effect: Effect, proven: Sequence[Check]) -> Effect:
    """The effect, without its numbers where one of these proofs failed."""
    if all(check.ok is not False for check in proven if check.name != "precision"):
        return effect
    empty = np.isin(effect.status, (Status.NOT_RUN, Status.IMPOSSIBLE))
    failed = np.where(empty, effect.status, Status.FAILED)
    nothing = np.full_like(effect.edited, np.nan)
    return replace(effect, edited=nothing, status=np.asarray(failed, dtype=np.uint8))


def broken(effect: Effect, why: str) -> list[Check]:
    """A failed check where cells came to NaN or infinity; none where all is well."""
    n = int((effect.status == Status.FAILED).sum())
    if not n:
        return []
    words = f"{n} of {effect.status.size} cells came to NaN or infinity: {why}."
    return [Check("finite numbers", ok=False, words=words)]


def refused_plainly(edits: Iterable[Edit], n_pairs: int) -> str:
    """Why a plain pass is not compared with; empty where it is."""
    inner = [edit.edit if isinstance(edit, Within) else edit for edit in edits]
    if n_pairs <= MANY or not any(isinstance(edit, Mean) for edit in inner):
        return ""
    return f"Not compared: a plain pass would first average {n_pairs} prompts singly."


def _plain_check(
    engine: Engine, effect: Effect, cells: Sequence[Edits], freezes: Sequence[Freeze]
) -> list[Check]:
    """The strongest cell of the first pair once more, by a plain forward pass.

    In half precision also in single precision: what is smaller than the difference is rounding.
    """
    possible = (effect.status != Status.IMPOSSIBLE).reshape(-1)
    ran = (effect.status == Status.EXACT).reshape(-1)[possible]
    if not ran.any():
        return [Check("plain forward", None, "Nothing was run that could be compared.")]
    words = refused_plainly((edit for cell in cells for edit in cell.values()), effect.n_pairs)
    if words:
        return [Check("plain forward", None, words)]
    columns = effect.columns
    on_corrupt = effect.edited[0, 1].reshape(-1, len(columns))[possible]
    base = effect.metric.read(effect.bases[0, 1], columns)
    moved = effect.metric.read(on_corrupt, columns) - base
    gaps: dict[int, float] = {}
    slow: dict[int, Array] = {}
    # Of the runs that hold something and of those that do not the strongest each.
    held = np.array([bool(freeze) for freeze in freezes])
    for some in (~held & ran, held & ran):
        if some.any():
            cell = int(np.argmax(np.where(some, np.abs(moved), -1.0)))
            alone = plain_run(engine, Run("corrupt", cells[cell], freezes[cell]))
            slow[cell] = logits_of(alone, columns)
            gaps[cell] = float(np.abs(logits_of(on_corrupt[cell], columns) - slow[cell]).max())
    cell = max(gaps, key=lambda one: np.nan_to_num(gaps[one], nan=np.inf))
    run = Run("corrupt", cells[cell], freezes[cell])
    where = int(np.flatnonzero(possible)[cell])
    label = effect.labels[where] if effect.labels else "The strongest cell"
    same = agreement(
        "plain forward",
        f"{label} run alone by a plain forward pass",
        "the same logits",
        gaps[cell],
        tolerance(engine.lm, slow[cell]),
    )
    if engine.lm.dtype not in (torch.float16, torch.bfloat16):
        return [same]
    return [same, _precision(engine, effect, run, moved[cell])]


def _precision(engine: Engine, effect: Effect, run: Run, effect_here: float) -> Check:
    """How far the strongest cell's effect is from its value in single precision."""
    lm, name = engine.lm, str(engine.lm.dtype).removeprefix("torch.")
    if lm.backend is not None:
        words = f"Not compared: the weights are on a server, in {name} alone."
        return Check("precision", None, words)
    wide = widened(engine)
    if wide is None:
        words = f"Not compared: this model in float32 does not fit beside itself in {name}."
        return Check("precision", None, words)
    values = [plain_run(wide, one) for one in (run, Run("corrupt"))]
    there = effect.metric.read(np.stack(values), effect.columns)
    apart = abs(float(there[0] - there[1]) - float(effect_here))
    words = (
        f"In {name} the strongest effect of the first pair is {apart:.2g} {effect.metric.unit} "
        f"from its value in float32; {lm.name}'s effects of that size and below are rounding."
    )
    return Check("precision", bool(apart < 0.1 * abs(there[0] - there[1])), words)


def _checked_site(cells: Sequence[Edits]) -> Site:
    """The one in the middle, at all positions, so that it is never zero by construction."""
    site = next(iter(cells[len(cells) // 2]))
    if site.mediator in ("pattern", "edge"):
        # Through the heads, for the pattern may be had under another kind of attention alone.
        return Site("head", site.layer, head=site.head or 0)
    return replace(site, position=None, key=None)


def check_runs(lm: LM, cells: Sequence[Edits], equal: bool = True) -> list[Run]:
    """Runs whose outcome is known, on both bases: a self-patch of a site and a full cut.

    Where prompts are not ``equal`` in length some positions have no partner, so that only the
    stream after the last block, of which one position is read, is a full cut.
    """
    site, cut = _checked_site(cells), full_cut(lm, equal)
    self_patches = [Run(base, {site: Patch(base)}) for base in BASES]
    return self_patches + [Run(base, {cut: Patch()}) for base in BASES if cut is not None]


def full_cut(lm: LM, equal: bool) -> Site | None:
    """A site through which all goes that tells the prompts apart; None where there is none."""
    network = as_network(lm)
    if network is not None:
        return network.full_cut
    # A decoder reads its encoder anew in every block.
    early = equal and not lm.encodes
    return Site("residual", layer=lm.n_layers // 2 if early else lm.n_layers)


def engine_checks(engine: Engine, cells: Sequence[Edits], outcomes: Outcomes) -> list[Check]:
    """A self-patch and a full cut: the outcome of ``check_runs``.

    They stand behind both directions of ``cells``.
    """
    known = logits_of(outcomes.kept[2 * len(cells) :], outcomes.columns)
    site = _checked_site(cells)
    done = outcomes.ran[2 * len(cells) :].all(axis=0)
    if not done.any():
        words = "Nothing was run that could be checked."
        return [Check(name, None, words) for name in ("self-patch", "full cut")]
    bases = logits_of(outcomes.bases[done], outcomes.columns).transpose(1, 0, 2)
    self_gap = float(np.abs(known[:2, done] - bases).max())
    allowed = tolerance(engine.lm, bases)
    network = as_network(engine.lm)
    named = Site.label if network is None else network.label
    own = f"Patching {named(site)} with its own value"
    same = agreement("self-patch", own, "its own run's logits", self_gap, allowed)
    cut = full_cut(engine.lm, engine.equal)
    if cut is None:
        words = "Not applicable: no point of this network is passed by everything."
        return [same, Check("full cut", None, words)]
    cut_gap = float(np.abs(known[2:, done] - bases[::-1]).max())
    where = f"the whole residual stream before layer {cut.layer}"
    last = cut.mediator == "residual" and cut.layer == engine.lm.n_layers
    where = "the residual stream after the last layer" if last else where
    where = where if cut.mediator == "residual" else f"the whole of {named(cut)}"
    deed = f"Patching {where}"
    result = f"the other {read_by(engine.lm)}'s logits"
    return [same, agreement("full cut", deed, result, cut_gap, allowed)]


def agreement(name: str, deed: str, result: str, gap: float, allowed: float) -> Check:
    """A deed that must give a known result, and by how much it did not. NaN is a failure."""
    ok = gap <= allowed
    verb = "gives" if ok else "should give"
    return Check(name, ok, f"{deed} {verb} {result} (off by {gap:.1g}, allowed {allowed:.1g}).")
