"""A click that starts from kept base runs is the click that computes them, and never stale."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mediawidget as mw
from mediawidget.engine import Engine
from mediawidget.mediators import MEDIATORS
from mediawidget.outcomes import Outcomes
from tests.engine.cases import lm_of, random_pair
from tests.oracle import Oracle
from tests.small_models import (
    ALL_KINDS,
    KINDS,
    SINGLE_PRECISION_ATTENTION,
    random_model,
    tokenizer_of,
)

#: Where attention is eager, its softmax is in single precision.
EAGER = 5e-5
EXACT = 1e-9

HEAD = mw.Site("head", 1, head=1)


def several(kind: str) -> list[mw.PromptPair]:
    """Two lengths, two pairs of each."""
    lengths = [(7, 3), (8, 4), (7, 2), (8, 4)]
    return [
        random_pair(kind, 370 + i, length=length, first=first, changes=1 + i % 2)
        for i, (length, first) in enumerate(lengths)
    ]


def forced(kind: str) -> list[mw.PromptPair]:
    """Answers of several tokens: each pair has a row for the answer and one for the wrong one."""
    return [
        mw.PromptPair(pair.clean, pair.corrupt, "fox gnu hen", "owl")
        for pair in (random_pair(kind, 380 + i, length=6, first=2) for i in range(2))
    ]


def runs_of(lm: mw.LM, n_positions: int = 7) -> list[mw.Run]:
    """Single sites of every kind the model has, joint edits, frozen runs; no pattern."""
    edits: list[dict[mw.Site, mw.Edit]] = []
    last = n_positions - 1
    for name, mediator in MEDIATORS.items():
        if not lm.has(mediator) or mediator.keyed or name == "pattern":
            continue
        index = {mediator.index: 0} if mediator.index else {}
        n_layers = mediator.n_layers(lm.shape)
        edits.append({mw.Site(name, n_layers // 2, **index): mw.Patch()})
        edits.append({mw.Site(name, 0, position=last, **index): mw.Zero()})
        edits.append({mw.Site(name, n_layers - 1, position=last, **index): mw.Patch()})
    head = mw.Site("head", 2, head=0, position=(3, last))
    edits += [
        {HEAD: mw.Patch("clean", alpha=0.3), mw.Site("mlp_out", 2): mw.Scale(-0.5)},
        {mw.Site("residual", 1): mw.Noise(1.0), head: mw.Mean()},
        {mw.Site("residual", lm.n_layers): mw.Patch()},
        {head: mw.Patch(mw.Run("clean", {mw.Site("mlp_out", 1): mw.Zero()}))},
    ]
    known = [edit for edit in edits if all(lm.has(MEDIATORS[site.mediator]) for site in edit)]
    runs = [mw.Run(base, edit) for edit in known for base in ("clean", "corrupt")]
    held = [mw.Run("corrupt", {HEAD: mw.Patch()}, freeze=("mlp_out",))]
    held += [mw.Run("clean", {mw.Site("residual", 1): mw.Patch()}, freeze=("head",))]
    return [*runs, *held, mw.Run("clean")]


def eager_runs(lm: mw.LM) -> list[mw.Run]:
    if not lm.has(MEDIATORS["pattern"]):
        return []
    pattern = mw.Site("pattern", 1, head=1)
    edge = mw.Site("edge", 2, head=1, position=5, key=(1, 2))
    return [
        mw.Run("corrupt", {pattern: mw.Patch()}),
        mw.Run("clean", {edge: mw.Zero(), HEAD: mw.Patch()}),
        mw.Run("corrupt", {HEAD: mw.Patch()}, freeze=("pattern",)),
    ]


def compared(engine: Engine, runs: list[mw.Run], atol: float, *, keeps: bool = True) -> None:
    """All at once and one click at a time: once with nothing kept, and then from what was."""
    at_embedding = [run for run in runs if any(s.mediator.startswith("emb") for s, _ in run.edits)]
    others = [run for run in runs if run not in at_embedding]
    for some in (others, at_embedding):
        if some:
            expected = engine.evaluate(some, top=4)
            agree(engine.recall(some, top=4), expected, atol)
            for click in (slice(2, 4), slice(-2, -1)):
                kept = engine.recall(some[click], top=4).kept
                np.testing.assert_allclose(kept, expected.kept[click], atol=atol, rtol=0)
    assert bool(engine._kept) == keeps


def agree(found: Outcomes, expected: Outcomes, atol: float) -> None:
    for name in ("kept", "bases", "fired"):
        values = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(*values, atol=atol, rtol=0, err_msg=name)
    np.testing.assert_array_equal(found.implied, expected.implied)
    np.testing.assert_array_equal(found.left, expected.left)
    assert found.top.keys() == expected.top.keys()
    for key, likely in expected.top.items():
        assert [token for token, _ in found.top[key]] == [token for token, _ in likely]
        chances = [p for _, p in found.top[key]], [p for _, p in likely]
        np.testing.assert_allclose(*chances, atol=atol)


def engine_of(kind: str, pairs: list[mw.PromptPair], metric: mw.Metric | None = None) -> Engine:
    return mw.Study(lm_of(kind), pairs, metric=metric).engine


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_equal_to_a_full_evaluation(kind: str) -> None:
    engine = engine_of(kind, several(kind))
    single = kind in SINGLE_PRECISION_ATTENTION
    compared(engine, runs_of(engine.lm), EAGER if single else EXACT)
    runs = eager_runs(engine.lm)
    if runs:
        compared(engine, runs, EAGER)


@pytest.mark.parametrize("kind", ["gpt2", "falcon"])
def test_answers_of_several_tokens(kind: str) -> None:
    engine = engine_of(kind, forced(kind))
    compared(engine, runs_of(engine.lm, 6), EXACT)


@pytest.mark.parametrize("metric", [mw.KL(), mw.KL("corrupt"), mw.Rank()], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_need_the_whole_distribution(kind: str, metric: mw.Metric) -> None:
    engine = engine_of(kind, several(kind), metric)
    runs = runs_of(engine.lm)
    compared(engine, runs[::3] + runs[-4:], EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_of_unequal_length_and_sites_by_role(kind: str) -> None:
    """What cannot start from kept runs is computed whole."""
    pair = random_pair(kind, 390, length=7, first=3)
    roles = {"S": 3, "END": 6}
    pairs = [
        mw.PromptPair(pair.clean, pair.corrupt, pair.answer, pair.wrong, roles),
        mw.PromptPair(pair.clean, pair.corrupt + " yak", pair.answer, pair.wrong, roles),
    ]
    runs = [
        mw.Run(base, {mw.Site("head", 2, head=1, position=role): mw.Patch()})
        for base in ("clean", "corrupt")
        for role in ("S", "END")
    ]
    for some in (pairs[:1], pairs):
        every = [*runs, mw.Run("clean", {HEAD: mw.Zero()})]
        compared(engine_of(kind, some), every, EXACT, keeps=len(some) == 1)


# --- never stale ---------------------------------------------------------------------------------


def multiplied(weight: nn.Parameter) -> None:
    with torch.no_grad():
        weight.mul_(1.5)


def through_data(weight: nn.Parameter) -> None:
    weight.data.mul_(1.5)


def new_data(weight: nn.Parameter) -> None:
    weight.data = weight.data * 1.5


def through_numpy(weight: nn.Parameter) -> None:
    weight.detach().numpy()[...] *= 1.5


def rows_exchanged(weight: nn.Parameter) -> None:
    """The sum of all numbers stays."""
    weight.data[[0, 3]] = weight.data[[3, 0]]


def columns_exchanged(weight: nn.Parameter) -> None:
    weight.data[:, [0, 3]] = weight.data[:, [3, 0]]


def signs_exchanged(weight: nn.Parameter) -> None:
    """Two numbers of one weight trade their signs."""
    flat = weight.data.view(-1)
    flat[2], flat[5] = flat[2].abs(), -flat[5].abs()
    flat[7] = -flat[7]


def one_bit(weight: nn.Parameter) -> None:
    """The exponent of one number."""
    bits = weight.data.view(torch.int64).view(-1)
    bits[5] ^= 1 << 54


CHANGES = (
    *(multiplied, through_data, new_data, through_numpy),
    *(rows_exchanged, columns_exchanged, signs_exchanged, one_bit),
)


def asked(study: mw.Study) -> np.ndarray:
    """One click of each of two kinds, none of them the first of its kind."""
    sites = (HEAD, mw.Site("residual", 3, position=5))
    return np.stack([study.intervene(site).edited[:, 1] for site in sites])


def truth(study: mw.Study, kind: str) -> np.ndarray:
    oracle = Oracle(study.lm.hf, tokenizer_of(kind), study.contrast.pairs)
    sites = (HEAD, mw.Site("residual", 3, position=5))
    n = len(study.contrast)
    return np.array([[oracle.run("corrupt", [(s, "clean")], i) for i in range(n)] for s in sites])


def warmed(kind: str) -> mw.Study:
    """A study of its own model, whose next clicks start from kept runs."""
    pairs = [random_pair(kind, 395 + i, length=7, first=3) for i in range(2)]
    study = mw.Study(mw.load(random_model(kind), tokenizer=tokenizer_of(kind)), pairs)
    for _ in range(2):
        np.testing.assert_allclose(asked(study), truth(study, kind), atol=EXACT)
    assert study.engine._kept
    return study


def follows(study: mw.Study, kind: str, change: Callable[[], object]) -> None:
    """The clicks after a change are the changed model's, and they are other ones."""
    before = asked(study)
    change()
    after = asked(study)
    np.testing.assert_allclose(after, truth(study, kind), atol=EXACT)
    assert np.abs(after - before).max() > 1e-6
    np.testing.assert_allclose(asked(study), after, atol=EXACT)


