"""Rotations that are scaled, some of them by the length of the prompt, against the oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.engine.cases import BASES, OTHER, case, lm_of, oracle_edited, random_pair
from tests.oracle import Oracle, key_of
from tests.small_models import ROTATED_KINDS, random_model, tokenizer_of

#: From eight tokens on all positions are rotated by other frequencies.
BY_LENGTH = ("phi3_longrope", "gemma3_longrope")

HEAD = mw.Site("head", 2, head=1)

#: Of seven and of eight tokens, aligned by hand: the corrupt prompt has two for token 3.
CLEAN, CORRUPT = "ant bee cat owl eel fox gnu", "ant bee cat pig rat eel fox gnu"
PARTNERS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 5, 5: 6, 6: 7}
UNEQUAL = mw.PromptPair(CLEAN, CORRUPT, "jay", "kite", alignment=tuple(PARTNERS.items()))


@pytest.fixture(autouse=True)
def _force_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small cases are never worth the reuse of a prefix; here it is taken wherever it may be."""
    monkeypatch.setattr("mediawidget.chunks.PREFIX_PAYS", 0)


def loaded(kind: str) -> mw.LM:
    """Of its own, for tests that change it."""
    return mw.load(random_model(kind), tokenizer=tokenizer_of(kind))


@pytest.mark.parametrize("kind", ROTATED_KINDS)
def test_sweeps_and_clicks_are_the_oracles(kind: str) -> None:
    """Short prompts beside long ones, each pair's as long as the other."""
    pairs = [random_pair(kind, 90 + n, length=n, first=4) for n in (7, 10)]
    case_ = case(kind, pairs)
    effect = case_.study.sweep("head")
    for index in range(len(pairs)):
        expected = oracle_edited(case_, "head", index=index)
        np.testing.assert_allclose(effect.edited[index], expected, atol=1e-9, rtol=0)
    # The second click of a kind starts from the kept runs of the first.
    for site in (mw.Site("head", 1, head=0), HEAD):
        found = case_.study.intervene(site).edited
        for index in range(len(pairs)):
            for b, base in enumerate(BASES):
                expected = case_.oracle.run(base, [(site, OTHER[base])], index)
                np.testing.assert_allclose(found[index, b], expected, atol=1e-9, rtol=0)
    assert np.abs(effect.pairs("TIE")[1]).max() > 0.1


@pytest.mark.parametrize("kind", ROTATED_KINDS)
def test_by_position_with_a_shared_beginning(kind: str) -> None:
    """A prefix of fewer tokens would be rotated otherwise than in its prompt."""
    case_ = case(kind, [random_pair(kind, 95, length=9, first=6)])
    effect = case_.study.sweep("residual", by="position")
    expected = oracle_edited(case_, "residual", "position")
    np.testing.assert_allclose(effect.edited[0], expected, atol=1e-9, rtol=0)
    by_length = kind in (*BY_LENGTH, "llama_dynamic")
    assert case_.lm.lends_prefix == (not by_length)


@pytest.mark.parametrize("kind", ROTATED_KINDS)
def test_prompts_of_unequal_length(kind: str) -> None:
    """The clean prompt is rotated one way and the corrupt one the other, where length matters."""
    study = mw.Study(lm_of(kind), UNEQUAL)
    oracle = Oracle(random_model(kind), tokenizer_of(kind), [UNEQUAL])
    effect = study.sweep("head")
    for b, base in enumerate(BASES):
        np.testing.assert_allclose(effect.bases[0, b], oracle.run(base), atol=1e-9, rtol=0)
        for layer in range(oracle.n_layers):
            for head in range(oracle.n_heads):
                expected = across(oracle, base, mw.Site("head", layer, head=head))
                found = effect.edited[0, b, layer, head]
                np.testing.assert_allclose(found, expected, atol=1e-9, rtol=0)
    clicked = study.intervene(HEAD).edited[0]
    np.testing.assert_allclose(clicked, effect.edited[0, :, 2, 1], atol=1e-9, rtol=0)
    assert np.abs(effect.pairs("TIE")).max() > 0.1


def across(oracle: Oracle, base: str, site: mw.Site) -> np.ndarray:
    """A patch from the other prompt, position by position."""
    pairs = PARTNERS.items() if base == "clean" else ((b, a) for a, b in PARTNERS.items())
    values = oracle.values(getattr(UNEQUAL, OTHER[base]))[key_of(site)]
    edits: list[tuple[Any, Any]] = []
    for own, there in pairs:
        place, taken = (
            mw.Site(site.mediator, site.layer, head=site.head, position=at) for at in (own, there)
        )
        (cells,) = oracle._cells_of(taken)(values)
        edits.append((place, ("value", values[cells])))
    return oracle.run(base, edits)


@pytest.mark.parametrize("kind", BY_LENGTH)
def test_an_answer_that_makes_a_prompt_long(kind: str) -> None:
    """Each answer is read off the prompt with it behind: one of the texts is long, one short."""
    pair = mw.PromptPair(CLEAN, CLEAN.replace("cat", "hen"), "jay owl vole", "kite")
    study, model = mw.Study(lm_of(kind), pair), random_model(kind)
    words = tokenizer_of(kind)
    outcomes = study.engine.evaluate([mw.Run("clean")])
    for b, text in enumerate((pair.clean, pair.corrupt)):
        for column, answer in enumerate((pair.answer_text, pair.wrong_text)):
            own, rest = words(text)["input_ids"], words(answer)["input_ids"]
            with torch.no_grad():
                logits = model(torch.tensor([[*own, *rest[:-1]]])).logits[0, len(own) - 1 :]
            expected = logits.log_softmax(-1)[range(len(rest)), rest].sum().item()
            assert outcomes.bases[0, b, column] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", BY_LENGTH)
