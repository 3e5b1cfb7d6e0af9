"""The prompts exchanged, with and without their answers: which effects change places and signs."""

from dataclasses import replace

import numpy as np
import pytest

import mediawidget as mw
from tests.engine.judging import pairs_of
from tests.small_models import random_model, tokenizer_of

SITES = [
    [mw.Site("head", 1, head=2)],
    [mw.Site("residual", 1, position=3), mw.Site("mlp_out", 2)],
    [mw.Site("head", 0, head=0), mw.Site("head", 0, head=1), mw.Site("key", 2, head=1)],
]
METRICS = [mw.LogitDiff(), mw.ProbDiff()]


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))


def values(effect: mw.Effect) -> dict[str, np.ndarray]:
    return {key: effect.pairs(key) for key in ("TE", "TIE", "PIE", "PDE", "TDE", "INT")}


def assert_alike(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert any(np.abs(one).max() > 1e-3 for one in expected.values())
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, atol=1e-9, err_msg=key)


@pytest.mark.parametrize("sites", SITES)
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_prompts_exchanged(lm: mw.LM, sites: list[mw.Site], metric: mw.Metric) -> None:
    """The metric still asks for the first answer: losses become gains, INT stays as it is."""
    pairs = pairs_of("gpt2", 3)
    other = [replace(pair, clean=pair.corrupt, corrupt=pair.clean) for pair in pairs]
    before = values(mw.Study(lm, pairs, metric).intervene(sites))
    after = values(mw.Study(lm, other, metric).intervene(sites))
    expected = {
        "TE": -before["TE"],
        "TIE": -before["PIE"],
        "PIE": -before["TIE"],
        "PDE": -before["TDE"],
        "TDE": -before["PDE"],
        "INT": before["INT"],
    }
    assert_alike(after, expected)


@pytest.mark.parametrize("sites", SITES)
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_prompts_and_answers_exchanged(lm: mw.LM, sites: list[mw.Site], metric: mw.Metric) -> None:
    """The same question from the other side: restoring and breaking change places."""
    study = mw.Study(lm, pairs_of("gpt2", 3), metric)
    before = values(study.intervene(sites))
    study.swap()
    expected = {
        "TE": before["TE"],
        "TIE": before["PIE"],
        "PIE": before["TIE"],
        "PDE": before["TDE"],
        "TDE": before["PDE"],
        "INT": -before["INT"],
    }
    assert_alike(values(study.intervene(sites)), expected)
