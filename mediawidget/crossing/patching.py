"""Cross-model patching: a site of one network is set to what another one has there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..edits import Patch, Values
from ..edits.base import BASES, Base
from ..errors import require
from ..inputs import InputPair
from ..prompts import Contrast, PromptPair, as_contrast
from ..questions import Question
from ..runs import Run
from ..sites import Site
from ..statistics import clusters_of
from ..study import Study, refuse_no_study
from ..sweeps import Sweep
from ..token_pairs import refuse_several_tokens
from .crossed import CONTROL, OWN, RAW, CrossPatch
from .maps import AffineMap, Array, explained, least_squares, procrustes

MAPS = {"least squares": least_squares, "procrustes": procrustes}


@dataclass(frozen=True)
class _Place:
    """What the two networks have at one site, at all of its positions."""

    site: Site
    own: Array
    given: Mapping[Base, Array]
    maps: Mapping[str, AffineMap]

    @property
    def sources(self) -> dict[str, Values]:
        """Donor -> what the site is set to, of every pair."""
        ways: dict[str, Any] = {RAW: np.asarray, **self.maps}
        clean = {name: way(self.given["clean"]) for name, way in ways.items()}
        corrupt = {name + CONTROL: way(self.given["corrupt"]) for name, way in ways.items()}
        arrays = {OWN: self.own} | clean | corrupt
        return {name: Values(self.site, array, name) for name, array in arrays.items()}


def cross_patch(
    to: Study,
    giver: Study,
    mediator: str,
    by: Any = None,
    *,
    fit: Contrast | Sequence[PromptPair | InputPair] | PromptPair | InputPair | None = None,
    layers: Sequence[int] | int | None = None,
    progress: bool = True,
) -> CrossPatch:
    """Run a network on the corrupt prompt, one site after another set to another network's value.

    A network that was tuned from another may read its values as they are. Networks of different
    seeds have different spaces; a linear map that is fitted on other pairs says how much of what
    one has there the other can use once it is turned. The giver's corrupt value goes the same way,
    as a control: what it does as well is no news of the clean prompt (``result.carried``). A head
    of one seed has the number of another's by chance, so for seeds the residual stream is the
    place to compare.

    Args:
        to: the receiver, its pairs and metric.
        giver: a study of the other network, of the same shape, on the same prompts.
        mediator: "residual", "head", "mlp_out" and so on.
        by: None sets all positions at once; "position", "role" or {name: positions} as in a sweep.
        fit: pairs for maps of the giver's values to the receiver's, one map a layer (and head),
            over all positions of both prompts; None for no maps. Let them be other pairs.
        layers: only these; default all.
        progress: whether to show a bar.

    Raises:
        MediationError: other prompts, tokens or inputs, sites that the two do not share, pairs of
            several lengths; all positions at once with answers of several tokens.

    Source: Prakash et al. 2024 (cross-model activation patching, of a model and its fine-tuned
    versions).

    Example:
        >>> other = mw.Study(mw.teach.load("ada"), study.contrast)
        >>> more = mw.tasks.ioi(lm, n=32, seed=1)
        >>> result = mw.crossing.cross_patch(study, other, "residual", "role", fit=more)
        >>> result.share("raw"), result.share("least squares")
    """
    _refuse_unlike(to, giver)
    if by is None:
        refuse_several_tokens(
            to.token_pairs,
            "All positions of a prompt are patched, and a fed answer has more.",
            "mw.crossing.cross_patch(study, other, 'residual', 'position')",
        )
    question = Question(Sweep(mediator, Patch("clean"), by, layers=layers), to.engine, to.roles)
    asked = question.asked(to.labels(question.named_sites))
    possible = np.ones(len(asked.labels), bool) if asked.possible is None else asked.possible
    fitting = None if fit is None else _fitting(to, giver, fit)
    sites = [site for cell in asked.cells for site in cell]
    wholes = dict.fromkeys(replace(site, position=None) for site in sites)
    places = _places(to, giver, list(wholes), fitting)
    sources = {whole: place.sources for whole, place in places.items()}
    donors = tuple(next(iter(sources.values())))
    runs = [
        Run("corrupt", {site: Patch(sources[replace(site, position=None)][donor])})
        for donor in donors
        for site in sites
    ]
    outcomes = to.engine.job(runs).result(progress=progress)
    n, shape = len(to.contrast), tuple(len(labels) for labels in asked.axes.values())
    restored = np.full((len(donors), len(possible), n), np.nan)
    restored[:, possible] = outcomes.values(to.metric).reshape(len(donors), -1, n)
    grids = np.moveaxis(restored, -1, 1).reshape(len(donors), n, *shape)
    return CrossPatch(
        axes=asked.axes,
        labels=asked.labels,
        bases=to.metric.read(outcomes.bases, outcomes.columns),
        restored=dict(zip(donors, grids, strict=True)),
        fits=_fits(places.values()),
        shared=0 if fitting is None else _shared(to, fitting[0]),
        unit=to.metric.unit,
        clusters=clusters_of(to.contrast),
        names=(giver.lm.name, to.lm.name),
    )


def _fitting(to: Study, giver: Study, fit: Any) -> tuple[Study, Study]:
    """The studies of both networks on the pairs that maps are fitted on."""
    pairs = as_contrast(fit)
    return Study(to.lm, pairs, to.metric), Study(giver.lm, pairs, giver.metric)


def _places(
    to: Study, giver: Study, sites: Sequence[Site], fitting: tuple[Study, Study] | None
) -> dict[Site, _Place]:
    """What both networks have, each of them asked for all sites at once."""
    fits: list[tuple[Array, Array]] = []
    if fitting is not None and sites:
        received, given = (_both(study, sites) for study in fitting)
        fits = list(zip(given, received, strict=True))
    theirs = {base: _values(giver, sites, base) for base in BASES}
    own = _values(to, sites, "clean")
    places = {}
    for i, site in enumerate(sites):
        given_here = {base: values[i] for base, values in theirs.items()}
        _refuse_other_space(site, own[i], given_here["clean"])
        maps = {name: fitted(*fits[i]) for name, fitted in MAPS.items()} if fits else {}
        places[site] = _Place(site, own[i], given_here, maps)
    return places


def _refuse_other_space(site: Site, own: Array, given: Array) -> None:
    require(
        own.shape == given.shape,
        "The two networks have different spaces there.",
        value=f"{site.label()}: {given.shape} into {own.shape}",
        expected="values of one width",
        fix="networks of one shape",
    )


def _values(study: Study, sites: Sequence[Site], base: Base) -> list[Array]:
    found = study.engine.values_of(sites, Run(base)) if sites else []
    return [np.asarray(one.array, dtype=np.float64) for one in found]


def _both(study: Study, sites: Sequence[Site]) -> list[Array]:
    """Of each site (value, width) over pairs, both prompts and all positions."""
    halves = zip(*(_values(study, sites, base) for base in BASES), strict=True)
    return [np.concatenate([one.reshape(-1, one.shape[-1]) for one in both]) for both in halves]


def _fits(places: Any) -> pd.DataFrame:
    """A row per map: how well it does on the clean prompts of the tested pairs."""
    rows = []
    for place in places:
        given = place.given["clean"]
        for name, fitted in place.maps.items():
            row = {"label": place.site.label(), "map": name, "n": fitted.n}
            rows.append(row | {"R2": explained(fitted(given), place.own)})
    return pd.DataFrame(rows)


def _shared(to: Study, fitting: Study) -> int:
    """How many of the tested prompts the maps were fitted on."""
    known = {_key(getattr(pair, base)) for pair in fitting.contrast for base in BASES}
    return sum(_key(getattr(pair, base)) in known for pair in to.contrast for base in BASES)


def _key(read: Any) -> Hashable:
    """A prompt, tokens or an input as a value: arrays have no equality of their own."""
    return (read.shape, *read.ravel().tolist()) if isinstance(read, np.ndarray) else read


def _refuse_unlike(to: Study, giver: Study) -> None:
    refuse_no_study(to)
    refuse_no_study(giver)
    prompts = [
        [[_key(getattr(pair, base)) for base in BASES] for pair in study.token_pairs]
        for study in (to, giver)
    ]
    require(
        prompts[0] == prompts[1],
        "Both networks read the same tokens, or the same inputs.",
        value=f"{to!r} and {giver!r}",
        expected="studies of the same pairs, by tokenizers that agree on them",
        fix="mw.Study(other_lm, study.contrast)",
    )
    sizes = [(s.lm.shape.n_layers, s.lm.shape.n_heads, s.lm.shape.d_model) for s in (to, giver)]
    require(
        sizes[0] == sizes[1],
        "Sites are the same where networks have one shape.",
        value=f"(layers, heads, width) {sizes[1]} into {sizes[0]}",
        expected="as many layers and heads, of one width",
        fix="two seeds of one network, or a network and its fine-tuned version",
    )
