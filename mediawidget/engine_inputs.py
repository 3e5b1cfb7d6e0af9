"""What an engine is given, refused where it is nothing of the kind."""

from __future__ import annotations

from collections.abc import Sequence

from .encoding import TokenPair
from .errors import MediationError, require
from .lm import LM
from .mediators import mediator_named
from .runs import Run
from .sites import Site


def refuse_no_lm(lm: object, what: str, fix: str) -> None:
    """Refuse what is no language model; ``what`` says why one is needed."""
    require(isinstance(lm, LM), what, value=lm, expected="an LM", fix=fix)


def refuse_no_question(lm: object, pairs: object, budget: object, roles: object) -> None:
    """Refuse what is no model, no pairs, no memory or no roles of these pairs."""
    refuse_no_lm(lm, "An engine runs a model.", "lm = mw.load(); mw.Study(lm, pair)")
    listed = isinstance(pairs, Sequence) and len(pairs) > 0
    require(
        listed and all(isinstance(pair, TokenPair) for pair in pairs),  # type: ignore[attr-defined]
        "An engine runs pairs of prompts as token ids.",
        value=pairs,
        expected="a list of TokenPair",
        fix="Engine(lm, lm.encode([pair]))",
    )
    require(
        isinstance(roles, Sequence) and (not roles or (listed and len(roles) == len(pairs))),  # type: ignore[arg-type]
        "Roles are named for every pair, or for none.",
        value=roles,
        expected="a list of {name: positions}, as long as the pairs",
        fix="Engine(lm, lm.encode(contrast), roles=[pair.roles for pair in contrast])",
    )
    whole = isinstance(budget, int) and not isinstance(budget, bool)
    require(
        budget is None or (whole and budget >= 0),  # type: ignore[operator]
        "A budget is memory.",
        value=budget,
        expected="a number of bytes, or None to ask the machine",
        fix="Engine(lm, pairs, budget=2**30)",
    )


def refuse_other_than_runs(runs: object, top: object = 0) -> None:
    """Refuse what are no runs, and what is no number of tokens."""
    whole = isinstance(top, int) and not isinstance(top, bool)
    require(
        whole and top >= 0,  # type: ignore[operator]
        "The likeliest tokens are counted.",
        value=top,
        expected="an int from 0",
        fix="engine.evaluate(runs, top=5)",
    )
    if not isinstance(runs, Sequence) or not all(isinstance(run, Run) for run in runs):
        raise MediationError(
            "The engine evaluates runs.",
            value=repr(runs)[:200],
            expected="a list of Run",
            fix="engine.evaluate([Run('corrupt', {Site('head', layer=3, head=1): Patch()})])",
        )


def refuse_no_activation(site: object, run: object) -> None:
    """Refuse what is not read as a site's value in a run."""
    if not isinstance(site, Site) or not isinstance(run, Run):
        raise MediationError(
            "Activations are those of a site in a run.",
            value=repr((site, run)),
            expected="a Site, and a Run or one of the two prompts",
            fix="study.activations(Site('head', layer=3, head=1), 'clean')",
        )
    if mediator_named(site.mediator).keyed:
        raise MediationError(
            "Attention edges are read as whole rows of a pattern.",
            value=repr(site),
            expected="a site of the mediator 'pattern'",
            fix=f"Site('pattern', layer={site.layer}, head=0, position=7)",
        )
