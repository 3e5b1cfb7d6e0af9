"""Causal tracing: what plain runs give, one by one, and where a planted fact lies."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.plain import plain_run
from mediawidget.readouts import ANSWER
from mediawidget.trace_checks import plain_forward
from tests.engine.judging import pairs_of
from tests.engine.test_unequal import ALIGNED, CLEAN, CORRUPT, PAIR
from tests.small_models import random_model, tokenizer_of

TOLERANCE = 1e-9
NOISE = mw.Noise(sigma=2.0, samples=3, seed=5)


@pytest.fixture(scope="module")
def study() -> mw.Study:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    return mw.Study(lm, pairs_of("gpt2", 3), mw.Prob())


@pytest.fixture(scope="module")
def noised(study: mw.Study) -> mw.Tracing:
    return mw.causal_tracing(study, corruption=NOISE, subject=(2, 3), progress=False)


def slow(study: mw.Study, edits: Mapping[mw.Site, mw.Edit], base: str = "clean") -> np.ndarray:
    """(pair,) the metric of a run by plain hooks."""
    run = mw.Run(base, edits)  # type: ignore[arg-type]
    kept = np.stack([plain_run(study.engine, run, i) for i in range(len(study.contrast))])
    return study.metric.read(kept, study.engine.columns)


PROVEN = ("full restoration", "plain forward")


def oks(tracing: mw.Tracing) -> dict[str, bool | None]:
    return {check.name: check.ok for check in tracing.checks}


@pytest.mark.parametrize(("kind", "layer", "at"), [("residual", 1, 2), ("mlp_out", 0, 3)])
def test_noise_and_restoration_are_those_of_plain_runs(
    study: mw.Study, noised: mw.Tracing, kind: str, layer: int, at: int
) -> None:
    site = mw.Site("embedding", 0, position=(2, 3))
    window = {mw.Site(kind, layer, position=at): mw.Patch("clean")}
    for draw in range(3):
        noise = {site: NOISE.sample(draw)}
        corrupted, restored = slow(study, noise), slow(study, {**noise, **window})
        effect = noised.samples(kind)[draw, layer, at]
        np.testing.assert_allclose(effect, restored - corrupted, atol=TOLERANCE)
    assert noised.clean == pytest.approx(study.total["Y11"])
    held = oks(noised)
    assert set(held) == {"clean answer", *PROVEN, "total effect", "edit fired"}
    assert all(ok for name, ok in held.items() if name != "clean answer")


def test_a_replacement_is_the_sweep_of_the_pairs(study: mw.Study) -> None:
    found = mw.causal_tracing(study, window=1, progress=False)
    for kind in found.kinds:
        swept = study.sweep(kind, by="position", progress=False)
        np.testing.assert_allclose(found.indirect(kind), swept["PIE"], atol=TOLERANCE)
    assert found.corrupted == pytest.approx(study.total["Y00"])
    assert found.total == pytest.approx(study.total["TE"])
    differing = np.any([pair.clean != pair.corrupt for pair in study.token_pairs], axis=0)
    assert found.subject == tuple(np.flatnonzero(differing))


def test_a_window_is_restored_together(study: mw.Study) -> None:
    wide = mw.causal_tracing(study, kinds=("mlp_out",), window=3, progress=False)
    swept = study.sweep("mlp_out", by="position", window=3, progress=False)
    np.testing.assert_allclose(wide.indirect("mlp_out"), swept["PIE"], atol=TOLERANCE)
    assert wide.windows == {"mlp_out": 3}
    deep = mw.Study(study.lm, study.contrast)
    assert mw.causal_tracing(deep, progress=False).windows["residual"] == 1


def test_what_is_severed_stays_corrupted(study: mw.Study) -> None:
    found = mw.causal_tracing(
        study, corruption=NOISE, subject=(2, 3), kinds=("residual",), severed="mlp_out",
        progress=False,
    )  # fmt: skip
    site, at, layer = mw.Site("embedding", 0, position=(2, 3)), 3, 1
    noise = {site: NOISE.sample(1)}
    corrupted = mw.Run("clean", noise)
    behind = range(layer, study.lm.n_layers)
    held = {mw.Site("mlp_out", i, position=at): mw.Patch(corrupted) for i in behind}
    state = {mw.Site("residual", layer, position=at): mw.Patch("clean")}
    expected = slow(study, {**noise, **state, **held}) - slow(study, noise)
    np.testing.assert_allclose(found.samples("residual")[1, layer, at], expected, atol=TOLERANCE)
    whole = mw.causal_tracing(
        study, corruption=NOISE, subject=(2, 3), kinds=("residual",), progress=False
    )
    assert not np.allclose(found.indirect("residual"), whole.indirect("residual"))
    last = study.lm.n_layers
    np.testing.assert_allclose(
        found.indirect("residual")[last], whole.indirect("residual")[last], atol=TOLERANCE
    )
    assert "held at its corrupted value" in found.title
    alone = mw.causal_tracing(
        study, corruption=NOISE, subject=(2, 3), severed="mlp_out", progress=False
    )
    assert alone.kinds == ("residual",)
    np.testing.assert_array_equal(alone.samples("residual"), found.samples("residual"))


def test_after_the_last_block_the_read_position_restores_everything(noised: mw.Tracing) -> None:
    last = noised.indirect("residual")[-1]
    assert last[-1] == pytest.approx(noised.total, abs=TOLERANCE)
    np.testing.assert_allclose(last[:-1], 0, atol=TOLERANCE)


def test_the_table_names_every_cell(noised: mw.Tracing) -> None:
    table = noised.to_dataframe()
    assert len(table) == sum(noised.indirect(kind).size for kind in noised.kinds)
    assert noised.subject == (2, 3)
    assert set(table["position"][table["subject"]]) == {2, 3}
    assert noised.top(3)["indirect"].abs().is_monotonic_decreasing
    low, high = noised.ci("residual")
    effect = noised.indirect("residual")
    assert (low <= effect + TOLERANCE).all()
    assert (effect <= high + TOLERANCE).all()
    assert "3 draws" in noised._repr_html_()


def test_another_metric_runs_nothing(study: mw.Study, noised: mw.Tracing) -> None:
    other = noised.rescore(mw.LogitDiff())
    assert other.unit != noised.unit
    assert other.total == pytest.approx(
        float(mw.Study(study.lm, study.contrast).total["Y11"]) - other.corrupted
    )


def test_a_planted_route_is_found() -> None:
    """In the induction circuit the keys' tokens carry the change, at the end from L1 on."""
    study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["value swap"])
    found = mw.causal_tracing(study, kinds=("residual",), progress=False)
    effect, end = found.indirect("residual"), len(study.token_pairs[0]) - 1
    assert effect[-1, end] == pytest.approx(2, abs=1e-6)
    assert effect[0, end] == pytest.approx(0, abs=1e-6)
    assert np.abs(effect[0]).max() > 0.5


