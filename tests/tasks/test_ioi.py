"""The IOI contrast: what differs, where the roles point, what is held out."""

from __future__ import annotations

import itertools
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from transformers import AutoTokenizer

import mediawidget
from mediawidget.encoding import Encoder
from mediawidget.errors import MediationError
from mediawidget.prompts import PromptPair
from mediawidget.tasks import ioi
from mediawidget.tasks.words import NAMES
from mediawidget.tasks.world import ioi_example, names_held_out, split_words

TEACHING = Path(mediawidget.__file__).parent / "models" / "teaching"
Corruption = Literal["swap", "third-name", "abc"]
CORRUPTIONS: tuple[Corruption, ...] = ("swap", "third-name", "abc")


@pytest.fixture(scope="module")
def lm() -> Encoder:
    return Encoder(AutoTokenizer.from_pretrained(TEACHING, local_files_only=True), 64)


class SplitsNames:
    """Words are tokens, but the given words are two."""

    def __init__(self, *halved: str) -> None:
        self.halved = halved

    def tokens(self, text: str) -> list[str]:
        return [
            piece
            for word in split_words(text)
            for piece in ((word[:2], word[2:]) if word in self.halved else (word,))
        ]


def names(lm: Encoder, pair: PromptPair) -> dict[str, str]:
    tokens = lm.tokens(pair.clean)
    return {role: tokens[position].strip() for role, position in pair.roles.items()}


def differing(lm: Encoder, pair: PromptPair) -> list[int]:
    both = zip(lm.tokens(pair.clean), lm.tokens(pair.corrupt), strict=True)
    return [i for i, (a, b) in enumerate(both) if a != b]


@pytest.mark.parametrize("corruption", ["swap", "third-name"])
def test_one_token_differs_and_it_is_the_second_mention(
    lm: Encoder, corruption: Corruption
) -> None:
    for pair in ioi(lm, n=32, corruption=corruption):
        assert differing(lm, pair) == [pair.roles["S2"]]


def test_swap_puts_the_receiver_where_the_giver_was(lm: Encoder) -> None:
    for pair in ioi(lm, n=32):
        assert lm.tokens(pair.corrupt)[pair.roles["S2"]].strip() == pair.answer


def test_third_name_is_neither_of_the_two(lm: Encoder) -> None:
    for pair in ioi(lm, n=32, corruption="third-name"):
        third = lm.tokens(pair.corrupt)[pair.roles["S2"]].strip()
        assert third in set(NAMES) - {pair.answer, pair.wrong}


def test_abc_replaces_every_mention_by_a_name_of_its_own(lm: Encoder) -> None:
    for pair in ioi(lm, n=32, corruption="abc"):
        places = sorted(pair.roles[role] for role in ("IO", "S1", "S2"))
        assert differing(lm, pair) == places
        fresh = {lm.tokens(pair.corrupt)[p].strip() for p in places}
        assert len(fresh) == 3
        assert fresh <= set(NAMES) - {pair.answer, pair.wrong}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_roles_point_at_their_words(lm: Encoder, corruption: Corruption) -> None:
    for pair in ioi(lm, n=32, corruption=corruption):
        word = names(lm, pair)
        assert word["IO"] == pair.answer
        assert word["S1"] == word["S2"] == pair.wrong
        assert word["END"] == "to"
        assert pair.roles["END"] == len(lm.tokens(pair.clean)) - 1
        assert pair.roles["S1+1"] == pair.roles["S1"] + 1


def test_both_orders_come_equally_often(lm: Encoder) -> None:
    firsts = [pair.roles["IO"] < pair.roles["S1"] for pair in ioi(lm, n=32)]
    assert sum(firsts) == 16


def test_all_pairs_have_one_length_and_one_place_for_the_second_mention(lm: Encoder) -> None:
    contrast = ioi(lm, n=64)
    assert len({len(lm.tokens(text)) for p in contrast for text in (p.clean, p.corrupt)}) == 1
    assert len({p.roles["S2"] for p in contrast}) == 1
    assert len({p.clean for p in contrast}) == 64


def test_the_seed_decides(lm: Encoder) -> None:
    assert ioi(lm, n=16, seed=3) == ioi(lm, n=16, seed=3)
    assert ioi(lm, n=16, seed=3) != ioi(lm, n=16, seed=4)


def test_held_out_pairs_never_meet_in_training(lm: Encoder) -> None:
    rng = Random(0)
    trained = set()
    for _ in range(12_000):
        trained.add(frozenset(w for w in ioi_example(rng, third=0.0).words if w in NAMES))
    drawn = {frozenset((p.answer_text, p.wrong_text)) for p in ioi(lm, n=128)}
    assert all(names_held_out(*sorted(pair)) for pair in drawn)
    assert not drawn & trained
    # nearly every pair that may be trained was seen, so the line above is no accident
    may = [p for p in itertools.combinations(NAMES, 2) if not names_held_out(*p)]
    assert len(trained) > 0.99 * len(may)


def test_the_train_split_is_the_other_part(lm: Encoder) -> None:
    assert not any(
        names_held_out(p.answer_text, p.wrong_text) for p in ioi(lm, n=64, split="train")
    )


def test_names_of_several_tokens_are_dropped_and_counted() -> None:
    lost = NAMES[:20]
    contrast = ioi(SplitsNames(*lost), n=32)
    used = {word for pair in contrast for word in split_words(pair.clean)}
    assert not used & set(lost)
    assert contrast.dropped > 0
    assert ioi(SplitsNames(), n=32).dropped == 0


def test_a_frame_of_another_length_is_left_out() -> None:
    contrast = ioi(SplitsNames("Because", "Once"), n=64)
    assert not any(pair.clean.startswith(("Because", "Once")) for pair in contrast)


def test_too_few_names_are_an_error_that_names_the_missing() -> None:
    with pytest.raises(MediationError, match=r"missing: Mary, John") as caught:
        ioi(SplitsNames(*NAMES[:57]), n=4)
    assert "3 of 60" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"corruption": "flip"}, "corruption='flip'"),
        ({"split": "test"}, "split='test'"),
        ({"n": 0}, "n=0"),
    ],
)
def test_unknown_options_are_refused(lm: Encoder, options: dict[str, str], words: str) -> None:
    with pytest.raises(MediationError, match=words):
        ioi(lm, **options)  # type: ignore[arg-type]
