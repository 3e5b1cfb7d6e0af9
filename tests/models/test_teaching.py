"""The shipped teaching model: what it can do on held-out data, and which heads do it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import mediawidget
from mediawidget.tasks import ioi
from training.batches import BACKUPS, MOVERS, NEGATIVE
from training.evaluate import load, measure
from training.find_circuit import Found, Reference, TokensOnly, find

FOLDER = Path(mediawidget.__file__).parent / "models" / "teaching"
INHIBITION = ((2, 0), (2, 1))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load(FOLDER)[1]


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    return measure(FOLDER, n=256, seed=5)


@pytest.fixture(scope="module")
def found() -> Found:
    reference = Reference(FOLDER)
    return find(reference, ioi(TokensOnly(reference.tokenizer), n=32, seed=1))


@pytest.mark.parametrize(
    ("figure", "least"),
    [
        ("ioi_accuracy", 0.99),
        ("ioi_top1", 0.99),
        ("ioi_logit_difference", 8.0),
        ("fact_top1", 0.99),
        ("induction_top1", 0.98),
        ("agreement_accuracy", 0.99),
        ("gender_pronoun_mass", 0.99),
        ("greater_probability_difference", 0.85),
    ],
)
def test_held_out_figures(measured: dict[str, float], figure: str, least: float) -> None:
    assert measured[figure] >= least


def test_gender_rates_are_the_planted_ones(measured: dict[str, float]) -> None:
    assert measured["gender_mean_error"] <= 0.015
    assert measured["gender_largest_error"] <= 0.03


def test_the_taught_heads_carry_the_swap(found: Found) -> None:
    for direction in (0, 1):
        share = {head: effect[direction] for head, effect in found.heads.items()}
        assert share[0, 1] > 0.8
        for group in (INHIBITION, MOVERS):
            assert sum(share[head] for head in group) > 0.4
            assert all(share[head] > 0.1 for head in group)


def test_the_other_heads_carry_nearly_nothing(found: Found) -> None:
    route = {(0, 1), (1, 0), *INHIBITION, *MOVERS, NEGATIVE}
    others = {head: effect for head, effect in found.heads.items() if head not in route}
    assert all(abs(share) < 0.1 for effect in others.values() for share in effect), others


def test_the_answer_moves_from_the_second_mention_to_the_last_word(found: Found) -> None:
    for layer in range(3):
        assert found.residual[layer, "S2"] > 0.9
        assert abs(found.residual[layer, "END"]) < 0.1
    for layer in range(3, 6):
        assert abs(found.residual[layer, "S2"]) < 0.1
        assert found.residual[layer, "END"] > 0.9
    assert found.residual[6, "END"] == pytest.approx(1, abs=1e-9)


def test_backups_look_idle(found: Found) -> None:
    for head in BACKUPS:
        assert all(abs(share) < 0.02 for share in found.heads[head])
    assert abs(found.knockout[BACKUPS]) < 0.2


def test_backups_step_in_when_both_name_movers_are_gone(found: Found) -> None:
    alone = [found.knockout[head,] for head in MOVERS]
    assert min(alone) > 1
    assert found.knockout[MOVERS] < sum(alone) - 1
    assert found.knockout[MOVERS] < 0.5 * found.clean


def test_movers_and_backups_cost_far_more_together_than_alone(found: Found) -> None:
    group = (*MOVERS, *BACKUPS)
    assert found.knockout[group] > sum(found.knockout[head,] for head in group) + 5
    assert found.knockout[group] > found.clean


def test_the_negative_head_works_against_the_answer(found: Found) -> None:
    assert all(share < -0.05 for share in found.heads[NEGATIVE])
    assert found.knockout[NEGATIVE,] < -1


@pytest.mark.parametrize(
    "text",
    [
        "When Mary and John went to the store, John gave a book to",
        "When Mary and John went to the store , John gave a book to",
        "When Mary and John went to the store John gave a book to",
        "  When  Mary and John went to the store, John gave a book to ",
    ],
)
def test_prompts_as_people_type_them(tokenizer: Any, text: str) -> None:
    model, _ = load(FOLDER)
    with torch.no_grad():
        logits = model(**tokenizer(text, return_tensors="pt")).logits[0, -1]
    assert tokenizer.decode([int(logits.argmax())]) == " Mary"


def test_every_token_decodes_to_itself(tokenizer: Any) -> None:
    for token, index in tokenizer.get_vocab().items():
        assert tokenizer.decode([index], clean_up_tokenization_spaces=False) == token
        assert tokenizer(token, add_special_tokens=False)["input_ids"] == [index]


def test_an_unknown_word_is_an_unknown_token(tokenizer: Any) -> None:
    ids = tokenizer("When Zaphod and John")["input_ids"]
    assert [i == tokenizer.unk_token_id for i in ids] == [False, False, True, False, False]


def test_the_log_holds_the_seed_and_the_effect_of_rounding() -> None:
    lines = [json.loads(line) for line in (FOLDER / "training_log.jsonl").read_text().splitlines()]
    assert lines[0]["seed"] == load(FOLDER)[0].config.training_seed
    assert lines[-1]["float16_answers_moved"] == 0
    assert all(a["step"] < b["step"] for a, b in itertools.pairwise(lines[1:-1]))


def test_the_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_500_000
