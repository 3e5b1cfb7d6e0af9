"""Features whose truth is known: the blocks of the hand-set IOI circuit, one feature a coordinate.

Prompts are ``<s> n1 n2 s2 to``. S-inhibition writes at the end which name is not the answer
(``inh``), layer 2's mover copies another name to ``out``, and the logits are ``out``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import features
from mediawidget.features import SAE
from mediawidget.models._ioi_mini import BLOCK, WIDTH
from mediawidget.models._vocabulary import NAMES

END, S2 = 4, 3
SHARP = 1e-3
"""The heads choose with beta = 20, so that what they leave out is some e^-10."""


def dictionary(layer: int) -> SAE:
    """Every coordinate of the stream as two features, how far it is above 0 and how far below."""
    both = np.concatenate([np.eye(WIDTH), -np.eye(WIDTH)])
    return SAE(both.T, np.zeros(2 * WIDTH), both, np.zeros(WIDTH), site=mw.Site("residual", layer))


@cache
def flipped() -> tuple[mw.Study, str, str]:
    """One pair, its answer and the other name: the flip turns 0.5 into -0.5."""
    pair = mw.models.ioi_mini_pairs()["flip"]
    return mw.Study(mw.models.ioi_mini(), pair), pair.answers[0].strip(), pair.wrongs[0].strip()


def unit(block: str, name: str) -> int:
    """The feature of a name in a block."""
    return int(BLOCK[block].start + NAMES.index(name))


@pytest.mark.parametrize("how", [{}, {"method": "ig"}, {"method": "ig", "steps": 1}])
def test_what_the_logits_are_made_of_is_exact_by_every_method(how: dict[str, Any]) -> None:
    """Half of TE is the answer's feature that comes, half the other name's that goes."""
    study, answer, wrong = flipped()
    sae = dictionary(4)
    truth: dict[int | str, float] = {unit("out", answer): 0.5, unit("out", wrong): 0.5}
    for found in (
        features.sweep(study, sae, by={"END": END}, progress=False),
        features.attribute(study, sae, by={"END": END}, **how),
    ):
        for at, name in enumerate(found.axes["feature"]):
            wanted = truth.get(name, 0.0)
            for key in ("PIE", "TIE"):
                assert found[key][at, 0] == pytest.approx(wanted, abs=SHARP)
        assert set(truth) <= set(found.axes["feature"])
        np.testing.assert_allclose(found["INT"], 0.0, atol=SHARP)


def test_two_features_carry_all_of_it_and_neither_half() -> None:
    """Without either name inhibited the mover is in doubt, with both inhibited it says nothing."""
    study, answer, wrong = flipped()
    sae = dictionary(2)
    come, go = unit("inh", wrong), unit("inh", answer)
    other = [name for name in range(2 * WIDTH) if name not in (come, go)]

    def restored(units: list[int], error: bool = False) -> float:
        part = features.Features(sae, units, error=error)
        return float(study.intervene({sae.at(END): mw.Within(part, mw.Patch())})["PIE"])

    assert restored([come, go]) == pytest.approx(float(study.total["TE"]), abs=SHARP)
    assert restored(other, error=True) == pytest.approx(0.0, abs=SHARP)
    # From -0.5: two of three names are the answer, half of which the negative head takes; or none.
    alone = features.sweep(study, sae, by={"END": END}, progress=False)
    which = list(alone.axes["feature"])
    for feature in (come, go):
        assert alone["PIE"][which.index(feature), 0] == pytest.approx(restored([feature]), abs=1e-9)
        assert 0.0 < restored([feature]) < 1.0 - SHARP


def test_a_sharp_choice_between_features_is_integrated() -> None:
    """Between the two prompts a mover of beta = 20 goes over at once; both features share it."""
    study, answer, wrong = flipped()
    sae = dictionary(2)
    found = features.attribute(study, sae, by={"END": END}, method="ig", tolerance=1e-3)
    names = list(found.axes["feature"])
    both = [names.index(unit("inh", name)) for name in (wrong, answer)]
    for key in ("PIE", "TIE"):
        cells = found[key][:, 0]
        assert cells[both].sum() == pytest.approx(1.0, abs=2e-3)
        assert np.abs(np.delete(cells, both)).max() < SHARP
    plain = features.attribute(study, sae, by={"END": END})
    assert np.abs(plain["PIE"]).sum() < 5 * SHARP


def test_an_edge_is_what_the_head_between_copies() -> None:
    """Into ``out`` after the mover, of a corrupt run in which it says the other name."""
    study, answer, wrong = flipped()
    before, after = dictionary(2), dictionary(3)
    up = [features.Node(before, unit("inh", name), END) for name in (answer, wrong)]
    down = [features.Node(after, unit("out", name), END) for name in (answer, wrong)]
    found = features.edges(study, up, down)
    # Nobody inhibited: of three names two are the answer. Both inhibited: the mover looks away.
    np.testing.assert_allclose(found.exact[..., 0], [[2 / 3, -2 / 3], [0.0, -1.0]], atol=SHARP)


def test_features_fire_where_their_token_stands() -> None:
    study, answer, wrong = flipped()
    (pair,) = study.contrast
    here, there = pair.clean, pair.corrupt
    tokens = features.contexts(study.lm, dictionary(0), [here, there], k=2)
    for name in (answer, wrong):
        seen = tokens[BLOCK["tok"].start + 1 + NAMES.index(name)]
        assert [(one.token.strip(), one.code) for one in seen] == [(name, 1.0)] * 2
    # The duplicate-token head marks the name that comes again, at its second place alone.
    twice = features.contexts(study.lm, dictionary(1), [here, there], k=1)
    for name, text in ((wrong, here), (answer, there)):
        (one,) = twice[unit("dup", name)]
        assert one.token.strip() == name
        assert one.code == pytest.approx(1.0, abs=SHARP)
        assert name in one.before
        assert one.after.strip() == text.split()[-1]
    assert all(one.code < SHARP for at in range(WIDTH) for one in twice[WIDTH + at])
    codes = features.codes(study, dictionary(1), "clean")[0]
    assert np.flatnonzero(codes[:, unit("dup", wrong)] > 0.5).tolist() == [S2]
