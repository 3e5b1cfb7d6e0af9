"""A gate whose two variables are known directions of the residual stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.asking import raised

GATES: dict[str, Callable[[int, int], int]] = {
    "ADD": lambda a, b: a + b,
    "AND": lambda a, b: a & b,
    "OR": lambda a, b: a | b,
    "XOR": lambda a, b: a ^ b,
}
BASES: tuple[Literal["clean", "corrupt"], ...] = ("clean", "corrupt")
END = mw.Site("residual", 1, position=3)
N = 24
EXACT = 1e-10


def asked(kind: str = "XOR", rotated: bool = True, seed: int = 0) -> mw.Study:
    lm = mw.models.planted_subspace(kind, rotated=rotated, seed=seed)
    return mw.Study(lm, mw.models.planted_pairs(N, seed=5))


def inputs(study: mw.Study, base: str) -> np.ndarray:
    """(pair, 2): the two inputs of a prompt."""
    texts = [getattr(pair, base).split() for pair in study.contrast]
    return np.array([[int(words[1]), int(words[2])] for words in texts])


def directions(study: mw.Study) -> np.ndarray:
    return np.asarray(study.lm.hf.planted.numpy())  # type: ignore[operator]


def exchanged(study: mw.Study, basis: np.ndarray) -> mw.Effect:
    """Each prompt with what the other one has along the rows of ``basis``, (k, d_model)."""
    seen = {base: study.activations(END, base).array for base in BASES}
    projector = basis.T @ basis
    effects = {}
    for base, other in zip(BASES, reversed(BASES), strict=True):
        mixed = seen[base] + (seen[other] - seen[base]) @ projector
        effects[base] = study.intervene({END: mw.Patch(mw.Values(END, mixed))})
    kept = np.stack([effects["clean"].edited[:, 0], effects["corrupt"].edited[:, 1]], axis=1)
    return mw.Effect({}, effects["clean"].bases, kept, effects["clean"].status)


def expected(kind: str, study: mw.Study, taken: tuple[int, ...]) -> np.ndarray:
    """(pair, 2): the gate of each base's inputs with the ``taken`` ones from the other prompt."""
    gate, found = GATES[kind], []
    for base, other in zip(BASES, reversed(BASES), strict=True):
        mixed = inputs(study, base)
        mixed[:, list(taken)] = inputs(study, other)[:, list(taken)]
        found.append([gate(int(a), int(b)) - 0.5 for a, b in mixed])
    return np.array(found).T


@pytest.mark.parametrize("rotated", [True, False])
@pytest.mark.parametrize("kind", GATES)
def test_rows_of_q_are_the_variables(kind: str, rotated: bool) -> None:
    """An interchange along row 0 exchanges the first input alone, along row 1 the second."""
    study = asked(kind, rotated)
    q = directions(study)
    np.testing.assert_allclose(q @ q.T, np.eye(study.lm.d_model), atol=1e-13)
    for taken in ((), (0,), (1,), (0, 1)):
        effect = exchanged(study, q[list(taken)])
        found = np.stack([effect.pairs("Y10"), effect.pairs("Y01")], axis=1)
        np.testing.assert_allclose(found, expected(kind, study, taken), atol=EXACT)


def test_by_plain_tensors() -> None:
    """The same without the engine: the state at the last position moved along row 0."""
    study = asked("AND")
    model, q = study.lm.hf, torch.from_numpy(directions(study))
    words = study.lm.tokenizer
    ids = [words(text, return_tensors="pt")["input_ids"] for text in ("<s> 1 1 n3", "<s> 0 1 n8")]
    yes, no = (words(word)["input_ids"][0] for word in ("yes", "no"))

    def logits(prompt: torch.Tensor, shift: torch.Tensor | None = None) -> tuple[Any, Any]:
        seen = []

        def hook(_: Any, args: Any) -> Any:
            seen.append(args[0][0, -1].clone())
            if shift is None:
                return None
            moved = args[0].clone()
            moved[0, -1] += shift
            return (moved,)

        handle = model.model.layers[1].register_forward_pre_hook(hook)  # type: ignore[union-attr, index]
        with torch.no_grad():
            out = model(prompt).logits[0, -1]
        handle.remove()
        return float(out[yes] - out[no]), seen[0]

    (base, h_base), (source, h_source) = logits(ids[0]), logits(ids[1])
    assert (base, source) == pytest.approx((0.5, -0.5), abs=EXACT)
    step = (h_source - h_base) @ q[0] * q[0]
    assert logits(ids[0], step)[0] == pytest.approx(-0.5, abs=EXACT)
    step = (h_source - h_base) @ q[1] * q[1]
    assert logits(ids[0], step)[0] == pytest.approx(0.5, abs=EXACT)


def test_the_variables_and_the_noise_are_in_the_state() -> None:
    """Coordinates of h in Q: the inputs, noise that differs by word, and nothing of the rest."""
    study = asked()
    for base in BASES:
        state = study.activations(END, base).array[:, 0] @ directions(study).T
        np.testing.assert_allclose(state[:, :2], inputs(study, base), atol=1e-12)
        noise, rest = state[:, 2:8], state[:, 8:]
        assert noise.std() > 1
        np.testing.assert_allclose(rest, rest[:1].repeat(N, 0), atol=1e-12)


def test_rotation_changes_the_basis_and_no_answer() -> None:
    turned, plain = asked(), asked(rotated=False)
    for key in ("Y11", "Y00"):
        np.testing.assert_allclose(turned.total.pairs(key), plain.total.pairs(key), atol=EXACT)
    single = np.abs(directions(plain))
    assert set(np.unique(single)) == {0.0, 1.0}
    assert np.abs(directions(turned)[:2]).max() < 0.95


def test_a_coordinate_is_no_variable_once_turned() -> None:
    """No coordinate carries the first input alone, as one does without the rotation."""

    def errors(study: mw.Study) -> list[float]:
        want = expected("XOR", study, (0,))
        found = []
        for coordinate in np.eye(study.lm.d_model):
            effect = exchanged(study, coordinate[None])
            got = np.stack([effect.pairs("Y10"), effect.pairs("Y01")], axis=1)
            found.append(float(np.abs(got - want).max()))
        return found

    assert min(errors(asked(rotated=False))) < EXACT
    assert min(errors(asked())) > 0.5


def test_seeds_turn_differently() -> None:
    q = [directions(asked(seed=seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(q[0], q[1])
    assert not np.allclose(q[0], q[2])


def test_pairs_are_drawn() -> None:
    pairs = mw.models.planted_pairs(40, seed=1)
    assert len(pairs) == 40
    assert pairs.to_json() == mw.models.planted_pairs(40, seed=1).to_json()
    assert pairs.to_json() != mw.models.planted_pairs(40, seed=2).to_json()
    seen = {tuple(pair.clean.split()[1:3]) for pair in pairs}
    assert len(seen) == 4


@pytest.mark.parametrize("rotated", [1, "no", None])
def test_turns_that_are_none(rotated: Any) -> None:
    raised(lambda: mw.models.planted_subspace(rotated=rotated))


@pytest.mark.parametrize("seed", [-1, 0.5, "1", None, 10**30])
def test_seeds_that_are_none(seed: Any) -> None:
    raised(lambda: mw.models.planted_subspace(seed=seed))
    raised(lambda: mw.models.planted_pairs(seed=seed))
