"""Erasure in runs: as an edit anywhere, exact by plain hooks, and what probes read there then."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.edits.base import BASES, edit_from_json
from mediawidget.erasure.labelled import labelled
from tests.asking import raised
from tests.engine.cases import Case
from tests.engine.judging import EXACT, Judge, compare, judge, pairs_of
from tests.oracle import key_of

LENGTH = 6
STREAM = mw.Site("residual", 2, position=5)
HEAD = mw.Site("head", 1, head=1, position=(4, 5))
NUMBER = mw.Site("residual", 5, position="END")


@lru_cache
def made() -> tuple[Case, Judge]:
    return judge("gpt2", pairs_of("gpt2", 12, LENGTH))


@pytest.mark.parametrize("site", [STREAM, HEAD])
@pytest.mark.parametrize("method", ["leace", "inlp"])
def test_an_eraser_in_a_run_is_the_closed_formula_by_plain_hooks(
    site: mw.Site, method: str
) -> None:
    case, oracle = made()
    own_values = labelled(case.study, site).array
    rng = np.random.default_rng(0)
    many = own_values[rng.integers(0, len(own_values), 200)]
    names = np.arange(200) % 2  # so that there is something to erase, and values enough
    many = many + rng.normal(size=many.shape) + names[:, None] * rng.normal(size=many.shape[1])
    eraser = getattr(mw.erasure, method)(many, names)
    runs = [mw.Run(base, {site: eraser.edit}) for base in BASES]
    compare(case, oracle, runs, some=[0, 7])
    for run, base in zip(runs, BASES, strict=True):
        found = case.study.activations(site, run).array[3]
        key, cells = key_of(site), oracle._cells_of(site)
        own = oracle.values(getattr(case.pairs[3], base))[key]
        (where,) = cells(own)
        np.testing.assert_allclose(found, eraser(own[where].numpy()), atol=EXACT, rtol=0)


def test_a_sweep_by_an_eraser_and_its_json() -> None:
    case, _ = made()
    values = np.random.default_rng(0).normal(size=(60, case.lm.d_model))
    names = np.arange(60) % 2
    eraser = mw.erasure.leace(values + names[:, None], names)
    grid = case.study.sweep("residual", "position", eraser.edit, progress=False)
    single = case.study.intervene({STREAM: eraser.edit})
    np.testing.assert_allclose(grid.cell(2, 5)["CDE"], single["CDE"], atol=1e-9)
    again = edit_from_json(eraser.edit.to_json())
    assert again == eraser.edit
    assert hash(again) == hash(eraser.edit)


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load()


@pytest.fixture(scope="module")
def studies(lm: mw.LM) -> tuple[mw.Study, mw.Study]:
    """The pairs to fit on, and others."""
    contrasts = [mw.tasks.agreement(lm, n=n, seed=seed) for n, seed in ((96, 0), (64, 1))]
    known = {p for pair in contrasts[0] for p in (pair.clean, pair.corrupt)}
    others = [pair for pair in contrasts[1] if not {pair.clean, pair.corrupt} & known]
    return mw.Study(lm, contrasts[0]), mw.Study(lm, mw.Contrast(others))


def test_a_fresh_linear_probe_is_at_chance_on_other_prompts_of_the_edited_run(
    studies: tuple[mw.Study, mw.Study],
) -> None:
    """The number of the subject where the verb comes next, in the teaching model."""
    study, others = studies
    eraser = mw.erasure.leace(study, NUMBER, "answers")
    probes = mw.erasure.probed(others, eraser)
    assert probes.seen == 0
    assert probes["before", "linear"].auc > 0.99
    after = probes["after", "linear"]
    assert after.low <= 0.5 <= after.high
    # A radial one may still tell, and the network writes the number again behind the site.
    assert probes["after", "radial"].auc > probes["after", "linear"].auc
    later = mw.erasure.probed(others, eraser, mw.Site("residual", 6, position="END"))
    assert later["after", "linear"].auc > 0.9
    assert list(probes.to_dataframe()["when"]) == ["before", "before", "after", "after"]
    assert f"n={probes['after', 'linear'].n} values" in repr(probes)
    raised(lambda: probes["after", "quadratic"])


def test_labels_of_prompts_in_three_forms(studies: tuple[mw.Study, mw.Study]) -> None:
    study, _ = studies
    by_name = labelled(study, NUMBER, "answers")
    by_rule = labelled(study, NUMBER, lambda pair: (pair.answer_text, pair.wrong_text))
    listed = [(pair.answer_text, pair.wrong_text) for pair in study.contrast]
    for other in (by_rule, labelled(study, NUMBER, listed)):
        np.testing.assert_array_equal(other.names, by_name.names)
        np.testing.assert_array_equal(other.array, by_name.array)
    clean = labelled(study, NUMBER)
    assert set(clean.names[:96]) == {"clean"}
    assert set(clean.names[96:]) == {"corrupt"}
    np.testing.assert_array_equal(clean.array[:96], study.activations(NUMBER).array[:, 0])


def test_prompts_of_a_pair_are_on_one_side_of_a_split(
    studies: tuple[mw.Study, mw.Study],
) -> None:
    study, _ = studies
    groups = labelled(study, NUMBER, "answers").groups
    np.testing.assert_array_equal(groups[:96], groups[96:])
    assert np.bincount(groups).max() <= 96 * 2 / 4


def test_a_few_templates_are_on_one_side_of_a_split(lm: mw.LM) -> None:
    pairs = [replace(p, template=f"t{i % 3}") for i, p in enumerate(mw.tasks.ioi(lm, n=12))]
    study = mw.Study(lm, pairs)
    groups = labelled(study, NUMBER).groups
    np.testing.assert_array_equal(groups, np.tile(np.arange(3), 8))
    eraser = mw.erasure.leace(study, NUMBER)
    assert "3 groups" in str(raised(lambda: mw.erasure.probed(study, eraser)))


@pytest.mark.parametrize(
    "call",
    [
        lambda s: mw.erasure.leace(s, None),
        lambda s: mw.erasure.leace(s, mw.Site("pattern", 1, head=0)),
        lambda s: mw.erasure.leace(s, NUMBER, "answer"),
        lambda s: mw.erasure.leace(s, NUMBER, [1, 0]),
        lambda s: mw.erasure.leace(s, NUMBER, lambda _: ("a", "a")),
        lambda s: mw.erasure.leace(s, mw.Site("residual", 0, position=0)),
        lambda s: mw.erasure.inlp(s, mw.Site("residual", 0, position=0)),
        lambda s: mw.erasure.probed(s, "eraser"),  # type: ignore[arg-type]
    ],
)
def test_what_has_no_labels_or_site_is_refused(
    studies: tuple[mw.Study, mw.Study], call: Any
) -> None:
    raised(lambda: call(studies[0]))
