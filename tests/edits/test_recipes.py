"""What every edit makes of a value, and what it refuses, without a model."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.edits import Mixed, as_edit, edit_from_json
from mediawidget.edits.base import Donor, MeanOf, NoiseOf, Recipe, Vector, other
from mediawidget.edits.part import part_from_json
from tests.asking import raised

NAN, INF = float("nan"), float("inf")
STREAM = mw.Site("residual", 2)
UNIT = mw.Site("neuron", 1, unit=3)
EDGE = mw.Site("edge", 1, head=0, position=3, key=1)
EDGE_ROW = mw.Site("pattern", 1, head=0, position=3)
VALUES = mw.Values(STREAM, np.ones((1, 2, 3)))
LENDER = mw.Run("clean", {STREAM: mw.Zero()})
LINE = mw.Subspace([[0.6, 0.8, 0.0]])
SPARSE = mw.features.SAE(np.eye(2), np.zeros(2), np.eye(2), np.zeros(2), site=STREAM)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (mw.Patch(), Recipe(take=1.0, source="corrupt")),
        (mw.Patch("clean", alpha=0.25), Recipe(keep=0.75, take=0.25, source="clean")),
        (mw.Patch(LENDER, alpha=2), Recipe(keep=-1.0, take=2.0, source=LENDER)),
        (mw.Patch(VALUES, alpha=0.25), Recipe(keep=0.75, add=0.25, constant=VALUES)),
        (mw.Zero(), Recipe()),
        (mw.Knockout(), Recipe()),
        (mw.Scale(-2), Recipe(keep=-2.0)),
        (mw.Mean(), Recipe(add=1.0, constant=MeanOf("clean"))),
        (mw.Mean("corrupt"), Recipe(add=1.0, constant=MeanOf("corrupt"))),
        (mw.Resample(seed=3), Recipe(take=1.0, source=Donor("clean", 3))),
        (mw.Resample(base="corrupt"), Recipe(take=1.0, source=Donor("corrupt", 0))),
        (mw.Noise(), Recipe(keep=1.0, add=3.0, constant=NoiseOf("clean", STREAM, 0, 0))),
        (
            mw.Noise(0.5, samples=4, seed=7, first=2).sample(1),
            Recipe(keep=1.0, add=0.5, constant=NoiseOf("clean", STREAM, 7, 3)),
        ),
        (mw.Steer([1, 2]), Recipe(keep=1.0, add=1.0, constant=Vector((1.0, 2.0)))),
        (mw.Steer([1, 2], -0.5), Recipe(keep=1.0, add=-0.5, constant=Vector((1.0, 2.0)))),
        (mw.Clamp([1, 2]), Recipe(add=1.0, constant=Vector((1.0, 2.0)))),
        (mw.Clamp(3), Recipe(add=1.0, constant=Vector((3.0,)))),
        (mw.Within(LINE), Recipe(take=1.0, source="corrupt", within=LINE)),
        (mw.Within(LINE, mw.Scale(2)), Recipe(keep=2.0, within=LINE)),
    ],
    ids=repr,
)
def test_the_arithmetic_of_an_edit(edit: mw.Edit, expected: Recipe) -> None:
    assert edit.recipe("clean", STREAM) == expected
    again = edit_from_json(edit.to_json())
    found = again.recipe("clean", STREAM)
    if isinstance(found.constant, mw.Values):
        np.testing.assert_array_equal(found.constant.array, VALUES.array)
        assert (found.keep, found.add) == (expected.keep, expected.add)
    else:
        assert (again, found) == (edit, expected)


def test_names_in_files() -> None:
    vector = mw.Steer([1.0])
    some = (mw.Patch(), mw.Zero(), mw.Mean(), mw.Resample(), mw.Noise(), mw.Scale(), vector)
    names = ["patch", "zero", "mean", "resample", "noise", "scale", "steer"]
    assert [edit.to_json()["kind"] for edit in some] == names
    others = (mw.Clamp(1.0), mw.Knockout(), mw.Within(LINE), Mixed((mw.Zero(),)))
    assert [edit.to_json()["kind"] for edit in others] == ["clamp", "knockout", "within", "mixed"]
    assert (LINE.to_json()["kind"], mw.Projection([[1.0]], [[1.0]]).kind) == (
        "subspace",
        "projection",
    )


def test_the_other_prompt() -> None:
    assert (other("clean"), other("corrupt")) == ("corrupt", "clean")
    assert mw.Patch().recipe("corrupt", STREAM).source == "clean"
    assert mw.Mean().recipe("corrupt", STREAM).constant == MeanOf("corrupt")
    assert mw.Resample().recipe("corrupt", STREAM).source == Donor("corrupt", 0)


def test_corners_are_of_a_whole_patch_between_the_prompts() -> None:
    assert mw.Patch().corners
    assert mw.Within(LINE).corners
    some = (mw.Patch("clean"), mw.Patch(alpha=0.5), mw.Patch("clean", 0.5), mw.Zero(), mw.Mean())
    assert not any(edit.corners for edit in (*some, mw.Within(LINE, mw.Zero())))
    assert Mixed((mw.Patch(), mw.Within(LINE))).corners
    assert not Mixed((mw.Patch(), mw.Zero())).corners


def test_what_needs_other_pairs_and_several_draws() -> None:
    assert mw.Mean().pairwise
    assert mw.Resample().pairwise
    assert mw.Within(LINE, mw.Mean()).pairwise
    assert Mixed((mw.Zero(), mw.Mean())).pairwise
    assert not Mixed((mw.Zero(), mw.Patch())).pairwise
    assert not mw.Within(LINE, mw.Noise()).pairwise
    noise = mw.Noise(samples=4, first=5)
    assert (noise.samples, mw.Within(LINE, noise).samples, mw.Zero().samples) == (4, 4, 1)
    assert noise.sample(2) == mw.Noise(samples=1, first=7)
    assert mw.Within(LINE, noise).sample(2) == mw.Within(LINE, mw.Noise(samples=1, first=7))
    assert mw.Zero().sample(3) == mw.Zero()


def test_a_mixed_edit_is_read_back_part_by_part() -> None:
    mixed = Mixed((mw.Patch(), mw.Scale(2.0)))
    assert edit_from_json(mixed.to_json()) == mixed
    assert Mixed([mw.Zero()]).parts == (mw.Zero(),)  # type: ignore[arg-type]


WRONG: list[Any] = [
    *(lambda: Mixed(()), lambda: Mixed(mw.Zero()), lambda: Mixed((1,))),  # type: ignore[arg-type]
    *(lambda: as_edit(Mixed((mw.Zero(),))), lambda: as_edit(mw.Zero), lambda: as_edit(mw.Edit())),
    lambda: Mixed((mw.Zero(),)).recipe("clean", STREAM),
    lambda: Mixed((mw.Zero(),)).check(STREAM),
    *(lambda: edit_from_json({"kind": "nil"}), lambda: part_from_json({"kind": "nil"})),
    *(lambda: mw.Patch("wrong"), lambda: mw.Patch(3), lambda: mw.Patch(["clean"])),  # type: ignore[arg-type]
    lambda: mw.Patch(np.ones(2)),  # type: ignore[arg-type]
    *(lambda: mw.Patch(alpha=NAN), lambda: mw.Scale(INF), lambda: mw.Scale(-INF)),
    *(lambda: mw.Scale(True), lambda: mw.Scale("x"), lambda: mw.Scale(10**400)),  # type: ignore[arg-type]  # noqa: FBT003
    *(lambda: mw.Scale(np.timedelta64(3, "ns")), lambda: mw.Scale(2 + 1j)),  # type: ignore[arg-type]
    *(lambda: mw.Subspace([[10**400, 1.0]]), lambda: mw.Subspace.spanned([10**400, 1.0])),
    *(lambda: mw.Subspace(np.eye(2) * 1j), lambda: mw.Steer(np.eye(2)[0] * 1j)),
    *(lambda: mw.Mean("both"), lambda: mw.Mean(["clean"]), lambda: mw.Resample(base="both")),  # type: ignore[arg-type]
    *(lambda: mw.Resample(-1), lambda: mw.Resample(0.5), lambda: mw.Resample(True)),  # type: ignore[arg-type]  # noqa: FBT003
    *(lambda: mw.Noise(seed=-1), lambda: mw.Noise(first=-1), lambda: mw.Noise(samples=0)),
    *(lambda: mw.Noise(samples=10_001), lambda: mw.Noise(NAN), lambda: mw.Noise().check(EDGE)),
    *(lambda: mw.Steer([]), lambda: mw.Steer([1, NAN]), lambda: mw.Steer([INF, 1])),
    *(
        lambda: mw.Steer(3),
        lambda: mw.Steer("12"),
        lambda: mw.Steer({1: 2}),
        lambda: mw.Steer({1.0}),
    ),
    *(lambda: mw.Steer([[1, 2]]), lambda: mw.Steer([1], NAN), lambda: mw.Steer(b"12")),
    *(
        lambda: mw.Clamp([]),
        lambda: mw.Clamp([NAN]),
        lambda: mw.Clamp([[1.0]]),
        lambda: mw.Clamp(INF),
    ),
    *(lambda: mw.Clamp(1.0).check(STREAM), lambda: mw.Clamp([1.0]).check(EDGE_ROW)),
    *(lambda: mw.Knockout().check(STREAM), lambda: mw.Within(LINE).check(EDGE)),
    *(lambda: mw.Within(LINE, mw.Knockout()), lambda: mw.Within(LINE, mw.Within(LINE))),
    *(lambda: mw.Within(3), lambda: mw.Within(LINE, mw.Clamp(1.0)).check(STREAM)),  # type: ignore[arg-type]
    *(lambda: mw.Within(LINE, 3), lambda: mw.Within(LINE).check(EDGE_ROW)),
    lambda: mw.Values("residual", np.ones((1, 1, 1))),  # type: ignore[arg-type]
    *(
        lambda: mw.Values(STREAM, np.ones((1, 1))),
        lambda: mw.Values(STREAM, np.full((1, 1, 1), NAN)),
    ),
    lambda: mw.Values(STREAM, [[["a"]]]),  # type: ignore[arg-type]
]


NUMBERS: dict[str, Any] = {
    "alpha of Patch": lambda number: mw.Patch(alpha=number),
    "factor of Scale": mw.Scale,
    "sigma of Noise": lambda number: mw.Noise(sigma=number),
    "scale of Steer": lambda number: mw.Steer([1.0], number),
    "vector of Steer": lambda number: mw.Steer([1.0, number]),
    "value of Clamp": mw.Clamp,
    "vector of Clamp": lambda number: mw.Clamp([1.0, number]),
    "codes of features": lambda number: mw.features.clamp(SPARSE, {0: number}),
    "error of features": lambda number: mw.features.clamp(SPARSE, {0: 1.0}, rest=number),
    "part of an error": lambda number: mw.features.clamp(SPARSE, {0: 1.0}, rest=[1.0, number]),
    "amount of a feature": lambda number: mw.features.steer(SPARSE, 0, number),
}
NO_NUMBERS: list[Any] = [
    *("1", "0.3", b"1", bytearray(b"1"), np.str_("1"), np.array("1")),
    *(True, np.True_, np.ones((), dtype=bool), torch.ones((), dtype=torch.bool)),
    *({}, object(), 1j, np.complex64(1)),
    *(NAN, INF, -INF, np.float32("nan"), np.array(INF), torch.tensor(NAN), 10**400),
]
NOT_ALONE: list[Any] = [None, [1.0, 2.0], torch.ones(2), memoryview(b"1")]
NUMBER_TYPES: list[Any] = [
    *(2, 2.0, np.float16(2), np.float32(2), np.float64(2), np.longdouble(2), np.int64(2)),
    *(np.uint8(2), np.array(2), np.array(2.0), Fraction(2), Decimal(2)),
    *(torch.tensor(2), torch.tensor(2.0, requires_grad=True)),
    torch.tensor(2.0, dtype=torch.bfloat16),
]


@pytest.mark.parametrize("wanted", NUMBERS)
def test_what_is_no_finite_number_is_told(wanted: str) -> None:
    one_or_several = wanted in ("value of Clamp", "error of features")
    for number in NO_NUMBERS if one_or_several else NO_NUMBERS + NOT_ALONE:
        raised(partial(NUMBERS[wanted], number))


@pytest.mark.parametrize("wanted", NUMBERS)
def test_numbers_of_every_type_are_numbers(wanted: str) -> None:
    for number in NUMBER_TYPES:
        assert NUMBERS[wanted](number) == NUMBERS[wanted](2.0)


def test_arrays_of_texts_are_no_numbers() -> None:
    for texts in (["1", "2"], np.array(["1", "2"]), np.array(["1", 2.0], dtype=object)):
        several: Any = texts
        for make in (mw.Steer, mw.Clamp):
            raised(partial(make, several))
        raised(partial(mw.Values, STREAM, np.array([[several]])))
        raised(partial(replace, SPARSE, b_dec=several))
    assert mw.Values(STREAM, np.array([[[1, 2.0]]], dtype=object)).array.tolist() == [[[1, 2]]]


def test_noise_has_a_deviation() -> None:
    told = raised(lambda: mw.Noise(sigma=-1))
    assert (told.message, told.value) == ("sigma of Noise is a standard deviation.", "-1.0")
    assert mw.Noise(0).sigma == 0


@pytest.mark.parametrize("call", WRONG)
def test_what_is_no_edit_is_told(call: Any) -> None:
    raised(call)


def test_what_is_one_after_all() -> None:
    for edit, site in ((mw.Clamp(1.0), UNIT), (mw.Clamp(1.0), EDGE), (mw.Clamp([1.0]), STREAM)):
        edit.check(site)
    mw.Noise(samples=10_000, sigma=0.0).check(EDGE_ROW)
    mw.Within(LINE).check(STREAM)
    assert mw.Values(STREAM, np.ones((1, 1, 1), dtype=bool)).array.dtype == np.float64
    assert mw.Values(STREAM, np.ones((1, 1, 1), dtype=np.float32)).array.dtype == np.float32
    assert mw.Values(STREAM, [[[1, 2]]]).array.dtype.kind == "i"  # type: ignore[arg-type]
    assert mw.Steer(torch.tensor([1.0, 2.0])).vector == (1.0, 2.0)
    assert mw.Clamp(torch.tensor([1.0, 2.0])).value == (1.0, 2.0)
    assert mw.Clamp(np.float32(2)).value == 2.0


# --- parts of a value -------------------------------------------------------------------------


def test_bases_are_matrices_of_rows_at_right_angles() -> None:
    third = mw.Subspace([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert (third.k, third.width, third.words, LINE.words) == (3, 3, "3 directions", "1 direction")
    assert mw.Subspace([[1 + 4e-5, 0]]).k == 1  # within a float32 computation
    wrong: list[Any] = [
        *([1.0, 0.0], [[2.0, 0.0]], [[1, 0], [1, 0]], [[1.0], [0.0]], np.zeros((0, 2)), "x"),
        *([[NAN, 1.0]], [[[1.0]]], [[1 + 1e-4, 0]]),
    ]
    for basis in wrong:
        raised(partial(mw.Subspace, basis))
        raised(partial(mw.Projection, basis, basis))


def test_a_span_drops_what_adds_no_direction() -> None:
    span = mw.Subspace.spanned([[0, 3, 0], [0, -1, 0], [0, 0, 2], [0, 0, 0]])
    assert span.k == 2
    np.testing.assert_allclose(span.basis.T @ span.basis, np.diag([0, 1, 1]), atol=1e-12)
    assert mw.Subspace.spanned([3, 4]).k == 1
    # What is a ten-thousand-millionth of the largest is rounding.
    assert mw.Subspace.spanned([[1, 0], [0, 1e-9]]).k == 2
    assert mw.Subspace.spanned([[1, 0], [0, 1e-11]]).k == 1
    half = mw.Subspace.spanned(torch.tensor([[0.0, 2.0]], dtype=torch.bfloat16, requires_grad=True))
    np.testing.assert_allclose(np.abs(half.basis), [[0, 1]])
    wrong: list[Any] = [[[0, 0]], [], [[]], [[NAN, 0]], [[[1]]], "x"]
    for vectors in wrong:
        raised(partial(mw.Subspace.spanned, vectors))


def test_a_random_subspace_is_drawn_from_its_seed() -> None:
    assert mw.Subspace.random(2, 2).k == 2
    assert mw.Subspace.random(1, 4) == mw.Subspace.random(1, 4, seed=0)
    assert mw.Subspace.random(1, 4, seed=np.int64(1)) == mw.Subspace.random(1, 4, 1)  # type: ignore[arg-type]
    assert mw.Subspace.random(1, 4, seed=1) != mw.Subspace.random(1, 4)
    wrong: list[Any] = [(0, 4), (5, 4), (1.0, 4), (1, 4.0), (1, 4, -1), (1, 4, 0.5)]
    for given in wrong:
        raised(partial(mw.Subspace.random, *given))


def test_the_change_within_a_part() -> None:
    """Along (0.6, 0.8, 0) the change (1, 2, 3) is 0.6 + 1.6 = 2.2 long."""
    old, new = torch.tensor([[5.0, 5.0, 5.0]]), torch.tensor([[6.0, 7.0, 8.0]])
    as_tensors = {name: torch.tensor(a, dtype=old.dtype) for name, a in LINE.shared().items()}
    moved = LINE.moved(old, new, as_tensors)
    np.testing.assert_allclose(moved, [[2.2 * 0.6, 2.2 * 0.8, 0]], rtol=1e-6)
    # Read along the second number, written along the first: 2 of the change arrive there.
    slanted = mw.Projection([[1.0, 0.0, 0.0]], [[1.0, 0.5, 0.0]])
    as_tensors = {name: torch.tensor(a, dtype=old.dtype) for name, a in slanted.shared().items()}
    np.testing.assert_allclose(slanted.moved(old, new, as_tensors), [[2.0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose([1, 2, 3] @ slanted.matrix, [2, 0, 0])
    assert (slanted.k, slanted.width, slanted.words) == (1, 3, "a projection on 1 direction")
    raised(lambda: mw.Projection([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]))
    raised(lambda: mw.Projection([[1.0, 0.0]], [[0.9, 0.0]]))
    for part in (LINE, slanted):
        assert part_from_json(part.to_json()) == part
        assert edit_from_json(mw.Within(part, mw.Mean()).to_json()) == mw.Within(part, mw.Mean())
