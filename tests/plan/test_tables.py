"""The tables of a plan, a few runs at a time, against what is written down here by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.mediators import POINTS, Shape
from mediawidget.plan import Frame, make_template
from mediawidget.plan.frame import OtherPrompt
from tests.asking import raised

SHAPE = Shape(n_layers=3, n_heads=2, d_model=4, d_mlp=6)
FRAME = Frame(SHAPE, n_positions=5, first_difference=2)
HEAD = mw.Site("head", 1, head=0)


def cells(frame: Frame, *edits: Mapping[mw.Site, mw.Edit], **more: Any) -> list[tuple[Any, ...]]:
    """(run, stage, point, position, n_units, unit) of every entry."""
    entries = make_template([mw.Run("corrupt", one, **more) for one in edits], frame).entries
    names = ("run", "stage", "point", "position", "n_units", "unit")
    rows = zip(*(getattr(entries, name).tolist() for name in names), strict=True)
    return sorted((r, s, POINTS[p], *rest) for r, s, p, *rest in rows)


# --- frames ---------------------------------------------------------------------------------------


def test_a_frame_names_positions_of_its_own_prompt() -> None:
    """Five tokens, two of them an answer's; named by a prompt of seven, whose 6 has no partner."""
    roles = {"S": (1, 4)}
    other = Frame(SHAPE, 5, 2, roles=roles, named=7, own={0: 0, 1: 1, 4: 2, 5: 3}, fed=2)
    assert other.n_named == 7
    assert FRAME.n_named == 5
    assert other.positions(None) == (0, 1, 2, 3, 4)
    assert other.positions((4, "S")) == (2, 1)
    assert other.captured((4, 5)) == (2,)
    assert other.captured(None) == (0, 1, 2)
    error = raised(lambda: other.positions((5, 6)))
    assert (error.value, error.expected) == ("position 6", "one of 0, 1, 4, 5")
    assert FRAME.positions(("S",) if FRAME.roles else 3) == (3,)
    assert (FRAME.read_at, replace(FRAME, reads=(1, 3)).read_at) == ((4,), (1, 3))
    assert FRAME.n_stages == 5


# --- what can reach what is read ------------------------------------------------------------------

AFTER_MIXING = ("query", "pattern", "head", "attn_out", "residual_mid", "neuron", "mlp_out")


@pytest.mark.parametrize("kind", [*AFTER_MIXING, "key", "value", "residual", "residual_post"])
def test_in_the_last_block_only_what_is_read_is_reached(kind: str) -> None:
    index = {"neuron": "unit"}.get(
        kind, "head" if kind in ("query", "key", "value", "head") else ""
    )
    index = "head" if kind == "pattern" else index
    site = mw.Site(kind, 2, **({index: 1} if index else {}))
    late = kind in (*AFTER_MIXING, "residual_post")
    frame = replace(FRAME, reads=(1, 3))
    for zeroed, expected in (
        (site, (1, 3) if late else (0, 1, 2, 3)),
        (replace(site, layer=1), ()),
    ):
        found = cells(frame, {zeroed: mw.Zero()})
        assert tuple(row[3] for row in found) == (expected or (0, 1, 2, 3))
    unread = make_template([mw.Run("clean", {replace(site, position=(0, 2)): mw.Zero()})], frame)
    assert unread.implied.tolist() == [late]
    after = make_template([mw.Run("clean", {replace(site, position=4): mw.Zero()})], frame)
    assert after.implied.all(), "what is read comes before it"
    both_ways = replace(frame, shape=replace(SHAPE, causal=False))
    assert {row[3] for row in cells(both_ways, {site: mw.Zero()})} == (
        {1, 3} if late else {0, 1, 2, 3, 4}
    )


def test_a_patch_between_prompts_begins_where_they_part() -> None:
    site, early = HEAD, mw.Site("mlp_out", 0, position=1)
    assert [row[3] for row in cells(FRAME, {site: mw.Patch()})] == [2, 3, 4]
    # With its own value too: that it changes nothing is what a check runs it for.
    assert [row[3] for row in cells(FRAME, {site: mw.Patch("corrupt")})] == [2, 3, 4]
    assert cells(FRAME, {replace(site, position=1): mw.Patch()}) == []
    assert [row[3] for row in cells(FRAME, {site: mw.Patch(alpha=0.5)})] == [0, 1, 2, 3, 4]
    assert [row[3] for row in cells(FRAME, {site: mw.Zero()})] == [0, 1, 2, 3, 4]
    # An earlier edit of position 1 makes its own value there another one, and so its patch.
    both = cells(FRAME, {early: mw.Zero(), site: mw.Patch("corrupt")})
    assert [row[1:4] for row in both] == [(1, "mlp_out", 1)] + [
        (2, "attn_z", p) for p in (1, 2, 3, 4)
    ]
    backwards = replace(FRAME, shape=replace(SHAPE, causal=False))
    assert [row[3] for row in cells(backwards, {site: mw.Patch()})] == [0, 1, 2, 3, 4]


