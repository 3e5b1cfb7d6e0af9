"""Where an effect goes: each route is a run that holds all the others."""

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.errors import MediationError
from tests.engine.judging import pairs_of
from tests.small_models import random_model, tokenizer_of

HEAD = mw.Site("head", 0, head=1)


@pytest.fixture(scope="module", params=["gpt2", "llama", "gpt_neox"])
def study(request: pytest.FixtureRequest) -> mw.Study:
    kind = request.param
    lm = mw.load(random_model(kind), tokenizer=tokenizer_of(kind))
    return mw.Study(lm, pairs_of(kind, 3))


def test_a_route_is_a_run_that_holds_the_others(study: mw.Study) -> None:
    found = mw.routes(study, HEAD, progress=False)
    total = study.intervene(HEAD)
    direct = study.intervene(HEAD, freeze=["head", "mlp_out"])
    for key in ("PIE", "TIE"):
        np.testing.assert_allclose(found.pairs(key)[:, 0], total.pairs(key), atol=1e-9)
        np.testing.assert_allclose(found.pairs(key)[:, 1], direct.pairs(key), atol=1e-9)
        for site in (mw.Site("head", 1, head=0), mw.Site("mlp_out", 0)):
            others = [other for other in found.later if other != site]
            alone = study.intervene(HEAD, freeze=others).pairs(key) - direct.pairs(key)
            at = 2 + found.later.index(site)
            np.testing.assert_allclose(found.pairs(key)[:, at], alone, atol=1e-9)


def test_of_the_last_block_all_is_direct_but_what_its_mlp_carries(study: mw.Study) -> None:
    last = study.lm.n_layers - 1
    found = mw.routes(study, mw.Site("head", last, head=0), progress=False)
    assert [site.mediator for site in found.later] == ["mlp_out"]
    total, direct, through = found.pairs("PIE").T
    np.testing.assert_allclose(direct + through, total, atol=1e-9)
    with pytest.raises(MediationError, match="Nothing behind"):
        mw.routes(study, mw.Site("mlp_out", last))


def test_heads_of_the_same_layer_carry_nothing(study: mw.Study) -> None:
    found = mw.routes(study, HEAD, via=("head",), progress=False)
    assert all(site.mediator == "head" and site.layer > 0 for site in found.later)
    assert list(found.to_dataframe()["route"][:2]) == ["total", "direct"]
    assert len(found.top(2)) == 2
    assert "direct" in repr(found)
    assert "direct" in found._repr_html_()


def test_the_previous_token_head_acts_through_the_induction_head_alone() -> None:
    study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])
    found = mw.routes(study, mw.Site("head", 0, head=0), via="head", progress=False)
    total, direct, through = found.pairs("PIE")[0]
    assert (total, through) == (pytest.approx(2, abs=1e-6), pytest.approx(2, abs=1e-6))
    assert direct == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("via", [(), ("neuron",), "pattern"])
def test_other_routes_are_refused(study: mw.Study, via: object) -> None:
    with pytest.raises(MediationError, match="heads and MLPs"):
        mw.routes(study, HEAD, via=via)  # type: ignore[arg-type]


def test_only_indirect_effects_are_split_by_route(study: mw.Study) -> None:
    found = mw.routes(study, HEAD, progress=False)
    for key in ("TE", "Y11", 3):
        with pytest.raises(MediationError, match="indirect effect"):
            found.pairs(key)  # type: ignore[arg-type]
        with pytest.raises(MediationError, match="indirect effect"):
            found.top(by=key)  # type: ignore[arg-type]
    zeroed = mw.routes(study, {HEAD: mw.Zero()}, progress=False)
    assert zeroed.quantities == ("clean", "corrupt", "difference")
    alone = study.intervene({HEAD: mw.Zero()}).pairs("clean")
    np.testing.assert_allclose(zeroed.pairs("clean")[:, 0], alone, atol=1e-9)
