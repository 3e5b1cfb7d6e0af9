"""Every edit at several mediators against the oracle, and what each of them promises."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.edits.base import BASES, Base
from mediawidget.groups import drawn_prompts
from mediawidget.runs import Freeze
from tests.engine.cases import Case, case, lm_of, random_pair
from tests.engine.judging import Judge, compare, judge, pairs_of
from tests.small_models import random_model, tokenizer_of

KINDS = ("gpt2", "llama", "gpt_neox", "gemma2")
LENGTH = 7

HEAD = mw.Site("head", 2, head=1)
KEY = mw.Site("key", 1, head=0, position=(3, 5))
STREAM = mw.Site("residual", 1, position=4)
WRITE = mw.Site("mlp_out", 2, position=(4, 6))
UNIT = mw.Site("neuron", 1, unit=7)
ROW = mw.Site("pattern", 2, head=0, position=(4, 6))
SITES = (HEAD, KEY, STREAM, WRITE, UNIT, ROW)


@lru_cache
def made(kind: str, n: int = 3) -> tuple[Case, Judge]:
    return judge(kind, pairs_of(kind, n, LENGTH))


def width_of(kind: str, site: mw.Site) -> int:
    lm = lm_of(kind)
    widths = {"head": lm.d_head, "key": lm.d_head, "neuron": 1, "pattern": LENGTH}
    return int(widths.get(site.mediator, lm.d_model))


def edits_at(kind: str, site: mw.Site) -> list[mw.Edit]:
    vector = np.random.default_rng(5).normal(size=width_of(kind, site))
    lender = mw.Run("corrupt", {mw.Site("attn_out", 0): mw.Zero()})
    return [
        mw.Patch(),
        mw.Patch("clean", alpha=0.25),
        mw.Patch("corrupt", alpha=-2.0),
        mw.Patch(lender),
        mw.Patch(lender, alpha=0.5),
        mw.Zero(),
        mw.Mean(),
        mw.Mean("corrupt"),
        mw.Scale(-1.5),
        mw.Steer(vector, scale=2.0),
        mw.Noise(sigma=2.0, seed=3),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_edit_at_every_kind_of_site(kind: str) -> None:
    case, oracle = made(kind)
    runs = [
        mw.Run(base, {site: edit})
        for site in SITES
        for edit in edits_at(kind, site)
        for base in BASES
    ]
    outcomes = compare(case, oracle, runs, some=[0])
    compare(case, oracle, runs[::7], some=[2])
    assert np.ptp(outcomes.kept[:, 0, 0]) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_edits_of_nothing(kind: str) -> None:
    """No-ops are no-ops, at every site, and as far away from one as any run may go."""
    case, oracle = made(kind)
    nothing = [mw.Scale(1.0), mw.Patch(alpha=0.0), mw.Noise(sigma=0.0), mw.Patch("clean")]
    runs = [mw.Run("clean", {site: edit}) for site in SITES for edit in nothing]
    outcomes = compare(case, oracle, runs)
    assert (outcomes.fired < 1e-12).all()
    for index in range(3):
        plain = np.broadcast_to(oracle.run("clean", index=index), (len(runs), 3))
        np.testing.assert_allclose(outcomes.kept[:, index], plain, atol=1e-9)


# --- runs as sources ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_runs_lend_to_runs_that_lend(kind: str) -> None:
    case, oracle = made(kind)
    first = mw.Run("clean", {STREAM: mw.Zero()})
    second = mw.Run("corrupt", {HEAD: mw.Patch(first), WRITE: mw.Scale(2.0)})
    third = mw.Run("clean", {mw.Site("head", 3, head=0): mw.Patch(second)})
    fourth = mw.Run("corrupt", {mw.Site("residual", 4): mw.Patch(third)})
    # Those that lend are asked for as well, before and after those that borrow.
    compare(case, oracle, [second, fourth, third, first])
    compare(case, oracle, [fourth], some=[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_lender_that_edits_the_same_layer(kind: str) -> None:
    """At the same point, before it and after it: what is lent is the value as it is edited."""
    case, oracle = made(kind)
    cases: list[tuple[mw.Site, dict[mw.Site, mw.Edit]]] = [
        (HEAD, {HEAD: mw.Scale(3.0)}),
        (HEAD, {mw.Site("query", 2, head=1): mw.Zero()}),
        (HEAD, {mw.Site("mlp_out", 2): mw.Zero()}),
        (HEAD, {mw.Site("residual", 2, position=5): mw.Zero()}),
        (WRITE, {mw.Site("mlp_unit", 2, unit=3): mw.Scale(-4.0)}),
        (mw.Site("attn_out", 2), {HEAD: mw.Scale(3.0)}),
    ]
    for site, own in cases:
        lender = mw.Run("clean", own)
        # And one deeper: the borrower's own value, of the same layer, is borrowed once more.
        borrower = mw.Run("corrupt", {site: mw.Patch(lender)})
        again = mw.Run("clean", {site: mw.Patch(borrower, alpha=0.5)})
        compare(case, oracle, [again, borrower], some=[1])


def test_shared_rows_borrow_in_the_right_order() -> None:
    """A lender shares its row with a run that, elsewhere, borrows from deeper down."""
    case, oracle = made("gpt2")
    bottom = mw.Run("corrupt", {STREAM: mw.Zero()})
    out = mw.Site("mlp_out", 4)
    deep = mw.Run("clean", {out: mw.Scale(2.0)})
    for _ in range(3):
        deep = mw.Run("clean", {out: mw.Patch(deep)})
    lender = mw.Run("clean", {HEAD: mw.Patch(bottom)})
    owner = mw.Run("clean", {HEAD: mw.Patch(bottom), out: mw.Patch(deep)})
    compare(case, oracle, [owner, mw.Run("corrupt", {HEAD: mw.Patch(lender)})])


@pytest.mark.parametrize("freeze", [(), "head", "mlp_out"])
def test_what_a_lender_does_after_it_lent(freeze: Freeze) -> None:
    """It has no row there any more, and must not write to another's."""
    case, oracle = made("gpt2")
    stream, out = mw.Site("residual", 0), mw.Site("mlp_out", 4)
    lender = mw.Run("clean", {stream: mw.Patch(), out: mw.Scale(5.0)}, freeze)
    borrower = mw.Run("clean", {stream: mw.Patch(lender)})
    compare(case, oracle, [borrower])
    compare(case, oracle, [borrower, mw.Run("corrupt", {HEAD: mw.Zero()}), lender])


