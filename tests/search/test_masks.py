"""Trained masks: they keep what is known to work, and what is reported is the rounded circuit's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.gradients import only_activations
from mediawidget.rewiring import Pass, written
from mediawidget.search.mask_gates import expected_open, noise, opened, openness, settled
from mediawidget.search.mask_passes import Edges, Nodes
from tests.engine.cases import lm_of, random_pair


def study_of(kind: str = "gpt2", n: int = 4, **options: Any) -> mw.Study:
    return mw.Study(lm_of(kind), [random_pair(kind, seed) for seed in range(n)], **options)


@pytest.fixture(scope="module")
def induction() -> mw.Study:
    lm = mw.models.induction(decoys=3, seed=1)
    return mw.Study(lm, mw.models.induction_pairs()["key swap"])


# --- gates ----------------------------------------------------------------------------------


def test_gates_are_shut_and_open_as_often_as_the_law_says() -> None:
    logits = torch.tensor([-3.0, -1.0, 0.0, 2.0], dtype=torch.float64)
    draws = opened(logits, noise(40_000, 4, torch.Generator().manual_seed(0)))
    assert ((draws >= 0) & (draws <= 1)).all()
    open_ = (draws > 0).double().mean(0)
    np.testing.assert_allclose(open_, expected_open(logits), atol=0.01)
    assert (draws == 1).double().mean(0)[3] > 0.4
    # Without noise: sigmoid stretched to -0.1 ... 1.1 and cut off.
    expected = np.clip(1.2 / (1 + np.exp(-logits.numpy())) - 0.1, 0, 1)
    np.testing.assert_allclose(settled(logits), expected, atol=1e-12)


def test_openness_orders_as_logits_do_where_probabilities_are_all_one() -> None:
    logits = [-40.0, -3.0, 0.0, 2.0, 30.0, 30.0 + 2e-6, 60.0, 200.0]
    found = openness(logits)
    assert (np.diff(found) > 0).all()
    assert (found >= 0).all()
    shut = 1 - expected_open(torch.tensor(logits[:4], dtype=torch.float64)).numpy()
    np.testing.assert_allclose(np.exp(-found[:4]), shut, rtol=1e-12)


# --- passes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox"])
def test_a_share_of_a_node_is_that_share_of_all_its_edges(kind: str) -> None:
    study = study_of(kind, 3)
    lm, group = study.lm, study.engine.groups[0]
    clean, corrupt = group.ids[0], group.ids[-1]
    nodes, reads = Nodes(lm, ("head", "mlp_out")), group.frame.read_at
    rng = torch.Generator().manual_seed(0)
    shares = torch.rand((6, len(nodes.elements)), generator=rng, dtype=torch.float64)
    with torch.no_grad():
        others = written(lm, corrupt)
        got = nodes.logits(shares, clean, others, reads)
        embed_and_nodes = torch.cat([torch.ones(6, 1, dtype=torch.float64), shares], 1)
        reach = torch.from_numpy(lm.wiring.reach).double()
        cut = (1 - embed_and_nodes)[:, :, None] * reach
        expected = Pass(lm, cut, others).logits(clean, reads)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-9)


def test_the_gradient_of_an_edge_is_that_of_small_steps() -> None:
    study = study_of("gpt2", 2)
    lm, group = study.lm, study.engine.groups[0]
    clean, edges = group.ids[0], Edges(lm)
    with torch.no_grad():
        others = written(lm, group.ids[-1])
    shares = torch.full((2, len(edges.elements)), 0.7, dtype=torch.float64)
    with only_activations(lm):
        shares.requires_grad_()
        number = edges.logits(shares, clean, others, group.frame.read_at)[..., 5].sum()
        (slope,) = torch.autograd.grad(number, shares)
    step = 1e-5
    for at in np.random.default_rng(0).permutation(len(edges.elements))[:6]:
        moved = [shares.detach().clone() for _ in range(2)]
        moved[0][1, at] += step
        moved[1][1, at] -= step
        with torch.no_grad():
            up, down = (edges.logits(m, clean, others, group.frame.read_at) for m in moved)
        expected = (up - down)[..., 5].sum() / (2 * step)
        torch.testing.assert_close(slope[1, at], expected, rtol=1e-5, atol=1e-8)


# --- what is found --------------------------------------------------------------------------


def test_the_induction_heads_are_kept_and_the_decoys_dropped(induction: mw.Study) -> None:
    heads = {mw.Site("head", layer, head=0) for layer in range(2)}
    found = [
        mw.search.masks(induction, "head", seed=seed, steps=150, progress=False)
        for seed in range(2)
    ]
    for one in found:
        assert one.circuit().nodes == heads
        assert one.faithfulness.normalized == pytest.approx(1, abs=0.05)
        assert not one.held_out
    assert found[0].overlap(found[1]) == 1
    ranked = found[0].to_dataframe()["element"][:2].tolist()
    assert set(ranked) == {"L0H0", "L1H0"}


def test_the_three_edges_of_the_key_swap_are_kept(induction: mw.Study) -> None:
    found = mw.search.masks(induction, "edge", steps=90, progress=False)
    edges = found.circuit().edges
    assert edges is not None
    assert {edge.label().replace("\N{RIGHTWARDS ARROW}", "->") for edge in edges} == {
        "embed -> L0H0.v",
        "L0H0 -> L1H0.k",
        "L1H0 -> logits",
    }
    assert found.faithfulness.normalized == pytest.approx(1, abs=0.05)
    scores, values = found.edge_scores(), mw.evaluation.EdgeValues(induction)
    assert scores.unit == "openness (nats)"
    by_logit = sorted(found.logits, key=lambda one: -found.logits[one])
    assert set(by_logit[:3]) == edges
    for rank in ("absolute", "signed"):
        assert scores.circuit(3, rank).edges == edges
        assert [edge for edge, _ in scores.edges(rank)] == by_logit
        for given in (scores, found.scores):
            curve = mw.evaluation.curve(induction, given, rank=rank, sizes=(0.25, 1), values=values)
            assert list(curve.order) == by_logit
            np.testing.assert_allclose(curve.f, 1, atol=0.05)
            assert mw.evaluation.agreement(given, edges, rank=rank, shuffles=10).auroc == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_of_mover_and_backup_one_is_kept_for_both_would_cost_twice_and_do_no_more(
    seed: int,
) -> None:
    study = mw.Study(mw.models.ioi_mini(decoys=1), mw.models.ioi_mini_pairs()["flip"])
    roles = mw.models.ioi_mini_heads()
    kept = mw.search.masks(study, "head", seed=seed, progress=False).circuit().nodes
    assert {roles["duplicate token"], roles["S-inhibition"], roles["negative mover"]} <= kept
    assert len(kept & {roles["name mover"], roles["backup mover"]}) == 1
    assert kept <= set(roles.values())


def test_a_higher_price_keeps_less() -> None:
    study = study_of()
    cheap, dear = (
        len(mw.search.masks(study, sparsity=price, steps=60, progress=False).kept())
        for price in (0.01, 30.0)
    )
    assert dear < cheap / 2


@pytest.mark.parametrize("keep", ["metric", "kl"])
@pytest.mark.parametrize("base", ["clean", "corrupt"])
def test_training_lowers_what_is_asked_for(base: Any, keep: Any) -> None:
    study = study_of()
    found = mw.search.masks(
        study, base=base, keep=keep, steps=70, sparsity=0.1, train_on=[0, 1], progress=False
    )
    assert (found.train_on, found.report_on, found.held_out) == ((0, 1), (2, 3), True)
    total = found.history["loss"] + 0.1 * found.history["kept"]
    assert total[-20:].mean() < total[:20].mean()
    assert len(found.history) == 70
    assert found.ended == "all steps"


# --- what is reported -----------------------------------------------------------------------


@pytest.mark.parametrize("ablation", ["resample", "mean", "zero"])
def test_what_is_reported_is_the_rounded_circuit_run_exactly(ablation: Any) -> None:
    study = study_of()
    found = mw.search.masks(study, ablation=ablation, steps=60, report_on=[1, 3], progress=False)
    exact = mw.evaluation.faithfulness(study, found.circuit(), ablation)
    for name in ("kept", "model", "empty"):
        expected = getattr(exact, name)[[1, 3]]
        np.testing.assert_allclose(getattr(found.faithfulness, name), expected, atol=1e-9)
    rounded = {one for one, share in found.shares.items() if share >= 0.5}
    assert found.faithfulness.circuit.nodes == found.circuit().nodes == rounded
    assert found.history["size"].iloc[-1] == len(rounded)
    assert "rounded" in repr(found)
    assert "share" in found._repr_html_()


@pytest.mark.parametrize("base", ["clean", "corrupt"])
def test_edges_are_reported_by_runs_too(base: Any) -> None:
    study = study_of("gpt2", 2)
    found = mw.search.masks(study, "edge", base=base, steps=45, rate=0.2, progress=False)
    assert 0 < len(found.kept()) < len(found.shares)
    other = study if base == "clean" else mw.Study(study.lm, swapped(study))
    exact = mw.evaluation.faithfulness(
        other, found.circuit(), values=mw.evaluation.EdgeValues(other)
    )
    sign = 1 if base == "clean" else -1
    for name in ("kept", "model", "empty"):
        expected = sign * getattr(exact, name)[list(found.report_on)]
        np.testing.assert_allclose(getattr(found.faithfulness, name), expected, atol=1e-9)


def swapped(study: mw.Study) -> mw.Contrast:
    """Prompts exchanged and answers too, so that the metric has the other sign."""
    return study.contrast.swapped()


def test_a_seed_is_a_seed_and_chunks_change_nothing() -> None:
    study = study_of()
    one, two, other = (
        mw.search.masks(study, steps=20, seed=seed, train_on=[0, 1, 2], progress=False)
        for seed in (0, 0, 1)
    )
    assert one.scores == two.scores
    assert one.scores != other.scores
    small = study_of()
    small.engine.budget = 1
    cut = mw.search.masks(small, steps=20, seed=0, train_on=[0, 1, 2], progress=False)
    assert cut.passes > one.passes
    np.testing.assert_allclose(list(cut.scores.values()), list(one.scores.values()), atol=1e-6)


def test_cancelled_it_keeps_what_was_trained() -> None:
    study = study_of()
    job = mw.search.masks_job(study, "head", steps=50)
    seen: list[tuple[int, int]] = []
    job.watch(lambda one: seen.append(one.progress))
    for _ in range(7):
        job.step()
    job.cancel()
    found = job.result()
    assert found.ended == "cancelled"
    assert len(found.history) == 7
    assert seen[:2] == [(2, 100), (4, 100)]
    assert any(logit != 2.0 for logit in found.logits.values())
    exact = mw.evaluation.faithfulness(study, found.circuit(), over=("head",))
    np.testing.assert_allclose(
        found.faithfulness.kept, exact.kept[list(found.report_on)], atol=1e-9
    )


def test_it_stops_when_nothing_changes_any_more(induction: mw.Study) -> None:
    found = mw.search.masks(induction, "head", steps=2000, progress=False)
    assert found.ended == "settled"
    assert 80 <= len(found.history) < 300
    assert len(set(found.history["size"][-40:])) == 1
    slow = mw.search.masks(induction, "head", steps=60, rate=0.01, progress=False)
    assert slow.ended == "all steps"


def test_nothing_is_left_behind() -> None:
    study = study_of()
    before = [parameter.requires_grad for parameter in study.lm.hf.parameters()]
    version = study.lm.version()
    mw.search.masks(study, steps=3, progress=False)
    assert [parameter.requires_grad for parameter in study.lm.hf.parameters()] == before
    assert all(parameter.grad is None for parameter in study.lm.hf.parameters())
    assert study.lm.version() == version


# --- what is refused ------------------------------------------------------------------------


def test_what_cannot_be_trained_is_refused() -> None:
    study = study_of(n=2)
    for wrong in ("query", [], ["head", "edge"], None):
        with pytest.raises(MediationError, match="over heads, MLPs, or edges"):
            mw.search.masks(study, wrong)  # type: ignore[arg-type]
    numbers: list[Any] = [{"sparsity": -1}, {"rate": 0}, {"steps": 0}, {"sparsity": float("nan")}]
    for options in numbers:
        with pytest.raises(MediationError, match="Training has"):
            mw.search.masks(study, **options)
    ways: list[Any] = [{"base": "middle"}, {"keep": "all"}]
    for options in ways:
        with pytest.raises(MediationError, match="no such way"):
            mw.search.masks(study, **options)
    with pytest.raises(MediationError, match="carries something else"):
        mw.search.masks(study, ablation="noise")  # type: ignore[arg-type]
    with pytest.raises(MediationError, match="no slope"):
        mw.search.masks(study_of(n=2, metric=mw.Rank()), progress=False)
    with pytest.raises(MediationError, match="edges"):
        mw.search.masks(study_of("gemma2", 2), "edge")
    pair = random_pair("gpt2", 0)
    several = mw.PromptPair(pair.clean, pair.corrupt, "ant bee", "cat ant")
    with pytest.raises(MediationError, match="several tokens"):
        mw.search.masks(mw.Study(lm_of("gpt2"), several))
    with pytest.raises(MediationError, match="A threshold"):
        mw.search.masks(study, steps=1, progress=False).circuit(0)
    with pytest.raises(MediationError, match="over nodes"):
        mw.search.masks(study, steps=1, progress=False).edge_scores()


def test_prompts_that_need_nothing_are_refused() -> None:
    lm = mw.models.equations([(0, 1)], [0.0], direct=1.0)
    study = mw.Study(lm, mw.models.equation_pairs())
    with pytest.raises(MediationError, match="nothing is needed"):
        mw.search.masks(study, "head", progress=False)
    study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["value swap"])
    with pytest.raises(MediationError, match="mlp"):
        mw.search.masks(study, "mlp_out", progress=False)
