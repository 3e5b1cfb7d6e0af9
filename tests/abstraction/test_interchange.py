"""Interchange accuracies: how they are read, what is refused, and their controls."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

import mediawidget as mw
from mediawidget import abstraction as ab
from tests.asking import raised
from tests.features.made import made

LM = mw.models.lookback()
MODEL = ab.lookback()
RENDER = mw.models.lookback_prompt
AT_END = mw.Site("residual", 2, position=7)


def asked(sites: Any = AT_END, variables: Any = "pointer", **more: Any) -> ab.IIA:
    return ab.iia(LM, MODEL, variables, RENDER, sites, **{"n": 16, **more})


def test_chance_is_stated_with_what_is_read() -> None:
    every, some = asked(), asked(among="outputs")
    assert every.chance == pytest.approx(1 / 18)
    assert some.chance == pytest.approx(1 / 6)
    assert "of the vocabulary, chance 0.056" in repr(every)
    assert "among the outputs, chance 0.17" in repr(some)
    np.testing.assert_array_equal(every.hits, some.hits)


def test_a_tie_says_nothing() -> None:
    """Nobody of the base is asked about: no drink is found, and all logits are 0."""
    base = {
        "first": "Ann",
        "first_drink": "beer",
        "second": "Bob",
        "second_drink": "tea",
        "asked": "Ann",
    }
    source = {**base, "first": "Cal", "second": "Dee", "asked": "Dee", "second_drink": "milk"}
    pair = ab.counterfactual({"pointer": (MODEL, "pointer")}, base, source)
    assert pair.predicted == {"pointer": "tea"}
    for among in ("vocabulary", "outputs"):
        found = asked(mw.Site("residual", 0, position=6), pairs=[pair], among=among)
        assert found.hits.tolist() == found.stays.tolist() == found.follows.tolist() == [[0]]


def test_no_cell_is_the_best_where_none_was_run() -> None:
    found = asked()
    nothing = replace(found, hits=found.hits * np.nan)
    assert "no cell was run" in repr(nothing)
    assert "pointer no cell was run" in repr(ab.Rivals({"pointer": nothing}))
    assert "none is the best" in str(raised(lambda: nothing.best))


def test_a_part_that_says_its_own_numbers_is_no_interchange() -> None:
    sae = made("relu", LM.d_model, 5, mw.Site("residual", 2))
    read, fixed = mw.features.Features(sae, 3), mw.features.Features(sae, 3, codes=[1.0])
    assert asked(within=read).n == 16
    assert "says its own numbers" in str(raised(lambda: asked(within=fixed)))


def test_intervals_are_wilsons() -> None:
    found = asked("residual")
    low, high = found.ci()
    shares = found.iia
    assert ((low <= shares) & (shares <= high)).all()
    index = np.argwhere((shares > 0) & (shares < 1))[0]
    hits = int(found.hits[(slice(None), *index)].sum())
    expected = binomtest(hits, 16).proportion_ci(0.95, "wilson")
    assert (low[tuple(index)], high[tuple(index)]) == pytest.approx((expected.low, expected.high))


def test_the_table_has_a_row_a_cell() -> None:
    found = asked("residual", roles=mw.models.lookback_pair().roles)
    table = found.to_dataframe()
    assert len(table) == 32
    row = table[(table.layer == 2) & (table.position == 7)].iloc[0]
    assert (row.label, row.iia, row.n, row.n_solved) == ("L2 @ :", 1, 16, 16)
    assert "L1 @ asked" in set(table.label)
    one = found.at(found.best)
    assert one.iia.tolist() == [1]
    assert one.labels == ("L1 @ asked",)


def test_sweeps_take_layers_and_roles() -> None:
    roles = mw.models.lookback_pair().roles
    found = asked("residual", by="role", layers=[1, 2], roles=roles)
    assert found.axes == {"layer": (1, 2), "position": tuple(roles)}
    assert found.iia[0, 4] == found.iia[1, 5] == 1


def test_a_study_gives_its_model_and_readout() -> None:
    study = mw.Study(LM, mw.models.lookback_pair())
    found = ab.iia(study, MODEL, "pointer", RENDER, AT_END, n=8)
    assert found.iia.tolist() == [1]


def test_pairs_the_network_does_not_solve_are_reported_apart() -> None:
    """The same network with Ann's name unknown to its matching head."""
    lm: Any = mw.models.lookback()
    ann = lm.encoder.answer("Ann", "name")
    with torch.no_grad():
        # Head 1 of layer 0 finds the question's name.
        width = lm.d_model
        lm.hf.model.layers[0].self_attn.q_proj.weight[width:, ann] = 0
    pairs = ab.counterfactuals(MODEL, "pointer", 64, seed=2)
    # A name that is not found is answered with nothing; the source alone may be such a one.
    asks = np.array([[one.base["asked"], one.source["asked"]] for one in pairs])
    ours = (asks == "Ann").any(axis=1)
    assert 0 < ours.sum() < 64
    found = ab.iia(lm, MODEL, "pointer", RENDER, AT_END, pairs=pairs)
    np.testing.assert_array_equal(found.solved, ~ours)
    np.testing.assert_array_equal(found.base_right, asks[:, 0] != "Ann")
    assert found.accuracy == pytest.approx(1 - ours.mean())
    assert found.on_solved.tolist() == [1]
    assert found.iia[0] == pytest.approx(1 - (asks[:, 1] == "Ann").mean())
    assert f"{int((~ours).sum())} of them solved" in repr(found)


