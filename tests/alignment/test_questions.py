"""What training differentiates is what the engine runs: logits, slopes, labels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import mediawidget as mw
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


def logits_of_alternatives(question: Question, part: mw.Subspace) -> np.ndarray:
    """(pair, 2), by the pass that is differentiated."""
    projection = torch.from_numpy(part.basis.T @ part.basis).to(question.change)
    found = np.full((len(question.labels), 2), np.nan)
    for pairs in question.together():
        shift = question.change[pairs] @ projection
        logits = question.logits(pairs, shift).detach()
        found[pairs] = logits.gather(1, question.labels[pairs])
    return found


def test_sets_of_answers_are_told_how_to_become_one_token() -> None:
    """What the fix says is done, as it stands."""
    lm, at = mw.load(), mw.Site("residual", 3, position=4)
    study = mw.Study(lm, mw.tasks.agreement(lm, n=2))
    with pytest.raises(mw.MediationError, match="one token") as raised:
        question_of(study, at, "vocabulary")
    code = raised.value.fix.split("of sets take one of each: ")[1]
    pairs = eval(code, {"dataclasses": dataclasses, "study": study})
    assert question_of(mw.Study(lm, pairs), at, "vocabulary").labels.shape == (2, 2)


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
        return question.loss(pairs, learner.moved(question.change[pairs]))[0]

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
