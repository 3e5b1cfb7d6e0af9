"""Heads in another order: the same model under labels of a student's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch

import mediawidget as mw
from mediawidget.evaluation import known
from mediawidget.teach.lesson import Lesson
from mediawidget.teach.shuffle import PER_HEAD, ROLES, SIZES, Shuffle, load, roles, student_of
from tests.asking import raised
from tests.teach.asked import swapped_names
from training.batches import BACKUPS, MOVERS, NEGATIVE, TAUGHT

Grid = npt.NDArray[np.float64]
EXACT = 1e-12
NAMES = [f"student {i}" for i in range(200)]


@pytest.fixture(scope="module")
def pairs() -> mw.Contrast:
    return mw.tasks.ioi(mw.load(), n=4, seed=0)


def in_double(student: str) -> mw.LM:
    lm = load(student)
    return mw.load(lm.hf.double(), tokenizer=lm.tokenizer)


@pytest.fixture(scope="module")
def plain(pairs: mw.Contrast) -> mw.Study:
    return mw.Study(in_double(""), pairs)


@pytest.fixture(scope="module")
def adas(pairs: mw.Contrast) -> mw.Study:
    return mw.Study(in_double("ada"), pairs)


def test_the_shuffled_model_answers_as_the_files_do(plain: mw.Study, adas: mw.Study) -> None:
    text = [pair.clean for pair in plain.contrast]
    ids = torch.tensor([plain.lm.tokenizer(t)["input_ids"] for t in text])
    with torch.no_grad():
        logits = [study.lm.hf(ids).logits.numpy() for study in (plain, adas)]
    np.testing.assert_allclose(logits[0], logits[1], rtol=0, atol=EXACT)


def moved(grid: Grid, shuffle: Shuffle) -> Grid:
    """A grid (layer, head) of the files, as the student sees it."""
    theirs = np.empty_like(grid)
    for layer, head in np.ndindex(*grid.shape):
        site = shuffle.theirs(mw.Site("head", layer, head=head))
        theirs[site.layer, site.head] = grid[layer, head]
    return theirs


@pytest.mark.parametrize("mediator", ["head", "query", "key", "value", "pattern"])
def test_a_grid_of_heads_is_the_permuted_grid(
    plain: mw.Study, adas: mw.Study, mediator: str
) -> None:
    before, after = (study.sweep(mediator, progress=False) for study in (plain, adas))
    shuffle = Shuffle("ada", *SIZES)
    for estimand in ("PIE", "TIE"):
        expected = moved(before[estimand], shuffle)
        np.testing.assert_allclose(after[estimand], expected, rtol=0, atol=1e-11)
        assert np.abs(after[estimand] - before[estimand]).max() > 0.1


@pytest.mark.parametrize("mediator", ["residual", "mlp_out", "attn_out"])
def test_other_grids_stay(plain: mw.Study, adas: mw.Study, mediator: str) -> None:
    before, after = (study.sweep(mediator, progress=False)["PIE"] for study in (plain, adas))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-11)


def test_no_name_changes_nothing() -> None:
    for name in ("", "  ", "\u200b", "\n"):
        state = load(name).hf.state_dict()
        assert all(torch.equal(t, state[key]) for key, t in mw.load().hf.state_dict().items())
    assert Shuffle("", *SIZES).places == ((0, 1, 2, 3),) * 6


@pytest.mark.parametrize("student", ["ada", "x" * 1_000_000, "\ud800", "'; drop", "李", "\0a"])
def test_every_layer_is_a_permutation_and_undone(student: str) -> None:
    for sizes in (SIZES, (1, 1), (3, 12)):
        shuffle = Shuffle(student, *sizes)
        assert len(shuffle.places) == sizes[0]
        assert all(sorted(places) == list(range(sizes[1])) for places in shuffle.places)
        for mediator in PER_HEAD:
            for layer, head in np.ndindex(*sizes):
                site = mw.Site(mediator, layer, head=head, position=3)
                assert shuffle.canonical(shuffle.theirs(site)) == site
                assert shuffle.theirs(site).head == shuffle.places[layer][head]


def test_what_has_no_head_stays() -> None:
    shuffle = Shuffle("ada", *SIZES)
    for site in (
        mw.Site("residual", 6, position="END"),
        mw.Site("neuron", 2, unit=3),
        mw.Site("edge", 2, position=4, key=1),
    ):
        assert shuffle.theirs(site) == site == shuffle.canonical(site)


@pytest.mark.parametrize(
    "same",
    [("Ada", "ada"), (" ada  b\t", "Ada B"), ("Jose\u0301", "jos\u00e9"), ("a\u200bb", "ab")],
)
def test_how_a_name_is_typed_does_not_matter(same: tuple[str, str]) -> None:
    first, second = (Shuffle(name, *SIZES) for name in same)
    assert first.student == second.student
    assert first.places == second.places


def test_students_differ_and_every_order_of_a_layer_is_met() -> None:
    drawn = [Shuffle(name, *SIZES).places for name in NAMES]
    assert len(set(drawn)) == len(NAMES)
    assert all(len({places[layer] for places in drawn}) == 24 for layer in range(6))


def test_another_process_shuffles_alike() -> None:
    code = "from mediawidget.teach.shuffle import Shuffle; print(Shuffle('ada', 6, 4).places)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(Shuffle("ada", *SIZES).places)


def test_roles_are_those_that_were_taught() -> None:
    lm = mw.load()
    assert (lm.n_layers, lm.n_heads) == SIZES
    assert (ROLES["name movers"], ROLES["backup name movers"]) == (MOVERS, BACKUPS)
    assert ROLES["negative name mover"] == (NEGATIVE,)
    by_role = {"S2": "S-inhibition", "last": "landmark", "YY": "year"}
    for head, (task, at) in TAUGHT.items():
        if at != "IO":
            assert head in ROLES[by_role.get(at, at)], task
    classes = {name.rstrip("s") for name in ROLES} & set(known("ioi").classes.values())
    assert classes == set(known("ioi").classes.values())


def test_roles_follow_the_student(adas: mw.Study) -> None:
    shuffle = Shuffle("ada", *SIZES)
    theirs = roles("ada")
    for role, sites in roles().items():
        assert [shuffle.theirs(site) for site in sites] == theirs[role]
    grid = adas.sweep("head", progress=False)["PIE"]
    (best,) = theirs["duplicate token"]
    (worst,) = theirs["negative name mover"]
    assert (best.layer, best.head) == np.unravel_index(grid.argmax(), grid.shape)
    assert (worst.layer, worst.head) == np.unravel_index(grid.argmin(), grid.shape)


def test_roles_of_a_model() -> None:
    lm = load("Ada ")
    assert student_of(lm) == "ada"
    assert not lm.as_loaded
    assert roles(lm) == roles("ada") != roles()
    assert roles(mw.load()) == roles()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: load(3), "is a text"),  # type: ignore[arg-type]
        (lambda: roles(mw.models.gate()), "embedded teaching model"),
        (lambda: roles(None), "embedded teaching model"),  # type: ignore[arg-type]
        (lambda: Shuffle("ada", 6, 4).canonical(mw.Site("head", 9, head=0)), "no such head"),
        (lambda: Shuffle("ada", 6, 4).theirs(mw.Site("head", 0, head=-1)), "no such head"),
        (lambda: Shuffle("ada", 0, 4), "has some"),
    ],
)
def test_refusals(call: Callable[[], object], words: str) -> None:
    assert words in raised(call).message


@pytest.mark.parametrize(("model", "lesson"), [("ada", ""), ("", "ada"), ("ada", "bob")])
def test_a_model_and_a_lesson_of_two_students_are_refused(model: str, lesson: str) -> None:
    study = mw.Study(load(model), swapped_names().contrast)
    asked = Lesson("One", student=lesson)
    with pytest.raises(mw.MediationError, match="of two students"):
        asked.pick("which", "Which?", study)
    assert asked.questions == {}
    Lesson("One", student=model.upper()).pick("which", "Which?", study)
    # What was never shuffled is nobody's.
    Lesson("One", student="bob").pick("which", "Which?", swapped_names())
