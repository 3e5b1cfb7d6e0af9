"""Each task's pairs, read as a person would: is the answer right, in both prompts?"""

from __future__ import annotations

import re
from typing import Literal

import pytest

import mediawidget as mw
from mediawidget.encoding import Encoder
from mediawidget.tasks._pronouns import FRAMES, OTHERS
from mediawidget.tasks.docstring import Corruption
from mediawidget.tasks.landmarks import LANDMARKS
from mediawidget.tasks.words import DEFINITIONAL, NOUNS, PROFESSIONS, YEARS
from tests.tasks.kinds import KINDS, at_roles, plain, teaching

HERE = {landmark.name: landmark for landmark in LANDMARKS}
SINGULAR = {plural: noun for noun, plural in NOUNS.items()}


@pytest.fixture(params=list(KINDS))
def lm(request: pytest.FixtureRequest) -> Encoder:
    encoder: Encoder = KINDS[request.param]()
    return encoder


@pytest.mark.parametrize(("order", "first"), [("ABBA", "IO"), ("BABA", "S1")])
def test_the_order_says_who_is_named_first(
    lm: Encoder, order: Literal["ABBA", "BABA"], first: str
) -> None:
    for pair in mw.tasks.ioi(lm, n=24, order=order):
        assert min(pair.roles, key=lambda role: pair.roles[role]) == first
        assert pair.group == order
        word = at_roles(lm, pair)
        assert word["S1"] == word["S2"] == pair.wrong
        assert word["IO"] == pair.answer


def test_both_orders_are_the_orders_by_turns() -> None:
    both = mw.tasks.ioi(teaching(), n=8, seed=5)
    abba = mw.tasks.ioi(teaching(), n=8, seed=5, order="ABBA")
    assert both.pairs[::2] == abba.pairs[::2]
    assert [pair.group for pair in both] == ["ABBA", "BABA"] * 4


@pytest.mark.parametrize("corruption", ["earlier", "01"])
def test_later_years_are_right(lm: Encoder, corruption: Literal["earlier", "01"]) -> None:
    for pair in mw.tasks.greater_than(lm, n=48, corruption=corruption):
        word, corrupt = at_roles(lm, pair), at_roles(lm, pair, pair.corrupt)
        year = int(word["YY"])
        assert {int(later) for later in pair.answers} <= set(range(year + 1, 100))
        assert {int(other) for other in pair.wrongs} <= set(range(year + 1))
        # all but the years that are no single token
        assert len(pair.answers) + len(pair.wrongs) >= 99
        assert word["XX"] == word["END"]
        assert (corrupt["YY"] == "01") == (corruption == "01")
        assert int(corrupt["YY"]) <= year - 10


def test_every_year_is_an_answer_where_the_tokenizer_has_them_all() -> None:
    for pair in mw.tasks.greater_than(teaching(), n=16):
        assert (*pair.wrongs, *pair.answers) == YEARS


def test_the_pronoun_follows_the_stereotype_and_the_replacement_goes_against_it(
    lm: Encoder,
) -> None:
    for pair in mw.tasks.gender(lm, n=96):
        female = PROFESSIONS[at_roles(lm, pair)["person"]] > 0.5
        assert (pair.answer, pair.wrong) == (("she", "he") if female else ("he", "she"))
        assert at_roles(lm, pair, pair.corrupt)["person"] == ("man" if female else "woman")
        assert pair.group == f"stereotypically {'female' if female else 'male'}"
        assert {"man", "woman"} <= set(DEFINITIONAL)


@pytest.mark.parametrize("style", ["winobias", "winogender"])
def test_a_pronoun_stands_for_whom_the_stereotype_says(
    style: Literal["winobias", "winogender"],
) -> None:
    lm = plain()
    for pair in mw.tasks.gender(lm, n=96, style=style):
        word, corrupt = at_roles(lm, pair), at_roles(lm, pair, pair.corrupt)
        ((acts, other),) = [
            said for frame, said in FRAMES.items() if frame.split()[2] in pair.clean
        ]
        person_acts = pair.roles["person"] < pair.roles["other"]
        assert pair.answer == (acts if person_acts else other)
        assert pair.wrong == (other if person_acts else acts)
        female = PROFESSIONS[word["person"]] > 0.5
        assert (word["pronoun"], corrupt["pronoun"]) == (("she", "he") if female else ("he", "she"))
        if style == "winobias":
            assert (PROFESSIONS[word["other"]] > 0.5) is not female
        else:
            assert word["other"] in OTHERS


@pytest.mark.parametrize("relation", ["both", "city", "country"])
def test_a_landmark_is_where_it_is(
    lm: Encoder, relation: Literal["both", "city", "country"]
) -> None:
    pairs = mw.tasks.facts(lm, n=48, relation=relation)
    for pair in pairs:
        for text, answer in ((pair.clean, pair.answer), (pair.corrupt, pair.wrong)):
            (name,) = (name for name in HERE if name in text)
            asked = at_roles(lm, pair, text)
            assert asked["relation"] == pair.group
            assert getattr(HERE[name], pair.group) == answer
            assert asked["subject"].replace(" ", "") == name.replace(" ", "")
            assert name.endswith(asked["last subject"])
    assert {pair.group for pair in pairs} == (
        {"city", "country"} if relation == "both" else {relation}
    )


def test_every_fact_is_asked_once_before_any_is_asked_again() -> None:
    pairs = mw.tasks.facts(teaching(), n=32, relation="city", split="any").pairs
    assert len({pair.clean for pair in pairs}) == 32


