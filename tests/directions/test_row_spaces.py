"""What is read of a site, what is not, and a direction that fools by joining the two."""

from __future__ import annotations

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import directions
from mediawidget.models._ioi_mini import BLOCK, NAME_TOKENS, WIDTH
from tests.asking import raised
from tests.directions.known import HIDDEN, STREAM, block, of_one_order, small, verbs

NEURONS = mw.Site("neurons", 1, position=5)


# --- the row space ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox", "opt", "gemma2"])
def test_the_null_space_of_neurons_is_read_by_nothing(kind: str) -> None:
    """Moved there as far as you like, the network's output is the same; elsewhere it is not."""
    study = small(kind)
    reads = directions.row_space(study, NEURONS)
    width = study.lm.d_mlp
    assert reads.exact
    assert reads.subspace.k == min(width, study.lm.d_model)
    draw = np.random.default_rng(0).standard_normal((1, width))
    inside, rest = reads.parts(draw)
    np.testing.assert_allclose(inside + rest, draw, atol=1e-12)
    base = study.total.corners()["Y00"]
    moved = study.intervene({NEURONS: mw.Steer(inside[0], 10.0)})
    assert np.abs(moved.corners()["Y01"] - base).max() > 1e-3
    if width > study.lm.d_model:
        still = study.intervene({NEURONS: mw.Steer(rest[0], 10.0)})
        np.testing.assert_allclose(still.corners()["Y01"], base, atol=1e-8)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_all_of_a_head_is_read(kind: str) -> None:
    study = small(kind)
    reads = directions.row_space(study, mw.Site("head", 1, head=1, position=5))
    assert (reads.subspace.k, reads.exact) == (study.lm.d_head, True)
    study = of_one_order()
    writes = directions.row_space(study, mw.Site("head", 1, head=0, position=4))
    assert writes.subspace.k == BLOCK["dup"].stop - BLOCK["dup"].start, "it copies one block"
    names = np.eye(WIDTH)[BLOCK["dup"]]
    inside, _ = writes.parts(names)
    np.testing.assert_allclose(inside, names, atol=1e-9)


def test_what_is_read_of_the_last_stream_is_the_answers_difference() -> None:
    """Without a norm the logit difference reads one direction of a pair, and its slopes are it."""
    pair = of_one_order().contrast[0]
    study = mw.Study(of_one_order().lm, pair)
    last = mw.Site("residual", 4, position=4)
    reads = directions.row_space(study, last)
    vocabulary = study.lm.tokenizer
    answer, wrong = (vocabulary(word)["input_ids"][0] for word in (pair.answer, pair.wrong))
    row = np.zeros(WIDTH)
    first = BLOCK["out"].start - NAME_TOKENS.start
    row[first + answer], row[first + wrong] = 1.0, -1.0
    assert (reads.subspace.k, reads.exact) == (1, False)
    assert abs(reads.subspace.basis[0] @ row) == pytest.approx(2**0.5)


def test_saturated_slopes_are_taken_on_the_way() -> None:
    """At both ends the mover's softmax is flat; between them what it reads shows."""
    study = of_one_order()
    found = directions.principal(study, STREAM, k=4)
    whole = study.intervene({STREAM: found.within()})["PIE"]
    split = directions.split(study, found)
    assert split.row is not None
    part = study.intervene({STREAM: split.row.within()})["PIE"]
    assert whole > 0.99
    assert part > 0.9 * whole


def test_where_there_is_no_row_space() -> None:
    study = small()
    for call in (
        lambda: directions.row_space(study, mw.Site("pattern", 1, head=0)),
        lambda: directions.row_space(study, mw.Site("neurons", 99)),
        lambda: directions.row_space(of_one_order(), mw.Site("neurons", 1)),
        lambda: directions.row_space(small(), mw.Site("residual", small().lm.n_layers, position=1)),
    ):
        raised(call)


# --- splitting --------------------------------------------------------------------------------


