"""Prompt pairs as token ids: answers of every kind, the rows that are run, who are partners."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediawidget.encoding import Encoder, TokenPair
from mediawidget.prompts import Contrast, PromptPair
from mediawidget.readouts import Readout
from mediawidget.token_pairs import align, first_difference
from tests.asking import pair, raised
from tests.small_models import WORDS, tokenizer

LONGER = "ant owl pig cat dog eel"
HOSTILE = ("<script>alert(1)</script>", "</td>", "{x}", "'; --", "a|b", "\u202eabc", "%s", "&amp;")


def encode(
    given_: PromptPair | None = None, readout: Readout | None = None, bos: bool = False
) -> TokenPair:
    encoder = Encoder(tokenizer(bos), 24)
    return encoder.pair(given_ or pair(), readout, equal=False, single=False)


def ids(text: str) -> list[int]:
    return [2 + WORDS.index(word) for word in text.split()]


# --- answers as they are given -------------------------------------------------------------------


def test_a_text_stays_a_text_and_a_list_becomes_a_tuple() -> None:
    one, several = pair(), pair(answer=["fox", "hen"], wrong=("gnu",))
    assert (one.answer, one.answers, one.answer_text) == ("fox", ("fox",), "fox")
    assert (several.answer, several.wrong) == (("fox", "hen"), ("gnu",))
    assert (several.answer_text, several.wrong_text) == ("{fox, hen}", "gnu")
    assert len({one, several, pair(answer=("fox", "hen"), wrong=["gnu"])}) == 2


def test_the_label_of_a_large_set_is_short() -> None:
    text = pair(answer=[str(year) for year in range(52, 100)]).answer_text
    assert text == "{52, 53, \u2026, 99}"


@pytest.mark.parametrize(
    "given_",
    [
        pair(answer=["fox", "hen"], roles={"B": 1}),
        pair(answer="fox hen", wrong="gnu jay", alignment=[[0, 0], [4, 4]]),
        *(pair(answer=[text, "fox"], wrong=text + "?") for text in HOSTILE),
    ],
)
def test_pairs_go_to_json_and_back(given_: PromptPair) -> None:
    back = Contrast.from_json(Contrast([given_]).to_json())[0]
    assert back == given_
    assert back.roles == given_.roles
    assert back.swapped().swapped() == given_
    assert hash(back) == hash(given_)


@pytest.mark.parametrize("answer", [[], ["fox", ""], ["fox", 3], ["fox", " fox"], {"fox"}, 3, ""])
def test_what_is_no_answer(answer: Any) -> None:
    assert repr(answer) in str(raised(lambda: pair(answer=answer)).value)


def test_sets_that_overlap() -> None:
    error = raised(lambda: pair(answer=["fox", "hen"], wrong=["gnu", " hen"]))
    assert "hen" in str(error.value)
    assert "fox" not in str(error.value)
    raised(lambda: pair(answer=["gnu", "hen"]))
    raised(lambda: pair(answer=["gnu"]))


# --- strands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bos", [False, True])
def test_single_tokens_are_read_off_one_row(bos: bool) -> None:
    encoded = encode(bos=bos)
    (strand,) = encoded.strands
    assert strand.targets == ((encoded.answer,), (encoded.wrong,)) == ((7,), (8,))
    assert strand.reads == strand.corrupt_reads == (4 + bos,)
    assert not strand.forced
    np.testing.assert_array_equal(strand.clean, encoded.clean)
    np.testing.assert_array_equal(strand.corrupt, encoded.corrupt)
    assert (encoded.clean_tokens[0] == "<s>") is bos


def test_a_set_is_read_off_one_row() -> None:
    encoded = encode(pair(answer=["fox", "hen", "kite"]))
    (strand,) = encoded.strands
    assert strand.targets == (tuple(ids("fox hen kite")), (encoded.wrong,))
    assert encoded.answer_token == "{fox, hen, kite}"
    assert "{fox, hen, kite}" in str(raised(lambda: encoded.answer).value)


def test_a_set_of_one_is_a_single_token() -> None:
    assert encode(pair(answer=["fox"])).strands[0].targets == encode().strands[0].targets
    assert encode(pair(answer=["fox"])).answer == encode().answer


@pytest.mark.parametrize("bos", [False, True])
def test_several_tokens_are_fed_one_after_the_other(bos: bool) -> None:
    encoded = encode(pair(answer="fox hen kite", wrong="gnu jay"), Readout(reduce="mean"), bos)
    answer, wrong = encoded.strands
    assert (answer.gives, wrong.gives) == ("answer", "wrong")
    assert answer.targets == (tuple(ids("fox hen kite")),)
    start = [0] * bos
    assert answer.clean.tolist() == start + ids("ant bee cat dog eel fox hen")
    assert answer.corrupt.tolist() == start + ids("ant owl cat dog eel fox hen")
    assert wrong.clean.tolist() == start + ids("ant bee cat dog eel gnu")
    assert answer.reads == (4 + bos, 5 + bos, 6 + bos)
    assert wrong.reads == (4 + bos, 5 + bos)
    assert answer.reduce == "mean"
    assert encoded.answer_token == " fox hen kite"
    assert len(encoded) == 5 + bos, "a pair is its prompts"


def test_a_single_token_against_several_is_fed_too() -> None:
    answer, wrong = encode(pair(wrong="gnu jay")).strands
    assert (answer.targets, answer.reads, len(answer)) == (((7,),), (4,), 5)
    assert (wrong.targets, wrong.reads, len(wrong)) == ((tuple(ids("gnu jay")),), (4, 5), 6)


def test_a_tokenizer_that_adds_a_space_of_its_own_is_not_fed_it() -> None:
    """As Llama's first: a text alone begins with a piece that it has not within a sentence."""
    inner = tokenizer()

    class Prefixing:
        unk_token_id, bos_token_id = inner.unk_token_id, inner.bos_token_id
        all_special_ids = inner.all_special_ids

        def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
            found = list(inner(text, **options)["input_ids"])
            return {"input_ids": [40, *found] if text.startswith(" ") else found}

        def decode(self, *arguments: Any, **options: Any) -> str:
            return str(inner.decode(*arguments, **options))

    encoded = Encoder(Prefixing()).pair(pair(answer="fox hen"), single=False)
    assert encoded.strands[0].targets == (tuple(ids("fox hen")),)
    assert encoded.strands[1].targets == ((8,),)


