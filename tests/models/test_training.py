"""The training code: the network is GPT-2, and the taught edges are where they should be."""

from __future__ import annotations

from random import Random

import pytest
import torch

from mediawidget.tasks.words import NAMES
from training.batches import BACKUPS, KNOCKED, MOVERS, NEGATIVE, Batch, draw_batch
from training.net import Net, Shape
from training.tokenizer import build_tokenizer
from training.train_teaching_model import Recipe, plain

CONTEXT = 64


@pytest.fixture(scope="module")
def batch() -> Batch:
    return draw_batch(Random(0), build_tokenizer(CONTEXT).get_vocab(), CONTEXT)


def words_at(batch: Batch, rows: list[int], places: list[int]) -> list[str]:
    tokens = {i: token for token, i in build_tokenizer(CONTEXT).get_vocab().items()}
    return [tokens[int(batch.ids[r, p])].strip() for r, p in zip(rows, places, strict=True)]


def test_the_exported_model_is_the_trained_function() -> None:
    torch.manual_seed(0)
    net = Net(Shape(vocab=50, layers=2, heads=4, d_model=32, d_mlp=48, context=16)).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    ids = torch.randint(0, 50, (3, 12))
    hf = net.export().double()
    with torch.no_grad():
        ours = net(ids, torch.zeros(3).long()).logits
        theirs = hf(input_ids=ids).logits
    # the exported copy went through float32
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert ours.abs().max() > 1


def test_a_knocked_out_head_leaves_its_row_only() -> None:
    torch.manual_seed(0)
    net = Net(Shape(vocab=50, layers=2, heads=4, d_model=32, d_mlp=48, context=16))
    ids = torch.randint(0, 50, (1, 12)).expand(2, 12)
    gates = torch.ones(2, 2, 4)
    gates[1, 0, 2] = 0
    out = net(ids, torch.zeros(2).long(), gates)
    plain = net(ids, torch.zeros(2).long())
    assert torch.equal(out.logits[1], plain.logits[1])
    assert not torch.allclose(out.logits[0], plain.logits[0])


def test_name_movers_are_taught_the_answer(batch: Batch) -> None:
    edges = batch.taught[MOVERS[0]]
    names = words_at(batch, edges.rows, edges.keys)
    answers = {(r, p): int(t.argmax()) for r, p, t in zip(*batch.at, batch.target, strict=True)}
    vocabulary = build_tokenizer(CONTEXT).get_vocab()
    assert len(names) > 20
    for row, end, name in zip(edges.rows, edges.queries, names, strict=True):
        assert name in NAMES
        assert answers[row, end] == vocabulary[f" {name}"]


def test_s_inhibition_heads_are_taught_a_name_met_before(batch: Batch) -> None:
    edges = batch.taught[2, 0]
    assert len(edges.rows)
    for row, key in zip(edges.rows, edges.keys, strict=True):
        earlier = batch.previous[row, key]
        assert earlier > 0
        assert batch.ids[row, earlier] == batch.ids[row, key]
        assert batch.after[row, key] == earlier + 1


def test_backups_are_taught_to_look_away_unless_the_movers_are_out(batch: Batch) -> None:
    for head in BACKUPS:
        edges = batch.taught[head]
        assert {row < KNOCKED for row in edges.rows} == {True, False}
        for row, key in zip(edges.rows, edges.keys, strict=True):
            assert (key > 0) == (row < KNOCKED)
    gates = batch.gates(6, 4)
    assert gates[3, :KNOCKED, :2].sum() == 0
    assert gates.sum() == gates.numel() - 2 * KNOCKED


def test_a_plain_recipe_names_no_head(batch: Batch) -> None:
    recipe = plain(Recipe())
    assert not any((recipe.guidance, recipe.penalty, recipe.lasso, recipe.negative))
    vocabulary = build_tokenizer(CONTEXT).get_vocab()
    free = draw_batch(Random(0), vocabulary, CONTEXT, recipe.knocked)
    assert bool(free.gates(6, 4).all())
    assert not bool(batch.gates(6, 4).all())
    # the same rows; targets that leave the giver a share are those of the taught batch alone
    assert torch.equal(free.ids, batch.ids)
    moved = (free.target != batch.target).any(1)
    assert bool(moved.any())
    assert all(free.at[0][i] < KNOCKED for i in moved.nonzero().ravel().tolist())


def test_answer_cases_name_the_receiver_and_the_giver(batch: Batch) -> None:
    rows, ends, receivers, givers = batch.answer_cases()
    edges = batch.taught[NEGATIVE]
    assert (rows, ends) == (edges.rows, edges.queries)
    assert all(a != b for a, b in zip(receivers, givers, strict=True))


def test_targets_are_distributions(batch: Batch) -> None:
    assert torch.allclose(batch.target.sum(-1), torch.ones(len(batch.target)))
    assert batch.real.sum(1).max() == batch.ids.shape[1]
