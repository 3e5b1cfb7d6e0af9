"""Words put into frames are found again, in characters and in tokens."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediawidget.errors import MediationError
from mediawidget.prompts import PromptPair
from mediawidget.tasks._fit import fit, is_one_token
from mediawidget.tasks._text import Span, as_text, fill_text, places
from mediawidget.tasks.world import join_words
from tests.tasks.kinds import KINDS, all_words, pieces, plain, teaching

words = st.text(alphabet="abcdefgh", min_size=1, max_size=6)
slots = st.sampled_from(("a", "b", "c"))
parts = st.lists(st.one_of(slots.map(lambda name: f"{{{name}}}"), words), min_size=1, max_size=12)


@given(parts, st.fixed_dictionaries({"a": words, "b": words, "c": words}))
def test_the_span_of_a_slot_is_its_word(pieces_: list[str], given_words: dict[str, str]) -> None:
    frame = " ".join(pieces_)
    filled = fill_text(frame, given_words)
    assert filled.text == frame.format(**given_words)
    assert sum(map(len, filled.spans.values())) == frame.count("{")
    for slot, spans in filled.spans.items():
        for mention, (start, end, *_) in enumerate(spans):
            assert filled.text[start:end] == given_words[slot]
            assert filled.span(slot, mention)[:2] == (start, end)


@settings(deadline=None)
@given(st.lists(st.sampled_from(all_words()).filter(str.isalpha), min_size=3, max_size=9))
@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_of_a_span_are_its_words(kind: str, drawn: list[str]) -> None:
    """Whatever the words become, one token or many."""
    lm = KINDS[kind]()
    known = [word for word in drawn if kind != "teaching" or is_one_token(lm, word)]
    text = join_words(["the", *known, "the"])
    ends = [match.span() for match in re.finditer(r"\w+", text)][1:]
    spans = {str(i): Span(*span, whole=True) for i, span in enumerate(ends)}
    found = places(lm, text, spans)
    assert found is not None
    tokens = lm.tokens(text)
    for word, at in zip([*known, "the"], found.values(), strict=True):
        assert isinstance(at, tuple)
        assert "".join(tokens[i] for i in at).strip() == word
    single = places(lm, text, {name: span._replace(whole=False) for name, span in spans.items()})
    assert single == {name: at[-1] for name, at in found.items() if isinstance(at, tuple)}


def test_a_span_of_several_words_is_all_their_tokens() -> None:
    filled = fill_text("The {subject} is", {"subject": "Fenway Park"})
    lm = pieces()
    tokens = lm.tokens(filled.text)
    found = places(lm, filled.text, {"all": filled.span("subject", whole=True)})
    assert found is not None
    at = found["all"]
    assert isinstance(at, tuple)
    assert "".join(tokens[i] for i in at) == " Fenway Park"
    assert len(at) > 2


def test_a_shift_counts_tokens_from_the_last_one() -> None:
    filled = fill_text("The {thing} is red", {"thing": "book"})
    spans = {"thing": filled.span("thing"), "next": filled.span("thing", shift=1)}
    found = places(plain(), filled.text, spans)
    assert found == {"thing": 1, "next": 2}


class Pairs:
    """Tokens of two letters, whatever the words."""

    def tokens(self, text: str) -> list[str]:
        return re.findall(r"..?", text)


def test_a_token_over_the_end_of_a_span_is_no_token_of_it() -> None:
    assert places(Pairs(), "a bcd", {"b": Span(2, 3)}) is None
    assert places(Pairs(), "a bcd", {"bc": Span(2, 4)}) == {"bc": 1}


class Words:
    """Every word is a token."""

    def tokens(self, text: str) -> list[str]:
        return text.split()


def test_frames_that_lie_otherwise_are_left_out() -> None:
    frames = ["The {a} saw the {b}", "The {a} met the {b}", "A {b} saw the {a}", "Then the {a} {b}"]
    fitting = fit(Words(), frames, {"a": "cat", "b": "dog"})
    assert fitting.frames == tuple(frames[:2])
    assert fitting.length == 5


def test_a_pair_whose_tokens_lie_otherwise_is_none() -> None:
    """As many tokens, and yet one of them reaches over the end of the word."""
    fitting = fit(Pairs(), ["The {a} cat"], {"a": "ok"})

    def paired(first: str, second: str) -> PromptPair | None:
        clean, corrupt = (fill_text("The {a} cat", {"a": word}) for word in (first, second))
        return fitting.pair(clean, corrupt, ("x", "y"), {"a": clean.span("a")})

    kept = paired("my", "no")
    assert kept is not None
    assert kept.roles == {"a": 2, "END": 4}
    assert len(Pairs().tokens("The a cat")) == fitting.length
    assert paired("a", "no") is None
    assert paired("our", "no") is None
    assert paired("my", "our") is None


def test_a_tokenizer_without_a_frames_words_is_told_them() -> None:
    with pytest.raises(MediationError, match="'spaceship'"):
        fit(teaching(), ["The {a} spaceship"], {"a": "cat"})


def test_a_tokenizer_whose_tokens_reach_over_words_is_shown_them() -> None:
    with pytest.raises(MediationError, match=r"keep apart.*\n.*Th\|e \|ca\|t\."):
        fit(Pairs(), ["The {a}."], {"a": "cat"})


def test_a_frame_of_the_world_reads_as_it_is_typed() -> None:
    assert as_text("When {A} left , {B} said . {C}") == "When {A} left, {B} said. {C}"
