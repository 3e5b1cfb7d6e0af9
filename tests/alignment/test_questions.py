"""What training differentiates is what the engine runs: logits, slopes, labels."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mediawidget as mw
from mediawidget.alignment.measuring import measured
from mediawidget.alignment.questions import Question, question_of
from mediawidget.alignment.rotations import Basis, Bounded, Learner, Mask
from tests.alignment.known import planted
from tests.engine.cases import lm_of, random_pair

SITES = [
    mw.Site("residual", 1, position=3),
    mw.Site("residual", 1, position=(1, 3)),
    mw.Site("head", 0, head=1),
    mw.Site("mlp_out", 1, position=4),
]


def whole(change: torch.Tensor) -> torch.Tensor:
    """All of a change."""
    return change


def logits_of_alternatives(question: Question, part: mw.Subspace) -> np.ndarray:
    """(pair, 2), by the pass that is differentiated."""
    projection = torch.from_numpy(part.basis.T @ part.basis).to(question.change)
    found = np.full((len(question.labels), 2), np.nan)
    for pairs in question.together():
        logits = question.logits(pairs, lambda change: change @ projection).detach()
        found[pairs] = logits.gather(1, question.labels[pairs][..., 0])
    return found


def sets(n: int = 3) -> mw.Study:
    """Sets of different sizes, and single answers among them."""
    pairs = [random_pair("gpt2", seed) for seed in range(n)]
    words = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen"]
    pairs[0] = dataclasses.replace(pairs[0], answer=words[:3], wrong=words[3:5])
    pairs[1] = dataclasses.replace(pairs[1], answer=words[4:6], wrong=words[0])
    return mw.Study(lm_of("gpt2"), pairs)


@pytest.mark.parametrize("over", ["vocabulary", "alternatives"])
def test_the_loss_of_sets_is_that_of_their_members_together(over: Any) -> None:
    """Against softmax, sums and counts written out, pair by pair."""
    study, site = sets(), SITES[0]
    question = question_of(study, site, over)
    loss, right = question.loss(np.arange(3), lambda change: 0.7 * change)
    logits = question.logits(np.arange(3), lambda change: 0.7 * change).detach()
    total, said = 0.0, 0
    for row, pair in zip(logits, study.token_pairs, strict=True):
        p = [float(one) for one in torch.softmax(row, 0)]
        answer, wrong = (sum(p[i] for i in ids) for ids in pair.answers)
        of = answer + wrong if over == "alternatives" else 1.0
        total -= np.log(answer / of) / 3
        likeliest = p.index(max(p)) in pair.answers[0]
        said += answer > wrong if over == "alternatives" else likeliest
    assert float(loss.detach()) == pytest.approx(total, abs=1e-6)
    assert right == said
    assert [len(one) for pair in study.token_pairs for one in pair.answers] == [3, 2, 2, 1, 1, 1]


def test_between_two_sets_the_loss_is_that_of_the_studys_metric() -> None:
    """softplus(-Y): of two alternatives the cross-entropy is a function of the log odds alone."""
    study, site = sets(), SITES[0]
    question = question_of(study, site, "alternatives")
    run = mw.Run("corrupt", {site: mw.Patch("clean")})
    done = study.engine.evaluate([run])
    (y,) = mw.LogitDiff().read(done.kept, done.columns)
    loss, right = question.loss(np.arange(3), whole)
    assert float(loss.detach()) == pytest.approx(np.logaddexp(0, -y).mean(), abs=1e-6)
    assert right == (y > 0).sum()


def test_arbitrary_labels_exchange_whole_sets() -> None:
    question = question_of(sets(), SITES[0], "alternatives")
    turned = question.arbitrary(seed=1)
    for row in range(3):
        before, after = (
            [set(one.labels[row, i][one.member[row, i]].tolist()) for i in range(2)]
            for one in (question, turned)
        )
        assert after in (before, before[::-1])


def test_what_is_measured_of_sets_is_read_off_the_runs() -> None:
    study, site = sets(), SITES[0]
    found = measured(study, site, [None])
    question = question_of(study, site, "vocabulary")
    logits = question.logits(np.arange(3), whole).detach()
    ids = [pair.answers for pair in study.token_pairs]
    likeliest = [int(row.argmax()) in both[0] for row, both in zip(logits, ids, strict=True)]
    odds = [
        float(row[list(both[0])].logsumexp(0) - row[list(both[1])].logsumexp(0))
        for row, both in zip(logits, ids, strict=True)
    ]
    np.testing.assert_array_equal(found.exact[1], likeliest)
    np.testing.assert_array_equal(found.chosen[1], np.array(odds) > 0)


def test_answers_of_several_tokens_are_refused() -> None:
    lm = lm_of("gpt2")
    pair = mw.PromptPair("ant bee cat owl", "ant bee pig owl", "jay hen", "kite ibis")
    with pytest.raises(mw.MediationError, match="one token"):
        question_of(mw.Study(lm, pair), SITES[0], "vocabulary")


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("site", SITES, ids=lambda site: site.label())
def test_a_shifted_pass_of_a_language_model_is_the_engines_run(kind: str, site: mw.Site) -> None:
    study = mw.Study(lm_of(kind), [random_pair(kind, seed) for seed in range(3)])
    question = question_of(study, site, "vocabulary")
    part = mw.Subspace.random(2, question.width, seed=1)
    run = mw.Run("corrupt", {site: mw.Within(part, mw.Patch("clean"))})
    expected = study.engine.evaluate([run]).kept[0, :, :2]
    np.testing.assert_allclose(logits_of_alternatives(question, part), expected, atol=1e-9)


def test_a_shifted_pass_of_a_network_is_the_engines_run() -> None:
    study, site = planted(n=32)
    question = question_of(study, site, "vocabulary")
    part = mw.Subspace.random(3, 8, seed=1)
    run = mw.Run("corrupt", {site: mw.Within(part, mw.Patch("clean"))})
    expected = study.engine.evaluate([run]).kept[0, :, :2]
    np.testing.assert_allclose(logits_of_alternatives(question, part), expected, atol=1e-9)


class Recurrent(nn.Module):
    """The last state of a recurrent layer, and two classes of it."""

    def __init__(self, kind: Any, layers: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.memory = kind(4, 6, layers, batch_first=True)
        self.out = nn.Linear(6, 2)
        for parameter in self.parameters():
            parameter.data.mul_(3)  # so that states are far from one another

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.out(self.memory(value)[0][:, -1])
        return found


@cache
def recurrent(kind: Any, layers: int = 1, n: int = 12) -> mw.Study:
    """Sequences of five random steps, in double precision."""
    network = mw.load(Recurrent(kind, layers).double(), points={"memory": "memory"})
    draw = np.random.default_rng(0)
    drawn = draw.standard_normal((n, 2, 5, 4))
    pairs = [
        mw.InputPair(clean=one, corrupt=other, answer=i % 2, wrong=1 - i % 2)
        for i, (one, other) in enumerate(drawn)
    ]
    return mw.Study(network, pairs)


STATES = [
    (nn.LSTM, 1, mw.Site("cell", 0)),
    (nn.LSTM, 1, mw.Site("cell", 0, position=(1, 3))),
    (nn.LSTM, 1, mw.Site("cell", 0, position=4)),
    (nn.LSTM, 2, mw.Site("hidden", 0, position=(0, 2))),
    (nn.LSTM, 1, mw.Site("hidden_unit", 0, unit=2)),
    (nn.LSTM, 1, mw.Site("cell_unit", 0, unit=2)),
    (nn.GRU, 2, mw.Site("hidden", 1)),
    (nn.RNN, 1, mw.Site("hidden", 0)),
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: f"{state[0].__name__}{state[1:]}")
def test_states_of_several_steps_are_moved_from_what_they_are_by_then(state: Any) -> None:
    """An edited step changes those behind it, so that they are no more those of the base."""
    kind, layers, site = state
    study = recurrent(kind, layers)
    question = question_of(study, site, "vocabulary")
    part = mw.Subspace.random(min(2, question.width), question.width, seed=1)
    run = mw.Run("corrupt", {site: mw.Within(part, mw.Patch("clean"))})
    expected = study.engine.evaluate([run]).kept[0, :, :2]
    np.testing.assert_allclose(logits_of_alternatives(question, part), expected, atol=1e-9)
    assert np.abs(expected - study.engine.evaluate([]).bases[:, 1, :2]).max() > 1e-3


def test_the_slope_of_the_loss_over_several_steps_is_that_of_small_steps() -> None:
    question = question_of(recurrent(nn.LSTM), mw.Site("cell", 0), "vocabulary")
    learner, pairs = Basis(6, 2, 0, question.change), np.arange(12)
    slope = torch.autograd.grad(question.loss(pairs, learner.moved)[0], learner.parameters)[0]
    turn, step = torch.linspace(-1.0, 1.0, 12).double().reshape(6, 2), 1e-6
    found = []
    for sign in (1, -1):
        learner.parameters[0].data.add_(sign * step * turn)
        found.append(float(question.loss(pairs, learner.moved)[0].detach()))
        learner.parameters[0].data.sub_(sign * step * turn)
    assert (found[0] - found[1]) / (2 * step) == pytest.approx(
        float((slope * turn).sum()), abs=1e-6
    )


def learners(like: torch.Tensor) -> list[Learner]:
    return [Basis(8, 2, 0, like), Bounded(8, 0, like), Mask(8, like)]


@pytest.mark.parametrize("which", range(3), ids=["basis", "bounded", "mask"])
@pytest.mark.parametrize("over", ["vocabulary", "alternatives"])
def test_the_slope_of_the_loss_is_that_of_small_steps(which: int, over: str) -> None:
    study, site = planted(n=32)
    question = question_of(study, site, over)  # type: ignore[arg-type]
    learner = learners(question.change)[which]
    learner.temperature = 0.7
    # A mask that is half open everywhere lies on the bend of a ReLU.
    moved = torch.linspace(-1.0, 1.1, learner.parameters[0].numel()).double()
    learner.parameters[0].data.add_(moved.reshape(learner.parameters[0].shape))
    pairs = np.arange(20)

    def loss() -> torch.Tensor:
        return question.loss(pairs, learner.moved)[0]

    slope = torch.autograd.grad(loss(), learner.parameters)[0].flatten()
    parameter, step = learner.parameters[0].data.view(-1), 1e-6
    for at in range(0, len(parameter), 5):
        parameter[at] += step
        up = float(loss().detach())
        parameter[at] -= 2 * step
        down = float(loss().detach())
        parameter[at] += step
        assert (up - down) / (2 * step) == pytest.approx(float(slope[at]), abs=1e-5)


def test_maps_have_orthonormal_rows_and_shares() -> None:
    change = torch.randn((5, 1, 8), generator=torch.Generator().manual_seed(0)).double()
    basis, bounded, mask = learners(change)
    for learner in (basis, bounded, mask):
        rows, _ = learner.rows()
        torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)).double())
    part = basis.subspace().basis
    moved = basis.moved(change).detach().numpy()
    np.testing.assert_allclose(moved, change.numpy() @ part.T @ part, atol=1e-12)
    # Half of the directions are inside at the start, and all of the numbers are half inside.
    assert bounded.subspace().k == 4
    assert bounded.size == pytest.approx(4.0)
    torch.testing.assert_close(mask.moved(change), change / 2)


def test_a_map_with_nothing_inside_keeps_its_largest_direction() -> None:
    mask = Mask(4, torch.zeros(1).double())
    mask.parameters[0].data.copy_(torch.tensor([-3.0, -1.0, -2.0, -3.0]))
    assert mask.coordinates() == (1,)


def test_arbitrary_labels_exchange_the_alternatives_of_half_the_pairs() -> None:
    study, site = planted()
    question = question_of(study, site, "vocabulary")
    turned = question.arbitrary(0).labels != question.labels
    assert (turned[:, 0] == turned[:, 1]).all()
    assert turned[:, 0].double().mean() == pytest.approx(0.5, abs=0.1)
    assert (question.arbitrary(1).labels != question.arbitrary(0).labels).any()
