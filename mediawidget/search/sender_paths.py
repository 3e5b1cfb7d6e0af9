"""Path patching: what a sender carries to chosen receivers, all other paths held.

Source: Wang et al. 2023. (A, B) both prompts are run. (C) The base is run again with the sender's
output exchanged and every other head held at the base; what comes to the receivers is kept. (D) The
base is run with the receivers set to that, and all that follows is computed anew. C and D of every
sender are runs of one experiment, the second taking its values from the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..asking import Asked
from ..checks import Edits
from ..edits import Patch
from ..edits.base import BASES, Base
from ..effects import Effect, Status
from ..errors import MediationError, is_one_of, require
from ..jobs import Job
from ..lm import LM
from ..mediators import mediator_named
from ..questions import Question
from ..runs import Run
from ..sites import Position, Site
from ..study import Study, refuse_no_study
from ..sweeps import Sweep
from ..wiring import SENDERS
from .edge_runs import edge_effect

Mlps = Literal["recompute", "freeze"]
Norm = Literal["live", "frozen"]
Receivers = Site | Sequence[Site] | Literal["logits"]

INPUTS = ("query", "key", "value", "mlp_out")
"""What reads the residual stream before the logits do."""


def path_patching(
    study: Study,
    receivers: Receivers,
    senders: str = "head",
    *,
    mlps: Mlps = "recompute",
    norm: Norm = "live",
    by: str | dict[str, Position] | None = None,
    progress: bool = True,
) -> Effect:
    """What every sender carries to the receivers along paths that run through no other head.

    Args:
        study: its pairs and metric; senders are set to the pair's other prompt.
        receivers: sites of "query", "key", "value" and "mlp_out", several of them jointly, each at
            its positions; or "logits". A key or value that several heads share is one receiver,
            and all these heads get it.
        senders: "head", "mlp_out" or "embedding", each one by itself.
        mlps: "recompute": paths run through MLPs as well, as Wang et al. have it; "freeze": the
            edge from sender to receiver alone.
        norm: of paths to the logits: "live" recomputes what the final norm divides by; "frozen"
            keeps it as it is on the base, so that the edges of all senders add up. That is of edges
            alone, ``mlps="freeze"``, over all positions.
        by: "position" or "role": senders at one position at a time.
        progress: whether to show a bar.

    Returns:
        An effect on the senders' axes. PIE: what the path brings into the corrupt run (denoising);
        TIE: what the clean run loses without it (noising). A sender from which no path leads to
        a receiver is zero by construction. Where a norm after attention rescales the sum of the
        heads, what the sender changes in that norm is a part of its path.

    Raises:
        MediationError: receivers that do not read the stream, "logits" beside others, senders
            that do not write to it or are all behind the receivers.

    Source: Wang et al. 2023.

    Example:
        >>> queries = [mw.Site("query", 3, head=head) for head in (0, 1)]
        >>> mw.search.path_patching(study, queries, progress=False).top(2)["site"].tolist()
        ['L2H1', 'L2H0']
    """
    if is_one_of(norm, ("live",)):
        return path_patching_job(study, receivers, senders, mlps=mlps, by=by).result(progress)
    return _behind_frozen_norm(study, receivers, senders, (norm, mlps, by))


def path_patching_job(
    study: Study,
    receivers: Receivers,
    senders: str = "head",
    *,
    mlps: Mlps = "recompute",
    by: str | dict[str, Position] | None = None,
) -> Job[Effect]:
    """``path_patching``, not yet started: ``start()``, ``cancel()``, ``result()``.

    Arguments and errors as for ``path_patching``, but for ``norm``, which is "live".
    """
    refuse_no_study(study)
    _refuse_unknown(senders, mlps)
    lm, ends = study.lm, _as_receivers(receivers, study.lm)
    question = Question(Sweep(senders, Patch(), by), study.engine, study.roles)
    asked = question.asked(study.labels(question.named_sites))
    assert asked.possible is not None
    known = np.array([bool(_reached(lm, site, ends)) for site in question.sites])
    _refuse_unreached(known, study, senders, ends)
    leading = [cell for cell in asked.cells if _reached(lm, next(iter(cell)), ends)]
    cells = {base: [_cell(lm, one, ends, mlps, base) for one in leading] for base in BASES}
    names = ", ".join(study.labels(ends)) or "the logits"
    between = "on paths through MLPs" if mlps == "recompute" else "on the edge"
    paths = _Paths(
        axes=asked.axes,
        labels=asked.labels,
        cells=cells["corrupt"],
        freezes=[() if ends else _held(lm, None, mlps)] * len(leading),
        edit=Patch(),
        possible=asked.possible & known,
        facts={"downstream": f"from each {senders} to {names} alone, {between}; then recomputed"},
        on_clean=tuple(cells["clean"]),
    )
    return study.ask(paths).then(lambda effect: _with_zeros(effect, ~known))


def _behind_frozen_norm(
    study: Study, receivers: Receivers, senders: str, asked: tuple[object, object, object]
) -> Effect:
    """Every sender's own edge to the logits, on the scale of the base."""
    refuse_no_study(study)
    texts = all(one is None or isinstance(one, str) for one in asked)
    if not texts or asked != ("frozen", "freeze", None) or _as_receivers(receivers, study.lm):
        raise MediationError(
            "The final norm is live, or frozen for edges to the logits.",
            value="norm={!r}, mlps={!r}, by={!r}".format(*asked),
            expected="receivers='logits', mlps='freeze', norm='frozen'",
            fix="mw.search.path_patching(study, 'logits', mlps='freeze', norm='frozen')",
        )
    _refuse_unknown(senders, "freeze")
    question = Question(Sweep(senders, Patch(), None), study.engine, study.roles)
    wiring, told = study.lm.wiring, f"from each {senders} to the logits alone, on the edge"
    cells = [[(wiring.sender(site), len(wiring.receivers) - 1)] for site in question.sites]
    return edge_effect(
        study,
        cells,
        question.axes,
        study.labels(question.named_sites),
        {"downstream": told, "norm": "frozen"},
        hold_norm=True,
    )


