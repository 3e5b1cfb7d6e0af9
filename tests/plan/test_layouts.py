"""Programs of a few runs: which rows there are, and when, against what is written down by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import mediawidget as mw
from mediawidget.mediators import Shape
from mediawidget.plan import Frame, Program, make_program, make_template
from tests.plan.test_programs import check
from tests.plan.toy import N_PAIRS, Toy

FRAME = Frame(Shape(n_layers=3, n_heads=2, d_model=4, d_mlp=6), n_positions=5, first_difference=2)
HEAD = mw.Site("head", 1, head=0)


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