@pytest.mark.parametrize("by", ["position", "role"])
def test_subjects_that_share_a_token_are_corrupted_all_the_same(study: mw.Study, by: str) -> None:
    roles: Any = {"subject": (2, 3), "last subject": 3, "end": 6}
    clean = "ant bee cat owl eel fox gnu"
    others = ("ant bee pig owl eel fox gnu", "ant bee pig rat eel fox gnu")
    pairs = [mw.PromptPair(clean, other, "jay", "kite", roles=roles) for other in others]
    own = mw.Study(study.lm, pairs, mw.Prob())
    found = mw.causal_tracing(own, by=by, kinds=("residual",), progress=False)
    assert found.subject == ((2, 3) if by == "position" else (0, 1))


@pytest.mark.parametrize("by", ["position", "role"])
def test_all_of_a_landmark_is_the_subject(by: str) -> None:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.facts(lm, n=32), mw.Prob())
    found = mw.causal_tracing(study, by=by, kinds=("residual",), progress=False)
    assert [found.tokens[i] for i in found.subject] == ["subject", "last subject"]
    assert found.subject == ((2, 3) if by == "position" else (0, 1))


def test_roles_are_columns_where_words_lie_elsewhere() -> None:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.facts(lm, n=6), mw.Prob())
    found = mw.causal_tracing(study, by="role", kinds=("residual",), progress=False)
    assert found.tokens == study.roles
    assert [found.tokens[i] for i in found.subject] == ["subject", "last subject"]
    assert found.indirect("residual").shape == (lm.n_layers + 1, len(study.roles))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"corruption": "fog"}, "replacement"),
        ({"corruption": mw.Zero()}, "replacement"),
        ({"kinds": "residual"}, "names of mediators"),
        ({"kinds": ()}, "names of mediators"),
        ({"kinds": ("head",)}, "one unit a layer"),
        ({"by": "word"}, "'position' or 'role'"),
        ({"severed": "head"}, "mlp_out"),
        ({"severed": "mlp_out", "kinds": ("residual", "mlp_out")}, "behind a restored state"),
        ({"severed": "attn_out", "kinds": ("mlp_out",)}, "behind a restored state"),
        ({"corruption": "noise"}, "where the subject is"),
        ({"corruption": "noise", "subject": None}, "where the subject is"),
        ({"corruption": "noise", "subject": "verb"}, "verb"),
        ({"window": {"head": 3}}, "kind that is traced"),
        ({"window": 0}, "at least 1"),
    ],
)
def test_other_than_a_trace_is_refused(
    study: mw.Study, more: dict[str, object], words: str
) -> None:
    with pytest.raises(MediationError, match=words):
        mw.causal_tracing(study, **more)  # type: ignore[arg-type]


