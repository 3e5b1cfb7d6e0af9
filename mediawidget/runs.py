"""A run: a base prompt and what is set in it. Sweeps are templates that expand to runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .edits import Edit, Mixed, Values, edit_from_json
from .edits.base import BASES, SOURCES, Base, check_base
from .errors import MediationError, reading, require
from .mediators import mediator_named
from .sites import Site

Sites = Site | Sequence[Site] | Mapping[Site, Edit]
"""One site, several to be set by the same edit, or each with its own."""

Freeze = str | Site | Sequence[str | Site]
"""What is held at the base's values: kinds of mediator, or sites."""


@dataclass(frozen=True)
class Run:
    """One run of the network: read prompt ``base``, set sites, recompute all that follows.

    Args:
        base: "clean" or "corrupt".
        edits: what each site is set to.
        freeze: what does not follow but is held at its value on the unedited ``base``: a kind of
            mediator ("head": every head that is not edited), several, or sites. Frozen and
            recomputed answer different questions: the effect along the paths that do not run
            through what is frozen, or along all.

    Raises:
        MediationError: a base that is neither prompt, what is no mapping of sites to edits, an edit
            that its site cannot have or of several draws, or a ``freeze`` that names no kind of
            mediator.

    Example:
        >>> site = mw.Site("head", 3, head=1)
        >>> mw.Run("corrupt", {site: mw.Patch("clean")}, freeze=["head"]).freeze
        ('head',)
    """

    base: Base
    edits: tuple[tuple[Site, Edit], ...] = ()
    freeze: tuple[str | Site, ...] = ()

    def __init__(
        self, base: Base, edits: Mapping[Site, Edit] | None = None, freeze: Freeze = ()
    ) -> None:
        check_base(base)
        given: object = {} if edits is None else edits
        require(
            isinstance(given, Mapping),
            "A run maps sites to edits.",
            value=given,
            expected="{Site(...): an edit, such as Patch(), Zero() or Mean()}",
            fix="Run('corrupt', {Site('head', layer=3, head=1): Patch()})",
        )
        items = tuple((edits or {}).items())
        for site, edit in items:
            pair: tuple[object, object] = (site, edit)
            if not isinstance(pair[0], Site) or not isinstance(pair[1], Edit):
                raise MediationError(
                    "A run maps sites to edits.",
                    value=f"{site!r}: {edit!r}",
                    expected="{Site(...): an edit, such as Patch(), Zero() or Mean()}",
                    fix="Run('corrupt', {Site('head', layer=3, head=1): Patch()})",
                )
            edit.check(site)
            _refuse_several_draws(site, edit)
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "edits", items)
        object.__setattr__(self, "freeze", as_freeze(freeze))

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Run.from_json`` reads back."""
        edits = [{"site": site.to_json(), "edit": edit.to_json()} for site, edit in self.edits]
        freeze = [held if isinstance(held, str) else held.to_json() for held in self.freeze]
        return {"is": "run", "base": self.base, "edits": edits, "freeze": freeze}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Run:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved run, or one that could not be made anew.
        """
        with reading("run", data):
            edits = {Site.from_json(e["site"]): edit_from_json(e["edit"]) for e in data["edits"]}
            freeze = [h if isinstance(h, str) else Site.from_json(h) for h in data["freeze"]]
            return cls(data["base"], edits, freeze)


SOURCES["run"] = Run.from_json


def as_freeze(freeze: Freeze) -> tuple[str | Site, ...]:
    """What is frozen, as a tuple.

    Raises:
        MediationError: an unknown kind, or something that is neither a kind nor a site.
    """
    given: object = freeze
    require(
        isinstance(given, str | Site | Sequence),
        "What is frozen is a kind of mediator or a site.",
        value=given,
        expected="a name such as 'head', a Site, or a list of them",
        fix="Run('corrupt', {...}, freeze=('head', 'mlp_out'))",
    )
    several = (freeze,) if isinstance(freeze, str | Site) else tuple(freeze)
    for held in several:
        if isinstance(held, str):
            _check_freezable(held)
        elif not isinstance(held, Site):
            raise MediationError(
                "What is frozen is a kind of mediator or a site.",
                value=repr(held),
                expected="names such as 'head' and 'mlp_out', or Site(...)",
                fix="Run('corrupt', {...}, freeze=('head', 'mlp_out'))",
            )
        else:
            _check_freezable(held.mediator)
    return several


def _check_freezable(name: str) -> None:
    if mediator_named(name).keyed:
        raise MediationError(
            "Edges are frozen as patterns.",
            value=repr(name),
            expected="'pattern'",
            fix="freeze=('pattern',)",
        )


def _refuse_several_draws(site: Site, edit: Edit) -> None:
    if edit.samples > 1:
        raise MediationError(
            "A run has one draw of what is random.",
            value=f"{edit.samples} draws at {site.label()}",
            expected="an edit of one draw",
            fix="mw.Noise(samples=1, first=k) is draw k; study.sweep('head', edit=mw.Noise("
            "samples=10)) has an axis for draws, and mw.causal_tracing(study) their mean",
        )


def both_directions(edits: Sequence[Mapping[Site, Edit]], freeze: Freeze = ()) -> list[Run]:
    """Each set of edits on the corrupt base and then on the clean base, neighbours."""
    return [Run(base, edit, freeze) for edit in edits for base in reversed(BASES)]


def as_edits(sites: Sites, edit: Edit) -> dict[Site, Edit]:
    """Sites as ``{site: edit}``; ``edit`` is for those that come without one.

    Raises:
        MediationError: no sites, or an edit that they cannot have or of several draws.
    """
    if isinstance(sites, Mapping):
        edits = dict(Run("clean", sites).edits)
    else:
        several: object = [sites] if isinstance(sites, Site) else sites
        if not isinstance(several, Sequence) or not all(isinstance(s, Site) for s in several):
            raise MediationError(
                "An intervention is on sites.",
                value=repr(sites)[:200],
                expected="a Site, a list of them, or {Site: edit}",
                fix="study.intervene(Site('head', layer=3, head=1))",
            )
        edits = dict(Run("clean", dict.fromkeys(several, edit)).edits)
    if not edits:
        raise MediationError(
            "An intervention needs a site.",
            value="none",
            expected="at least one Site",
            fix="study.intervene(Site('head', layer=3, head=1)); study.clear() selects nothing",
        )
    return edits


def common_edit(edits: Mapping[Site, Edit]) -> Edit:
    """The edit whose quantities exist for the whole set: of several kinds a mixed one."""
    several = tuple(dict.fromkeys(edits.values()))
    return several[0] if len(several) == 1 else Mixed(several)


def roles_named(runs: Sequence[Run]) -> frozenset[str]:
    """The roles by which sites of these runs, and of runs they take values from, are placed."""
    found: set[str] = set()
    for run in runs:
        lenders = [edit.source for _, edit in run.edits if hasattr(edit, "source")]
        found |= roles_named([lender for lender in lenders if isinstance(lender, Run)])
        sites = [site for site, _ in run.edits] + [h for h in run.freeze if isinstance(h, Site)]
        sites += [lender.site for lender in lenders if isinstance(lender, Values)]
        for site in sites:
            for place in (site.position, site.key):
                several = place if isinstance(place, tuple) else (place,)
                found |= {one for one in several if isinstance(one, str)}
    return frozenset(found)