PLACES = {
    "gpt2": ("transformer.h.0.attn.c_attn", "transformer.h.4.mlp.c_fc"),
    "llama": ("model.layers.0.self_attn.v_proj", "model.layers.4.mlp.up_proj"),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_weight_changes_the_next_click(
    kind: str, change: Callable[[nn.Parameter], None]
) -> None:
    study = warmed(kind)
    hf: Any = study.lm.hf
    for place in PLACES[kind]:
        weight = hf.get_submodule(place).weight
        follows(study, kind, partial(change, weight))


def loud(_module: object, _arguments: object, output: Tensor) -> Tensor:
    return output * 1.5


def loud_input(_module: object, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (arguments[0] * 1.5, *arguments[1:])


def mlps(study: mw.Study) -> list[Any]:
    hf: Any = study.lm.hf
    blocks = hf.transformer.h if hasattr(hf, "transformer") else hf.model.layers
    return [block.mlp for block in blocks]


@pytest.mark.parametrize(("kind", "layer"), [("gpt2", 3), ("llama", 0)])
def test_a_hook_is_followed_as_it_comes_and_goes(kind: str, layer: int) -> None:
    study = warmed(kind)
    mlp = mlps(study)[layer]
    handles: list[Any] = []
    follows(study, kind, lambda: handles.append(mlp.register_forward_hook(loud)))
    follows(study, kind, lambda: handles.pop().remove())
    follows(study, kind, lambda: handles.append(mlp.register_forward_pre_hook(loud_input)))
    follows(study, kind, lambda: handles.pop().remove())


@pytest.mark.parametrize(("kind", "layer"), [("gpt2", 0), ("llama", 3)])
def test_a_module_that_is_replaced_is_followed(kind: str, layer: int) -> None:
    study = warmed(kind)

    def replace() -> None:
        hf: Any = study.lm.hf
        blocks = hf.transformer.h if hasattr(hf, "transformer") else hf.model.layers
        new = copy.deepcopy(blocks[layer].mlp)
        next(new.parameters()).data.mul_(1.5)
        blocks[layer].mlp = new

    follows(study, kind, replace)


@pytest.mark.parametrize(("kind", "layer"), [("gpt2", 3), ("llama", 0)])
def test_a_forward_that_is_replaced_is_followed(kind: str, layer: int) -> None:
    study = warmed(kind)
    mlp = mlps(study)[layer]
    before = mlp.forward

    def replace() -> None:
        mlp.forward = lambda x: before(x) * 1.5

    def put_back() -> None:
        mlp.forward = before

    follows(study, kind, replace)
    follows(study, kind, put_back)


# --- other questions ----------------------------------------------------------------------------


def test_other_pairs_readouts_metrics_and_edits_are_other_clicks() -> None:
    """One model, one after the other: each as if it were the only one."""
    lm = lm_of("gpt2")
    one, two = several("gpt2")[:1], several("gpt2")[2:3]
    asked_: list[Callable[[], mw.Study]] = [
        lambda: mw.Study(lm, one),
        lambda: mw.Study(lm, two),
        lambda: mw.Study(lm, one + two),
        lambda: mw.Study(lm, one, readout=mw.Readout(5)),
        lambda: mw.Study(lm, one, metric=mw.KL()),
        lambda: mw.Study(lm, one, edit=mw.Zero()),
    ]
    quiet = [study().engine.evaluate(clicks(study())).kept for study in asked_]
    studies = [study() for study in asked_]
    for _ in range(2):
        for study, expected in zip(studies, quiet, strict=True):
            found = study.engine.recall(clicks(study))
            np.testing.assert_allclose(found.kept, expected, atol=EXACT, rtol=0)


def clicks(study: mw.Study) -> list[mw.Run]:
    return [mw.Run(base, {HEAD: study.edit}) for base in ("corrupt", "clean")]


def test_a_swap_or_another_metric_between_clicks() -> None:
    lm = lm_of("gpt2")
    study = mw.Study(lm, several("gpt2")[:1])
    site = mw.Site("mlp_out", 2)
    for _ in range(2):
        study.intervene(site)
    study.swap()
    swapped = mw.Study(lm, study.contrast)
    for _ in range(2):
        np.testing.assert_allclose(
            study.intervene(site).edited, swapped.intervene(site).edited, atol=EXACT
        )
    study.metric = mw.KL()
    fresh = mw.Study(lm, study.contrast, metric=mw.KL())
    for _ in range(2):
        effect, expected = study.intervene(site), fresh.intervene(site)
        np.testing.assert_allclose(effect.edited, expected.edited, atol=EXACT)
        assert effect["PIE"] == pytest.approx(expected["PIE"], abs=EXACT)


def test_more_likely_tokens_than_were_kept() -> None:
    engine = engine_of("gpt2", several("gpt2")[:1])
    runs = [mw.Run("corrupt", {HEAD: mw.Patch()})]
    for top in (0, 2, 7, 1):
        found, expected = engine.recall(runs, top=top), engine.evaluate(runs, top=top)
        assert found.top.keys() == expected.top.keys()
        assert all(len(likely) == top for likely in found.top.values())


# --- what cannot be seen --------------------------------------------------------------------------


class Gain:
    """A number that a hook or a ``forward`` multiplies by; nothing on the model shows it."""

    by = 1.0

    def __call__(self, *arguments: Any) -> Tensor:
        output: Tensor = arguments[-1] * self.by
        return output


@pytest.mark.parametrize("way", ["hook", "everywhere", "forward"])
def test_code_of_the_users_may_compute_anything(way: str) -> None:
    """So nothing is kept while it is there: a changed constant in it changes the next click."""
    study, gain = warmed("gpt2"), Gain()
    mlp = mlps(study)[0]
    handle: Any = None
    if way == "hook":
        handle = mlp.register_forward_hook(gain)
    elif way == "everywhere":
        everywhere: Any = nn.modules.module.register_module_forward_hook
        handle = everywhere(lambda module, *rest: gain(*rest) if module is mlp else None)
    else:
        before = mlp.forward
        mlp.forward = lambda x: gain(before(x))
    try:
        asked(study)
        follows(study, "gpt2", lambda: setattr(gain, "by", 1.5))
        follows(study, "gpt2", lambda: setattr(gain, "by", 0.5))
    finally:
        if handle is not None:
            handle.remove()


def test_settings_of_modules_and_of_the_config() -> None:
    """Read in the forward pass, and no tensors."""
    study = warmed("llama")
    hf: Any = study.lm.hf
    follows(study, "llama", lambda: setattr(hf.model.layers[0].self_attn, "scaling", 0.7))
    follows(study, "llama", lambda: setattr(hf.model.norm, "variance_epsilon", 0.5))
    capped = mw.Study(
        mw.load(random_model("gemma2"), tokenizer=tokenizer_of("gemma2")), several("gemma2")[:1]
    )
    asked(capped)
    asked(capped)
    follows(capped, "gemma2", lambda: setattr(capped.lm.hf.config, "final_logit_softcapping", 5.0))
