"""First contact: whether a server computes what it is asked, before any of its numbers is shown.

Traces run there in another process than the model, where values are copies; what was exact here
may be wrong there without an error. So a few runs are compared whose outcome is known:

======================  ===============================================================
``server's precision``  logits are made in the precision that is asked, of activations in no less
``self-patch``          a site set to its own value gives the logits of its own run
``full cut``            all of the stream set to the other prompt's gives the other's logits
``plain forward``       one site patched, run once more alone, gives the same logits
``two prompts``         the clean and the corrupt prompt give different logits
``all set to zero``     of the stream after the last layer: both prompts give the same logits,
                        and others than without
``probabilities``       those of the next token add up to 1
======================  ===============================================================

So a server is found out that gives one number for everything; that reads one prompt for all, or
the wrong rows; that leaves edits out, sets a part of them, or sets them elsewhere; that scales or
shifts what it sends; and one that is random, or not finite, or computes in fewer bits: on some
processors its two roads come to the same numbers to the last bit, so that nothing else tells.

None of it finds out a server that has other weights of the same shape (packed ones too, which are
unpacked into what is asked), or scales the logits themselves, for the weights are not here to
compare with; one that makes the same mistake in both roads and in runs that have no known outcome,
such as heads in another order; one that is right now and wrong later or on other prompts (every
sweep has checks of its own); and one that knows these checks and answers them alone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..checks import agreement, check_runs, engine_checks
from ..edits import Edit, Patch, Zero
from ..engine import Engine
from ..errors import MediationError
from ..mediators import mediator_named
from ..outcomes import Outcomes, filed
from ..paths import follow
from ..plain import PlainStrand
from ..plain_remote import told
from ..precision import tolerance
from ..runs import Run, both_directions, roles_named
from ..sites import Site
from ..validity import Check
from . import asking

if TYPE_CHECKING:
    from ..lm import LM

_FLOATS = {
    torch.finfo(one).eps: one
    for one in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
}
"""Kinds of numbers by their machine epsilon, which is what comes back."""

_OFF = 1e-4
"""How far probabilities in single precision may be from adding up to 1."""


def first_contact(engine: Engine) -> list[Check]:
    """Compare a few runs on the engine's first pair, once per model: two requests, then none.

    Where these were answered from a folder, the server itself has shown nothing. Numbers of that
    folder may be read; before the first that the server has to compute, the same runs are asked
    once more, past the folder.

    Raises:
        MediationError: one of them is off; it says which, and by how much.
    """
    lm = engine.lm
    if lm.proven is not None and lm.proven[0] == lm.version():
        return lm.proven[1]
    small = Engine(lm, engine.pairs[:1], engine.budget, roles=engine.roles[:1])
    small.proves = False
    before = asking.from_folder()
    checks, failure = _made(small)
    if failure is not None:
        if lm.remote is not None:
            # Else they would be read again, also when the server was mended.
            lm.remote.drop()
        raise failure
    if lm.remote is not None:
        lm.remote.owed = partial(_repeated, small) if asking.from_folder() > before else None
    return checks


def _repeated(small: Engine) -> None:
    """First contact once more, with the server itself.

    Raises:
        MediationError: it is off. What the folder has stays: those numbers were right.
    """
    remote = small.lm.remote
    assert remote is not None, "only what is kept is repeated"
    # Another thread may be at it.
    with small.lm.lock:
        if remote.owed is None:
            return
        with asking.live():
            _, failure = _made(small)
        if failure is not None:
            remote.recent.forget()
            raise failure
        remote.owed = None


def _made(small: Engine) -> tuple[list[Check], MediationError | None]:
    """The checks, which are those of the model from now on; what to raise where one failed."""
    lm, version = small.lm, small.lm.version()
    lm.proven = None
    # Alone, and first: the engine sends masks and constants in the precision that is asked.
    slow, off, seen = _plainly(small, both_directions(_cells(lm))[2])
    checks = [_precision(lm, *seen)]
    known = {*seen[lm.paths.head is None :]}
    if checks[0].ok is False and known <= _FLOATS.keys():
        return checks, MediationError(
            "The server has this model in another precision, so none of its numbers is shown.",
            value=checks[0].words,
            expected="the precision that is asked",
            # Servers load in half precision, whatever a config says.
            fix=f"dtype={_FLOATS[max(known)]} in mw.load",
        )
    checks += _compared(small, slow, off)
    failed = [check.words for check in checks if check.ok is False]
    if not failed:
        lm.proven = (version, checks)
        return checks, None
    failure = MediationError(
        "The server does not compute what it is asked, so none of its numbers is shown.",
        value=" ".join(failed),
        expected="agreement with runs whose outcome is known",
        fix="mw.load(name) without remote=, or ask who runs the server",
    )
    return checks, failure


def _cells(lm: LM) -> list[dict[Site, Edit]]:
    """An end of zeros, and one site patched."""
    return [{Site("residual", lm.n_layers): Zero()}, {_site(lm): Patch()}]


def _compared(small: Engine, slow: NDArray[np.float64], off: float) -> list[Check]:
    """What the runs of the pair came to, and by how much they are off.

    Args:
        small: the engine of one pair.
        slow: (K,) what the patched site comes to by the slow road.
        off: how far probabilities are from adding up to 1 there.
    """
    lm, cells = small.lm, _cells(small.lm)
    outcomes = small.evaluate([*both_directions(cells), *check_runs(lm, cells, small.equal)])
    gap = float(np.abs(outcomes.kept[2, 0] - slow).max())
    deed = f"{_site(lm).label()} patched, run alone by a plain forward pass,"
    same = agreement("plain forward", deed, "the same logits", gap, tolerance(lm, slow))
    total = "Adding up the probabilities of the next token"
    whole = agreement("probabilities", total, "1", off, _OFF)
    known = [_two_prompts(small, outcomes), _all_zero(small, outcomes)]
    return [*engine_checks(small, cells, outcomes), same, *known, whole]


def _plainly(small: Engine, run: Run) -> tuple[NDArray[np.float64], float, tuple[float, float]]:
    """By the slow road: what a run keeps, (K,); how far its probabilities are off; its epsilons."""
    kept, off, seen = np.full(len(small.columns), np.nan), 0.0, (np.nan, np.nan)
    for group in small.groups_of(roles_named([run])):
        if run.base in group.frame.bases:
            here, there = filed(group.gives, len(kept))
            found = told(PlainStrand(small, group, 0), run)
            kept[here] = found.kept[there]
            # Not ``max``, which passes over what is no number.
            off = float(np.maximum(off, abs(found.total - 1)))
            seen = (found.eps, found.inner_eps)
    return kept, off, seen


def _precision(lm: LM, eps: float, inner_eps: float) -> Check:
    """Half precision that is taken for more makes no error that anything else would show.

    Args:
        lm: what is asked.
        eps: of what makes the logits; NaN if that is no module.
        inner_eps: of activations.
    """
    name, inner, asked = "server's precision", _FLOATS.get(inner_eps), lm.dtype
    words = f"activations in {inner or f'numbers of epsilon {inner_eps:.2g}'}"
    # Attention and streams may be in single precision on purpose.
    enough = inner is not None and (inner == torch.float32 or inner_eps <= torch.finfo(asked).eps)
    if lm.paths.head is None:
        return Check(name, enough, f"The server computes {words}; {asked} is asked.")
    # A head may be kept in more bits than the rest, here and there.
    weight = getattr(follow(lm.hf, lm.paths.head), "weight", None)
    head = asked if weight is None or not weight.is_floating_point() else weight.dtype
    there = _FLOATS.get(eps)
    wide = inner == asked and there is not None and eps < torch.finfo(head).eps
    made = f"logits in {there or f'numbers of epsilon {eps:.2g}'}"
    said = f"The server makes {made} of {words}; {head} of {asked} is asked."
    if inner == there and head == asked:
        said = f"The server makes {made}; {asked} is asked."
    return Check(name, enough and (there == head or wide), said)


def _two_prompts(small: Engine, outcomes: Outcomes) -> Check:
    """A server that reads one prompt for all, or nothing, passes what compares runs of a pair.

    They differ by anything: how much is a matter of the pair, and a right server is not refused
    for a weak one.
    """
    name, (clean, corrupt) = "two prompts", outcomes.bases[0]
    if not any(_differ_where_read(small)):
        words = "Not applicable: the prompts differ only behind what is read."
        return Check(name, None, words)
    apart = float(np.abs(clean - corrupt).max())
    verb = "give" if apart > 0 else "should give"
    words = f"The clean and the corrupt prompt {verb} different logits (apart by {apart:.1g})."
    return Check(name, apart > 0, words)


def _differ_where_read(small: Engine) -> list[bool]:
    """Of each group whether what tells its prompts apart can be seen where it is read."""
    return [
        not small.lm.causal or group.frame.first_difference <= max(group.frame.read_at)
        for group in small.groups
    ]


def _all_zero(small: Engine, outcomes: Outcomes) -> Check:
    """An edit whose effect is known and large: it leaves nothing of the prompt."""
    corrupt, clean = outcomes.kept[:2, 0]
    deed = "Setting the residual stream after the last layer to zero"
    gap, allowed = float(np.abs(clean - corrupt).max()), tolerance(small.lm, clean)
    moved = float(np.abs(np.stack([clean, corrupt]) - outcomes.bases[0]).max(1).min())
    if not moved > 0:
        words = f"{deed} should give other logits than without it (moved by {moved:.1g})."
        return Check("all set to zero", ok=False, words=words)
    return agreement("all set to zero", deed, "both prompts the same logits", gap, allowed)


def _site(lm: LM) -> Site:
    """A site in the middle that is a part of a module's value, where the model has one."""
    layer = lm.n_layers // 2
    if lm.n_heads and lm.has(mediator_named("head")):
        return Site("head", layer, head=0)
    several = ("attn_out", "mixer_out", "mlp_out")
    kind = next((one for one in several if lm.has(mediator_named(one))), "residual")
    return Site(kind, layer)
