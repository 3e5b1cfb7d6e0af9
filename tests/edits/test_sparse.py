"""Codes, errors and parts of them, worked out by hand for an autoencoder of three features."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.edits import Features
from mediawidget.edits.sparse import decoded, encoded
from tests.asking import raised

NAN = float("nan")
STREAM = mw.Site("residual", 2)
UNIT = mw.Site("neuron", 1, unit=3)

W_ENC = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
GIVEN: dict[str, Any] = {
    "w_enc": W_ENC,
    "b_enc": np.array([0.0, 0.0, -1.0]),
    "w_dec": np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]),
    "b_dec": np.array([0.5, -0.5]),
    "site": STREAM,
}
X = np.array([2.0, 1.0])


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ({}, (2, 1, 2)),
        ({"kind": "topk", "k": 2}, (2, 0, 2)),
        ({"kind": "topk", "k": 3}, (2, 1, 2)),
        ({"kind": "jumprelu", "threshold": [1.5, 1.0, 0.0]}, (2, 0, 2)),
        ({"centred": True}, (1.5, 1.5, 2)),
    ],
)
def test_codes_worked_out_by_hand(more: dict[str, Any], codes: tuple[float, ...]) -> None:
    """pre = (2, 1, 2 + 1 - 1); off b_dec = (0.5, -0.5) it is (1.5, 1.5, 3 - 1)."""
    sae = mw.features.SAE(**GIVEN, **more)
    np.testing.assert_allclose(sae.encode(X), codes)
    written = np.array(codes) @ GIVEN["w_dec"] + GIVEN["b_dec"]
    np.testing.assert_allclose(sae.decode(codes), written)
    np.testing.assert_allclose(sae.error(X), X - written)
    arrays = {name: torch.tensor(a) for name, a in sae.shared.items()}
    np.testing.assert_allclose(encoded(torch.tensor(X[None]), arrays), [codes])
    np.testing.assert_allclose(
        decoded(torch.tensor([codes], dtype=torch.float64), arrays), [written]
    )
    np.testing.assert_allclose(sae.encode(torch.tensor(X)), codes)
    assert (sae.width, sae.n_features) == (2, 3)
    again = mw.features.SAE.from_json(sae.to_json())
    assert again == sae
    assert hash(again) == hash(sae)
    assert sae != "another thing"


def test_what_is_no_autoencoder_is_told() -> None:
    def made(**change: Any) -> mw.features.SAE:
        return mw.features.SAE(**{**GIVEN, **change})

    assert made(kind="topk", k=1).k == 1
    wrong: list[dict[str, Any]] = [
        *({"w_enc": W_ENC[0]}, {"w_enc": W_ENC.T}, {"b_enc": [0.0, 0.0]}, {"b_dec": [0.0] * 3}),
        {"w_enc": np.zeros((2, 0)), "b_enc": [], "w_dec": np.zeros((0, 2))},
        {"w_enc": np.zeros((0, 3)), "w_dec": np.zeros((3, 0)), "b_dec": []},
        *({"kind": "topk"}, {"kind": "topk", "k": 0}, {"kind": "topk", "k": 4}, {"k": 2}),
        *({"kind": "topk", "k": True}, {"kind": "topk", "k": 1.0}, {"kind": "jumprelu"}),
        {"kind": "topk", "k": 1, "threshold": [0.0] * 3},
        *({"threshold": [0.0] * 3}, {"kind": "jumprelu", "threshold": [0.0] * 2}, {"kind": "tanh"}),
        *({"b_enc": [0.0, NAN, 0.0]}, {"b_enc": "abc"}, {"site": "residual"}, {"site": UNIT}),
        *({"site": mw.Site("residual", 2, position=1)}, {"site": mw.Site("pattern", 1, head=0)}),
        {"site": mw.Site("neuron", 1, head=0)},
        *({"site": mw.Site("mlp_unit", 1, unit=0)}, {"site": mw.Site("embedding_unit", 0, unit=0)}),
    ]
    for change in wrong:
        raised(partial(made, **change))
    for call in (
        lambda: made().encode(np.ones(3)),
        lambda: made().encode(1.0),
        lambda: made().decode([1.0]),
    ):
        raised(call)


def test_numbers_of_an_autoencoder_keep_their_precision() -> None:
    def made(dtype: Any, scale: float = 1.0) -> mw.features.SAE:
        names = ("w_enc", "b_enc", "w_dec", "b_dec")
        arrays: dict[str, Any] = {
            n: torch.tensor(scale * GIVEN[n], dtype=dtype, requires_grad=True) for n in names
        }
        return mw.features.SAE(**arrays, site=STREAM)

    single, double = np.float32, np.float64
    for dtype, kept in (
        *((torch.float64, double), (torch.float32, single)),
        *((torch.float16, single), (torch.bfloat16, single)),
    ):
        assert {array.dtype.type for array in made(dtype).arrays.values()} == {kept}
    assert mw.features.SAE(**{**GIVEN, "b_enc": [0, 1, 2]}).b_enc.dtype == double
    # What does not fit half a precision is stored as it is, and without a word.
    for scale in (1.0, 1e6, 1 / 3):
        sae = made(torch.float32, scale)
        again = mw.features.SAE.from_json(sae.to_json())
        assert again == sae
        assert again.w_dec.dtype == single
        np.testing.assert_array_equal(again.w_dec, sae.w_dec)


def test_features_are_set_and_the_rest_stays() -> None:
    """By hand: feature 1 (row (0, 2)) goes from code 1 to 4, and moves the value by 3 rows."""
    sae = mw.features.SAE(**GIVEN)
    old, new = torch.tensor(X[None]), torch.tensor([[2.0, 4.0]], dtype=torch.float64)

    def moved(part: Features) -> Any:
        arrays = {name: torch.tensor(a) for name, a in sae.shared.items()}
        own = {name: torch.tensor(a, dtype=torch.float64)[None] for name, a in part.own().items()}
        return part.moved(old, new, {**arrays, **own})

    np.testing.assert_allclose(moved(Features(sae, 1)), [[0, 6]])
    np.testing.assert_allclose(moved(Features(sae, [0, 1])), [[0, 6]])
    np.testing.assert_allclose(moved(Features(sae, 0, codes=[5.0])), [[3, 0]])
    np.testing.assert_allclose(moved(Features(sae, [2, 0], codes=[0.0, 5.0])), [[1, -2]])
    # All of it, error included, is the whole change; without the error what the codes say.
    np.testing.assert_allclose(moved(Features(sae, [0, 1, 2], error=True)), [[0, 3]])
    np.testing.assert_allclose(moved(Features(sae, [0, 1, 2])), [[3, 9]])
    np.testing.assert_allclose(moved(Features(sae, error=True)), [[-3, -6]])
    # x - decode(encode(x)) = (2, 1) - (4.5, 3.5) = (-2.5, -2.5) becomes 0, or what is given.
    np.testing.assert_allclose(moved(Features(sae, error=True, codes=[])), [[2.5, 2.5]])
    rest = Features(sae, error=True, codes=[], rest=[1.0, 0.0])
    np.testing.assert_allclose(moved(rest), [[3.5, 2.5]])
    np.testing.assert_allclose(
        moved(Features(sae, 0, codes=[5.0], rest=None, error=True)), [[5.5, 2.5]]
    )


def test_what_is_no_feature_is_told() -> None:
    sae = mw.features.SAE(**GIVEN)
    calls: list[Any] = [
        *(lambda: Features(sae), lambda: Features(sae, []), lambda: Features(sae, 3)),
        *(lambda: Features(sae, -1), lambda: Features(sae, [0, 0]), lambda: Features(sae, [True])),
        *(lambda: Features(sae, 0.5), lambda: Features("sae", 0)),  # type: ignore[arg-type]
        *(lambda: Features(sae, 0, codes=[]), lambda: Features(sae, 0, codes=[NAN])),
        *(lambda: Features(sae, 0, codes=3), lambda: Features(sae, 0, rest=[0.0, 0.0])),  # type: ignore[arg-type]
        lambda: Features(sae, 0, codes=[1.0], rest=[0.0, 0.0]),
        lambda: Features(sae, 0, error=True, rest=[0.0, 0.0]),
        lambda: Features(sae, 0, error=True, codes=[1.0], rest=[0.0]),
        lambda: mw.features.clamp("sae", {0: 1.0}),  # type: ignore[arg-type]
        lambda: mw.features.clamp("sae", {0: 1.0}, rest=1.0),  # type: ignore[arg-type]
        lambda: mw.features.clamp(sae, [0]),  # type: ignore[arg-type]
    ]
    for call in calls:
        raised(call)
    two: Any = np.int64(2)
    assert Features(sae, two).units == (2,)
    clamped: Any = mw.features.clamp(sae, {2: 1.0, 0: 0.0}, rest=0.5).part  # type: ignore[attr-defined]
    assert (clamped.units, clamped.codes) == ((2, 0), (1.0, 0.0))
    assert (clamped.rest, clamped.error) == ((0.5, 0.5), True)
    alone: Any = mw.features.clamp(sae, {2: 1.0}).part  # type: ignore[attr-defined]
    assert (alone.rest, alone.error, alone.fixed) == (None, False, True)
    assert mw.features.steer(sae, 1, -2.0) == mw.Steer([0.0, 2.0], -2.0)
