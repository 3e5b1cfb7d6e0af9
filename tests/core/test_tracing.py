"""Causal tracing: what plain runs give, one by one, and where a planted fact lies."""

from collections.abc import Mapping

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.plain import plain_run
from tests.engine.judging import pairs_of
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
    assert all(check.ok for check in noised.checks)


def test_a_replacement_is_the_sweep_of_the_pairs(study: mw.Study) -> None:
    found = mw.causal_tracing(study, window=1, progress=False)
    for kind in found.kinds:
        swept = study.sweep(kind, by="position", progress=False)
        np.testing.assert_allclose(found.indirect(kind), swept["PIE"], atol=TOLERANCE)
    assert found.corrupted == pytest.approx(study.total["Y00"])
    assert found.total == pytest.approx(study.total["TE"])
    differing = np.flatnonzero(study.token_pairs[0].clean != study.token_pairs[0].corrupt)
    assert set(found.subject) <= set(differing.tolist())


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
