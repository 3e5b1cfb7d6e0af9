"""First contact: whether a server computes what it is asked, before any of its numbers is shown.

Traces run there in another process than the model, where values are copies; what was exact here
may be wrong there without an error. So a few runs are compared whose outcome is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..checks import agreement, check_runs, engine_checks
from ..edits import Edit, Patch
from ..engine import Engine
from ..errors import MediationError
from ..mediators import mediator_named
from ..plain import plain_run
from ..precision import tolerance
from ..runs import both_directions
from ..sites import Site

if TYPE_CHECKING:
    from ..lm import LM
    from ..validity import Check


def first_contact(engine: Engine) -> list[Check]:
    """Compare a few runs on the engine's first pair, once per model: two requests, then none.

    A site patched with its own value, a full cut, and one site patched, which is run once more by
    a plain forward pass of the server.

    Raises:
        MediationError: one of them is off; it says which, and by how much.
    """
    lm, version = engine.lm, engine.lm.version()
    if lm.proven is not None and lm.proven[0] == version:
        return lm.proven[1]
    checks = _compared(engine)
    failed = [check.words for check in checks if check.ok is False]
    if failed:
        if lm.remote is not None and lm.remote.cache is not None:
            # Else they would be read again, also when the server was mended.
            lm.remote.cache.drop()
        raise MediationError(
            "The server does not compute what it is asked, so none of its numbers is shown.",
            value=" ".join(failed),
            expected="agreement with runs whose outcome is known",
            fix=_half(lm) + "mw.load(name) without remote=, or ask who runs the server",
        )
    lm.proven = (version, checks)
    return checks


def _half(lm: LM) -> str:
    """What most often explains it: servers load in half precision, whatever a config says."""
    full = lm.dtype.itemsize > 2
    return "dtype=torch.bfloat16 in mw.load, if the server has it in that; else " if full else ""


def _compared(engine: Engine) -> list[Check]:
    """What the runs of the first pair came to, and by how much they are off."""
    lm = engine.lm
    small = Engine(lm, engine.pairs[:1], engine.budget, roles=engine.roles[:1])
    small.proves = False
    site = _site(lm)
    cell: dict[Site, Edit] = {site: Patch()}
    runs = both_directions([cell])
    outcomes = small.evaluate([*runs, *check_runs(lm, [cell], small.equal)])
    slow = plain_run(small, runs[0])
    gap = float(np.abs(outcomes.kept[0, 0] - slow).max())
    deed = f"{site.label()} patched, run alone by a plain forward pass,"
    same = agreement("plain forward", deed, "the same logits", gap, tolerance(lm, slow))
    return [*engine_checks(small, [cell], outcomes), same]


def _site(lm: LM) -> Site:
    """A site in the middle that is a part of a module's value, where the model has one."""
    layer = lm.n_layers // 2
    if lm.n_heads and lm.has(mediator_named("head")):
        return Site("head", layer, head=0)
    several = ("attn_out", "mixer_out", "mlp_out")
    kind = next((one for one in several if lm.has(mediator_named(one))), "residual")
    return Site(kind, layer)