def test_the_first_position_is_that_of_lenders_too() -> None:
    lender = mw.Run("clean", {mw.Site("mlp_out", 0, position=1): mw.Zero()})
    borrower = mw.Run("corrupt", {replace(HEAD, position=3): mw.Patch(lender)})
    nothing = mw.Run("clean", {replace(HEAD, position=1): mw.Patch()})
    template = make_template([borrower, nothing], FRAME)
    assert template.first.tolist() == [1, 5, 1]
    assert template.start.tolist() == [2, 5, 1]
    assert template.implied.tolist() == [False, True, False]
    assert template.lenders == ((2,), (), ())
    assert template.n_runs == 2
    assert template.shared == 1
    assert make_template([nothing], FRAME).shared == 4
    late = mw.Run("clean", {replace(HEAD, position=3): mw.Zero()})
    assert make_template([late], replace(FRAME, reads=(2, 4))).shared == 2
    assert make_template([late], FRAME).shared == 3


# --- edges, what is held, what is refused ---------------------------------------------------------


def test_edges_are_those_that_a_token_has() -> None:
    site = mw.Site("edge", 0, head=1, position=(1, 3), key=(0, 2))
    rows = [(0, 1, "pattern", 1, 10, 5), (0, 1, "pattern", 3, 10, 5), (0, 1, "pattern", 3, 10, 7)]
    assert cells(FRAME, {site: mw.Clamp(0.3)}) == rows
    masked = [(r, s, "mask", *rest) for r, s, _, *rest in rows]
    assert cells(FRAME, {site: mw.Knockout()}) == masked
    both = replace(FRAME, shape=replace(SHAPE, causal=False))
    assert len(cells(both, {site: mw.Clamp(0.3)})) == 4
    heads = cells(FRAME, {replace(site, head=None, position=3, key=0): mw.Zero()})
    assert [row[-1] for row in heads] == [0, 5]
    raised(lambda: cells(FRAME, {replace(site, position=1, key=2): mw.Zero()}))


@pytest.mark.parametrize(("causal", "n_keys"), [(True, 3), (False, 5)])
def test_a_token_keeps_something_to_attend_to(causal: bool, n_keys: int) -> None:
    """Token 2 sees itself and two before it; both ways it sees all five."""
    frame = replace(FRAME, shape=replace(SHAPE, causal=causal), reads=(4,))
    cut = mw.Site("edge", 1, head=1, position=2, key=tuple(range(n_keys)))
    error = raised(lambda: cells(frame, {cut: mw.Knockout()}))
    assert error.message == "There is no such attention edge."
    assert error.value == repr(cut)
    assert len(cells(frame, {replace(cut, key=cut.key[:-1]): mw.Knockout()})) == n_keys - 1  # type: ignore[index]


def test_a_kind_that_fills_its_point_is_held_whole() -> None:
    edit = {mw.Site("mlp_out", 0): mw.Zero()}
    held = [row for row in cells(FRAME, edit, freeze="head") if row[2] == "attn_z"]
    assert held == [(0, s, "attn_z", p, 1, 0) for s in (2, 3) for p in range(5) if s < 3 or p == 4]
    # Of a fused map the keys are two units of six, behind the queries of both heads.
    fused = replace(FRAME, shape=replace(SHAPE, qkv="thirds"))
    held = [row for row in cells(fused, edit, freeze="key") if row[2] == "qkv" and row[1] == 2]
    assert held == [(0, 2, "qkv", p, 6, u) for p in range(5) for u in (2, 3)]
    around = cells(FRAME, {mw.Site("mlp_out", 0): mw.Zero(), HEAD: mw.Zero()}, freeze="head")
    units = {row[3:] for row in around if row[1:3] == (2, "attn_z")}
    assert units == {(p, 2, u) for p in range(5) for u in (0, 1)}


