"""What an estimate says it cost is what the model did: passes forward and backward, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import mediawidget as mw
from mediawidget import attribution
from mediawidget.plain import plain_run
from mediawidget.rewiring import evaluating, prove
from mediawidget.rewiring.proving import refuse_unproven
from mediawidget.search import edge_attribution

Ask = Callable[[mw.Study], tuple[int, int]]


@contextmanager
def counting(lm: mw.LM, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """[forward, backward] passes: calls of the embedding and of autograd, checks left out.

    Of torch's function: a hook on the model would make a study forget what was run before.
    """
    hf: Any = lm.hf
    done, grad = [0, 0], torch.autograd.grad
    table, look = hf.get_input_embeddings().weight, torch.nn.functional.embedding

    looking = [False]

    def forward(ids: torch.Tensor, weight: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        # A mode that looks at torch's functions calls this one once more from the inside.
        if looking[0]:
            return look(ids, weight, *args, **kwargs)
        done[0] += weight is table
        looking[0] = True
        try:
            return look(ids, weight, *args, **kwargs)
        finally:
            looking[0] = False

    def backward(*args: Any, **kwargs: Any) -> Any:
        done[1] += 1
        return grad(*args, **kwargs)

    def uncounted(check: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*args: Any, **kwargs: Any) -> Any:
            before = list(done)
            found = check(*args, **kwargs)
            done[:] = before
            return found

        return checked

    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "embedding", forward)
        patched.setattr(torch.autograd, "grad", backward)
        patched.setattr(attribution, "plain_run", uncounted(plain_run))
        patched.setattr(evaluating, "refuse_unproven", uncounted(refuse_unproven))
        patched.setattr(edge_attribution, "prove", uncounted(prove))
        yield done


def of_effect(effect: mw.Effect) -> tuple[int, int]:
    return effect.facts["passes"], effect.facts["backward"]


def of_scores(scores: Any) -> tuple[int, int]:
    return scores.passes, scores.backward


ASKED: dict[str, Ask] = {
    "attribution": lambda s: of_effect(s.estimate("head")),
    "atp*": lambda s: of_effect(s.estimate("head", method="atp*")),
    "atp* of queries": lambda s: of_effect(s.estimate("query", method="atp*")),
    "ig": lambda s: of_effect(s.estimate("attn_out", layers=[1], method="ig")),
    "ig-inputs": lambda s: of_effect(s.estimate("head", method="ig-inputs")),
    "eap": lambda s: of_scores(mw.search.eap(s)),
    "eap, mean": lambda s: of_scores(mw.search.eap(s, ablation="mean")),
    "eap-ig": lambda s: of_scores(mw.search.eap(s, steps=4)),
    "exact edges": lambda s: of_scores(mw.search.exact_edges(s, progress=False)),
}


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load()


@pytest.mark.parametrize("metric", [mw.LogitDiff(), mw.KL("corrupt")], ids=lambda m: m.name)
@pytest.mark.parametrize("budget", [None, 1], ids=["at once", "in parts"])
@pytest.mark.parametrize("name", list(ASKED))
def test_said_is_counted(
    lm: mw.LM, name: str, budget: int | None, metric: mw.Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A KL is flat at its own base, where these take their gradient: they refuse it.
    flat = name in ("attribution", "atp*", "atp* of queries") and metric.name == "kl"
    study = mw.Study(lm, mw.tasks.ioi(lm, n=2), mw.LogOdds() if flat else metric)
    study.engine.budget = budget
    # The total effect, which is run beside the scores of edges, is no part of their cost.
    with counting(lm, monkeypatch) as beside:
        if name.startswith(("eap", "exact")):
            assert study.total["TE"]
    with counting(lm, monkeypatch) as done:
        said = ASKED[name](study)
    assert list(said) == [done[0] - beside[0], done[1]]
    assert (done[1] > 0) == (name != "exact edges")


def test_atp_star_goes_back_once_more_than_there_are_layers(lm: mw.LM) -> None:
    study = mw.Study(lm, mw.tasks.ioi(lm, n=2))
    assert study.estimate("head", method="atp*").facts["backward"] == lm.n_layers + 1
    assert study.sweep("head", progress=False).facts["backward"] == 0


def test_masks_count_a_step_once_each_way(lm: mw.LM, monkeypatch: pytest.MonkeyPatch) -> None:
    study = mw.Study(lm, mw.tasks.ioi(lm, n=2))
    everyone = range(2)
    with counting(lm, monkeypatch) as done:
        found = mw.search.masks(study, "head", steps=3, train_on=everyone, progress=False)
    assert found.backward == done[1] == 3
    # One of the empty circuit, of which the loss is a share.
    assert found.passes == 3 + 1
