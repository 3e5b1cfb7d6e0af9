"""IOI mini: what its heads do is computed here once more in plain numpy, from the mechanism."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from tests.asking import raised

NAMES = ("Ann", "Bob", "Cal")
HEADS = mw.models.ioi_mini_heads()
MOVERS = frozenset({"name mover", "backup mover"})
PROMPTS = {
    "flip": ("<s> Ann Bob Ann to", "<s> Ann Bob Bob to"),
    "ABC": ("<s> Ann Bob Ann to", "<s> Ann Bob Cal to"),
}

Written = dict[str, np.ndarray]


def softmax(score: np.ndarray) -> np.ndarray:
    weight = np.exp(score - score.max(-1, keepdims=True))
    return np.asarray(weight / weight.sum(-1, keepdims=True))


def mechanism(prompt: str, beta: float, given: Mapping[str, np.ndarray] | None = None) -> Written:
    """What each head writes, (position, name); ``given`` heads write that instead."""
    words = prompt.split()
    name = np.array([[float(word == one) for one in NAMES] for word in words])
    same = np.array([[float(a == b) for b in words] for a in words])
    length = len(words)
    future = np.where(np.tri(length) > 0, 0.0, -np.inf)
    sink = 0.5 * beta * np.eye(length)[0]
    written: Written = {}

    def head(title: str, score: np.ndarray, moved: np.ndarray, weight: float = 1.0) -> np.ndarray:
        own = weight * softmax(sink + score + future) @ moved
        written[title] = (given or {}).get(title, own)
        return written[title]

    dup = head("duplicate token", beta * same - 3 * beta * np.eye(length), name)
    inh = head("S-inhibition", beta * dup.sum(-1)[None].repeat(length, 0), dup)
    names = beta * (name.sum(-1)[None] - 2 * inh @ name.T)
    out = head("name mover", names, name)
    backup = head("backup mover", names - 2 * beta * out @ name.T, name)
    negative = head("negative mover", beta * out @ name.T, name, -0.5)
    return {**written, "out": out + backup + negative}


def answer(written: Written) -> float:
    """logit(Bob) - logit(Ann) at the last position."""
    return float(written["out"][-1, 1] - written["out"][-1, 0])


def corners(name: str, patched: frozenset[str] | set[str], beta: float) -> dict[str, float]:
    clean, corrupt = PROMPTS[name]
    one, nil = mechanism(clean, beta), mechanism(corrupt, beta)
    return {
        "Y11": answer(one),
        "Y10": answer(mechanism(clean, beta, {head: nil[head] for head in patched})),
        "Y01": answer(mechanism(corrupt, beta, {head: one[head] for head in patched})),
        "Y00": answer(nil),
    }


def asked(name: str = "flip", **more: Any) -> mw.Study:
    return mw.Study(mw.models.ioi_mini(**more), mw.models.ioi_mini_pairs()[name])


@pytest.mark.parametrize("name", PROMPTS)
def test_the_pairs_are_the_ones_described(name: str) -> None:
    pair = mw.models.ioi_mini_pairs()[name]
    assert (pair.clean, pair.corrupt) == PROMPTS[name]
    assert (pair.answer, pair.wrong) == ("Bob", "Ann")
    words = pair.clean.split()
    assert [words[pair.roles[role]] for role in ("IO", "S1", "S2", "END")] == [
        *("Bob", "Ann", "Ann", "to")
    ]


@pytest.mark.parametrize("beta", [60.0, 20.0, 8.0, 2.0])
@pytest.mark.parametrize("name", PROMPTS)
def test_closed_numbers_at_any_beta(name: str, beta: float) -> None:
    """All four corners of every head and every pair of heads agree with the mechanism."""
    study = asked(name, beta=beta)
    for size in (1, 2):
        for some in combinations(HEADS, size):
            effect = study.intervene([HEADS[title] for title in some])
            for key, expected in corners(name, frozenset(some), beta).items():
                assert effect[key] == pytest.approx(expected, abs=1e-11), (some, key)


def test_whole_numbers_under_the_flip() -> None:
    study = asked(beta=60.0)
    assert study.total["Y11"] == pytest.approx(0.5, abs=1e-9)
    assert study.total["TE"] == pytest.approx(1, abs=1e-9)
    effect = study.sweep("head", progress=False)
    closed = [[1, 0], [1, 0], [0, 0], [0, -1]]
    for key in ("PIE", "TIE"):
        np.testing.assert_allclose(effect[key], closed, atol=1e-9)
    np.testing.assert_allclose(effect["INT"], 0, atol=1e-9)
    both = study.intervene([HEADS[title] for title in MOVERS])
    for key in ("PIE", "TIE"):
        assert both[key] == pytest.approx(1, abs=1e-9)


def test_at_the_default_sharpness_they_are_near() -> None:
    effect = asked().sweep("head", progress=False)
    np.testing.assert_allclose(effect["PIE"], [[1, 0], [1, 0], [0, 0], [0, -1]], atol=2e-4)


def test_another_corruption_shows_the_name_mover() -> None:
    """Under ABC the two directions disagree about it: nobody was inhibited, so nobody moves."""
    mover = asked("ABC").intervene(HEADS["name mover"])
    assert mover["PIE"] == pytest.approx(0, abs=0.01)
    assert mover["INT"] > 0.4
    single = asked("flip").sweep("head", progress=False)
    assert np.abs(single["INT"]).max() < 1e-3


def test_where_the_heads_matter() -> None:
    """The duplicate-token head at the second mention, the rest at the end."""
    effect = asked(beta=60.0).sweep("head", by="role", progress=False)
    roles = list(effect.axes["position"])
    pie = effect["PIE"]
    assert pie[0, 0, roles.index("S2")] == pytest.approx(1, abs=1e-9)
    assert pie[1, 0, roles.index("END")] == pytest.approx(1, abs=1e-9)
    assert pie[3, 1, roles.index("END")] == pytest.approx(-1, abs=1e-9)
    assert np.abs(pie).sum() == pytest.approx(3, abs=1e-8)


# --- searches: what single sites cannot find ----------------------------------------------------


def area(scores: np.ndarray, true: np.ndarray) -> float:
    """Area under the curve of a score that ought to be higher where ``true``; ties count half."""
    above = scores[true][:, None] - scores[~true][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def true_heads(effect: mw.Effect) -> np.ndarray:
    true = np.zeros(effect.shape, dtype=bool)
    for site in HEADS.values():
        true[site.layer, site.head] = True
    return true


@pytest.mark.parametrize(("decoys", "seed"), [(1, 0), (2, 1), (4, 2)])
def test_single_sites_miss_what_a_backup_covers(decoys: int, seed: int) -> None:
    """Exact patching of one site ranks the backup among decoys; on the induction circuit, none."""
    effect = asked(decoys=decoys, seed=seed).sweep("head", progress=False)
    for key in ("PIE", "TIE"):
        size, true = np.abs(effect[key]), true_heads(effect)
        assert area(size, true) < 0.9
        found = {title for title, s in HEADS.items() if size[s.layer, s.head] > 0.5}
        assert found == set(HEADS) - MOVERS
    lm = mw.models.induction(decoys=decoys, seed=seed)
    effect = mw.Study(lm, mw.models.induction_pairs()["key swap"]).sweep("head", progress=False)
    true = np.zeros(effect.shape, dtype=bool)
    true[:, 0] = True
    for key in ("PIE", "TIE"):
        assert area(np.abs(effect[key]), true) == 1.0


@pytest.mark.parametrize(("decoys", "seed"), [(0, 0), (1, 0), (2, 1)])
def test_a_search_over_pairs_finds_both_movers(decoys: int, seed: int) -> None:
    """Of all pairs of heads one does together what neither of it does alone."""
    study = asked(decoys=decoys, seed=seed)
    lm = study.lm
    single = study.sweep("head", progress=False)["PIE"]
    sites = [mw.Site("head", *at) for at in product(range(lm.n_layers), range(lm.n_heads))]
    gain = {}
    for one, two in combinations(sites, 2):
        best = max(0.0, single[one.layer, one.head], single[two.layer, two.head])
        gain[frozenset({one, two})] = study.intervene([one, two])["PIE"] - best
    movers = frozenset(HEADS[title] for title in MOVERS)
    assert max(gain, key=gain.__getitem__) == movers
    assert gain.pop(movers) == pytest.approx(1, abs=0.2)
    assert max(gain.values()) < 0.2


def test_synergy_is_more_than_the_two() -> None:
    """Dividend +1 of the movers; a negative head in series with its source has one too."""
    study = asked(beta=60.0)

    def dividend(first: str, second: str) -> float:
        one, two = HEADS[first], HEADS[second]
        joint = study.intervene([one, two])["PIE"]
        alone = study.intervene(one)["PIE"] + study.intervene(two)["PIE"]
        return float(joint - alone)

    assert dividend("name mover", "backup mover") == pytest.approx(1, abs=1e-9)
    assert dividend("duplicate token", "S-inhibition") == pytest.approx(-1, abs=1e-9)
    assert dividend("duplicate token", "negative mover") == pytest.approx(1, abs=1e-9)
    assert dividend("backup mover", "negative mover") == pytest.approx(0, abs=1e-9)


def test_decoys_are_seeded_and_small() -> None:
    effects = [asked(decoys=2, seed=seed).sweep("head", progress=False) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(effects[0]["PIE"], effects[1]["PIE"])
    assert not np.array_equal(effects[0]["PIE"], effects[2]["PIE"])
    assert effects[0].shape == (4, 4)
    decoy = ~true_heads(effects[0])
    assert 0 < np.abs(effects[0]["PIE"][decoy]).max() < 0.1


@pytest.mark.parametrize(
    "given",
    [
        *({"decoys": -1}, {"decoys": 1.5}, {"decoys": True}),
        *({"seed": -1}, {"seed": "0"}, {"beta": 0.0}, {"beta": -1.0}, {"beta": "20"}),
        *({"beta": float("nan")}, {"beta": 1e300}, {"seed": 10**30}, {"decoys": 10**12}),
    ],
)
def test_circuits_that_are_none(given: dict[str, Any]) -> None:
    raised(lambda: mw.models.ioi_mini(**given))
    raised(lambda: mw.models.induction(**given))