def test_rivals_share_their_runs() -> None:
    found = ab.rivals(LM, ab.lookback_hypotheses(), RENDER, [AT_END], n=12)
    assert list(found) == ["pointer", "payload"]
    assert found["pointer"].iia == 1
    assert found["payload"].iia == 0
    assert found.to_dataframe()["hypothesis"].tolist() == ["pointer", "payload"]
    assert "n=12 pairs, 12 tell all apart, 12 solved" in repr(found)
    # Pairs that do not separate credit both, and it is said.
    loose = ab.counterfactuals(MODEL, "payload", 40)
    both = ab.rivals(LM, ab.lookback_hypotheses(), RENDER, [AT_END], pairs=loose)
    assert both["payload"].iia > 0


def test_pairs_of_rivals_that_are_not_told_apart_are_counted() -> None:
    rivals = ab.lookback_hypotheses()
    drawn = ab.separating(rivals, 3)
    same = drawn[0].base
    other = {**same, "first_drink": "water", "second_drink": "juice"}
    blind = ab.counterfactual(rivals, same, other)
    found = ab.rivals(LM, rivals, RENDER, [AT_END], pairs=[*drawn, blind])
    assert found.told_apart == 3
    # The pointer is the same there, so it is right by doing nothing.
    assert found["pointer"].unmoved.tolist() == [False, False, False, True]


def test_a_trained_network_agrees_with_plain_hooks() -> None:
    """Induction on the teaching model: the residual stream at the end, by layer."""
    lm: Any = mw.load()
    words = ("house", "bank", "tea")
    model = ab.CausalModel(
        {"a": words, "b": words, "which": (0, 1)},
        {"out": lambda a, b, which: b if which else a},
        "out",
        valid=lambda a, b: a != b,
    )

    def render(inputs: Any) -> str:
        asked = "star" if inputs["which"] else "river"
        return f"river {inputs['a']} winter star {inputs['b']} hat {asked}"

    pairs = ab.counterfactuals(model, "out", 6)
    end = len(lm.tokens(render(pairs[0].base))) - 1
    found = ab.iia(
        *(lm, model, "out", render),
        [mw.Site("residual", layer, position=end) for layer in range(lm.n_layers + 1)],
        pairs=pairs,
    )
    blocks = [*lm.hf.transformer.h, lm.hf.transformer.ln_f]
    for index, one in enumerate(pairs):
        for layer in range(lm.n_layers + 1):
            kept = _stream(lm, blocks[layer], render(one.source), None, end)[1]
            logits = _stream(lm, blocks[layer], render(one.base), kept, end)[0]
            want = lm.encoder.answer(one.predicted["out"], "output")
            assert found.hits[index, layer] == (int(logits.argmax()) == want)
    assert found.follows[:, -1].all()


def _stream(lm: mw.LM, module: Any, text: str, new: Any, at: int) -> tuple[Any, Any]:
    seen = []

    def hook(_: Any, args: Any) -> Any:
        seen.append(args[0][0, at].clone())
        if new is None:
            return None
        changed = args[0].clone()
        changed[0, at] = new
        return (changed, *args[1:])

    handle = module.register_forward_pre_hook(hook)
    with torch.no_grad():
        logits = lm.hf(torch.tensor([lm.encoder.ids(text)])).logits[0, -1]
    handle.remove()
    return logits, seen[0]


def test_a_trained_network_points_before_it_fetches() -> None:
    """IOI on the teaching model: at the end first who gave, by place; a layer later who receives.

    What stands second in the base when the source's giver stands first there is no name of the
    source, so it is a place that was moved, and not a name.
    """
    lm = mw.load()
    names = ("Samuel", "Adam", "Elizabeth", "Simon", "Anna", "Mary", "John", "Laura")
    model = ab.CausalModel(
        {"first": names, "second": names, "giver": names},
        {
            "place": lambda first, giver: int(giver == first),
            "receiver": lambda place, first, second: second if place else first,
        },
        "receiver",
        valid=lambda first, second, giver: first != second and giver in (first, second),
    )

    def render(x: Any) -> str:
        story = f"After {x['first']} and {x['second']} walked to the station"
        return f"{story}, {x['giver']} sold a watch to"

    sites = [mw.Site("residual", layer, position=14) for layer in (2, 3, 4, lm.n_layers)]
    rivals = {"place": (model, "place"), "receiver": (model, "receiver")}
    found = ab.rivals(lm, rivals, render, sites, n=24)
    assert found["place"].accuracy > 0.9
    assert found["place"].iia[1] > 0.8
    assert found["receiver"].iia[1] < 0.2
    assert found["receiver"].iia[[2, 3]].tolist() == [1, 1]
    assert found["place"].stays[:, 0].mean() > 0.8