def test_a_prefix_is_no_longer_than_what_a_lender_leaves_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mediawidget.chunks.PREFIX_PAYS", 0)
    case, oracle = made("gpt2")
    early = mw.Run("clean", {mw.Site("residual", 1, position=1): mw.Zero()})
    late = mw.Run("clean", {mw.Site("head", 2, head=0, position=5): mw.Patch(early)})
    compare(
        case, oracle, [mw.Run("corrupt", {mw.Site("head", 3, head=1, position=6): mw.Patch(late)})]
    )


# --- captured values ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_a_run(kind: str) -> None:
    case, oracle = made(kind)
    lender = mw.Run("corrupt", {STREAM: mw.Zero()})
    runs = []
    for site in SITES:
        values = case.study.activations(site, lender)
        assert values.array.shape[2] == width_of(kind, site)
        runs += [mw.Run("clean", {site: mw.Patch(values)})]
        runs += [mw.Run("clean", {site: mw.Patch(values, alpha=0.5)})]
    outcomes = compare(case, oracle, runs)
    lent = [mw.Run("clean", {site: mw.Patch(lender)}) for site in SITES]
    np.testing.assert_allclose(
        outcomes.kept[::2], case.study.engine.evaluate(lent).kept, atol=1e-9, rtol=0
    )


def test_values_that_do_not_fit() -> None:
    case, _ = made("gpt2")
    whole = case.study.activations(HEAD)
    few = case.study.activations(mw.Site("head", 2, head=1, position=(1, 2)))
    other = mw.Values(HEAD, whole.array[:2])
    for values, site in [
        (whole, mw.Site("residual", 2)),
        (few, HEAD),
        (other, HEAD),
    ]:
        with pytest.raises(mw.MediationError, match="values"):
            case.study.engine.evaluate([mw.Run("clean", {site: mw.Patch(values)})])
    with pytest.raises(mw.MediationError, match="pattern"):
        case.study.activations(mw.Site("edge", 2, head=1, position=5, key=2))


# --- other pairs ----------------------------------------------------------------------------


