"""Edges that are cut, against runs of the engine and against a network taken apart by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    GPT2Config,
    GPT2ForSequenceClassification,
    GraniteConfig,
    GraniteForCausalLM,
)

import mediawidget as mw
from mediawidget.architectures import ARCHITECTURES
from mediawidget.rewiring import masks_of, rewire
from mediawidget.wiring import Edge, Wiring
from tests.engine.cases import lm_of, random_pair
from tests.rewiring.by_hand import ByHand
from tests.small_models import random_model, tokenizer_of

KINDS = (
    *("gpt2", "gpt_neo", "gptj", "gpt_neox", "falcon", "bloom"),
    *("llama", "mistral", "mixtral", "qwen3", "phi3"),
)
EXACT = 1e-9


def study_of(kind: str, n: int = 3, **options: Any) -> mw.Study:
    pairs = [random_pair(kind, seed, **options) for seed in range(n)]
    return mw.Study(lm_of(kind), mw.Contrast(pairs))


def cut_one(wiring: Wiring, edges: list[Edge]) -> np.ndarray:
    """(edge, sender, receiver) 0 at the edge, 1 elsewhere."""
    keep = np.ones((len(edges), *wiring.reach.shape))
    for index, edge in enumerate(edges):
        keep[index, wiring.sender(edge.sender), wiring.receiver(edge.receiver)] = 0
    return keep


def as_run(wiring: Wiring, edge: Edge, base: Any, other: Any) -> mw.Run:
    """Path patching by runs alone: all between is held, the receiver is recomputed and lent."""
    end = wiring.receiver(edge.receiver)
    between = tuple(
        node
        for node in wiring.senders[1:]
        if node != edge.sender and wiring.reach[wiring.sender(node), end]
    )
    sender = edge.sender
    if sender.mediator == "embedding":
        sender = mw.Site("residual", 0)
    lender = mw.Run(base, {sender: mw.Patch(other)}, freeze=between)
    if edge.receiver.mediator == "residual":
        return lender
    return mw.Run(base, {edge.receiver: mw.Patch(lender)})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", ["clean", "corrupt"])
def test_an_edge_equals_path_patching_by_runs(kind: str, base: Any) -> None:
    study = study_of(kind)
    wiring, other = study.lm.wiring, {"clean": "corrupt", "corrupt": "clean"}[base]
    chosen = np.random.default_rng(len(kind)).permutation(wiring.n_edges)[:12]
    edges = [wiring.edges[i] for i in (*chosen, wiring.n_edges - 1)]
    got = rewire(study.engine, masks_of(cut_one(wiring, edges)), len(edges), base=base).result()
    runs = [as_run(wiring, edge, base, other) for edge in edges]
    np.testing.assert_allclose(got, study.engine.evaluate(runs).kept, rtol=0, atol=EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_cut_is_the_prompt_as_it_is(kind: str) -> None:
    study = study_of(kind)
    whole = np.ones((1, *study.lm.wiring.reach.shape))
    got = rewire(study.engine, masks_of(whole), 1).result()
    plain = study.engine.evaluate([mw.Run("clean")]).kept
    np.testing.assert_allclose(got, plain, rtol=0, atol=EXACT)


@pytest.mark.parametrize("kind", ["gpt2", "gptj", "llama"])
def test_everything_cut_is_the_other_prompt(kind: str) -> None:
    study = study_of(kind)
    nothing = np.zeros((1, *study.lm.wiring.reach.shape))
    got = rewire(study.engine, masks_of(nothing), 1).result()
    plain = study.engine.evaluate([mw.Run("corrupt")]).kept
    np.testing.assert_allclose(got, plain, rtol=0, atol=EXACT)


ABLATED: dict[str, mw.Edit] = {"resample": mw.Patch(), "zero": mw.Zero(), "mean": mw.Mean()}


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox"])
@pytest.mark.parametrize("ablation", list(ABLATED))
def test_all_edges_of_a_node_are_the_node(kind: str, ablation: str) -> None:
    study = study_of(kind, 4)
    wiring = study.lm.wiring
    keep = np.ones((3, *wiring.reach.shape))
    nodes = [mw.Site("head", 0, head=1), mw.Site("mlp_out", 1), mw.Site("head", 1, head=0)]
    for index, node in enumerate(nodes):
        keep[index, wiring.sender(node)] = 0
    keep[2, wiring.sender(nodes[0])] = 0
    edit = ABLATED[ablation]
    runs = [
        mw.Run("clean", {nodes[0]: edit}),
        mw.Run("clean", {nodes[1]: edit}),
        mw.Run("clean", {nodes[0]: edit, nodes[2]: edit}),
    ]
    got = rewire(study.engine, masks_of(keep), 3, ablation=ablation).result()  # type: ignore[arg-type]
    np.testing.assert_allclose(got, study.engine.evaluate(runs).kept, rtol=0, atol=EXACT)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_any_shares_of_any_edges(seed: int, by_position: bool, whole: bool) -> None:
    study = study_of("gpt2", 2)
    wiring, rng = study.lm.wiring, np.random.default_rng(seed)
    length = len(study.engine.pairs[0].clean)
    shape = (2, *wiring.reach.shape, *((length,) if by_position else ()))
    keep = rng.random(shape)
    keep = keep.round() if whole else keep
    got = rewire(study.engine, masks_of(keep), 2).result()
    model: Any = study.lm.hf
    with torch.no_grad():
        for wired in range(2):
            for index, pair in enumerate(study.engine.pairs):
                ids, others = (torch.tensor(ids) for ids in (pair.clean, pair.corrupt))
                logits = ByHand(model, wiring, ids, others, keep[wired]).logits()
                answer, wrong = (pair.strands[0].targets[side][0] for side in range(2))
                expected = [logits[answer], logits[wrong], logits.logsumexp(-1)]
                np.testing.assert_allclose(
                    got[wired, index, :3], [float(x) for x in expected], rtol=0, atol=EXACT
                )


def test_wirings_do_not_depend_on_what_shares_their_batch() -> None:
    study = study_of("llama", 4)
    keep = np.random.default_rng(1).random((5, *study.lm.wiring.reach.shape)).round()
    together = rewire(study.engine, masks_of(keep), 5).result()
    study.engine.budget = 1
    alone = rewire(study.engine, masks_of(keep), 5).result()
    np.testing.assert_allclose(together, alone, rtol=0, atol=EXACT)


def test_answers_of_several_tokens_are_read() -> None:
    lm = lm_of("gpt2")
    first = random_pair("gpt2", 1)
    pair = mw.PromptPair(first.clean, first.corrupt, "ant bee", "cat ant")
    study = mw.Study(lm, mw.Contrast([pair, pair]))
    edges = [study.lm.wiring.edges[5]]
    got = rewire(study.engine, masks_of(cut_one(lm.wiring, edges)), 1).result()
    runs = [as_run(lm.wiring, edge, "clean", "corrupt") for edge in edges]
    np.testing.assert_allclose(got, study.engine.evaluate(runs).kept, rtol=0, atol=EXACT)


@pytest.mark.parametrize("kind", ["gemma2", "olmo2", "opt"])
def test_what_does_not_add_up_is_refused(kind: str) -> None:
    study = study_of(kind, 1)
    whole = np.ones((1, *study.lm.wiring.reach.shape))
    with pytest.raises(mw.MediationError, match="edges") as raised:
        rewire(study.engine, masks_of(whole), 1)
    assert "study.sweep" in raised.value.fix


def test_pairs_that_give_a_cut_edge_nothing_are_refused() -> None:
    lm = lm_of("gpt2")
    pair = random_pair("gpt2", 1)
    longer = mw.PromptPair(pair.clean + " ant", pair.corrupt, pair.answer, pair.wrong)
    study = mw.Study(lm, mw.Contrast([longer]))
    whole = np.ones((1, *lm.wiring.reach.shape))
    with pytest.raises(mw.MediationError, match="same position"):
        rewire(study.engine, masks_of(whole), 1)
    with pytest.raises(mw.MediationError, match="several prompts"):
        rewire(study.engine, masks_of(whole), 1, ablation="mean")
    with pytest.raises(mw.MediationError, match="something else"):
        rewire(study.engine, masks_of(whole), 1, ablation="nothing")  # type: ignore[arg-type]
    zero = rewire(study.engine, masks_of(whole), 1, ablation="zero").result()
    np.testing.assert_allclose(zero, study.engine.evaluate([mw.Run("clean")]).kept, atol=EXACT)


def test_kl_is_measured_from_the_prompts_as_they_are() -> None:
    kind = "gpt2"
    pairs = [random_pair(kind, seed) for seed in range(2)]
    study = mw.Study(lm_of(kind), mw.Contrast(pairs), metric=mw.KL("clean"))
    edges = list(study.lm.wiring.edges[3:6])
    got = rewire(study.engine, masks_of(cut_one(study.lm.wiring, edges)), 3).result()
    runs = [as_run(study.lm.wiring, edge, "clean", "corrupt") for edge in edges]
    np.testing.assert_allclose(got, study.engine.evaluate(runs).kept, rtol=0, atol=EXACT)


def test_blocks_that_scale_what_they_add_are_refused() -> None:
    """Granite multiplies what attention and MLP return; its modules look like Llama's."""
    torch.manual_seed(0)
    words = tokenizer_of("llama")
    config = GraniteConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        residual_multiplier=0.3,
    )
    model = GraniteForCausalLM(config).double()
    torch.nn.Module.eval(model)
    paths = ARCHITECTURES["llama"]
    with pytest.raises(mw.MediationError, match="not plain sums"):
        mw.load(model, tokenizer=words, paths=paths)
    lm = mw.load(model, tokenizer=words, paths=replace(paths, plain=False))
    study = mw.Study(lm, random_pair("llama", 0))
    whole = masks_of(np.ones((1, *lm.wiring.reach.shape)))
    with pytest.raises(mw.MediationError, match="does not add up"):
        rewire(study.engine, whole, 1).result()
    with pytest.raises(mw.MediationError, match="does not add up"):
        mw.search.eap(study)


