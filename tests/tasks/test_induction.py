"""The induction contrast: what differs, where the roles point, what is held out."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from transformers import AutoTokenizer

import mediawidget
from mediawidget.encoding import Encoder
from mediawidget.errors import MediationError
from mediawidget.tasks import induction
from mediawidget.tasks.world import held_out, induction_example

TEACHING = Path(mediawidget.__file__).parent / "models" / "teaching"
Corruption = Literal["key", "value", "query"]


@pytest.fixture(scope="module")
def lm() -> Encoder:
    return Encoder(AutoTokenizer.from_pretrained(TEACHING, local_files_only=True), 64)


@pytest.mark.parametrize(
    ("corruption", "roles"),
    [("key", {"A1", "C1"}), ("value", {"B1", "D1"}), ("query", {"END"})],
)
def test_exactly_the_named_words_differ(
    lm: Encoder, corruption: Corruption, roles: set[str]
) -> None:
    for pair in induction(lm, n=32, corruption=corruption):
        both = zip(lm.tokens(pair.clean), lm.tokens(pair.corrupt), strict=True)
        differing = {i for i, (a, b) in enumerate(both) if a != b}
        assert differing == {pair.roles[role] for role in roles}


@pytest.mark.parametrize("corruption", ["key", "value", "query"])
def test_each_prompt_foretells_its_own_answer(lm: Encoder, corruption: Corruption) -> None:
    for pair in induction(lm, n=32, corruption=corruption):
        for text, answer in ((pair.clean, pair.answer), (pair.corrupt, pair.wrong)):
            words = [token.strip() for token in lm.tokens(text)]
            assert words[words.index(words[-1]) + 1] == answer
            assert words.count(words[-1]) == 2


def test_roles_point_at_their_words(lm: Encoder) -> None:
    for pair in induction(lm, n=32):
        words = [token.strip() for token in lm.tokens(pair.clean)]
        role = {name: words[position] for name, position in pair.roles.items()}
        assert role["A1"] == role["END"]
        assert (role["B1"], role["D1"]) == (pair.answer, pair.wrong)
        assert pair.roles["END"] == len(words) - 1


def test_all_pairs_have_one_length(lm: Encoder) -> None:
    assert {len(lm.tokens(pair.clean)) for pair in induction(lm, n=32)} == {10}


def test_the_seed_decides(lm: Encoder) -> None:
    assert induction(lm, n=8, seed=3) == induction(lm, n=8, seed=3)
    assert induction(lm, n=8, seed=3) != induction(lm, n=8, seed=4)


def test_held_out_bigrams_never_stand_side_by_side_in_training(lm: Encoder) -> None:
    rng = Random(0)
    trained: set[tuple[str, str]] = set()
    for _ in range(5_000):
        trained.update(pairwise(induction_example(rng).words))
    assert len(trained) > 5_000
    for pair in induction(lm, n=64):
        words = pair.clean.split()
        bigram = (words[words.index(words[-1])], pair.answer_text)
        assert held_out("bigram", *bigram)
        assert bigram not in trained


def test_an_unknown_corruption_is_refused(lm: Encoder) -> None:
    with pytest.raises(MediationError, match="corruption='keys'"):
        induction(lm, corruption="keys")  # type: ignore[arg-type]
