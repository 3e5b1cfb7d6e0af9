"""Sweeps of features: every cell as a run of its own, zeros only where nothing can change."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import features
from mediawidget.edits.base import BASES, other
from mediawidget.effects import Status
from tests.engine.cases import Case, lm_of, random_pair
from tests.engine.judging import Judge, judge, pairs_of
from tests.features.made import by_definition, made, set_by_hand
from tests.oracle import key_of

LENGTH, FIRST = 6, 3


@lru_cache
def of(n_pairs: int = 2) -> tuple[Case, Judge, features.SAE]:
    case, oracle = judge("gpt2", pairs_of("gpt2", n_pairs, LENGTH))
    return case, oracle, made("jumprelu", lm_of("gpt2").d_model, centred=True)


@pytest.mark.parametrize("edit", [mw.Patch(), mw.Zero(), mw.Mean()])
def test_every_cell_is_its_own_run(edit: mw.Edit) -> None:
    case, oracle, sae = of()
    effect = features.sweep(case.study, sae, edit=edit, progress=False)
    units = effect.axes["feature"]
    assert units[-1] == "error"
    assert effect.axes["position"] == tuple(range(LENGTH))
    assert all(check.ok for check in effect.checks if check.name == "plain forward")
    x = {
        base: [oracle.values(getattr(pair, base))[key_of(sae.site)].numpy() for pair in case.pairs]
        for base in BASES
    }
    codes = {base: [[by_definition(sae, v) for v in one] for one in x[base]] for base in BASES}
    every = [np.array(codes[base][i]) for base in BASES for i in range(2)]
    for i, unit in enumerate(units):
        for at in range(LENGTH):
            rest: np.ndarray | None = None
            for side, base in enumerate(BASES):
                own, lent = x[base][0][at], x[other(base)][0][at]
                means = np.mean([one[at] for one in every], axis=0)
                tos = {"patch": codes[other(base)][0][at], "zero": np.zeros(11), "mean": means}
                if unit == "error":
                    lefts = {
                        "patch": [sae.error(lent)],
                        "zero": [np.zeros(sae.width)],
                        "mean": [sae.error(v[at]) for some in x.values() for v in some],
                    }
                    rest = np.mean(lefts[edit.kind], axis=0)
                chosen = [] if unit == "error" else [unit]
                value = torch.from_numpy(set_by_hand(sae, own, tos[edit.kind], chosen, rest))
                run = oracle.run(base, [(sae.at(at), ("value", value))], 0)
                np.testing.assert_allclose(effect.edited[0, side, i, at], run, atol=1e-9)


def test_zeros_are_implied_exactly_where_no_prompt_has_the_feature() -> None:
    case, oracle, sae = of()
    everything = features.sweep(case.study, sae, features=range(11), progress=False)
    active = np.zeros((11, LENGTH), dtype=bool)
    for pair in case.pairs:
        for base in BASES:
            x = oracle.values(getattr(pair, base))[key_of(sae.site)].numpy()
            active |= np.array([by_definition(sae, one) > 0 for one in x]).T
    ran = everything.status[:-1] == Status.EXACT
    late = np.arange(LENGTH) >= FIRST
    np.testing.assert_array_equal(ran, active & late)
    assert (everything.status[:-1][~active] == Status.IMPLIED_ZERO).all()
    assert (everything.status[-1, FIRST:] == Status.EXACT).all()
    assert not active.all(axis=0).all()
    assert (everything["PIE"][:-1][~active] == 0).all()
    some = features.sweep(case.study, sae, progress=False)
    kept = [int(unit) for unit in some.axes["feature"][:-1]]
    np.testing.assert_allclose(some["PIE"], everything["PIE"][[*kept, -1]], atol=1e-9)
    left = np.setdiff1d(np.arange(11), kept)
    assert np.abs(everything["TIE"][left]).max(initial=0.0) < 1e-9


def test_by_role_and_everywhere_on_pairs_of_several_lengths() -> None:
    lm = lm_of("gpt2")
    pairs = [
        mw.PromptPair(
            pair.clean, pair.corrupt, pair.answer, pair.wrong, roles={"S": 3, "END": n - 1}
        )
        for n, pair in ((n, random_pair("gpt2", n, length=n)) for n in (6, 7))
    ]
    study, sae = mw.Study(lm, pairs), made("topk", lm.d_model)
    roles = features.sweep(study, sae, by="role", progress=False)
    assert roles.axes["position"] == ("S", "END")
    unit = next(u for u in roles.axes["feature"] if roles.status[roles.axes["feature"].index(u), 1])
    edit = mw.Within(features.Features(sae, int(unit)))
    alone = study.intervene({sae.at("END"): edit})
    at = roles.axes["feature"].index(unit)
    np.testing.assert_allclose(roles.pairs("PIE")[:, at, 1], alone.pairs("PIE"), atol=1e-9)
    everywhere = features.sweep(study, sae, by=None, features=[int(unit)], progress=False)
    joint = study.intervene({sae.at(): edit})
    np.testing.assert_allclose(everywhere.pairs("TIE")[:, 0], joint.pairs("TIE"), atol=1e-9)
    with pytest.raises(mw.MediationError, match="one length"):
        features.sweep(study, sae, progress=False)


def test_labels_begin_with_the_feature() -> None:
    case, _, sae = of()
    effect = features.sweep(case.study, sae, features=[3], progress=False)
    assert effect.labels[0].startswith("L1F3 @ ")
    assert effect.labels[-1].startswith("L1 error @ ")
    assert features.codes(case.study, sae).shape == (2, LENGTH, 11)


GROUPS: list[Any] = [
    *({"late": [4, 5]}, {"late": range(4, 6)}, {"late": np.array([4, 5])}, (("late", (4, 5)),)),
    *({"all": None}, {"last": np.int64(5)}),
]
NO_GROUPS: list[Any] = [
    *({"late": 99}, {"late": -1}, {"late": (4, 99)}, {"late": 2.0}, {"late": True}, {3: 4}),
    *({"late": []}, {"late": [4, 4]}, {"late": "NOPE"}, {}, (), [("late", 4)]),
]


@pytest.mark.parametrize("by", GROUPS, ids=str)
def test_groups_are_those_of_a_sweep_of_the_site(by: Any) -> None:
    case, _, sae = of()
    swept = case.study.sweep("residual", by=by, layers=[1], progress=False)
    at = next(iter(dict(by).values()))
    plain = {"it": at if at is None or np.ndim(at) == 0 else tuple(int(one) for one in at)}
    for ask in (features.sweep, features.attribute):
        more: Any = {"features": [3], "progress": False} if ask is features.sweep else {}
        effect = ask(case.study, sae, by=by, **more)
        assert effect.axes["position"] == swept.axes["position"]
        np.testing.assert_array_equal(effect.edited, ask(case.study, sae, by=plain, **more).edited)


@pytest.mark.parametrize("by", NO_GROUPS, ids=str)
def test_groups_that_a_sweep_refuses_are_refused(by: Any) -> None:
    case, _, sae = of()
    with pytest.raises(mw.MediationError):
        case.study.sweep("residual", by=by, layers=[1], progress=False)
    for ask in (features.sweep, features.job, features.attribute):
        with pytest.raises(mw.MediationError):
            ask(case.study, sae, by=by)
    with pytest.raises(mw.MediationError):
        features.job(case.study, sae, features=[3], by=by)


def test_groups_of_one_name_are_refused() -> None:
    case, _, sae = of()
    with pytest.raises(mw.MediationError, match="told apart by their names"):
        features.sweep(case.study, sae, by=(("a", 4), ("a", 5)))  # type: ignore[arg-type]


def test_what_is_refused() -> None:
    case, _, sae = of()
    study = case.study
    for given, words in [
        ({"features": [11]}, "by their numbers"),
        ({"features": [1, 1]}, "by their numbers"),
        ({"by": "head"}, "by position, by role"),
        ({"edit": mw.Noise()}, "sets features to codes"),
        ({"edit": mw.Scale(2.0)}, "sets features to codes"),
    ]:
        with pytest.raises(mw.MediationError, match=words):
            features.sweep(study, sae, progress=False, **given)  # type: ignore[arg-type]
    with pytest.raises(mw.MediationError, match="another model"):
        features.sweep(study, made("relu", sae.width + 1))
    with pytest.raises(mw.MediationError, match="those of a sparse autoencoder"):
        features.sweep(study, "L3")  # type: ignore[arg-type]