def test_the_parts_of_a_direction() -> None:
    study = small()
    found = directions.difference_of_means(study, NEURONS)
    split = directions.split(study, found)
    assert split.row is not None
    assert split.null is not None
    row, null, v = (one.subspace.basis[0] for one in (split.row, split.null, split.whole))
    assert abs(row @ null) < 1e-9
    assert (v @ row) ** 2 + (v @ null) ** 2 == pytest.approx(1)
    assert split.inside == pytest.approx((v @ row) ** 2)
    effect = study.intervene({NEURONS: split.null.within()})
    np.testing.assert_allclose(effect.pairs("PIE"), 0, atol=1e-8)
    np.testing.assert_allclose(effect.pairs("TIE"), 0, atol=1e-8)


def test_a_direction_may_have_one_part_alone() -> None:
    study = small()
    reads = directions.row_space(study, NEURONS)
    read = directions.given(study, NEURONS, reads.subspace.basis[:2])
    split = directions.split(study, read, reads)
    assert split.null is None
    assert split.inside == pytest.approx(1)
    assert list(split.parts) == ["whole", "row space"]
    _, rest = reads.parts(np.random.default_rng(0).standard_normal((2, study.lm.d_mlp)))
    hidden = directions.given(study, NEURONS, rest)
    dormancy = directions.check_dormant(study, hidden, reads=reads)
    assert dormancy.split.row is None
    assert not dormancy.dormant, "nothing of it is read, so there is no effect to be fooled by"
    assert dormancy.slight
    assert "no effect to speak of" in repr(dormancy)


# --- dormant directions -----------------------------------------------------------------------


def test_makelovs_construction_is_flagged_and_an_honest_direction_is_not() -> None:
    """On the teaching model, made on one half of the pairs and judged on the other."""
    fit, test = directions.halves(verbs())
    planted = directions.check_dormant(test, directions.illusion(fit, HIDDEN))
    assert planted.dormant
    assert planted.carried < 0.1
    assert planted.effect["PIE"][0] > 0.05 * planted.effect["TE"][0]
    assert planted.moved["null"] > 10 * planted.moved["row space"], "d is dormant, n is not"
    honest = directions.check_dormant(test, directions.difference_of_means(fit, HIDDEN))
    assert not honest.dormant
    assert honest.carried > 0.9
    assert honest.effect["PIE"][0] > 0
    for one in (planted, honest):
        table = one.to_dataframe().set_index("part")
        assert abs(table["PIE"]["null"]) < 1e-3
        assert one.interval[0] <= one.carried <= one.interval[1]
    assert "dormant; of PIE" in repr(planted)
    assert "not dormant; of PIE" in repr(honest)


def test_the_construction_is_half_of_each() -> None:
    fit, _ = directions.halves(verbs())
    made = directions.illusion(fit, HIDDEN)
    assert directions.split(fit, made).inside == pytest.approx(0.5, abs=1e-4)


def test_no_illusion_where_all_is_read() -> None:
    raised(lambda: directions.illusion(small(), mw.Site("head", 1, head=1, position=5)))


def test_what_cannot_be_judged_is_refused() -> None:
    study = small()
    found = directions.random(study, NEURONS)
    elsewhere = directions.row_space(study, mw.Site("head", 1, head=1))
    for call in (
        lambda: directions.check_dormant(study, found, key="TE"),
        lambda: directions.check_dormant(study, found, least=0),
        lambda: directions.check_dormant(study, found.subspace),  # type: ignore[arg-type]
        lambda: directions.split(study, found, elsewhere),
    ):
        raised(call)


def test_a_block_that_is_not_read_is_hidden() -> None:
    """What the duplicate-token head wrote is read by the head of layer 1, and later by none."""
    study = of_one_order()
    reads = directions.row_space(study, STREAM)
    read, _ = reads.parts(block("inh").basis)
    unread, _ = reads.parts(block("dup").basis)
    assert np.linalg.norm(read) > 10 * np.linalg.norm(unread)
