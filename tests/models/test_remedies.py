"""What one would try against interactions, and how each fails where the truth is known.

Averaging both directions hides what it averages, grouping moves an interaction inside the group,
finer units make new ones, and closer counterfactuals shrink the effect along with it.
"""

import numpy as np
import pytest

import mediawidget as mw

HEADS = [mw.Site("head", 0, head=0), mw.Site("head", 0, head=1)]


def gate(kind: str) -> mw.Study:
    return mw.Study(mw.models.gate(kind), mw.models.gate_pair())


def test_an_average_of_both_directions_cannot_tell_and_from_or() -> None:
    """Needed together, or either enough: the average says one half of both."""
    means, interactions = [], []
    for kind in ("AND", "OR"):
        effect = gate(kind).intervene(HEADS[0])
        means.append((effect["PIE"] + effect["TIE"]) / 2)
        interactions.append(effect["INT"])
    assert means == pytest.approx([0.5, 0.5])
    assert interactions == pytest.approx([1, -1])


def test_an_average_of_opposite_effects_is_none_at_all() -> None:
    effect = gate("XOR").intervene(HEADS[0])
    assert (effect["PIE"] + effect["TIE"]) / 2 == pytest.approx(0, abs=1e-9)
    assert effect["INT"] == pytest.approx(-2)


@pytest.mark.parametrize("kind", ["AND", "OR", "XOR"])
def test_a_group_hides_the_interaction_of_its_members(kind: str) -> None:
    """The group of both inputs has none, for nothing is left outside to interact with."""
    study = gate(kind)
    game = mw.interactions(study, HEADS, game="frozen", progress=False)
    assert game.group([0, 1])["INT"] == pytest.approx(0, abs=1e-9)
    assert abs(game.group([0])["INT"]) >= 1 - 1e-9
    assert abs(game.matrix[0, 1]) >= 1 - 1e-9


def test_a_group_must_be_known_before_it_is_found() -> None:
    """Mover and backup are nothing alone; only who asks for just these two sees them."""
    study = mw.Study(mw.models.ioi_mini(), mw.models.ioi_mini_pairs()["flip"])
    heads = mw.models.ioi_mini_heads()
    movers = [heads["name mover"], heads["backup mover"]]
    for site in movers:
        alone = study.intervene(site)
        assert [alone[key] for key in ("PIE", "TIE", "INT")] == pytest.approx([0] * 3, abs=1e-3)
    together = study.intervene(movers)
    assert together["PIE"] == pytest.approx(1, abs=1e-3)


def test_finer_units_interact_where_the_whole_did_not() -> None:
    """Y = M1 + M2 + 3 M1 M2: the two as one mediator do not interact, each of them does."""
    lm = mw.models.equations(
        mediators=((0.0, 1.0), (0.0, 1.0)), weights=(1.0, 1.0), interactions={(0, 1): 3.0}
    )
    study = mw.Study(lm, mw.models.equation_pairs())
    whole, parts = study.intervene(HEADS), [study.intervene(site) for site in HEADS]
    assert whole["INT"] == pytest.approx(0, abs=1e-9)
    assert [part["INT"] for part in parts] == pytest.approx([3, 3])
    assert sum(part["PIE"] for part in parts) == pytest.approx(2)
    assert whole["PIE"] == pytest.approx(5)


def test_a_closer_counterfactual_shrinks_effect_and_interaction_alike() -> None:
    """Y = x + M + 2 x M: at every distance the interaction is the same share of the effect."""
    lm = mw.models.equations(mediators=((0.0, 1.0),), weights=(1.0,), direct=1.0, moderation=(2.0,))
    study = mw.Study(lm, mw.models.equation_pairs())
    curve = mw.dose_curve(study, HEADS[0], [0.1, 0.25, 0.5], progress=False)
    np.testing.assert_allclose(curve["INT"], 2 * np.array(curve.alphas), atol=1e-9)
    np.testing.assert_allclose(curve["INT"] / curve["TIE"], 2 / 3, atol=1e-9)


def test_another_counterfactual_asks_another_question() -> None:
    """Under the value swap the previous-token head is silent; under the key swap it is half."""
    lm, pairs = mw.models.induction(), mw.models.induction_pairs()
    first = mw.Site("head", 0, head=0)
    found = {name: mw.Study(lm, pair).intervene(first)["PIE"] for name, pair in pairs.items()}
    assert found["value swap"] == pytest.approx(0, abs=1e-6)
    assert found["key swap"] == pytest.approx(2, abs=1e-6)
