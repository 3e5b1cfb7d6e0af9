"""Views of models that are no decoders of tokens: what is not there is left out, or says so."""

from __future__ import annotations

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.effects import Status
from mediawidget.lens import logit_lens
from tests.engine.cases import lm_of
from tests.engine.judging import judge, pairs_of
from tests.small_models import OTHER_KINDS
from tests.widgets.conftest import Page


def study_of(kind: str) -> mw.Study:
    return mw.Study(lm_of(kind), pairs_of(kind, 2))


PANELS = {
    "bert": ["head", "mlp_out", "tokens"],
    "bert_classifier": ["head", "mlp_out", "tokens"],
    "mamba": ["tokens"],
    "t5": ["head", "mlp_out", "tokens"],
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_the_explorer_sweeps_and_clicks(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(kind)
    view = mw.Explorer(study)
    assert [panel["key"] for panel in view.view["panels"]] == PANELS[kind]
    page = Page(view, monkeypatch)
    reply = page.ask("intervene", cells=[{"panel": "tokens", "index": 2 * 7 + 5}])
    assert reply["ok"], reply
    (site,) = study.selection
    assert study.last is not None
    assert site == mw.Site("residual", 2, position=5)
    _, oracle = judge(kind, study.contrast.pairs)
    for base, edited in zip(("clean", "corrupt"), study.last.edited[0], strict=True):
        right = oracle.judged(mw.Run(base, {site: mw.Patch()}), 0)  # type: ignore[arg-type]
        np.testing.assert_allclose(edited, right, rtol=0, atol=1e-9)
    for key in PANELS[kind]:
        page.request("sweep", panels=[key])
    for panel in view.view["panels"]:
        status = np.frombuffer(panel["status"], np.uint8)
        assert np.isin(status, (Status.EXACT, Status.IMPLIED_ZERO)).all(), panel["key"]


def test_views_of_heads_refuse_a_model_without() -> None:
    study = study_of("mamba")
    for view in (mw.HeadGrid, mw.AttentionPattern):
        with pytest.raises(mw.MediationError, match="This model has no attention"):
            view(study)
    view = mw.TokenHeatmap(study, mediator="mixer_out")
    assert view.view["panels"][0]["title"] == "Mixer out"
    with pytest.raises(mw.MediationError, match="This model has no attention output"):
        view.mediator = "attn_out"


@pytest.mark.parametrize("kind", ["bert", "mamba", "t5"])
def test_the_lens_ends_in_what_the_model_says(kind: str) -> None:
    study = study_of(kind)
    view = mw.LogitLens(study)
    assert "error" not in view.lens
    found = logit_lens(study.engine, 0, mw.Run("clean"))
    at = study.token_pairs[0].strands[0].reads[0]
    logits = study.lm.logits_at(study.engine.groups[0].ids[0, :1], [at])[0, 0]
    np.testing.assert_allclose(found.p[-1, at, 0], logits.softmax(-1).max(), rtol=0, atol=1e-6)