def test_the_lengths_do_differ(kind: str) -> None:
    """Without its last tokens a prompt gives other logits where it goes on: it is rotated anew."""
    model: Any = random_model(kind)
    ids = torch.arange(10)[None] + 5
    with torch.no_grad():
        long, short = model(ids).logits[0, 5], model(ids[:, :6]).logits[0, 5]
    assert (long - short).abs().max() > 0.01


# --- what is still noticed ------------------------------------------------------------------


def rotary(lm: mw.LM) -> Any:
    return lm.hf.get_submodule("model.rotary_emb")


@pytest.mark.parametrize("kind", ROTATED_KINDS)
def test_passes_change_nothing(kind: str) -> None:
    lm = loaded(kind)
    version, state = lm.version(), lm.fingerprint()
    assert state is not None
    for n in (5, 10, 24, 3):
        lm.logits_at(torch.arange(n)[None] + 3, [n - 1])
        assert lm.version() == version
        assert lm.fingerprint() == state


def a_weight(lm: mw.LM) -> None:
    with torch.no_grad():
        lm.hf.get_parameter("model.layers.1.self_attn.o_proj.weight")[:, 5:].mul_(2)


def the_frequencies(lm: mw.LM) -> None:
    """Those that a pass begins with; of one that is made anew, what it is made of."""
    for buffer in rotary(lm).buffers():
        buffer.mul_(1.5)


def new_frequencies(lm: mw.LM) -> None:
    for name, buffer in list(rotary(lm).named_buffers()):
        setattr(rotary(lm), name, torch.nn.Buffer(buffer * 1.5, persistent=False))


@pytest.mark.parametrize("change", [a_weight, the_frequencies, new_frequencies])
@pytest.mark.parametrize("kind", ROTATED_KINDS)
def test_a_change_shows(kind: str, change: Callable[[mw.LM], None]) -> None:
    lm, pair = loaded(kind), random_pair(kind, 97, length=7, first=3)
    study = mw.Study(lm, pair)
    study.intervene(mw.Site("head", 1, head=0))
    before, version, state = study.intervene(HEAD), lm.version(), lm.fingerprint()
    change(lm)
    assert lm.version() != version
    assert lm.fingerprint() != state
    after = study.intervene(HEAD)
    oracle = Oracle(lm.hf, tokenizer_of(kind), [pair])
    for b, base in enumerate(BASES):
        expected = oracle.run(base, [(HEAD, OTHER[base])])
        np.testing.assert_allclose(after.edited[0, b], expected, atol=1e-9, rtol=0)
    assert np.abs(after.edited - before.edited).max() > 1e-3


@pytest.mark.parametrize("kind", BY_LENGTH)
def test_a_setting_of_the_rotation_shows(kind: str) -> None:
    """A click starts from no run that was made while more tokens were a short prompt."""
    lm, pair = loaded(kind), random_pair(kind, 97, length=7, first=3)
    study = mw.Study(lm, pair)
    study.intervene(mw.Site("head", 1, head=0))
    before = study.intervene(HEAD)
    config: Any = lm.hf.config
    settings = config.rope_parameters
    settings.get("full_attention", settings)["original_max_position_embeddings"] = 4
    if kind == "phi3_longrope":
        config.original_max_position_embeddings = 4
    after = study.intervene(HEAD)
    oracle = Oracle(lm.hf, tokenizer_of(kind), [pair])
    for b, base in enumerate(BASES):
        expected = oracle.run(base, [(HEAD, OTHER[base])])
        np.testing.assert_allclose(after.edited[0, b], expected, atol=1e-9, rtol=0)
    assert np.abs(after.edited - before.edited).max() > 1e-3


@pytest.mark.parametrize("kind", BY_LENGTH)
def test_a_weight_written_between_chunks_is_refused(kind: str) -> None:
    """Left out are the frequencies alone."""
    lm = loaded(kind)
    study = mw.Study(lm, random_pair(kind, 98))
    study.engine.budget = 1
    job = study.job("head")
    job.step()
    a_weight(lm)
    with pytest.raises(mw.MediationError, match="weights changed"):
        job.result()


def test_a_rotation_stretched_by_somebodys_longer_text() -> None:
    """A shorter prompt sets it back, which is refused while it runs; then it is right again."""
    kind = "llama_dynamic"
    lm, pair = loaded(kind), random_pair(kind, 99)
    with torch.no_grad():
        lm.hf(torch.arange(30)[None] + 3)
    study = mw.Study(lm, pair)
    with pytest.raises(mw.MediationError, match="weights changed"):
        study.sweep("head")
    effect = study.sweep("head")
    oracle = Oracle(random_model(kind), tokenizer_of(kind), [pair])
    for b, base in enumerate(BASES):
        expected = oracle.run(base, [(HEAD, OTHER[base])])
        np.testing.assert_allclose(effect.edited[0, b, 2, 1], expected, atol=1e-9, rtol=0)
