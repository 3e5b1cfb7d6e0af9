"""A run: a base prompt and what is set in it. Sweeps are templates that expand to runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from .edits import Edit, Patch, edit_from_json
from .edits.base import BASES, Base, check_base
from .errors import MediationError
from .mediators import Shape, mediator_named
from .sites import Site

Sites = Site | Sequence[Site] | Mapping[Site, Edit]
"""One site, several to be set by the same edit, or each with its own."""


@dataclass(frozen=True)
class Run:
    """One run of the network: read prompt ``base``, set sites, recompute all that follows.

    Args:
        base: "clean" or "corrupt".
        edits: what each site is set to. A bare edit is applied to the site that names it.

    Example:
        >>> Run("corrupt", {Site("head", 3, head=1): Patch("clean")}).base
        'corrupt'
    """

    base: Base
    edits: tuple[tuple[Site, Edit], ...] = ()

    def __init__(self, base: Base, edits: Mapping[Site, Edit] | None = None) -> None:
        check_base(base)
        items = tuple((edits or {}).items())
        for site, edit in items:
            pair: tuple[object, object] = (site, edit)
            if not isinstance(pair[0], Site) or not isinstance(pair[1], Edit):
                raise MediationError(
                    "A run maps sites to edits.",
                    value=f"{site!r}: {edit!r}",
                    expected="{Site(...): Patch() | Zero() | Mean()}",
                    fix="Run('corrupt', {Site('head', layer=3, head=1): Patch()})",
                )
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "edits", items)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Run.from_json`` reads back."""
        edits = [{"site": site.to_json(), "edit": edit.to_json()} for site, edit in self.edits]
        return {"base": self.base, "edits": edits}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Run:
        """The inverse of ``to_json``."""
        return cls(
            data["base"],
            {Site.from_json(e["site"]): edit_from_json(e["edit"]) for e in data["edits"]},
        )


@dataclass(frozen=True)
class Sweep:
    """One edit tried at every site of a kind: an axis per coordinate.

    Args:
        mediator: which kind.
        edit: what each site is set to.
        by: "position" adds a position axis; None edits all positions at once.

    A sweep of n sites is 2n runs: each site on the corrupt base and on the clean base, in
    row-major order of the axes.
    """

    mediator: str
    edit: Edit = field(default_factory=Patch)
    by: str | None = None

    def __post_init__(self) -> None:
        mediator_named(self.mediator)
        if self.by not in (None, "position"):
            raise MediationError(
                "A sweep is over whole components or by position.",
                value=f"by={self.by!r}",
                expected="None or 'position'",
                fix=f"study.sweep({self.mediator!r}, by='position')",
            )

    @property
    def key(self) -> str:
        """Its name among a study's grids: ``head``, ``residual@position``."""
        return self.mediator if self.by is None else f"{self.mediator}@{self.by}"

    def axes(self, shape: Shape, n_positions: int) -> dict[str, tuple[int, ...]]:
        """Axis names to coordinates, in row-major order."""
        mediator = mediator_named(self.mediator)
        axes = {"layer": tuple(range(mediator.n_layers(shape)))}
        if mediator.per_head:
            axes["head"] = tuple(range(shape.n_heads))
        if self.by == "position":
            axes["position"] = tuple(range(n_positions))
        return axes

    def sites(self, shape: Shape, n_positions: int) -> list[Site]:
        """Every site of the sweep in row-major order of its axes."""
        axes = self.axes(shape, n_positions)
        return [
            Site(self.mediator, **dict(zip(axes, coordinates, strict=True)))
            for coordinates in product(*axes.values())
        ]


def both_directions(edits: Sequence[dict[Site, Edit]]) -> list[Run]:
    """Each set of edits on the corrupt base and then on the clean base, neighbours."""
    return [Run(base, edit) for edit in edits for base in reversed(BASES)]


def as_edits(sites: Sites, edit: Edit) -> dict[Site, Edit]:
    """Sites as ``{site: edit}``; ``edit`` is for those that come without one.

    Raises:
        MediationError: no sites.
    """
    if isinstance(sites, Mapping):
        edits = dict(sites)
    else:
        several: object = [sites] if isinstance(sites, Site) else sites
        if not isinstance(several, Sequence) or not all(isinstance(s, Site) for s in several):
            raise MediationError(
                "An intervention is on sites.",
                value=repr(sites)[:200],
                expected="a Site, a list of them, or {Site: edit}",
                fix="study.intervene(Site('head', layer=3, head=1))",
            )
        edits = dict.fromkeys(several, edit)
    if not edits:
        raise MediationError(
            "An intervention needs a site.",
            value="none",
            expected="at least one Site",
            fix="study.intervene(Site('head', layer=3, head=1)); study.clear() selects nothing",
        )
    return edits


def common_edit(edits: Mapping[Site, Edit]) -> Edit:
    """The edit whose quantities exist for the whole set: corners only if all edits have them."""
    return next((edit for edit in edits.values() if not edit.corners), next(iter(edits.values())))