def test_reading_elsewhere() -> None:
    roles = pair(roles={"S2": 2})
    assert encode(roles, Readout("S2")).strands[0].reads == (2,)
    assert encode(roles, Readout(-2)).strands[0].reads == (3,)
    raised(lambda: encode(roles, Readout("S1")))
    raised(lambda: encode(roles, Readout(5)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"answer": ["fox", "hen jay"]}, "'hen jay'"),
        ({"answer": ["fox", "hen"], "wrong": "gnu jay"}, "{fox, hen}"),
        ({"answer": "fox zeppelin"}, "zeppelin"),
        ({"answer": ["fox", "zeppelin"]}, "zeppelin"),
        ({"answer": "fox  hen", "wrong": "fox hen"}, "fox hen"),
        ({"answer": " ".join(WORDS[:21])}, "25 tokens"),
    ],
)
def test_answers_that_cannot_be_read(change: dict[str, Any], words: str) -> None:
    assert words in str(raised(lambda: encode(pair(**change))).value)


def test_several_tokens_in_the_middle_of_a_prompt() -> None:
    error = raised(lambda: encode(pair(answer="fox hen"), Readout(2)))
    assert "position 2" in str(error.value)


@pytest.mark.parametrize("change", [{"answer": ["fox", "hen"]}, {"wrong": "gnu jay"}])
def test_what_one_row_cannot_answer_is_refused_unless_asked_for(change: dict[str, Any]) -> None:
    encoder = Encoder(tokenizer())
    assert "one token" in raised(lambda: encoder.pair(pair(**change))).expected
    assert encoder.pair(pair(**change), single=False).strands


def test_tokens_of_columns_are_looked_up() -> None:
    encoder = Encoder(tokenizer())
    assert encoder.column_ids(["answer", "logit:hen", "rank"]) == {"logit:hen": ids("hen")[0]}
    assert "hen jay" in str(raised(lambda: encoder.column_ids(["logit:hen jay"])).value)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_only_an_unknown_token(text: str) -> None:
    encoder = Encoder(tokenizer())
    assert repr(text) in str(raised(lambda: encoder.column_ids([f"logit:{text}"])).value)


def test_labels_of_a_classifier() -> None:
    encoder = Encoder(tokenizer(), labels={"<b>bad</b>": 0, "good": 1, "2": 2})
    encoded = encoder.pair(pair(answer="good", wrong="0"))
    assert (encoded.answer, encoded.wrong) == (1, 0)
    assert (encoded.answer_token, encoded.wrong_token) == ("good", "<b>bad</b>")
    both = encoder.pair(pair(answer=["good", "2"], wrong="0"), single=False)
    assert both.strands[0].targets == ((1, 2), (0,))
    error = raised(lambda: encoder.pair(pair(answer="fox")))
    assert "fox" in str(error.value)
    assert "good (1)" in error.expected


# --- prompts of unequal length -------------------------------------------------------------------


def test_prompts_of_one_length_are_aligned_position_by_position() -> None:
    encoded = encode()
    assert encoded.alignment == tuple((i, i) for i in range(5))
    assert encoded.unaligned() == ""
    assert encoded.first_difference == 1


def test_what_was_inserted_has_no_partner() -> None:
    encoded = encode(pair(corrupt=LONGER))
    assert encoded.alignment == ((0, 0), (2, 3), (3, 4), (4, 5))
    assert (encoded.lonely("clean"), encoded.lonely("corrupt")) == ((1,), (1, 2))
    assert encoded.partner(2, "clean") == 3
    assert encoded.partner(5, "corrupt") == 4
    words = str(raised(lambda: encoded.partner(2, "corrupt")))
    for said in ("2 ' pig'", "1 ' owl'", "1 ' bee'"):
        assert said in words
    assert "9" in str(raised(lambda: encoded.partner(9, "clean")).value)
    assert encoded.first_difference == 1


