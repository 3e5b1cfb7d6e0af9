"""Lenses: exact behind the last block, any run, and a learned one that is nearer to the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import mediawidget as mw
from mediawidget.lens import logits_of
from tests.engine.cases import lm_of, random_pair


def study_of(kind: str = "gpt2", metric: mw.Metric | None = None) -> mw.Study:
    pairs = [random_pair(kind, seed, 6, first=2, changes=2) for seed in range(3)]
    return mw.Study(lm_of(kind), pairs, metric=metric)


@lru_cache
def teaching() -> mw.LM:
    return mw.load()


def plain(study: mw.Study, pair: int, layer: int, position: int) -> Tensor:
    """Logits by plain hooks on a GPT-2 of transformers: (vocabulary,)."""
    lm, kept = study.lm, []
    root: nn.Module = lm.hf.transformer  # type: ignore[assignment]
    where: nn.Module = (*root.h, root.ln_f)[layer]  # type: ignore[misc]
    handle = where.register_forward_pre_hook(lambda _, args: kept.append(args[0].clone()))
    ids = torch.from_numpy(study.token_pairs[pair].clean)[None]
    with torch.no_grad():
        lm.hf(ids)
        handle.remove()
        found: Tensor = lm.hf.lm_head(root.ln_f(kept[0][0, position]))  # type: ignore[operator]
    return found


@pytest.mark.parametrize("position", [None, "all", 3])
def test_it_is_the_metric_of_what_stands_there(position: int | str | None) -> None:
    study = study_of()
    found = mw.lenses.logit_lens(study, position)
    at = {None: [5], "all": list(range(6)), 3: [3]}[position]
    assert found.values.shape == (3, 2, study.lm.n_layers + 1, len(at))
    for pair, tokens in enumerate(study.token_pairs):
        for layer in range(study.lm.n_layers + 1):
            for column, p in enumerate(at):
                logits = plain(study, pair, layer, p)
                expected = float(logits[tokens.answer] - logits[tokens.wrong])
                np.testing.assert_allclose(found.values[pair, 0, layer, column], expected)


@pytest.mark.parametrize("metric", [mw.LogitDiff(), mw.Prob(), mw.KL("clean"), mw.Rank()])
def test_behind_the_last_block_it_is_the_models_own(metric: mw.Metric) -> None:
    study = study_of("llama", metric)
    last = mw.lenses.logit_lens(study).values[:, :, -1, 0]
    np.testing.assert_allclose(last, study.total.scores(study.total.bases), rtol=1e-6, atol=1e-9)


def test_a_run_is_read_as_its_edits_left_it() -> None:
    study = study_of()
    site = mw.Site("residual", 1)
    run = mw.Run("corrupt", {site: mw.Patch("clean")})
    found = mw.lenses.logit_lens(study, runs=("clean", "corrupt", run))
    clean, corrupt, edited = found.values[..., 0].swapaxes(0, 1)
    np.testing.assert_allclose(edited[:, 0], corrupt[:, 0])
    np.testing.assert_allclose(edited[:, 1:], clean[:, 1:])
    assert found.runs == ("clean", "corrupt", "run 2")
    table = found.to_dataframe()
    assert len(table) == 3 * (study.lm.n_layers + 1)
    assert table["n"].eq(3).all()


def test_a_learned_lens_is_nearer_to_the_end_on_other_prompts(tmp_path: Path) -> None:
    lm, tasks = teaching(), (mw.tasks.ioi, mw.tasks.facts, mw.tasks.agreement)
    train = [task(lm, n=24, seed=0) for task in tasks]
    known = {text for contrast in train for pair in contrast for text in (pair.clean, pair.corrupt)}
    held = [
        text
        for task in tasks
        for pair in task(lm, n=16, seed=1)
        for text in (pair.clean, pair.corrupt)
        if text not in known
    ]
    assert len(held) > 20
    losses: list[float] = []
    lens = mw.lenses.tuned_lens(lm, train, steps=60, told=lambda _, loss: losses.append(loss))
    assert losses[-1] < losses[0] / 2
    plain_kl, tuned_kl = (mw.lenses.kl_to_final(lm, held, one) for one in (None, lens))
    assert (tuned_kl[:-1] < plain_kl[:-1]).all()
    assert tuned_kl[:-1].sum() < plain_kl[:-1].sum() / 2
    assert plain_kl[-1] == tuned_kl[-1] < 1e-6
    again = mw.lenses.TunedLens.load(lens.save(tmp_path / "lens.safetensors"))
    study = mw.Study(lm, train[0][:4])
    one, other = (mw.lenses.logit_lens(study, lens=each) for each in (lens, again))
    np.testing.assert_array_equal(one.values, other.values)
    assert one.lens == "tuned lens"
    bare = mw.lenses.logit_lens(study).values
    assert np.abs(one.values[:, :, :-1] - bare[:, :, :-1]).max() > 0.1
    np.testing.assert_array_equal(one.values[:, :, -1], bare[:, :, -1])


def test_an_untrained_lens_is_the_logit_lens_and_the_model_stays() -> None:
    lm = teaching()
    before = {name: tensor.clone() for name, tensor in lm.hf.state_dict().items()}
    asking = [parameter.requires_grad for parameter in lm.hf.parameters()]
    lens = mw.lenses.tuned_lens(lm, ["the desk is"], steps=0)
    x = torch.randn(2, lm.d_model)
    assert torch.equal(lens.moved(0, x), x)
    mw.lenses.tuned_lens(lm, ["the desk is"], steps=2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in lm.hf.state_dict().items())
    assert [parameter.requires_grad for parameter in lm.hf.parameters()] == asking
    assert all(parameter.grad is None for parameter in lm.hf.parameters())
    assert not logits_of(lm, x).requires_grad


def test_inference_mode_changes_nothing() -> None:
    pairs = [random_pair("gpt2", seed, 6) for seed in range(2)]
    wanted = mw.lenses.tuned_lens(lm_of("gpt2"), pairs, steps=3)
    with torch.inference_mode():
        found = mw.lenses.tuned_lens(lm_of("gpt2"), pairs, steps=3)
    assert wanted.weight.abs().sum() > 0
    assert torch.equal(found.weight, wanted.weight)
    assert torch.equal(found.bias, wanted.bias)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    study = study_of()
    other = mw.lenses.TunedLens(torch.zeros(1, 4, 4), torch.zeros(1, 4))
    long = mw.Study(study.lm, mw.PromptPair("ant bee cat", "ant bee dog", "eel fox", "gnu hen"))
    path = tmp_path / "no.safetensors"
    path.write_bytes(b"nothing")
    wrong = tmp_path / "w"
    save_file({"weight": torch.zeros(1, 4, 3), "bias": torch.zeros(1, 4)}, wrong)
    mixed = [random_pair("gpt2", 0, 6), random_pair("gpt2", 1, 5)]
    asks: dict[str, Callable[[], object]] = {
        "of the model that it was trained on": lambda: mw.lenses.logit_lens(study, lens=other),
        "next token": lambda: mw.lenses.logit_lens(long),
        "layers of runs": lambda: mw.lenses.logit_lens(study, runs=()),
        "read on prompts": lambda: mw.lenses.tuned_lens(study.lm, []),
        "no lens that was saved": lambda: mw.lenses.TunedLens.load(path),
        r"no lens .*\n.*weight": lambda: mw.lenses.TunedLens.load(wrong),
        "several positions": lambda: mw.lenses.logit_lens(mw.Study(study.lm, mixed)),
    }
    for match, ask in asks.items():
        with pytest.raises(mw.MediationError, match=match):
            ask()
