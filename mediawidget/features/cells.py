"""What a site's features are on the pairs of a study, and the cells that features can be set in.

A cell is one feature, or the error, at one position, one role, one group of positions, or all of
them: what a sweep of features has as its axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edits import Edit, Mean, Patch, Within, Zero
from ..edits.base import BASES, Base
from ..edits.features import Features, clamp
from ..edits.sparse import SAE, refuse_no_sae
from ..errors import MediationError, require
from ..lm import LM
from ..looking import look
from ..mediators import mediator_named
from ..mediators.base import positions_of
from ..runs import Run
from ..sites import Position, Site
from ..study import Study, refuse_no_study
from ..sweeps import Sweep

Array = NDArray[np.float64]
Unit = int | None
"""A feature; None for the error."""

ERROR = "error"
"""The coordinate of the error on an axis of features."""


def codes(study: Study, sae: SAE, base: Base | Run = "clean") -> Array:
    """Codes on every pair: (pair, position, feature).

    Args:
        study: of pairs of one length.
        sae: of a site of the study's model.
        base: on which prompt, or in which run.

    Raises:
        MediationError: pairs of several lengths, an autoencoder of another width.

    Example:
        >>> mw.features.codes(study, sae).shape
        (8, 15, 384)
    """
    refuse_no_study(study)
    refuse_other_width(study, sae)
    found: Array = sae.encode(study.activations(sae.at(), base).array)
    return found


def refuse_other_width(study: Study, sae: object) -> None:
    """Raise unless ``sae`` takes apart activations of the study's model.

    Raises:
        MediationError: no autoencoder, a layer or a width that the model does not have.
    """
    refuse_no_sae(sae)
    assert isinstance(sae, SAE)
    refuse_other_model(study.lm, sae)


def refuse_other_model(lm: LM, sae: SAE) -> None:
    """Raise unless the model has a site of that width at that layer.

    Raises:
        MediationError: a layer or a width that it does not have.
    """
    width = lm.d_head if sae.site.mediator == "head" else lm.d_model
    n_layers = lm.n_layers + (sae.site.mediator == "residual")
    require(
        sae.width == width and sae.site.layer < n_layers,
        "This autoencoder is of another model.",
        value=f"{sae!r}, {sae.width} numbers",
        expected=f"{width} numbers in a layer below {n_layers}",
        fix="mw.features.load(path, site=mw.Site('residual', layer=3))",
    )


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of the features of one site on the pairs of a study.

    Args:
        study, sae: whose.
        by: "position", "role", {name: positions}, or None for all positions at once.
    """

    study: Study
    sae: SAE
    by: str | Mapping[str, Position] | None = "position"

    def __post_init__(self) -> None:
        refuse_no_study(self.study)
        refuse_other_width(self.study, self.sae)
        require(
            self.study.engine.equal,
            "Features are compared token by token.",
            value="a pair whose prompts are of two lengths",
            expected="pairs whose prompts are as long as each other",
            fix="another contrast",
        )
        object.__setattr__(self, "by", _groups(self.sae.site, self.by))
        if isinstance(self.by, Mapping):
            self._refuse_out_of_range()

    def _refuse_out_of_range(self) -> None:
        """Raise where a prompt has not the positions of a group, as its runs would."""
        mediator, shape = mediator_named(self.sae.site.mediator), self.study.lm.shape
        engine = self.study.engine
        for tokens, roles in zip(engine.pairs, engine.roles, strict=True):
            for spot in self.spots:
                mediator.check(self.site(spot), shape, len(tokens), roles)

    @cached_property
    def places(self) -> dict[int | str, Position]:
        """Coordinates of the axis of positions to positions; empty where there is no such axis."""
        if isinstance(self.by, Mapping):
            groups: Mapping[Any, Position] = self.by
            return dict(groups)
        if self.by == "role":
            require(
                len(self.study.roles) > 0,
                "These pairs have no roles in common.",
                value="by='role'",
                expected="PromptPair(..., roles={'END': 6})",
                fix="mw.features.sweep(study, sae, by='position')",
            )
            return {str(name): name for name in self.study.roles}
        if self.by is None:
            return {}
        lengths = sorted({len(pair) for pair in self.study.engine.pairs})
        require(
            len(lengths) == 1,
            "Features by position need prompts of one length.",
            value=lengths,
            expected="pairs of equal token length",
            fix="mw.features.sweep(study, sae, by='role')",
        )
        return {at: at for at in range(lengths[0])}

    @property
    def spots(self) -> list[Position]:
        """What is set at once: the positions of every coordinate, or all of them."""
        return list(self.places.values()) if self.by is not None else [None]

    # --- what there is --------------------------------------------------------------------------

    @cached_property
    def seen(self) -> dict[Base, list[Array]]:
        """Per prompt and pair the site's value: (position, width)."""
        study, site = self.study, self.sae.at()
        if len({len(pair) for pair in study.engine.pairs}) == 1:
            return {base: list(study.activations(site, base).array) for base in BASES}
        pairs = range(len(study.contrast))
        return {
            base: [
                look(study.engine, pair, Run(base), [site])[0].double().cpu().numpy()
                for pair in pairs
            ]
            for base in BASES
        }

    @cached_property
    def codes(self) -> dict[Base, list[Array]]:
        """Per prompt and pair the codes: (position, feature)."""
        return {base: [self.sae.encode(x) for x in some] for base, some in self.seen.items()}

    def rows(self, spot: Position, pair: int) -> list[int]:
        """The positions of a spot in the prompts of a pair."""
        tokens = self.study.engine.pairs[pair]
        return list(positions_of(spot, len(tokens), self.study.engine.roles[pair]))

    @cached_property
    def active(self) -> NDArray[np.bool_]:
        """(feature, spot): whether a feature is active there, on either prompt of any pair."""
        found = np.zeros((len(self.spots), self.sae.n_features), dtype=bool)
        for some in self.codes.values():
            for pair, one in enumerate(some):
                for at, spot in enumerate(self.spots):
                    found[at] |= (one[self.rows(spot, pair)] > 0).any(axis=0)
        return found.T

    @cached_property
    def moving(self) -> tuple[int, ...]:
        """Features whose codes part on the prompts of a pair, from where these do, in order."""
        found = np.zeros(self.sae.n_features, dtype=bool)
        for pair, tokens in enumerate(self.study.engine.pairs):
            first = int(np.flatnonzero(tokens.clean != tokens.corrupt)[0])
            clean, corrupt = (self.codes[base][pair] for base in BASES)
            for spot in self.spots:
                rows = [row for row in self.rows(spot, pair) if row >= first]
                found |= (clean[rows] != corrupt[rows]).any(axis=0)
        return tuple(np.flatnonzero(found).tolist())

    def mean(self, spot: Position) -> tuple[Array, Array]:
        """Mean code (feature,) and mean error (width,) over both prompts of all pairs at a spot."""
        some, left = [], []
        for base in BASES:
            for pair, x in enumerate(self.seen[base]):
                rows = self.rows(spot, pair)
                some.append(self.codes[base][pair][rows])
                left.append(self.sae.error(x[rows]))
        return np.concatenate(some).mean(0), np.concatenate(left).mean(0)

    # --- what sets them -------------------------------------------------------------------------

    def site(self, spot: Position) -> Site:
        """Where a cell is."""
        return self.sae.at(spot)

    def label(self, unit: Unit, spot: Position) -> str:
        """A cell's name on these prompts: ``L3F12 @ END``."""
        (name,) = self.study.labels([self.site(spot)])
        where = name.partition(" @ ")[2]
        return self.sae.label(unit) + (f" @ {where}" if where else "")

    def set_to(self, edit: Edit, units: Sequence[Unit], spot: Position) -> Edit:
        """What sets some features, the error among them, to what ``edit`` makes of each.

        Raises:
            MediationError: an edit that features have none of.
        """
        own = [unit for unit in units if unit is not None]
        error = None in units
        if isinstance(edit, Zero):
            return clamp(self.sae, dict.fromkeys(own, 0.0), rest=0.0 if error else None)
        if isinstance(edit, Mean) and edit.base is None:
            code, left = self.mean(spot)
            return clamp(self.sae, {u: code[u] for u in own}, rest=left if error else None)
        if isinstance(edit, Patch):
            return Within(Features(self.sae, own, error=error), edit)
        raise MediationError(
            "A sweep sets features to codes.",
            value=repr(edit)[:200],
            expected="mw.Patch(), mw.Zero() (codes of 0) or mw.Mean() (the mean codes over both "
            "prompts of all pairs)",
            fix="study.intervene({sae.at(14): mw.features.steer(sae, 12, 5.0)})",
        )

    def same(self, edit: Edit) -> NDArray[np.bool_]:
        """(feature, spot): whether setting a feature there is exactly no change at all.

        A code that is 0 on both prompts of every pair stays 0 under each of these edits: patched
        it gets the other 0, and the mean of zeros is 0. The error is never implied here.
        """
        return ~self.active if _keeps_zero(edit) else np.zeros_like(self.active)


def _groups(site: Site, by: Any) -> str | Mapping[str, Position] | None:
    """How cells go by position: groups as a sweep of the study takes them.

    Raises:
        MediationError: what goes by no positions, or by what are none.
    """
    pairs = isinstance(by, tuple) and all(isinstance(one, tuple) and len(one) == 2 for one in by)
    if by is None or (isinstance(by, str) and by in ("position", "role")):
        return by
    if not (isinstance(by, Mapping) or pairs) or not by:
        raise MediationError(
            "Features are set by position, by role, or everywhere.",
            value=f"by={by!r}",
            expected="None, 'position', 'role', or {name: positions}",
            fix="mw.features.sweep(study, sae, by='position')",
        )
    groups: Any = Sweep(site.mediator, by=by).by
    named = {name: Site(site.mediator, site.layer, position=at).position for name, at in groups}
    require(
        len(named) == len(groups),
        "Groups of positions are told apart by their names.",
        value=by,
        expected="every name once",
        fix="mw.features.sweep(study, sae, by={'subject': (1, 2), 'END': 'END'})",
    )
    return named


def _keeps_zero(edit: Edit) -> bool:
    source: Any = getattr(edit, "source", None)
    return isinstance(edit, Zero | Mean) or source is None or source in BASES