@dataclass(frozen=True)
class _Paths(Asked):
    """Cells that take their values from runs on their own base.

    Attributes:
        on_clean: what each cell sets on the clean base; ``cells`` are those of the corrupt one.
    """

    on_clean: tuple[Edits, ...] = ()

    @property
    def runs(self) -> list[Run]:
        both = zip(self.cells, self.on_clean, self.freezes, strict=True)
        return [
            run
            for corrupt, clean, held in both
            for run in (Run("corrupt", corrupt, held), Run("clean", clean, held))
        ]


def _reached(lm: LM, sender: Site, ends: tuple[Site, ...]) -> list[Site]:
    """The receivers behind a sender; the logits are behind all."""
    wiring = lm.wiring
    source = wiring.sender(sender)
    last = (wiring.receivers[-1],)
    return [end for end in ends or last if wiring.reach[source, wiring.receiver(end)]]


def _cell(lm: LM, sender: Edits, ends: tuple[Site, ...], mlps: Mlps, base: Base) -> Edits:
    """What step D sets for one sender; for the logits what step C does, which is all then."""
    if not ends:
        return sender
    reached = _reached(lm, next(iter(sender)), ends)
    return {end: Patch(Run(base, sender, _held(lm, end, mlps))) for end in reached}


def _with_zeros(effect: Effect, nowhere: NDArray[np.bool_]) -> Effect:
    """The effect with the base's own numbers for senders behind all receivers."""
    where = nowhere.reshape(effect.shape)
    bases = effect.bases.reshape(effect.n_pairs, 2, *(1,) * len(effect.shape), -1)
    return replace(
        effect,
        edited=np.where(where[..., None], bases, effect.edited),
        status=np.where(where, Status.IMPLIED_ZERO, effect.status).astype(np.uint8),
    )


def _held(lm: LM, end: Site | None, mlps: Mlps) -> tuple[str | Site, ...]:
    """What step C holds: other heads and, for the edge alone, MLPs but the one that receives."""
    if mlps == "recompute" or not lm.has(mediator_named("mlp_out")):
        return ("head",)
    if end is None or end.mediator != "mlp_out":
        return ("head", "mlp_out")
    layers = (layer for layer in range(lm.n_layers) if layer != end.layer)
    return ("head", *(Site("mlp_out", layer) for layer in layers))


def _as_receivers(receivers: object, lm: LM) -> tuple[Site, ...]:
    """The receivers as sites; none of them stands for the logits."""
    given: Any = [receivers] if isinstance(receivers, Site) else receivers
    last = Site("residual", lm.n_layers)
    if is_one_of(given, ("logits",)):
        return ()
    sites = isinstance(given, list | tuple) and all(isinstance(one, Site) for one in given)
    if sites and list(given) == [last]:
        return ()
    require(
        sites
        and len(given) > 0
        and all(one.mediator in INPUTS for one in given)
        and len(set(given)) == len(given),
        "A path ends at what reads the residual stream.",
        value=receivers,
        expected="'logits', or sites of " + ", ".join(map(repr, INPUTS)) + ", each once",
        fix="mw.search.path_patching(study, mw.Site('query', 3, head=1, position='END'))",
    )
    for one in given:
        lm.wiring.receiver(replace(one, position=None))
    return tuple(given)


def _refuse_unknown(senders: object, mlps: object) -> None:
    for name, value, known in (("senders", senders, SENDERS), ("mlps", mlps, get_args(Mlps))):
        if not is_one_of(value, known):
            raise MediationError(
                f"There are no such {name}." if name == "senders" else "MLPs run anew or are held.",
                value=f"{name}={value!r}",
                expected=" or ".join(map(repr, known)),
                fix=f"mw.search.path_patching(study, 'logits', {name}={known[-1]!r})",
            )


def _refuse_unreached(
    known: NDArray[np.bool_], study: Study, senders: str, ends: tuple[Site, ...]
) -> None:
    if not known.any():
        raise MediationError(
            "No path leads from these senders to these receivers.",
            value=f"from {senders} to {', '.join(study.labels(ends))}",
            expected="receivers behind a sender",
            fix="mw.search.path_patching(study, 'logits')",
        )