# --- controls -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def controlled() -> ab.Controls:
    return ab.controls(LM, MODEL, "pointer", RENDER, n=24, layers=[1, 2], draws=8)


def test_controls_stand_beside_the_accuracy(controlled: ab.Controls) -> None:
    table: Any = controlled.to_dataframe().set_index("what")
    assert list(table.index) == ["network", "held-out pairs", "arbitrary labels", "random weights"]
    assert table.loc["network", "iia"] == table.loc["held-out pairs", "iia"] == 1
    # A random pointer is right where it happens to be the real one: of two values about half.
    assert 0.2 < table.loc["arbitrary labels", "iia"] < 0.8
    assert table.loc["random weights", "iia"] < 0.3
    assert table.loc["random weights", "accuracy"] < 0.3
    assert (table.low <= table.iia).all()
    assert (table.iia <= table.high).all()
    assert "held-out pairs 1.00" in repr(controlled)


def test_held_out_pairs_were_not_chosen_on(controlled: ab.Controls) -> None:
    chosen = [(one.base, one.source) for one in controlled.swept.pairs]
    assert len(controlled.held_out.pairs) == 24
    assert not [one for one in controlled.held_out.pairs if (one.base, one.source) in chosen]
    assert controlled.held_out.labels == (controlled.label,)


def test_weights_are_shuffled_and_the_network_left_alone() -> None:
    lm = mw.load()
    before = {name: value.clone() for name, value in lm.hf.state_dict().items()}
    twin = ab.random_weights(lm, seed=1)
    for name, value in lm.hf.state_dict().items():
        assert torch.equal(value, before[name])
    ours, theirs = dict(lm.hf.named_parameters()), dict(twin.hf.named_parameters())
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(value.flatten().sort().values, ours[name].flatten().sort().values)
    embedding = "transformer.wte.weight"
    assert not torch.equal(theirs[embedding], ours[embedding])
    assert torch.equal(ab.random_weights(lm, seed=1).hf.get_parameter(embedding), theirs[embedding])


def test_an_arbitrary_variable_is_a_function_of_its_parents() -> None:
    other = ab.arbitrary(MODEL, "pointer", seed=3)
    assert other.parents == MODEL.parents
    values = [(inputs, other.run(inputs)["pointer"]) for inputs in list(MODEL.settings())[::97]]
    assert {value for _, value in values} == {0, 1}
    by_parents: dict[tuple[str, str], int] = {}
    for inputs, value in values:
        assert by_parents.setdefault((inputs["second"], inputs["asked"]), value) == value
    again = ab.arbitrary(MODEL, "pointer", seed=3)
    assert [again.run(inputs)["pointer"] for inputs, _ in values] == [value for _, value in values]
    assert any(MODEL.run(inputs)["pointer"] != value for inputs, value in values)


def test_the_random_network_is_read_where_the_network_is() -> None:
    pairs = ab.counterfactuals(MODEL, "pointer", 1)
    study = mw.Study(LM, [ab.prompt_pair(pairs[0], RENDER)], readout=mw.Readout(6))
    found = ab.controls(study, MODEL, "pointer", RENDER, n=8, draws=1, random_lm=LM)
    np.testing.assert_array_equal(found.random.hits, found.swept.hits)
    np.testing.assert_array_equal(found.random.stays, found.swept.stays)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: asked(among="all"), "likeliest token"),
        (lambda: asked(pairs=[]), "needs pairs"),
        (lambda: asked(answer=lambda _: "beer"), "same token"),
        (lambda: asked(variables=("first_drink", "second_drink"), own_sources=True), "a site each"),
        (lambda: asked(dict.fromkeys(("first_drink", "payload"), AT_END)), "site of its own"),
        (lambda: asked({"pointer": AT_END}, within={"pointr": None}), "site of its own"),
        (lambda: ab.controls(LM, MODEL, "asked", RENDER, n=4), "follows from nothing"),
        (lambda: ab.iia(LM, MODEL, "no", RENDER), "no such variable"),
    ],
)
def test_what_cannot_be_asked_is_refused(call: Any, word: str) -> None:
    assert word in str(raised(call))
