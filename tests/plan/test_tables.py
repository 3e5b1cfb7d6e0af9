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
from mediawidget.plan import Frame, Program, make_program, make_template
from mediawidget.plan.frame import OtherPrompt
from tests.asking import raised
from tests.plan.test_programs import check
from tests.plan.toy import N_PAIRS, Toy

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


# --- programs -------------------------------------------------------------------------------------


def test_runs_lend_at_one_site_from_the_bottom_up() -> None:
    """Four deep at one point: every one waits for the one that it takes its value from."""
    toy = Toy()
    for site in (mw.Site("head", 0, head=1), mw.Site("mlp_out", 1)):
        deep = [mw.Run("clean", {site: mw.Scale(2.0)})]
        for alpha in (0.5, -1.0, 3.0):
            deep.append(mw.Run("corrupt", {site: mw.Patch(deep[-1], alpha)}))
        for some in (deep, deep[::-1], deep[3:], [deep[2], deep[3]]):
            template = make_template(some, toy.frame)
            program = make_program(template, np.arange(len(some)), N_PAIRS)
            check(toy, some, template, program)


def test_a_run_waits_for_the_deepest_of_its_lenders() -> None:
    """It borrows one head from a run that borrows itself, and the other from one that does not."""
    toy = Toy()
    zero, one = (mw.Site("head", 0, head=h) for h in (0, 1))
    plain = mw.Run("clean", {one: mw.Scale(2.0)})
    middle = mw.Run("clean", {zero: mw.Patch(mw.Run("clean", {zero: mw.Scale(-3.0)}))})
    both = mw.Run("corrupt", {zero: mw.Patch(middle), one: mw.Patch(plain)})
    last = mw.Run("corrupt", {zero: mw.Patch(both, 0.5)})
    for some in ([last], [both, last], [plain, last, middle]):
        template = make_template(some, toy.frame)
        check(toy, some, template, make_program(template, np.arange(len(some)), N_PAIRS))


def test_a_lender_that_is_asked_for_goes_on() -> None:
    """What it does after it lent is part of its own outcome, whichever is asked for first."""
    toy = Toy()
    out, later = mw.Site("attn_out", 0), mw.Site("mlp_out", 1)
    lender = mw.Run("clean", {out: mw.Zero(), later: mw.Scale(5.0)})
    borrower = mw.Run("corrupt", {out: mw.Patch(lender)})
    for some in ([lender, borrower], [borrower, lender], [borrower], [lender, lender, borrower]):
        template = make_template(some, toy.frame)
        for asked in (range(len(some)), range(len(some) - 1, len(some))):
            program = make_program(template, np.array(asked), N_PAIRS)
            check(toy, [some[i] for i in asked], *chosen(template, program, list(asked)))


def chosen(template: Any, program: Program, asked: list[int]) -> tuple[Any, Program]:
    """The same with the chosen runs in front, as ``check`` counts them."""
    return (
        replace(template, implied=template.implied[asked]),
        replace(program, end=program.end[asked], node_of_run={}),
    )


def test_runs_that_begin_alike_are_one_row_until_they_part() -> None:
    first, later = mw.Site("head", 0, head=0), mw.Site("mlp_out", 2)
    one = mw.Run("clean", {first: mw.Zero(), later: mw.Scale(2.0)})
    same = mw.Run("clean", {later: mw.Scale(2.0), first: mw.Zero()})
    other = mw.Run("clean", {first: mw.Zero(), later: mw.Scale(3.0)})
    template = make_template([one, same, other, mw.Run("corrupt", dict(one.edits))], FRAME)
    program = make_program(template, np.arange(4), 1)
    # Of the clean prompt one row from layer 0 on and two from layer 2 on; the corrupt one's apart.
    # The row that both came from is left once they part.
    assert [program.rows_in(i) for i in range(5)] == [2, 4, 4, 5, 5]
    assert program.end[0] == program.end[1] != program.end[2]


def test_a_row_that_takes_nothing_is_its_own_source() -> None:
    toy = Toy()
    lender = mw.Run("clean", {mw.Site("head", 0, head=0): mw.Zero()})
    edits = {mw.Site("head", 0, head=1): mw.Patch(lender), mw.Site("mlp_out", 0): mw.Scale(3.0)}
    template = make_template([mw.Run("corrupt", edits)], toy.frame)
    for step in make_program(template, np.array([0]), N_PAIRS).steps:
        nothing = step.take == 0
        np.testing.assert_array_equal(step.source[nothing], step.row[nothing])
        assert (step.source[~nothing] != step.row[~nothing]).all()


