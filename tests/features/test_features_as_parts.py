"""Features set in a run, against plain hooks on which the new value was put together by hand."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.edits import Edit
from mediawidget.edits.base import BASES, edit_from_json, other
from mediawidget.features import SAE, Features, clamp, error, steer
from mediawidget.widgets._goals import edit_payload
from tests.engine.cases import Case, lm_of
from tests.engine.judging import Judge, judge, pairs_of
from tests.features.made import KINDS, by_definition, made, set_by_hand
from tests.oracle import key_of

MODELS = ("gpt2", "llama")
LENGTH = 7
SITES = (mw.Site("residual", 1), mw.Site("head", 2, head=1), mw.Site("mlp_out", 2))


@lru_cache
def of(model: str) -> tuple[Case, Judge]:
    return judge(model, pairs_of(model, 2, LENGTH))


def sae_of(model: str, kind: str, site: mw.Site) -> SAE:
    lm = lm_of(model)
    width = lm.d_head if site.mediator == "head" else lm.d_model
    return made(kind, width, site=site, centred=kind != "topk")


def edits_of(sae: SAE) -> list[Edit]:
    rest = np.linspace(-1, 1, sae.width)
    return [
        mw.Within(Features(sae, 3)),
        mw.Within(Features(sae, [0, 3, 7, 9]), mw.Patch()),
        mw.Within(error(sae)),
        mw.Within(Features(sae, [2, 5], error=True)),
        clamp(sae, {3: 0.0}),
        clamp(sae, {1: 2.5, 8: -1.0}),
        clamp(sae, {}, rest=0.0),
        clamp(sae, {4: 1.0}, rest=rest),
    ]


def by_hand(edit: Any, olds: np.ndarray, others: np.ndarray) -> np.ndarray:
    """What a site of some positions is set to, (position, width)."""
    part = edit.part
    sae, found = part.sae, []
    for old, new in zip(olds, others, strict=True):
        codes, rest = by_definition(sae, new), None
        if part.error:
            rest = new - sae.b_dec - sum(codes[i] * sae.w_dec[i] for i in range(sae.n_features))
        if part.codes is not None:
            codes = np.zeros(sae.n_features)
            codes[list(part.units)] = part.codes
            rest = None if rest is None else np.array(part.rest or [0.0] * sae.width)
        found.append(set_by_hand(sae, old, codes, part.units, rest))
    return np.array(found)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_set_features_is_what_hooks_do(model: str, kind: str) -> None:
    case, oracle = of(model)
    for site, positions in zip(SITES, ((4,), (3, 5, 6), None), strict=True):
        sae = sae_of(model, kind, site)
        place = sae.at(positions)
        (cells,) = oracle._cells_of(place)(oracle.values(case.pairs[0].clean)[key_of(place)])
        runs = [mw.Run(base, {place: edit}) for edit in edits_of(sae) for base in BASES]
        outcomes = case.study.engine.evaluate(runs)
        for i, run in enumerate(runs):
            for index, pair in enumerate(case.pairs):
                own, lent = (
                    oracle.values(getattr(pair, base))[key_of(place)][cells].numpy()
                    for base in (run.base, other(run.base))
                )
                value = torch.from_numpy(by_hand(run.edits[0][1], own, lent))
                found = oracle.run(run.base, [(place, ("value", value))], index)
                np.testing.assert_allclose(outcomes.kept[i, index], found, atol=1e-9, rtol=0)


def test_all_features_and_the_error_are_the_whole_value() -> None:
    case, _ = of("gpt2")
    sae = sae_of("gpt2", "topk", SITES[0])
    whole = case.study.intervene({sae.at(4): mw.Within(Features(sae, range(11), error=True))})
    plain = case.study.intervene(sae.at(4))
    for corner in ("Y10", "Y01"):
        np.testing.assert_allclose(whole.pairs(corner), plain.pairs(corner), atol=1e-9)
    assert abs(plain["TE"]) > 0.1


def test_steering_adds_to_a_code() -> None:
    case, oracle = of("gpt2")
    sae = sae_of("gpt2", "relu", SITES[0])
    place = sae.at(4)
    own = oracle.values(case.pairs[0].clean)[key_of(place)][4].numpy()
    edit = steer(sae, 5, 2.0)
    (outcome,) = case.study.engine.evaluate([mw.Run("clean", {place: edit})]).kept[:, 0]
    value = torch.from_numpy(own + 2.0 * sae.w_dec[5])
    np.testing.assert_allclose(outcome, oracle.run("clean", [(place, ("value", value))]), atol=1e-9)


def test_given_codes_are_set_where_both_prompts_are_the_same_whatever_the_edit() -> None:
    case, _ = of("gpt2")
    part = Features(sae_of("gpt2", "relu", SITES[0]), 3, codes=[9.0])
    position = case.study.engine.groups[0].frame.first_difference - 1
    site = mw.Site("residual", 1, position=position)
    edits = (mw.Within(part), mw.Within(part, mw.Patch("clean")), clamp(part.sae, {3: 9.0}))
    assert len(set(edits)) == 1
    assert not edits[0].corners
    found = case.study.engine.evaluate([mw.Run(base, {site: edits[0]}) for base in BASES])
    assert not found.implied.any()
    assert (np.abs(found.kept - found.bases.swapaxes(0, 1))[..., 0] > 1e-6).all()


def test_json_there_and_back_and_what_equal_values_are() -> None:
    sae = made("jumprelu", 6, centred=True, name="mine")
    for edit in edits_of(sae):
        again = edit_from_json(edit.to_json())
        assert again == edit
        assert hash(again) == hash(edit)
    half = made("relu", 6)
    arrays: dict[str, Any] = {name: array.astype("f2") for name, array in half.arrays.items()}
    small = SAE(**arrays)
    assert SAE.from_json(small.to_json()) == small
    assert len(str(small.to_json())) < 0.5 * len(str(half.to_json()))
    assert made("relu", 6) == made("relu", 6) != made("relu", 6, seed=1)
    assert made("relu", 6) != made("relu", 6, site=mw.Site("residual", 2))
    assert Features(sae, 1) != Features(sae, 1, error=True)


def test_edits_of_features_in_words() -> None:
    sae = made("relu", 6)
    patched, clamped, both = (
        edit_payload([edit])
        for edit in (
            mw.Within(Features(sae, 3)),
            clamp(sae, {3: 2.5}),
            clamp(sae, {1: 0.0, 2: 0.0}, rest=0.0),
        )
    )
    assert patched["part"] == "feature 3 of "
    assert patched["goal"].startswith("to its value on the other prompt, within feature 3 (")
    assert clamped["goal"].startswith("to a code of 2.5 in feature 3 (")
    assert both["goal"].startswith("to given codes in 2 features and the error (")


@pytest.mark.parametrize(
    ("units", "more", "words"),
    [
        (11, {}, "no such feature"),
        (-1, {}, "no such feature"),
        (True, {}, "no such feature"),
        ("3", {}, "no such feature"),
        ([1, 1], {}, "named once"),
        ([], {}, "no feature to set"),
        ([1, 2], {"codes": [1.0]}, "as many numbers"),
        ([1], {"codes": [np.nan]}, "as many numbers"),
        ([1], {"rest": [0.0] * 6}, "where the codes are"),
    ],
)
def test_what_cannot_be_set_is_refused(units: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        Features(made("relu", 6), units, **more)


def test_another_width_is_refused() -> None:
    case, _ = of("gpt2")
    with pytest.raises(mw.MediationError, match="another space"):
        case.study.intervene({SITES[0]: mw.Within(Features(made("relu", 6), 1))})