def test_a_model_that_is_changed_by_a_hook_is_refused() -> None:
    lm = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"))
    study = mw.Study(lm, random_pair("llama", 0))
    whole = masks_of(np.ones((1, *lm.wiring.reach.shape)))
    rewire(study.engine, whole, 1).result()
    model: Any = lm.hf
    hook = model.model.layers[-1].self_attn.o_proj.register_forward_hook(lambda *a: 0.1 * a[2])
    with pytest.raises(mw.MediationError, match="does not add up"):
        rewire(study.engine, whole, 1).result()
    hook.remove()


def test_a_classifier_reads_its_last_token() -> None:
    words = tokenizer_of("gpt2")
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=len(words), n_embd=32, n_layer=2, n_head=4)
    config.pad_token_id = 0
    model = GPT2ForSequenceClassification(config).double()
    torch.nn.Module.eval(model)
    paths = replace(ARCHITECTURES["gpt2"], head="score")
    lm = mw.load(model, tokenizer=words, paths=paths)
    first = random_pair("gpt2", 0)
    pair = mw.PromptPair(first.clean, first.corrupt, "LABEL_0", "LABEL_1")
    study = mw.Study(lm, pair)
    edges = [lm.wiring.edges[i] for i in (3, 40, -1)]
    got = rewire(study.engine, masks_of(cut_one(lm.wiring, edges)), 3).result()
    runs = [as_run(lm.wiring, edge, "clean", "corrupt") for edge in edges]
    np.testing.assert_allclose(got, study.engine.evaluate(runs).kept, rtol=0, atol=EXACT)
