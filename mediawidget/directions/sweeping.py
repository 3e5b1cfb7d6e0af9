"""A sweep in which only a direction of each site is patched, each site's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from typing import Any

from ..edits import Edit, Mixed, Subspace
from ..effects import Effect
from ..errors import require
from ..questions import Question
from ..sites import Site
from ..study import Study
from ..sweeps import Sweep
from .found import Direction
from .makers import difference_of_means
from .samples import in_batches, samples
from .studies import fit_and_test

Maker = Callable[[Study, Site], Direction]

NOTHING_THERE = "nothing to find"


def sweep(
    study: Study,
    mediator: str,
    by: Any = None,
    make: Maker = difference_of_means,
    *,
    test: Study | None = None,
    edit: Edit | None = None,
    seed: int = 0,
    **more: Any,
) -> Effect:
    """Make a direction at every site on some pairs, and patch it alone on others.

    Args:
        study: of the pairs that make the directions.
        mediator: as in ``study.sweep``.
        by: as in ``study.sweep``.
        make: a function of a study and a site.
        test: of the pairs that test; None tests on a random half of ``study``'s, and makes on the
            others.
        edit: of the part in the direction; default, the study's own edit, a patch.
        seed: of the halves.
        more: ``layers``, ``window`` and ``freeze``, as in ``study.sweep``; ``progress=False``
            shows no bar.

    Returns:
        The axes of ``study.sweep``; cells before the first difference of the prompts are 0, as
        they are there.

    Raises:
        MediationError: what ``make`` and ``study.sweep`` raise; a mediator of attention patterns.

    Example:
        >>> mw.directions.sweep(study, "residual", "role")["PIE"]
    """
    progress = more.pop("progress", True)
    _refuse_no_maker(_takes_two(make), make)
    fit, tested = fit_and_test(study, test, seed)
    inner = tested.edit if edit is None else edit
    question = Question(Sweep(mediator, inner, by, **more), tested.engine, tested.roles)
    require(
        inner.samples == 1,
        "A sweep over directions draws no samples.",
        value=inner,
        expected="Patch(), Zero(), Mean(), Scale(...) or Steer(...)",
        fix="mw.directions.sweep(study, 'residual', 'role')",
    )
    asked = question.asked(tested.labels(question.named_sites))
    sites = dict.fromkeys(site for cell in asked.cells for site in cell)
    made = {site: _made(fit, site, make, inner) for site in in_batches(fit, sites)}
    cells = [{site: made[site].within(inner) for site in cell} for cell in asked.cells]
    edits = dict.fromkeys(edit for cell in cells for edit in cell.values())
    names = dict.fromkeys(one.made for one in made.values() if one.made != NOTHING_THERE)
    known = {"direction": ", ".join(names), "pairs that made it": len(fit.contrast)}
    asked = replace(asked, cells=cells, edit=Mixed(tuple(edits)), facts={**asked.facts, **known})
    return tested.ask(asked).result(progress=progress)


def _made(fit: Study, site: Site, make: Maker, inner: Edit) -> Direction:
    """The direction of a site.

    Where both prompts of every pair are the same, a patch of any direction changes nothing.
    """
    here = samples(fit, site)
    if here.flat and inner.corners:
        return here.direction(Subspace.random(1, here.clean.shape[1]), NOTHING_THERE, 0)
    found: object = make(fit, site)
    _refuse_no_maker(isinstance(found, Direction), found)
    assert isinstance(found, Direction)
    return found


def _takes_two(make: object) -> bool:
    """Whether it can be called with a study and a site."""
    if not callable(make):
        return False
    try:
        signature(make).bind(None, None)
    except ValueError:  # one that tells nobody what it takes
        return True
    except TypeError:
        return False
    return True


def _refuse_no_maker(ok: bool, given: object) -> None:
    require(
        ok,
        "A direction of each site is made by a function.",
        value=given,
        expected="a function of a study and a site that gives a Direction",
        fix="lambda study, site: mw.directions.given(study, site, vectors)",
    )
