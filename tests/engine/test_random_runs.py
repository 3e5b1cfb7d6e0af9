"""Random runs on random architectures: any sites, any edits, both bases, several lengths."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from tests.engine.cases import BASES, Case, lm_of, random_pair
from tests.engine.judging import Judge, compare, judge
from tests.small_models import ALL_KINDS

LENGTHS = (6, 8, 6)
SHORTEST = min(LENGTHS)

FROZEN = [("head",), ("mlp_out", "attn_out"), ("query", "pattern"), ("mlp_unit", "neuron")]

#: What a mediator is a part of: two edits of one run may not overlap.
WHOLE = {"embedding_unit": "embedding", "mlp_unit": "mlp_out", "edge": "pattern"}


@pytest.fixture(params=["prefix reused", "prefix recomputed"])
def prefix(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether positions that no run changes are computed once, and runs cut into bands."""
    forced = request.param == "prefix reused"
    monkeypatch.setattr("mediawidget.chunks.PREFIX_PAYS", 0 if forced else 10**9)
    monkeypatch.setattr("mediawidget.chunks.BAND_TOKENS", 1 if forced else 10**9)


@lru_cache
def made(kind: str) -> tuple[Case, Judge]:
    pairs = [
        random_pair(kind, 60 + i, length=length, first=2 + i, changes=1 + i % 2)
        for i, length in enumerate(LENGTHS)
    ]
    return judge(kind, [*pairs, random_pair(kind, 70, length=8, first=3)])


def mediators_of(kind: str) -> list[str]:
    lm = lm_of(kind)
    return [name for name, mediator in mw.mediators.MEDIATORS.items() if lm.has(mediator)]


positions = st.one_of(
    st.none(),
    st.integers(0, SHORTEST - 1),
    st.lists(st.integers(0, SHORTEST - 1), min_size=2, max_size=3, unique=True).map(tuple),
)


@st.composite
def sites(draw: st.DrawFn, kind: str, mediator: str) -> mw.Site:
    lm = lm_of(kind)
    known = mw.mediators.MEDIATORS[mediator]
    layer = draw(st.integers(0, known.n_layers(lm.shape) - 1))
    index: dict[str, int] = {}
    if known.index:
        index[known.index] = draw(st.integers(0, known.units(lm.shape) - 1))
    if not known.keyed:
        return mw.Site(mediator, layer, position=draw(positions), **index)
    query = draw(st.integers(1, SHORTEST - 1))
    keys = draw(st.lists(st.integers(0, query - 1), min_size=1, max_size=2, unique=True))
    head = draw(st.sampled_from([None, index["head"]]))
    return mw.Site(mediator, layer, head=head, position=query, key=tuple(keys))


@st.composite
def edits(draw: st.DrawFn, kind: str, site: mw.Site, depth: int) -> mw.Edit:
    lm = lm_of(kind)
    plain: list[st.SearchStrategy[Any]] = [
        st.builds(mw.Patch, st.sampled_from([None, *BASES])),
        st.builds(mw.Patch, st.sampled_from(BASES), st.sampled_from([0.0, 0.3, 1.5])),
        st.just(mw.Zero()),
        st.builds(mw.Mean, st.sampled_from([None, *BASES])),
        st.builds(mw.Scale, st.sampled_from([0.0, 1.0, -0.5])),
    ]
    if depth:
        plain.append(st.builds(mw.Patch, runs(kind, depth - 1), st.sampled_from([1.0, 1.0, 0.5])))
    if site.mediator == "edge":
        plain.append(st.just(mw.Knockout()))
    elif site.mediator != "pattern":
        plain.append(st.builds(mw.Noise, st.just(2.0), seed=st.integers(0, 2)))
        known = mw.mediators.MEDIATORS[site.mediator]
        place = known.place(site, lm.shape)
        width = lm.width_at(place.point, SHORTEST) // place.n_units
        vector = np.random.default_rng(width).normal(size=width)
        plain.append(st.just(mw.Steer(vector, 0.5)))
    found: mw.Edit = draw(st.one_of(plain))
    return found


def place_of(site: mw.Site) -> tuple[str, int]:
    if site.mediator == "residual_post":
        return "residual", site.layer + 1
    return WHOLE.get(site.mediator, site.mediator), site.layer


@st.composite
def runs(draw: st.DrawFn, kind: str, depth: int) -> mw.Run:
    """A run on either base, no place set twice; ``depth`` runs may lend to each other in a row."""
    kinds = mediators_of(kind)
    given_: dict[mw.Site, mw.Edit] = {}
    taken: set[tuple[str, int]] = set()
    for mediator in draw(st.lists(st.sampled_from(kinds), min_size=0, max_size=3)):
        site = draw(sites(kind, mediator))
        if place_of(site) not in taken:
            taken.add(place_of(site))
            given_[site] = draw(edits(kind, site, depth))
    cut = any(isinstance(edit, mw.Knockout) for edit in given_.values())
    freeze = draw(st.sampled_from([(), (), (), *FROZEN]))
    some = [kind for kind in freeze if kind in kinds and not (cut and kind == "pattern")]
    return mw.Run(draw(st.sampled_from(BASES)), given_, some)


@pytest.mark.usefixtures("prefix")
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_random_runs(kind: str) -> None:
    made_, oracle = made(kind)

    @settings(max_examples=3, deadline=None, derandomize=True, database=None)
    @given(st.lists(runs(kind, 2), min_size=1, max_size=4), st.booleans())
    def check(some: list[mw.Run], recall: bool) -> None:
        compare(made_, oracle, some, recall=recall)

    check()