def test_rows_are_there_as_long_as_they_are_needed() -> None:
    """Stage by stage, of one pair: the prompts, and what is born for runs and lenders."""
    lender = mw.Run(
        "clean", {mw.Site("head", 0, head=0): mw.Zero(), mw.Site("mlp_out", 2): mw.Zero()}
    )
    borrower = mw.Run("corrupt", {mw.Site("head", 1, head=1): mw.Patch(lender)})
    template = make_template([borrower], FRAME)

    def rows(**more: Any) -> list[int]:
        program = make_program(template, np.array([0]), 1, **more)
        return [program.rows_in(i) for i in range(len(program.base_of_row))]

    # Both prompts to the end; the lender at stages 1 and 2, the borrower from stage 2 on.
    assert rows() == [2, 3, 4, 3, 3]
    # Left to themselves the clean prompt goes with its child, the corrupt one with the borrower.
    assert rows(keep_bases=False) == [2, 2, 2, 1, 1]
    program = make_program(template, np.array([0]), 1)
    assert [grown is None for grown in program.grow] == [True, False, False, False, True]
    assert program.rows == 4
    assert program.rows_of(0, 4).tolist() == program.end[0].tolist() == [2]
    later = make_program(template, np.array([0]), 1, begin=1)
    assert [len(bases) for bases in later.base_of_row] == [3, 4, 3, 3]
    assert later.rows_of(1, 2).tolist() == [3], "the lender"
    assert later.rows_of(0, 2).tolist() == [2], "the borrower"
    assert later.rows_of(0, 1).tolist() == [1], "still its prompt"


def test_rows_born_late_are_counted_and_come_last() -> None:
    run = mw.Run("corrupt", {mw.Site("mlp_out", 1): mw.Zero()})
    query = mw.Run("clean", {mw.Site("query", 1, head=0): mw.Zero()})
    template = make_template([run, query], FRAME)
    program = make_program(template, np.arange(2), N_PAIRS, late=(2,))
    assert [(point, rows.tolist()) for point, rows in program.late[2]] == [("mlp_out", [2, 3])]
    assert [len(bases) for bases in program.base_of_row] == [4, 4, 6, 8, 8]
    assert program.rows_in(2) == program.rows == 8
    assert program.rows_of(0, 2).tolist() == [6, 7]
    assert program.end.tolist() == [[4, 5], [6, 7]], "in order again behind the block"
    early = make_program(template, np.arange(2), N_PAIRS)
    assert not any(early.late)
    assert [len(bases) for bases in early.base_of_row] == [4, 4, 8, 8, 8]


def test_a_prefix_moves_positions_and_nothing_else() -> None:
    template = make_template([mw.Run("corrupt", {HEAD: mw.Patch()})], FRAME)
    whole, rest = (make_program(template, np.array([0]), 2, prefix=n) for n in (0, 2))
    (there,), (here,) = whole.steps, rest.steps
    assert there.position.tolist() == [2, 2, 3, 3, 4, 4]
    assert here.position.tolist() == [0, 0, 1, 1, 2, 2]
    for name in ("row", "unit", "source", "pair", "keep", "take"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))
    assert (rest.prefix, whole.prefix) == (2, 0)


def test_programs_of_prompts_alone() -> None:
    bases = Program.of_bases(2, 3, 4)
    assert bases.bases.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert [rows.tolist() for rows in bases.base_of_row] == [[0, 0, 0, 1, 1, 1]] * 4
    assert (bases.n_pairs, bases.begin, bases.prefix, bases.steps) == (3, 0, 0, [])
    assert bases.end.shape == (0, 6)
    assert bases.pair_of_row.tolist() == [0, 1, 2, 0, 1, 2]
    plain = Program.of_rows(3, 2)
    assert plain.bases.tolist() == [[0, 1, 2]]
    assert [rows.tolist() for rows in plain.base_of_row] == [[0, 0, 0]] * 2
    assert plain.grow == [None, None]
    assert plain.rows == 3