def test_each_prompt_is_read_at_the_partner_of_the_position() -> None:
    longer = pair(corrupt=LONGER, roles={"third": 2})
    assert encode(longer).strands[0].reads == (4,)
    assert encode(longer).strands[0].corrupt_reads == (5,)
    assert encode(longer, Readout("third")).strands[0].corrupt_reads == (3,)
    assert "' bee'" in str(raised(lambda: encode(longer, Readout(1))).value)


def test_what_is_fed_has_partners_too() -> None:
    answer, _ = encode(pair(corrupt=LONGER, answer="fox hen kite")).strands
    assert answer.reads == (4, 5, 6)
    assert answer.corrupt_reads == (5, 6, 7)
    assert answer.alignment[-3:] == ((4, 5), (5, 6), (6, 7))
    fed = [(answer.clean[i], answer.corrupt[j]) for i, j in answer.alignment[-2:]]
    assert fed == [(7, 7), (9, 9)]


def test_one_prompt_that_begins_the_other() -> None:
    encoded = encode(pair(corrupt="ant bee cat dog eel hen"))
    assert encoded.first_difference == 5
    assert encoded.alignment == ((0, 0), (1, 1), (2, 2), (3, 3), (4, 5))


def test_partners_named_by_hand() -> None:
    given_ = pair(corrupt=LONGER, alignment=[[0, 0], [1, 2]], roles={"B": 1, "C": 2})
    assert encode(given_).alignment == ((0, 0), (1, 2), (4, 5))
    back = given_.swapped()
    assert back.alignment == ((0, 0), (2, 1))
    assert back.roles == {"B": 2}, "a role whose position has no partner is gone"
    spans: Any = {"both": [0, 1], "broken": (1, 2), "last": -1}
    moved = pair(corrupt=LONGER, alignment=[[0, 0], [1, 2]], roles=spans).swapped()
    assert moved.roles == {"both": (0, 2), "last": -1}, "a span moves whole"


def test_a_prompt_that_begins_with_what_the_tokenizer_puts_before_it() -> None:
    assert Encoder(tokenizer(bos=True)).tokens("ant bee") == ["<s>", " ant", " bee"]
    for text in ("<s> ant bee", "<s>ant bee", "<s>"):
        error = raised(partial(Encoder(tokenizer(bos=True)).ids, text))
        assert "'<s>' before every prompt" in error.message
    # What puts none there reads it once, and twice where it is written twice.
    assert Encoder(tokenizer()).tokens("<s> ant") == ["<s>", " ant"]
    assert Encoder(tokenizer()).tokens("<s><s> ant") == ["<s>", "<s>", " ant"]
    assert Encoder(tokenizer(bos=True)).tokens("ant ant") == ["<s>", " ant", " ant"]


@pytest.mark.parametrize(
    "alignment",
    [[], [(0, 0), (0, 1)], [(1, 1), (0, 2)], [(-1, 0)], [(0,)], "ab", 3, [3], [(0, True)]],
)
def test_what_is_no_alignment(alignment: Any) -> None:
    assert repr(alignment) in str(raised(lambda: pair(alignment=alignment)).value)


@pytest.mark.parametrize("partners", [(5, 5), (3, 6), (4, 3), (3, 5)])
def test_partners_that_are_not_there(partners: tuple[int, int]) -> None:
    given_ = pair(corrupt=LONGER, alignment=[partners])
    assert str(partners) in str(raised(lambda: encode(given_)).value)


def test_unequal_lengths_are_refused_unless_asked_for() -> None:
    encoder = Encoder(tokenizer())
    assert "part at position 1" in str(raised(lambda: encoder.pair(pair(corrupt=LONGER))).value)


tokens = st.lists(st.integers(0, 3), min_size=1, max_size=9)


@given(clean=tokens, corrupt=tokens)
def test_partners_go_up_and_end_together(clean: list[int], corrupt: list[int]) -> None:
    found = align(clean, corrupt)
    assert found[-1] == (len(clean) - 1, len(corrupt) - 1)
    for a, b in pairwise(found):
        assert a[0] < b[0]
        assert a[1] < b[1]
    same = first_difference(clean, corrupt)
    assert clean[:same] == corrupt[:same]
    assert clean[same : same + 1] != corrupt[same : same + 1] or clean == corrupt
    n_prefix = min(same, len(clean) - 1, len(corrupt) - 1)
    assert found[:n_prefix] == tuple((i, i) for i in range(n_prefix))
    alike = {(i, j) for i, j in found if clean[i] == corrupt[j]}
    if len(clean) == len(corrupt):
        assert found == tuple((i, i) for i in range(len(clean)))
    elif set(clean[:-1]) & set(corrupt[:-1]):
        assert alike, "a token that both have has a partner somewhere"
