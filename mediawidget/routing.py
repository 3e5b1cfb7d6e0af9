"""Where an effect goes: straight to the logits, and through which later component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .asking import Asked
from .effects import Effect
from .errors import MediationError, is_one_of, require
from .estimands import CONSTANT_EFFECTS
from .mediators import POINTS, Mediator, mediator_named
from .networks import refuse_network
from .runs import Sites, as_edits, common_edit
from .sites import Site
from .study import Study, refuse_no_study

Array = NDArray[np.float64]
Via = Literal["head", "cross_head", "mixer_out", "mlp_out"]

VIA: tuple[Via, ...] = ("head", "cross_head", "mixer_out", "mlp_out")
"""What may carry an effect on: together all that writes to the residual stream of any model."""


@dataclass(frozen=True, eq=False)
class Routes:
    """An effect split by what carries it on.

    Attributes:
        sites: where the edit is.
        later: the components behind it, one route each.
        effect: on an axis ``route``: "total" (all that follows is recomputed), "direct" (all heads
            and MLPs are held at their base), then direct and one component, the others held.
    """

    sites: tuple[Site, ...]
    later: tuple[Site, ...]
    effect: Effect

    @property
    def unit(self) -> str:
        """Of all numbers: the metric's."""
        return self.effect.metric.unit

    @property
    def quantities(self) -> tuple[str, ...]:
        """What is split by route."""
        return ("PIE", "TIE", "INT") if self.effect.edit.corners else CONSTANT_EFFECTS

    def pairs(self, key: str) -> Array:
        """(pair, route) a quantity by route: "total", "direct", then what each component adds.

        Through a component is the effect with it recomputed minus the direct effect, the path
        from the edit through it alone to the logits. Paths through several components are in the
        total only, so the routes need not add up to it.

        Raises:
            MediationError: a quantity that is not one of ``quantities``.
        """
        known = self.quantities
        require(
            is_one_of(key, known),
            "A route carries an indirect effect.",
            value=key,
            expected=" or ".join(known),
            fix=f"routes.pairs({known[0]!r})",
        )
        values = self.effect.pairs(key)
        through = values[:, 2:] - values[:, 1:2]
        return np.concatenate([values[:, :2], through], axis=1)

    def to_dataframe(self) -> pd.DataFrame:
        """A row per route with every quantity's mean over pairs."""
        table = {"route": list(self.effect.axes["route"])}
        means = {key: self.pairs(key).mean(axis=0) for key in self.quantities}
        return pd.DataFrame(table | means)

    def top(self, n: int = 10, by: str | None = None) -> pd.DataFrame:
        """The components through which most goes, by size.

        Args:
            n: how many.
            by: one of ``quantities``; default: PIE, or under an edit that has none the effect on
                the clean base.

        Returns:
            Rows of ``to_dataframe``, without the total and the direct effect.

        Raises:
            MediationError: a quantity that is not one of ``quantities``.
        """
        key = by or ("PIE" if self.effect.edit.corners else "clean")
        self.pairs(key)
        table = self.to_dataframe().iloc[2:]
        return table.sort_values(key, key=np.abs, ascending=False, ignore_index=True).head(n)

    def __repr__(self) -> str:
        key = "PIE" if self.effect.edit.corners else "clean"
        total, direct = self.pairs(key).mean(axis=0)[:2]
        where = " + ".join(site.label() for site in self.sites)
        return f"Routes({where}; {key} {total:+.3f}, direct {direct:+.3f} {self.unit})"

    def _repr_html_(self) -> str:
        best = pd.concat([self.to_dataframe().head(2), self.top(8)])
        return best.to_html(float_format="{:+.3f}".format, index=False)


def routes(
    study: Study, sites: Sites, *, via: Via | Sequence[Via] = VIA, progress: bool = True
) -> Routes:
    """Split the effect of an edit into the direct one and what later components carry.

    Args:
        study: its pairs, metric and edit.
        sites: a site, several, or ``{site: edit}``, edited jointly.
        via: which components are routes; heads and MLPs that are none are held all the same.
        progress: whether to show a bar.

    Raises:
        MediationError: a component that is no route, nothing behind the sites, a network that is
            no language model.

    Example:
        >>> mw.routes(study, mw.Site("head", 3, head=1)).to_dataframe()["route"][:2].tolist()
        ['total', 'direct']
    """
    refuse_no_study(study)
    refuse_network(study.lm, "A split into routes")
    edits = as_edits(sites, study.edit)
    kinds = [kind for kind in VIA if study.lm.has(mediator_named(kind))]
    behind = [site for kind in kinds for site in _behind(study, kind, edits)]
    later = tuple(site for site in behind if site.mediator in _checked(via))
    if not later:
        raise MediationError(
            "Nothing behind these sites could carry their effect on.",
            value=", ".join(site.label() for site in edits),
            expected="sites before the last block",
            fix="study.intervene(sites): all of its effect is direct",
        )
    held = [[other for other in behind if other != site] for site in later]
    names = ("total", "direct", *study.labels(later))
    effect = study.ask(
        Asked(
            axes={"route": names},
            labels=names,
            cells=[edits] * len(names),
            freezes=[(), tuple(behind), *map(tuple, held)],
            edit=common_edit(edits),
            facts={"downstream": "recomputed; frozen: heads and MLPs; frozen: all but one"},
        )
    ).result(progress=progress)
    return Routes(tuple(edits), later, effect)


def _behind(study: Study, kind: Via, edits: object) -> list[Site]:
    """The components of a kind that come after the first of the edited sites."""
    mediator, shape = mediator_named(kind), study.lm.shape
    sites: list[Site] = list(edits)  # type: ignore[call-overload]
    first = min(_order(site, study) for site in sites)
    found = []
    for layer in range(mediator.n_layers(shape)):
        for unit in range(mediator.units(shape)):
            site = Site(kind, layer, **_unit(mediator, unit))
            if _order(site, study) > first and site not in sites:
                found.append(site)
    return found


def _order(site: Site, study: Study) -> tuple[int, int]:
    place = mediator_named(site.mediator).place(site, study.lm.shape)
    return place.stage, POINTS.index(place.point)


def _unit(mediator: Mediator, unit: int) -> dict[str, int]:
    return {mediator.index: unit} if mediator.index else {}


def _checked(via: Via | Sequence[Via]) -> tuple[Via, ...]:
    given: Any = via
    several = tuple(given) if isinstance(given, list | tuple) else (given,)
    known = all(is_one_of(one, VIA) for one in several)
    if not known or not several:
        raise MediationError(
            "Routes run through heads and MLPs.",
            value=repr(via),
            expected="some of " + ", ".join(map(repr, VIA)),
            fix="mw.routes(study, site, via=('head',))",
        )
    return several