def donors(case: Case, seed: int, base: Base) -> Any:
    (group,) = case.study.engine.groups
    return drawn_prompts(group, base, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_resampling_takes_another_pair(kind: str) -> None:
    case, oracle = made(kind, 4)
    for edit in (mw.Resample(seed=1), mw.Resample(seed=2, base="corrupt")):
        base: Base = edit.base or "clean"
        drawn = donors(case, edit.seed, base)
        assert all(index != donor for index, donor in enumerate(drawn))
        runs = [mw.Run("clean", {site: edit}) for site in SITES]
        outcomes = case.study.engine.evaluate(runs)
        for i, site in enumerate(SITES):
            for index, donor in enumerate(drawn.tolist()):
                how = ("patch", (base, donor), 1.0)
                expected = oracle.run("clean", [(site, how)], index)
                np.testing.assert_allclose(outcomes.kept[i, index], expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["bloom", "falcon_alibi"])
def test_resampling_that_no_run_needs(kind: str) -> None:
    """The donors leave the batch before the model makes its masks, and others are as many."""
    case, oracle = made(kind, 3)
    last = case.lm.n_layers - 1
    resampled = {mw.Site("attn_out", last, position=3): mw.Resample()}
    patched = {mw.Site("head", 1, head=1): mw.Patch()}
    effect = case.study.intervene(resampled)
    kept = compare(case, oracle, [mw.Run(base, patched) for base in BASES]).kept
    runs = [mw.Run("clean", resampled), *(mw.Run(base, patched) for base in BASES)]
    outcomes = case.study.engine.evaluate(runs)
    np.testing.assert_allclose(outcomes.kept[1:], kept, atol=1e-9, rtol=0)
    drawn = {base: donors(case, 0, base).tolist() for base in BASES}
    for index in range(3):
        for b, base in enumerate(BASES):
            how = ("patch", (base, drawn[base][index]), 1.0)
            expected = oracle.run(base, [(site, how) for site in resampled], index)
            np.testing.assert_allclose(effect.edited[index, b].reshape(3), expected, atol=1e-9)
        own = oracle.run("clean", index=index)
        np.testing.assert_allclose(outcomes.kept[0, index], own, atol=1e-9)


def test_a_draw_is_seeded_and_the_pairs_own() -> None:
    pairs = [random_pair("gpt2", 80 + i, length=6) for i in range(12)]
    case, _ = judge("gpt2", pairs)
    draws = [donors(case, seed, "clean") for seed in range(40)]
    np.testing.assert_array_equal(draws[0], donors(judge("gpt2", pairs)[0], 0, "clean"))
    assert len({tuple(draw) for draw in draws}) == 40
    # Every other pair is drawn about as often as any.
    counts = np.bincount(np.concatenate([draw[:1] for draw in draws]), minlength=12)
    assert counts[0] == 0
    assert (counts[1:] > 0).sum() >= 9
    runs = [mw.Run("clean", {HEAD: mw.Resample(seed=seed)}) for seed in (0, 0, 1)]
    kept = case.study.engine.evaluate(runs).kept
    np.testing.assert_array_equal(kept[0], kept[1])
    assert np.abs(kept[0] - kept[2]).max() > 0.01


def test_means_and_draws_are_of_all_prompts_of_a_length() -> None:
    """Wherever a role lies in them: a pair's neighbours are not those its role is like."""
    pairs = [
        mw.PromptPair(p.clean, p.corrupt, p.answer, p.wrong, roles={"S": 3 + i})
        for i, p in enumerate(pairs_of("gpt2", 3, LENGTH))
    ]
    case, oracle = judge("gpt2", pairs)
    named = mw.Site("head", 2, head=1, position="S")
    compare(case, oracle, [mw.Run(base, {named: mw.Mean()}) for base in BASES])
    outcomes = case.study.engine.evaluate([mw.Run("clean", {named: mw.Resample(seed=4)})])
    for index, donor in enumerate(donors(case, 4, "clean").tolist()):
        how = ("patch", ("clean", donor), 1.0)
        expected = oracle.run("clean", [(oracle.at(named, index), how)], index)
        np.testing.assert_allclose(outcomes.kept[0, index], expected, atol=1e-9)


@pytest.mark.parametrize("edit", [mw.Mean(), mw.Resample()])
def test_other_pairs_there_must_be(edit: mw.Edit) -> None:
    pairs = [*pairs_of("gpt2", 2, LENGTH), random_pair("gpt2", 1, length=6)]
    study = judge("gpt2", pairs)[0].study
    with pytest.raises(mw.MediationError, match="several prompts of one length"):
        study.sweep("head", edit=edit)


# --- noise ----------------------------------------------------------------------------------


def test_noise_has_an_axis_for_its_draws() -> None:
    case, oracle = made("gpt2")
    span = mw.Sweep("embedding", mw.Noise(3.0, samples=4, seed=7), {"subject": (2, 3)})
    effect = case.study.sweep("embedding", by={"subject": (2, 3)}, edit=span.edit)
    assert tuple(effect.axes) == ("layer", "position", "sample")
    assert effect.edited.shape == (3, 2, 1, 1, 4, 3)
    place = mw.Site("embedding", 0, position=(2, 3))
    for draw in range(4):
        run = mw.Run("clean", {place: mw.Noise(3.0, seed=7, first=draw)})
        for index in range(3):
            np.testing.assert_allclose(
                effect.edited[index, 0, 0, 0, draw], oracle.judged(run, index), atol=1e-9
            )
    assert np.ptp(effect.edited[0, 0, 0, 0, :, 0]) > 0.1


def test_noise_is_the_same_draw_at_the_scale_of_the_own_prompt() -> None:
    """Recovered from what it did: one vector for all pairs, times three own deviations."""
    case, oracle = made("llama")
    place = mw.Site("embedding", 0, position=(2, 4))
    noisy = mw.Run("corrupt", {place: mw.Noise(3.0, seed=1)})
    before = case.study.activations(place, "corrupt").array
    added = case.study.activations(place, noisy).array - before
    spread = before.reshape(3, -1).std(axis=1)
    drawn = added / (3 * spread[:, None, None])
    np.testing.assert_allclose(drawn, np.broadcast_to(drawn[:1], drawn.shape), atol=1e-9)
    assert np.ptp(spread) > 1e-3
    assert abs(drawn[0].mean()) < 0.5
    assert 0.7 < drawn[0].std() < 1.3
    assert np.abs(drawn[0, 0] - drawn[0, 1]).max() > 0.5
    compare(case, oracle, [noisy])
    # Alone it is what it was among others.
    alone = judge("llama", case.pairs[1:2])[0].study.engine.evaluate([noisy])
    both = case.study.engine.evaluate([noisy])
    np.testing.assert_allclose(alone.kept[0, 0], both.kept[0, 1], atol=1e-9)


# --- attention ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_edges_cut_before_and_after_the_softmax(kind: str) -> None:
    case, oracle = made(kind)
    places = [
        mw.Site("edge", 1, head=1, position=5, key=(3, 4)),
        mw.Site("edge", 1, head=2, position=(4, 6), key=3),
        mw.Site("edge", 2, position=6, key=5),
    ]
    runs = [mw.Run("clean", {p: e}) for p in places for e in (mw.Zero(), mw.Knockout())]
    runs.append(mw.Run("corrupt", {places[0]: mw.Knockout(), places[1]: mw.Zero()}))
    runs.append(mw.Run("corrupt", {p: mw.Knockout() for p in places}))
    kept = compare(case, oracle, runs).kept
    for zero, knockout in ((0, 1), (2, 3), (4, 5)):
        assert np.abs(kept[zero] - kept[knockout]).max() > 1e-3


def test_something_is_left_to_attend_to() -> None:
    engine = made("gpt2")[0].study.engine
    two = [mw.Site("edge", 2, head=1, position=3, key=key) for key in ((0, 1), (2, 3))]
    for cut in (
        dict.fromkeys(two, mw.Knockout()),
        {mw.Site("edge", 2, position=3): mw.Knockout()},
        {mw.Site("edge", 2, head=0, key=0): mw.Knockout()},
    ):
        with pytest.raises(mw.MediationError, match="no such attention edge"):
            engine.evaluate([mw.Run("clean", cut)])
    engine.evaluate([mw.Run("clean", {two[0]: mw.Knockout()})])
    with pytest.raises(mw.MediationError, match="Noise"):
        mw.Run("clean", {two[0]: mw.Noise()})
    with pytest.raises(mw.MediationError, match="Only attention edges"):
        mw.Run("clean", {HEAD: mw.Knockout()})


def test_eager_attention_is_put_back() -> None:
    lm = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"))
    config: Any = lm.hf.config
    before = config._attn_implementation
    assert before == "sdpa"
    study = mw.Study(lm, pairs_of("llama", 1, LENGTH))
    seen: list[str] = []
    layer: Any = lm.hf
    handle = layer.model.layers[2].mlp.register_forward_hook(
        lambda *_: seen.append(config._attn_implementation)
    )
    study.engine.evaluate([mw.Run("clean", {ROW: mw.Zero()})])
    assert set(seen) == {"eager"}
    assert config._attn_implementation == before
    seen.clear()
    study.engine.evaluate([mw.Run("clean", {HEAD: mw.Zero()})])
    assert seen
    assert "eager" not in seen
    assert config._attn_implementation == before
    handle.remove()

    def fail(*_: Any) -> None:
        raise ValueError("a layer that fails")

    handle = layer.model.layers[2].mlp.register_forward_hook(fail)
    with pytest.raises(Exception, match="a layer that fails"):
        study.engine.evaluate([mw.Run("clean", {ROW: mw.Zero()})])
    assert config._attn_implementation == before
    handle.remove()


def test_a_window_with_nothing_left_shows_no_number() -> None:
    """A sliding window hides earlier keys, so cutting those within it leaves none."""
    case_ = case("mistral", [random_pair("mistral", 0, length=8, first=3)])
    keys = (4, 5, 6, 7)
    assert case_.lm.hf.config.sliding_window == len(keys)
    cut = mw.Site("edge", 2, head=1, position=7, key=keys)
    effect = case_.study.intervene({cut: mw.Knockout()})
    assert effect.status == mw.Status.FAILED
    assert np.isnan(effect["clean"])
    most = mw.Site("edge", 2, head=1, position=7, key=keys[1:])
    assert abs(case_.study.intervene({most: mw.Knockout()})["clean"]) > 1e-6
