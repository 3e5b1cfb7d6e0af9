"""Searches on networks whose variables are known, and where there is nothing to find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.alignment.methods import das_job
from mediawidget.models._equality import HierarchicalEquality
from tests.alignment.known import directions, equality, planted
from tests.asking import raised
from tests.engine.cases import lm_of, random_pair


@pytest.fixture(scope="module")
def xor() -> Any:
    study, site = planted("XOR")
    return mw.alignment.das(study, site, 1, starts=1, progress=False)


def test_das_finds_the_direction_of_z1(xor: Any) -> None:
    study, _ = planted("XOR")
    assert xor.iia == xor.train_iia == 1.0
    row = directions(study)[0]
    # Projectors are compared: a basis is known up to its sign and rotation.
    found = xor.subspace.basis.T @ xor.subspace.basis
    assert np.linalg.norm(found - np.outer(row, row)) < 0.1
    assert xor.score("random") < 0.65
    assert xor.score("whole") < 0.65
    assert xor.score("principal") < 0.65


def test_what_is_reported_is_of_pairs_that_neither_trained_nor_stopped(xor: Any) -> None:
    groups = [set(xor.train_on), set(xor.stop_on), set(xor.report_on)]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 256
    assert xor.held_out
    assert "128 held-out pairs" in repr(xor)
    table = xor.to_dataframe()
    assert set(table["pairs"]) == {"train", "held-out"}
    assert list(xor.losses.columns) == [
        *("epoch", "loss", "iia", "stop_loss", "stop_iia", "size", "start")
    ]
    assert xor.losses["loss"].iloc[-1] < 0.2 * xor.losses["loss"].iloc[0]


def test_a_mask_over_neurons_fails_under_a_rotation_and_works_without() -> None:
    study, site = planted("XOR")
    turned = mw.alignment.neuron_masks(study, site, epochs=30, progress=False)
    assert turned.iia < 0.65
    study, site = planted("XOR", rotated=False)
    plain = mw.alignment.neuron_masks(study, site, epochs=30, progress=False)
    assert plain.coordinates == (0,)
    assert plain.iia == plain.soft_iia == 1.0
    np.testing.assert_array_equal(plain.subspace.basis, np.eye(8)[:1])


def test_boundless_das_finds_how_many_directions_it_takes() -> None:
    study, site = planted("AND")
    found = mw.alignment.boundless(study, site, epochs=40, progress=False)
    assert found.iia > 0.95
    assert found.soft_iia is not None
    assert found.soft_iia > 0.95
    assert found.boundary is not None
    assert 0 < found.boundary < 4
    row = directions(study)[0]
    assert np.linalg.norm(found.subspace.basis @ row) > 0.9


def test_all_directions_are_the_interchange_of_the_whole_value() -> None:
    study, site = planted("AND", n=64)
    found = mw.alignment.das(study, site, 8, epochs=1, starts=1, progress=False)
    table = found.scores.set_index(["part", "pairs"])
    for pairs in ("train", "held-out"):
        rows = table.loc[[("learned", pairs), ("whole", pairs)]]
        np.testing.assert_allclose(rows.iloc[0], rows.iloc[1])
    run = {site: mw.Within(found.subspace, mw.Patch("clean"))}
    runs = [mw.Run("corrupt", run), mw.Run("corrupt", {site: mw.Patch("clean")})]
    kept = study.engine.evaluate(runs).kept
    np.testing.assert_allclose(kept[0], kept[1], atol=1e-9)


def test_das_finds_an_equality_that_no_set_of_neurons_is() -> None:
    study, site = equality()
    found = mw.alignment.das(study, site, 4, epochs=20, starts=1, progress=False)
    assert found.iia >= 0.99
    mask = mw.alignment.neuron_masks(study, site, epochs=10, progress=False)
    assert mask.iia < 0.85


def test_a_direction_carries_a_name_in_the_teaching_model() -> None:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=48))
    site = mw.Site("residual", 3, position="END")
    found = mw.alignment.das(study, site, 1, epochs=12, starts=1, progress=False)
    assert found.iia > 0.7
    assert found.share > 0.5
    assert found.score("random") < 0.1
    assert found.score("nothing") < 0.1


def test_arbitrary_labels_do_not_generalise() -> None:
    study, site = planted("XOR")
    found = mw.alignment.controls(study, site, 1, starts=1, progress=False)
    assert found.found.iia == 1.0
    assert abs(found.arbitrary[1] - 0.5) < 0.15
    table = found.to_dataframe().set_index("control")
    assert table.loc["arbitrary labels", "held_out"] == found.arbitrary[1]
    assert "arbitrary labels" in repr(found)


def test_pairs_that_trained_are_not_called_held_out() -> None:
    study, site = planted("AND", n=32)
    every = tuple(range(32))
    found = mw.alignment.controls(
        study, site, 1, epochs=1, starts=1, train_on=every, report_on=every, progress=False
    )
    for said in (repr(found), repr(found.found)):
        assert "on 32 pairs, some of which trained" in said
        assert "held-out" not in said


def test_in_a_network_of_random_weights_there_is_nothing_to_find() -> None:
    study, site = equality(n=128)
    torch.manual_seed(0)
    module = HierarchicalEquality().double()
    twin = mw.Study(mw.load(module, points={"hidden": "turn"}), study.contrast)
    found = mw.alignment.controls(study, site, 2, twin=twin, starts=1, epochs=15, progress=False)
    assert found.found.iia > 0.95
    assert found.random_network is not None
    assert found.random_network.iia < 0.75
    rows = list(found.to_dataframe()["control"])
    assert rows[-2:] == ["random network", "random network, nothing"]


def test_the_same_seed_gives_the_same_subspace() -> None:
    study, site = equality(n=64)
    some = [
        mw.alignment.das(study, site, 2, epochs=2, starts=1, seed=seed, progress=False)
        for seed in (3, 3, 4)
    ]
    assert some[0].subspace == some[1].subspace != some[2].subspace
    assert some[0].report_on == some[1].report_on != some[2].report_on


def test_another_start_is_made_while_pairs_held_aside_are_wrong() -> None:
    study, site = planted("XOR")
    found = mw.alignment.das(study, site, 1, epochs=1, starts=2, progress=False)
    assert found.losses["start"].tolist() == [0, 1]


def test_a_cancelled_search_is_what_was_found_so_far() -> None:
    study, site = planted("AND", n=64)
    job = mw.alignment.das_job(study, site, 1)
    for _ in range(4):
        job.step()
    job.cancel()
    found = job.result()
    assert found.ended == "cancelled"
    assert 0 < job.done < job.total
    assert len(found.losses) == 1  # two batches an epoch, noted when the next one begins
    unstarted = mw.alignment.das_job(study, site, 1)
    unstarted.cancel()
    assert unstarted.result().losses.empty


def test_pairs_are_chosen_by_hand() -> None:
    study, site = equality(n=64)
    found = mw.alignment.das(
        study, site, 1, epochs=1, starts=1, train_on=range(20), report_on=[30, 31], progress=False
    )
    assert set(found.train_on) | set(found.stop_on) == set(range(20))
    assert found.report_on == (30, 31)
    alone = mw.alignment.das(study, site, 1, epochs=1, starts=1, train_on=range(5), progress=False)
    assert alone.stop_on == ()
    assert alone.train_on == (0, 1, 2, 3, 4)


def test_sizes_are_searched_on_the_same_pairs() -> None:
    study, site = equality(n=64)
    curve = mw.alignment.sizes(study, site, (4, 1), epochs=2, starts=1, progress=False)
    assert [one.k for one in curve.found] == [1, 4]
    assert curve.found[0].report_on == curve.found[1].report_on
    assert curve[4] is curve.found[1]
    table = curve.to_dataframe()
    assert set(table["k"]) == {1, 4}
    assert "1:" in repr(curve)


def test_a_share_of_totals_that_cancel_is_not_given() -> None:
    study, site = planted("XOR")
    found = mw.alignment.das(study, site, 1, epochs=1, starts=1, progress=False)
    total = study.total.pairs("TE")[list(found.report_on)]
    assert np.isnan(found.share) == (abs(total.sum()) <= 0.1 * np.abs(total).sum())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epoch": 3}, "epoch"),
        ({"epochs": 0}, "epochs=0"),
        ({"rate": -1.0}, "rate=-1.0"),
        ({"over": "words"}, "words"),
        ({"train_on": [999]}, "999"),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, Any], said: str) -> None:
    study, site = planted()
    with pytest.raises(mw.MediationError, match=said):
        mw.alignment.das(study, site, 1, **options)


@pytest.mark.parametrize("k", [0, 9, True, 1.5])
def test_sizes_that_the_site_does_not_have_are_refused(k: Any) -> None:
    study, site = planted()
    with pytest.raises(mw.MediationError, match="from 1 to 8"):
        mw.alignment.das(study, site, k)


def test_what_cannot_be_trained_on_is_refused() -> None:
    study = mw.Study(lm_of("gpt2"), [random_pair("gpt2", seed) for seed in range(2)])
    with pytest.raises(mw.MediationError, match="of a site"):
        mw.alignment.das(study, "residual")  # type: ignore[arg-type]
    with pytest.raises(mw.MediationError, match="out of range"):
        mw.alignment.das(study, mw.Site("residual", 99))


def test_the_smallest_size_that_does_is_the_planted_one() -> None:
    """One direction carries z1; the curve is flat from there on."""
    study, site = planted("XOR")
    curve = mw.alignment.sizes(study, site, (1, 2, 8), epochs=60, starts=3, progress=False)
    assert curve.smallest is curve[1]
    assert curve[1].iia == curve[2].iia == 1.0
    # All directions are the whole value, which carries z2 along and so is right by chance.
    assert curve[8].iia == curve[8].score("whole") < 0.65


@pytest.mark.slow
def test_sets_of_answers_are_aligned() -> None:
    """The number of a subject is one direction; of sets any member of the right one will do."""
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.agreement(lm, n=32))
    assert max(len(ids) for pair in study.token_pairs for ids in pair.answers) > 1
    site = mw.Site("residual", 3, position="subject")
    found = mw.alignment.das(
        study, site, 1, epochs=15, starts=1, over="alternatives", progress=False
    )
    assert found.iia > 0.9
    assert found.score("nothing") < 0.1
    assert found.score("random") < 0.1
    assert found.losses["loss"].iloc[-1] < 0.2 * found.losses["loss"].iloc[0]
    run = mw.Run("corrupt", {site: mw.Within(found.subspace, mw.Patch("clean"))})
    done = study.engine.evaluate([run])
    (y,) = mw.LogitDiff().read(done.kept, done.columns)
    assert found.iia == (y[list(found.report_on)] > 0).mean()
    assert found.train_iia == (y[list(found.train_on)] > 0).mean()


SEARCHES: list[Any] = [mw.alignment.das, mw.alignment.boundless, mw.alignment.neuron_masks]
SEARCHES += [mw.alignment.controls, mw.alignment.sizes]


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.__name__)
@pytest.mark.parametrize("kind", ["pattern", "edge"])
def test_attention_weights_are_refused(search: Any, kind: str) -> None:
    study = mw.Study(lm_of("gpt2"), [random_pair("gpt2", seed) for seed in range(2)])
    error = raised(lambda: search(study, mw.Site(kind, 1, head=0), progress=False))
    assert "vector" in str(error)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.__name__)
def test_a_site_of_more_positions_on_one_prompt_is_refused(search: Any) -> None:
    pairs = [
        mw.PromptPair("ant bee cat dog eel", "ant dog eel", answer="fox", wrong="gnu"),
        mw.PromptPair("ant owl cat dog eel", "owl dog eel", answer="fox", wrong="gnu"),
    ]
    study = mw.Study(lm_of("gpt2"), pairs)
    error = raised(lambda: search(study, mw.Site("residual", 1), progress=False))
    assert "5 positions on the clean prompt, 3 on the corrupt one" in str(error)


@pytest.mark.parametrize("search", SEARCHES[:3], ids=lambda search: search.__name__)
def test_inference_mode_changes_nothing(search: Any) -> None:
    study, site = planted(n=32)
    wanted = search(study, site, epochs=2, progress=False)
    with torch.inference_mode():
        found = search(study, site, epochs=2, progress=False)
    np.testing.assert_array_equal(found.subspace.basis, wanted.subspace.basis)


def test_a_job_of_inference_mode_goes_on_outside_of_it() -> None:
    study, site = planted(n=32)
    wanted = das_job(study, site, epochs=2, starts=1).result(progress=False)
    job = das_job(study, site, epochs=2, starts=1)
    with torch.inference_mode():
        job.step()
    np.testing.assert_array_equal(job.result(progress=False).subspace.basis, wanted.subspace.basis)
