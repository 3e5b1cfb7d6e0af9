"""Sites and what they are set to: the cells of an interchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..edits import Edit, Patch, Within
from ..errors import MediationError, require
from ..questions import Question
from ..results import Axes
from ..runs import as_edits
from ..sites import Site
from ..study import Study
from ..sweeps import Sweep

Cell = dict[Site, Edit]
Sites = str | Site | Sequence[Site | Mapping[Site, Edit]] | Mapping[str, Site]
"""A kind of mediator that is swept; sites, a cell each (``{site: edit}`` is one cell that sets
several); or ``{variable: site}``, one cell in which each variable comes from its own source."""


def cells_of(
    study: Study,
    sites: Sites,
    *,
    by: Any = "position",
    layers: Sequence[int] | int | None = None,
    edit: Edit | None = None,
    within: Any = None,
) -> tuple[Axes, list[Cell | None], list[str]]:
    """Axes, what each cell sets, and the cells' names; see ``interchange`` for the arguments."""
    if isinstance(sites, str):
        study.engine.refuse_unknown(sites)
        asked = Question(
            Sweep(sites, _edit(edit, within), by, layers=layers), study.engine, study.roles
        )
        found = asked.asked(())
        listed = iter(found.cells)
        possible = np.ones(len(asked.sites)) if found.possible is None else found.possible
        swept = [dict(next(listed)) if one else None for one in possible.reshape(-1)]
        return asked.axes, swept, list(study.labels(asked.named_sites))
    if isinstance(sites, Mapping):
        parts = within if isinstance(within, Mapping) else dict.fromkeys(sites, within)
        _refuse_overlap(sites, parts)
        joint = {site: _edit(edit, parts.get(name)) for name, site in sites.items()}
        label = " + ".join(study.labels(tuple(joint)))
        return {"site": (label,)}, [joint], [label]
    several = [sites] if isinstance(sites, Site) else _several(sites)
    cells: list[Cell | None] = [as_edits(one, _edit(edit, within)) for one in several]
    names = [" + ".join(study.labels(tuple(cell or {}))) for cell in cells]
    return {"site": tuple(names)}, cells, names


def _several(sites: Sequence[Site | Mapping[Site, Edit]]) -> list[Site | Mapping[Site, Edit]]:
    try:
        return list(sites)
    except TypeError as error:
        raise MediationError(
            "An interchange is made at sites.",
            value=repr(sites)[:200],
            expected="a kind of mediator, a Site, a list of them, or {variable: Site}",
            fix="sites='residual'",
        ) from error


def _refuse_overlap(sites: Mapping[str, Site], parts: Mapping[str, Any]) -> None:
    """Raise where one variable's site would take another's place, or a part is of no variable."""
    require(
        all(isinstance(site, Site) for site in sites.values())
        and len(set(sites.values())) == len(sites)
        and set(parts) <= set(sites),
        "Each variable has a site of its own, and a part is of one of them.",
        value=(sites, parts),
        expected="{variable: Site}, no site twice, and within={variable: part} of the same names",
        fix="variables of one source at one site: iia(..., [site], within=a subspace of them all)",
    )


def _edit(edit: Edit | None, within: Any) -> Edit:
    inner = Patch() if edit is None else edit
    if within is None:
        return inner
    found = Within(within, inner)
    require(
        not found.part.fixed,
        "An interchange takes a part's value from the source, and this part says its own numbers.",
        value=repr(within)[:200],
        expected="a part whose value is read, as mw.Subspace(basis) or Features(sae, units)",
        fix="iia(..., sites=[{site: mw.Within(part)}]) clamps it",
    )
    return found


def from_own(
    sites: Sites, cells: Sequence[Cell | None], variables: Sequence[str], others: Sequence[Study]
) -> Cell:
    """The one cell, each variable's site set to what it is on the variable's own source."""
    named = isinstance(sites, Mapping) and set(sites) == set(variables)
    require(
        named and len(others) == len(variables) - 1,
        "Variables from several sources have a site each.",
        value=sites,
        expected="{variable: Site} for " + ", ".join(variables),
        fix="iia(lm, model, ('a', 'b'), render, {'a': Site(...), 'b': Site(...)})",
    )
    assert isinstance(sites, Mapping)
    (cell,) = cells
    found = dict(cell or {})
    for name, study in zip(variables[1:], others, strict=True):
        site = sites[name]
        patch = Patch(study.activations(site, "clean"))
        edit = found[site]
        found[site] = Within(edit.part, patch) if isinstance(edit, Within) else patch
    return found