def test_what_is_held_begins_with_the_first_change() -> None:
    """A patch between the prompts changes nothing before they part; what others lend does."""
    site = mw.Site("mlp_out", 0, position=(0, 2))
    lender = mw.Run("clean", {mw.Site("embedding", 0): mw.Zero()})
    begins: list[tuple[mw.Edit, int]] = [
        *((mw.Patch(), 2), (mw.Patch(alpha=0.5), 0), (mw.Patch(lender), 0), (mw.Resample(), 0)),
        *((mw.Zero(), 0), (mw.Scale(1.0), 0), (mw.Steer(np.ones(4)), 0)),
    ]
    for edit, begin in begins:
        found = cells(FRAME, {site: edit}, freeze=mw.Site("head", 1, head=1))
        held = [row for row in found if row[1:3] == (2, "attn_z")]
        assert held == [(0, 2, "attn_z", p, 2, 1) for p in range(begin, 5)], edit


def test_a_cut_edge_is_at_odds_with_a_held_pattern_alone() -> None:
    edge = mw.Site("edge", 1, head=0, position=2, key=1)
    edits: dict[mw.Site, mw.Edit] = {edge: mw.Knockout(), mw.Site("mlp_out", 0): mw.Zero()}
    error = raised(lambda: cells(FRAME, edits, freeze="pattern"))
    assert (error.message, error.value) == (
        "An edge is knocked out of a pattern that is frozen.",
        "layer 1",
    )
    assert cells(FRAME, edits, freeze=("head", "mlp_out"))
    assert cells(FRAME, edits, freeze=mw.Site("pattern", 2, head=0))
    assert cells(FRAME, {edge: mw.Zero()}, freeze="pattern")


def test_what_is_not_there_is_told() -> None:
    edit = {mw.Site("mlp_out", 0): mw.Zero()}
    for call in (
        lambda: cells(FRAME, {mw.Site("head", 3, head=0): mw.Zero()}),
        lambda: cells(FRAME, {mw.Site("mlp_out", 0, position=5): mw.Zero()}),
        lambda: cells(FRAME, edit, freeze=mw.Site("head", 1, head=2)),
        lambda: cells(
            FRAME, {mw.Site("edge", 1, head=0, position=2, key=1): mw.Knockout()}, freeze="pattern"
        ),
    ):
        raised(call)


def test_the_run_that_sets_a_place_twice_is_named() -> None:
    """Unit 3 of 4 lies in the whole of it, at position 2; units beside each other do not clash."""
    whole, part = mw.Site("mlp_out", 1, position=(1, 2)), mw.Site("mlp_unit", 1, unit=3, position=2)
    sound: dict[mw.Site, mw.Edit] = {
        replace(part, unit=u, position=p): mw.Zero() for u in range(4) for p in (2, 3)
    }
    error = raised(lambda: cells(FRAME, sound, {whole: mw.Zero(), part: mw.Zero()}, sound))
    assert error.value == f"{whole.label()}, {part.label()}"
    assert len(cells(FRAME, sound, {whole: mw.Zero()}, {part: mw.Zero()})) == 8 + 2 + 1
    assert cells(FRAME, {whole: mw.Zero(), replace(part, position=3): mw.Zero()})
    assert cells(FRAME, {whole: mw.Zero(), replace(part, layer=0): mw.Zero()})


def test_prompts_of_unequal_length_lend_constants() -> None:
    """Of the corrupt prompt alone; position 3 has no partner in the clean one."""
    alone = Frame(SHAPE, 5, 0, bases=("corrupt",), partners={0: 0, 1: 1, 2: 2, 4: 5})
    template = make_template([mw.Run("corrupt", {HEAD: mw.Patch(alpha=0.25)})], alone)
    entries = template.entries
    assert entries.position.tolist() == [0, 1, 2, 4]
    assert template.constants == (OtherPrompt("clean"),)
    for name, value in (("keep", 0.75), ("take", 0.0), ("add", 0.25), ("source", -1)):
        assert set(getattr(entries, name).tolist()) == {value}
    assert set(entries.constant.tolist()) == {0}
    own = make_template([mw.Run("corrupt", {HEAD: mw.Patch("corrupt", alpha=0.25)})], alone).entries
    assert (own.position.tolist(), own.constant.tolist()) == ([0, 1, 2, 3, 4], [-1] * 5)
    assert (set(own.source.tolist()), set(own.take.tolist())) == ({0}, {0.25})
    for site in (replace(HEAD, position=(2, 3)), mw.Site("pattern", 1, head=0)):
        run = mw.Run("corrupt", {site: mw.Patch()})
        raised(partial(make_template, [run], alone))
    lender = mw.Run("clean", {HEAD: mw.Zero()})
    raised(lambda: make_template([mw.Run("corrupt", {HEAD: mw.Patch(lender)})], alone))