def test_a_kind_that_was_not_traced_is_refused(noised: mw.Tracing) -> None:
    with pytest.raises(MediationError, match="was not traced"):
        noised.indirect("head")


# --- a trace is of the question it was asked under -----------------------------------------------


def test_a_trace_outlives_a_change_of_its_study(study: mw.Study) -> None:
    own = mw.Study(study.lm, study.contrast, mw.KL())
    found = mw.causal_tracing(own, kinds=("residual",), progress=False)
    before, shown = found.indirect("residual"), mw.CausalTrace(found).trace["metric"]
    own.metric = mw.Rank()
    own.swap()
    with pytest.raises(MediationError, match="did not keep"):
        found.rescore(mw.Rank())
    with pytest.raises(MediationError, match="no metric"):
        found.rescore("Rank")  # type: ignore[arg-type]
    again = found.rescore(mw.KL())
    np.testing.assert_array_equal(again.indirect("residual"), before)
    assert mw.CausalTrace(again).trace["metric"] == shown


def test_intervals_are_of_the_clusters_that_were_run(study: mw.Study) -> None:
    named = [replace(pair, template=str(i)) for i, pair in enumerate(study.contrast)]
    own = mw.Study(study.lm, named, mw.Prob())
    found = mw.causal_tracing(own, kinds=("residual",), progress=False)
    assert found.clusters == ("0", "1", "2")
    halved = replace(found, clusters=("0", "0", "1"))
    assert np.isfinite(found.ci("residual")).all()
    assert np.isnan(halved.ci("residual")).all()


def test_one_pair_is_shown_under_its_own_answers(study: mw.Study) -> None:
    own = mw.Study(study.lm, study.contrast[0], mw.Prob())
    found = mw.causal_tracing(own, kinds=("residual",), progress=False)
    own.swap()
    assert study.contrast[0].answer in mw.CausalTrace(found).trace["metric"]


# --- prompts of other lengths --------------------------------------------------------------------


@pytest.fixture(scope="module", params=["corrupt is longer", "clean is longer"])
def unequal(request: pytest.FixtureRequest, study: mw.Study) -> mw.Study:
    pair = PAIR
    if request.param == "clean is longer":
        aligned = [(there, here) for here, there in ALIGNED]
        roles: Any = {"animal": (3, 4), "end": 7}
        pair = mw.PromptPair(CORRUPT, CLEAN, "jay", "kite", roles=roles, alignment=aligned)
    return mw.Study(study.lm, pair, mw.Prob())


@pytest.mark.parametrize("corruption", ["replacement", NOISE])
def test_prompts_of_other_lengths_are_traced_by_role(unequal: mw.Study, corruption: Any) -> None:
    found = mw.causal_tracing(
        unequal, corruption=corruption, subject="animal", by="role", kinds=("residual",),
        progress=False,
    )  # fmt: skip
    assert [found.tokens[i] for i in found.subject] == ["animal"]
    assert all(oks(found)[name] for name in PROVEN)
    effect, end = found.samples("residual")[0, :, :, 0], found.tokens.index("end")
    noise = {mw.Site("embedding", 0, position="animal"): NOISE.sample(0)}
    base, edits = ("corrupt", {}) if corruption == "replacement" else ("clean", noise)
    for layer in (1, 2):
        state = {mw.Site("residual", layer, position="end"): mw.Patch("clean")}
        expected = slow(unequal, {**edits, **state}, base) - slow(unequal, edits, base)
        np.testing.assert_allclose(effect[layer, end], expected[0], atol=TOLERANCE)
    np.testing.assert_allclose(effect[-1, end], found.clean - slow(unequal, edits, base)[0])


