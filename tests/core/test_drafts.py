"""A pair while it is typed: what is read, what is wrong and beside which field, what comes next."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.drafts import ANSWERS, PROMPTS, Draft, next_tokens, read_draft
from mediawidget.errors import MediationError

GOOD = Draft(
    "When Mary and John went to the store, John gave a book to",
    "When Mary and John went to the store, Mary gave a book to",
    "Mary",
    "John",
)


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load()


def test_a_good_draft_is_a_pair(lm: mw.LM) -> None:
    reading = read_draft(lm, GOOD)
    assert reading.pair == mw.PromptPair(**vars(GOOD))
    assert reading.problems == {}
    assert reading.notes["corrupt"] == "1 token differs, of 15"
    assert reading.tokens["clean"] == tuple(lm.tokens(GOOD.clean))
    assert reading.columns == tuple((i, i) for i in range(15))


def test_a_pair_becomes_the_draft_that_becomes_the_pair(lm: mw.LM) -> None:
    pair = mw.PromptPair(GOOD.clean, GOOD.corrupt, ["Mary", "Paul"], "John", roles={"END": 14})
    draft = Draft.of(pair)
    assert (draft.answer, draft.wrong) == ("Mary | Paul", "John")
    assert read_draft(lm, draft, before=pair).pair == pair


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"clean": ""}, "clean", "text"),
        ({"clean": "When Zork went"}, "clean", "does not know"),
        ({"corrupt": "When Zork went"}, "corrupt", "does not know"),
        ({"corrupt": GOOD.clean}, "corrupt", "alike"),
        ({"clean": "When " * 200}, "clean", "longer"),
        ({"answer": " "}, "answer", "missing"),
        ({"wrong": " | "}, "wrong", "missing"),
        ({"answer": "Zork"}, "answer", "does not know"),
        ({"wrong": "Mary"}, "wrong", "same token"),
        ({"answer": "Mary | John"}, "wrong", "overlap"),
        ({"answer": "Mary | Zork"}, "answer", "does not know"),
    ],
)
def test_a_mistake_stands_beside_its_field(
    lm: mw.LM, change: dict[str, str], field: str, words: str
) -> None:
    reading = read_draft(lm, replace(GOOD, **change))
    assert list(reading.problems) == [field]
    assert words in reading.problems[field].message
    assert reading.pair is None


def test_every_field_has_its_own_mistake(lm: mw.LM) -> None:
    assert set(read_draft(lm, Draft("", "Zork", "", "Zork")).problems) == {*PROMPTS, *ANSWERS}


def test_prompts_of_unequal_length_stand_side_by_side(lm: mw.LM) -> None:
    reading = read_draft(
        lm, replace(GOOD, corrupt="When Mary went to the store, Mary gave a book to")
    )
    assert reading.pair is not None
    assert [c for c in reading.columns if None in c] == [(3, None), (4, None)]
    assert "15 against 13 tokens" in reading.notes["corrupt"]
    swapped = read_draft(
        lm, replace(GOOD, clean="When Mary went to the store, Mary gave a book to")
    )
    assert sum(c[0] is None for c in swapped.columns) == 2


def test_an_answer_of_several_tokens_is_said(lm: mw.LM) -> None:
    reading = read_draft(lm, replace(GOOD, wrong="John Mary"))
    assert reading.pair is not None
    assert reading.notes["wrong"].startswith("2 tokens")


def test_roles_stay_where_the_tokens_are_as_many(lm: mw.LM) -> None:
    before = mw.PromptPair(**vars(GOOD), roles={"S2": 10}, template="t", group="g")
    same = read_draft(lm, replace(GOOD, clean=GOOD.clean.replace("book", "drink")), before).pair
    assert same is not None
    assert (same.roles, same.template, same.group) == ({"S2": 10}, "t", "g")
    shorter = replace(GOOD, clean="When Mary went to the store, John gave a book to")
    reading = read_draft(lm, shorter, before)
    assert reading.pair is not None
    assert (reading.pair.roles, reading.pair.template) == ({}, "t")
    assert "roles" in reading.notes["clean"]


def test_a_readout_that_does_not_fit_is_the_clean_prompts_problem(lm: mw.LM) -> None:
    reading = read_draft(lm, GOOD, readout=mw.Readout(position=40))
    assert list(reading.problems) == ["clean"]


def test_what_comes_next_is_the_models_own(lm: mw.LM) -> None:
    found = next_tokens(lm, GOOD.clean)
    assert lm.next_tokens(GOOD.clean, n=5) == found
    more = lm.next_tokens(GOOD.clean)
    assert len(more) == 10
    assert more[:5] == found
    for n in (0, -1, True, "3"):
        with pytest.raises(mw.MediationError, match="counted"):
            lm.next_tokens(GOOD.clean, n=n)  # type: ignore[arg-type]
    with torch.no_grad():
        ids = torch.tensor([lm.encoder.ids(GOOD.clean)])
        probs = lm.hf(ids).logits[0, -1].double().softmax(-1)
    top = probs.topk(5)
    assert [text for text, _ in found] == [lm.encoder.token(int(i)) for i in top.indices]
    assert [p for _, p in found] == pytest.approx(top.values.tolist(), abs=1e-6)
    with pytest.raises(MediationError, match="does not know"):
        next_tokens(lm, "Zork")


words = st.lists(st.sampled_from(["When", "Mary", "John", "to", "the", ",", "Zork", "|", " "]))


@settings(deadline=None)
@given(*[words.map(" ".join)] * 4)
def test_a_draft_is_a_pair_or_says_why_not(
    clean: str, corrupt: str, answer: str, wrong: str
) -> None:
    lm = mw.load()
    draft = Draft(clean, corrupt, answer, wrong)
    reading = read_draft(lm, draft)
    assert (reading.pair is None) == bool(reading.problems)
    for at, name in enumerate(PROMPTS):
        shown = [column[at] for column in reading.columns if column[at] is not None]
        assert shown == list(range(len(reading.tokens[name])))
    if reading.pair is not None:
        lm.encode([reading.pair])
