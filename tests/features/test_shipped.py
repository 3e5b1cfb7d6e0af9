"""The autoencoders that are shipped: small, and as good as their card says."""

from __future__ import annotations

import json

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.edits.base import BASES
from mediawidget.features import clamp, teaching
from mediawidget.features.shipped import FOLDER, LAYERS


@pytest.fixture(scope="module")
def study() -> mw.Study:
    lm = mw.load()
    return mw.Study(lm, mw.tasks.ioi(lm, n=12, seed=5))


def test_they_are_small_and_their_figures_are_on_the_card() -> None:
    sizes = [path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(sizes) < 410_000
    figures, card = json.loads((FOLDER / "figures.json").read_text()), (FOLDER / "README.md")
    for layer in LAYERS:
        found = figures[f"L{layer}"]
        assert f"{found['explained_variance']:.3f}" in card.read_text()
        assert found["dead"] == 0
        assert min(task["recovered"] for task in found["tasks"].values()) > 0.99


@pytest.mark.parametrize("layer", LAYERS)
def test_they_explain_the_stream_and_a_spliced_run_answers(study: mw.Study, layer: int) -> None:
    sae = teaching(layer)
    assert sae is teaching(layer)
    assert sae.site == mw.Site("residual", layer)
    values = [study.activations(sae.at(role), base).array for role in study.roles for base in BASES]
    x = np.concatenate([value.reshape(-1, sae.width) for value in values])
    assert 15 < (sae.encode(x) > 0).sum(1).mean() <= 16
    assert (sae.error(x) ** 2).sum() < 0.1 * ((x - x.mean(0)) ** 2).sum()
    spliced = study.intervene({sae.at(): clamp(sae, {}, rest=0.0)})
    assert abs(spliced["clean"]) < 0.1 * study.total["Y11"]
    assert study.total["Y11"] > 5


def test_few_features_carry_what_names_the_giver(study: mw.Study) -> None:
    sae = teaching(3)
    effect = mw.features.sweep(study, sae, by={"END": "END"}, progress=False)
    best = effect.top(9)
    units = [int(unit) for unit in best["feature"] if unit != "error"][:8]
    joint = study.intervene({sae.at("END"): mw.Within(mw.features.Features(sae, units))})
    alone = study.intervene({sae.at("END"): mw.Within(mw.features.error(sae))})
    # together more than the sum of what each does alone
    assert joint["PIE"] > 0.5 * joint["TE"] > effect["PIE"][:-1].sum()
    assert abs(alone["PIE"]) < 0.1 * alone["TE"]


def test_other_layers_are_refused() -> None:
    for wrong in (2, True, "3"):
        with pytest.raises(mw.MediationError, match="no autoencoder of that layer"):
            teaching(wrong)  # type: ignore[arg-type]