def test_the_verb_agrees_with_the_subject(lm: Encoder) -> None:
    for pair in mw.tasks.agreement(lm, n=48):
        word, corrupt = at_roles(lm, pair), at_roles(lm, pair, pair.corrupt)
        plural = word["subject"] in SINGULAR
        assert set(pair.answers) == ({"are", "were"} if plural else {"is", "was"})
        assert set(pair.wrongs) == ({"is", "was"} if plural else {"are", "were"})
        assert {word["subject"], corrupt["subject"]} in [{noun, NOUNS[noun]} for noun in NOUNS]
        assert word["END"] == corrupt["END"]
        opposite = (word["END"] in SINGULAR) != plural
        assert pair.group == ("opposite attractor" if opposite else "same attractor")


@pytest.mark.parametrize("attractor", ["same", "opposite"])
def test_half_of_the_subjects_are_plural(attractor: Literal["same", "opposite"]) -> None:
    answers = [pair.answers for pair in mw.tasks.agreement(plain(), n=16, attractor=attractor)]
    assert answers.count(("are", "were")) == 8


@pytest.mark.parametrize("corruption", ["swap", "definition", "description"])
def test_the_third_parameter_is_next(corruption: Corruption) -> None:
    lm = plain()
    for pair in mw.tasks.docstring(lm, n=32, corruption=corruption):
        word = at_roles(lm, pair)
        (listed,) = re.findall(r"\(self, (.*)\):", pair.clean)
        assert listed.split(", ") == [word[f"{letter}_def"] for letter in "ABCD"]
        described = re.findall(r"[:@](?:param|arg) (\w+):", pair.clean)
        assert described == [word["A_def"], word["B_def"]] == [word["A_doc"], word["B_doc"]]
        assert (pair.answer, pair.wrong) == (word["C_def"], word["D_def"])
        (listed,) = re.findall(r"\(self, (.*)\):", pair.corrupt)
        described = re.findall(r"[:@](?:param|arg) (\w+):", pair.corrupt)
        follows = listed.split(", ")[:2] == described
        assert follows == (corruption == "swap")
        if follows:
            assert listed.split(", ")[2] == pair.wrong


@pytest.mark.parametrize("corruption", ["question", "colors"])
def test_the_thing_has_the_color(corruption: Literal["question", "colors"]) -> None:
    for pair in mw.tasks.colored_objects(plain(), n=48, corruption=corruption):
        for text, answer in ((pair.clean, pair.answer), (pair.corrupt, pair.wrong)):
            seen = {thing: color for color, thing in re.findall(r"a (\w+) (\w+)[,.]", text)}
            (asked,) = re.findall(r"of the (\w+) is$", text)
            assert len(seen) == len(set(seen.values())) == 3
            assert seen[asked] == answer
        word = at_roles(plain(), pair)
        assert (word["color"], word["thing"]) == (pair.answer, word["asked"])
        assert word["other color"] == pair.wrong


@pytest.mark.parametrize("operator", ["+", "-", "*"])
@pytest.mark.parametrize("corruption", ["both", "first", "second"])
def test_the_result_is_right(
    operator: Literal["+", "-", "*"], corruption: Literal["both", "first", "second"]
) -> None:
    lm = plain()
    for pair in mw.tasks.arithmetic(lm, n=48, operator=operator, corruption=corruption):
        for text, answer in ((pair.clean, pair.answer), (pair.corrupt, pair.wrong)):
            first, second = map(int, re.fullmatch(r"(\d+) . (\d+) =", text).groups())  # type: ignore[union-attr]
            made = {"+": first + second, "-": first - second, "*": first * second}[operator]
            assert made == int(str(answer)) >= 0
        word, corrupt = at_roles(lm, pair), at_roles(lm, pair, pair.corrupt)
        assert word["operator"] == operator
        kept = {"both": set(), "first": {"second"}, "second": {"first"}}[corruption]
        assert all(word[role] == corrupt[role] for role in kept)


class Digits:
    """Numbers of up to ``most`` digits are tokens, and so is every other sign, spaces included."""

    def __init__(self, most: int) -> None:
        self.pattern = re.compile(rf"\d{{1,{most}}}|\D")

    def tokens(self, text: str) -> list[str]:
        return ["<s>", *self.pattern.findall(text)]


def test_numbers_without_spaces_make_prompts_without_spaces() -> None:
    lm = Digits(3)
    pairs = mw.tasks.arithmetic(lm, n=48)
    for pair in pairs:
        assert re.fullmatch(r"\d+\+\d+=", pair.clean)
        assert len(lm.tokens(pair.clean)) == 5
        assert lm.tokens(pair.clean)[pair.roles["second"]] == pair.clean[:-1].split("+")[1]


def test_a_tokenizer_of_single_digits_adds_single_digits() -> None:
    pairs = mw.tasks.arithmetic(Digits(1), n=24)
    assert all(re.fullmatch(r"\d\+\d=", pair.clean) for pair in pairs)
    assert all(len(str(pair.answer)) == 1 for pair in pairs)
    assert pairs.dropped > 0


def test_a_tokenizer_without_numbers_is_told_so() -> None:
    with pytest.raises(mw.MediationError, match="missing: 0, 1, 2") as caught:
        mw.tasks.arithmetic(Letters())
    assert "0 of 100" in str(caught.value)


class Letters:
    """Every letter and digit is three tokens."""

    def tokens(self, text: str) -> list[str]:
        return ["<s>", *(part for letter in text for part in (letter, "a", "b"))]


def test_a_tokenizer_of_letters_has_the_words_of_no_task() -> None:
    for name in mw.tasks.__all__:
        if not name.startswith("from_"):
            with pytest.raises(mw.MediationError, match="missing:"):
                getattr(mw.tasks, name)(Letters())