@pytest.mark.parametrize("by", ["position", "role"])
@pytest.mark.parametrize("severed", [None, "mlp_out"])
def test_under_noise_the_other_prompt_has_no_say(by: str, severed: str | None) -> None:
    """Every run is of the clean prompt, so a subject without a partner is restored as well."""
    text = "When Mary and John went to the store, John gave a book to"
    found = []
    for corrupt in (", Mary", ", Mary and Mary"):
        other = text.replace(", John", corrupt)
        pair = mw.PromptPair(text, other, "Mary", "John", roles={"S2": 10, "end": 14})
        found.append(
            mw.causal_tracing(
                mw.Study(mw.load(), pair),
                corruption=NOISE,
                subject="S2",
                by=by,
                severed=severed,
                kinds=("residual",),
                progress=False,
            )
        )
    equal, unequal = (one.indirect("residual") for one in found)
    assert np.isfinite(unequal).all()
    assert np.abs(unequal[:, found[1].subject[0]]).max() > 0.1
    np.testing.assert_allclose(unequal, equal, atol=1e-4)
    assert not [check for check in found[1].checks if check.ok is False]


# --- checks --------------------------------------------------------------------------------------


def test_noise_of_no_size_is_found_out(study: mw.Study) -> None:
    found = mw.causal_tracing(
        study, corruption=mw.Noise(sigma=0.0), subject=2, kinds=("residual",), progress=False
    )
    held = oks(found)
    assert held["total effect"] is False
    assert held["edit fired"] is False
    assert all(held[name] for name in PROVEN)
    assert "checks failed: " in repr(found)
    assert "total effect, edit fired" in repr(found)
    assert "Checks failed: " in found._repr_html_()
    assert "too near 0" in found._repr_html_()
    assert "1 draw;" in found.title


def test_what_overflows_is_no_number(study: mw.Study) -> None:
    found = mw.causal_tracing(
        study, corruption=mw.Noise(sigma=1e300), subject=2, kinds=("residual",), progress=False
    )
    held = oks(found)
    assert held["finite numbers"] is False
    assert held["full restoration"] is True
    assert np.isnan(found.indirect("residual")).all()
    assert np.isfinite(found.clean)


def test_premises_are_those_of_the_metric(noised: mw.Tracing) -> None:
    found = noised.rescore(mw.LogitDiff())
    words = {check.name: check.words for check in found.checks}
    assert f"{abs(found.total):.3g} {found.unit}" in words["total effect"]
    assert list(words) == [check.name for check in noised.checks]


def test_the_plain_check_is_of_a_restoration_of_the_same_draw(study: mw.Study) -> None:
    site = mw.Site("embedding", 0, position=(2, 3))
    state = mw.Site("residual", 1, position=3)
    draws = [{site: NOISE.sample(i)} for i in range(2)]
    runs = [
        mw.Run("clean", {**noise, **more})
        for noise in draws
        for more in ({}, {state: mw.Patch("clean")})
    ]
    outcomes = study.engine.evaluate(runs)

    def ok() -> bool | None:
        return plain_forward(study.engine, study.metric, outcomes, runs[1:2]).ok

    assert ok()
    outcomes.kept[2:, 0, ANSWER] += 100
    assert ok()
    outcomes.kept[0, 0, ANSWER] += 100
    assert ok()
    outcomes.kept[1, 0, ANSWER] += 1
    assert ok() is False


def test_without_proof_there_are_no_numbers() -> None:
    """A model that computes a row by itself otherwise than in a batch."""
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    study = mw.Study(lm, pairs_of("gpt2", 3), mw.Prob())

    def alone(_: torch.nn.Module, __: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits * (1.5 if len(logits) == 1 else 1.0)

    head: Any = lm.hf.lm_head
    handle = head.register_forward_hook(alone)
    try:
        found = mw.causal_tracing(study, kinds=("residual",), progress=False)
    finally:
        handle.remove()
    assert oks(found)["plain forward"] is False
    assert np.isnan(found.indirect("residual")).all()
    assert "plain forward" in repr(found)
    assert "plain forward pass should give" in found._repr_html_()


def test_tokens_are_text_on_a_page(noised: mw.Tracing) -> None:
    odd = "<img src=x onerror=alert(1)>"
    named = mw.Function(lambda kept: kept["answer"], name=odd, unit=odd)
    found = replace(noised, tokens=(odd,) * len(noised.tokens)).rescore(named)
    html = found._repr_html_()
    assert "<img" not in html
    assert html.count("&lt;img") > 10
