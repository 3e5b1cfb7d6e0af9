"""The lookback model: a pointer and a payload, where they stand, exactly.

What its residual stream holds is written out here from the mechanism, and each interchange is made
by plain PyTorch hooks beside the engine.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import abstraction as ab
from mediawidget.models._lookback import BLOCK
from tests.asking import raised

LM: Any = mw.models.lookback()
MODEL = ab.lookback()
RIVALS = ab.lookback_hypotheses()
RENDER = mw.models.lookback_prompt
PAIRS = ab.separating(RIVALS, 24, seed=1)


@pytest.fixture(scope="module")
def swept() -> ab.Rivals:
    return ab.rivals(LM, RIVALS, RENDER, pairs=PAIRS)


def said(logits: torch.Tensor) -> str:
    return str(LM.tokenizer.decode([int(logits.argmax())])).strip()


def forward(
    inputs: Any, change: Callable[[torch.Tensor], Any] | None = None, layer: int = 0
) -> Any:
    """Logits at the end, the residual stream before a block passed through ``change``."""
    ids = torch.tensor([LM.encoder.ids(RENDER(inputs))])
    modules = [*LM.hf.model.layers, LM.hf.model.norm]
    hooks = []
    if change is not None:
        hooks.append(modules[layer].register_forward_pre_hook(lambda _, args: change(args[0])))
    with torch.no_grad():
        logits = LM.hf(ids).logits[0, -1]
    for hook in hooks:
        hook.remove()
    return logits


def test_it_answers_what_the_model_says() -> None:
    some = [MODEL.setting(i) for i in range(0, MODEL.size, 37)]
    valid = [inputs for inputs in some if MODEL.is_valid(inputs)]
    assert len(valid) > 20
    for inputs in valid:
        logits = forward(inputs)
        assert said(logits) == MODEL.run(inputs)["payload"]
        assert sorted(logits.tolist())[-2:] == [0.0, 10.0]


def test_the_blocks_hold_what_they_are_said_to() -> None:
    inputs = PAIRS[0].base
    pointer = MODEL.run(inputs)["pointer"]
    seen: dict[int, torch.Tensor] = {}
    for layer in range(4):

        def keep(x: torch.Tensor) -> None:
            seen[layer] = x[0].clone()  # noqa: B023

        forward(inputs, keep, layer)
    order = torch.eye(2, dtype=torch.float64)
    for layer, stream in seen.items():
        address, found = stream[:, BLOCK["address"]], stream[:, BLOCK["found"]]
        assert torch.equal(address[[2, 4]], order * (layer > 0))
        assert torch.equal(found[6], order[pointer] * (layer > 0))
        assert torch.equal(stream[7, BLOCK["pointer"]], order[pointer] * (layer > 1))
        # And nothing is anywhere else.
        assert float(address.sum()) == 2 * (layer > 0)
        assert float(found.sum()) == (layer > 0)
        assert float(stream[:, BLOCK["pointer"]].sum()) == (layer > 1)
        assert float(stream[:, BLOCK["out"]].sum()) == (layer > 2)


def test_the_pair_of_the_paper() -> None:
    study = mw.Study(LM, mw.models.lookback_pair())
    for site, token in (
        ((2, 7), " beer"),
        ((3, 7), " tea"),
        ((1, 6), " beer"),
        ((1, 7), " coffee"),
    ):
        study.intervene(mw.Site("residual", site[0], position=site[1]))
        entry = study.history[-1]
        assert entry is not None
        assert entry.next_tokens[0]["restored"][0][0] == token


def test_pointer_and_payload_are_where_they_are_and_nowhere_else(swept: ab.Rivals) -> None:
    for name, places in (("pointer", {(1, 6), (2, 7)}), ("payload", {(3, 7)})):
        found = swept[name].iia
        assert found.shape == (4, 8)
        assert {(int(a), int(b)) for a, b in np.argwhere(found == 1)} == places
    for place in ((1, 6), (2, 7)):
        assert swept["payload"].iia[place] == 0
    assert swept["pointer"].iia[3, 7] == 0
    assert swept.told_apart == 24
    assert swept["pointer"].accuracy == 1


def test_every_cell_is_what_plain_hooks_give(swept: ab.Rivals) -> None:
    pairs = PAIRS[:4]
    result = swept["pointer"]
    for layer in range(4):
        for position in range(8):
            for index, one in enumerate(pairs):
                kept: list[torch.Tensor] = []
                forward(one.source, lambda x: kept.append(x.clone()), layer)  # noqa: B023

                def change(x: torch.Tensor) -> tuple[torch.Tensor]:
                    new = x.clone()
                    new[:, position] = kept[0][:, position]  # noqa: B023
                    return (new,)

                logits = forward(one.base, change, layer)
                top = logits.topk(2).values
                tied = bool(top[0] == top[1])
                now = "" if tied else said(logits)
                cell = index, layer, position
                assert result.hits[cell] == (now == one.predicted["pointer"])
                assert result.stays[cell] == (now == one.plain)
                assert result.follows[cell] == (now == one.others[0])


def test_heads_carry_them_too() -> None:
    sites = [
        *(mw.Site("head", 0, head=1, position=6), mw.Site("head", 1, head=0, position=7)),
        *(mw.Site("head", 2, head=0, position=7), mw.Site("head", 2, head=1, position=7)),
    ]
    found = ab.rivals(LM, RIVALS, RENDER, sites, pairs=PAIRS)
    assert found["pointer"].iia.tolist() == [1, 1, 0, 0]
    assert found["payload"].iia.tolist() == [0, 0, 1, 0]
    assert found["payload"].labels == ("L0H1 @ 6", "L1H0 @ :", "L2H0 @ :", "L2H1 @ :")


def test_the_pointer_is_two_directions() -> None:
    rows = np.eye(LM.d_model)[BLOCK["pointer"]]
    site = mw.Site("residual", 2, position=7)
    inside = ab.iia(LM, MODEL, "pointer", RENDER, site, within=mw.Subspace(rows), n=16)
    others = np.delete(np.eye(LM.d_model), range(LM.d_model)[BLOCK["pointer"]], axis=0)
    outside = ab.iia(LM, MODEL, "pointer", RENDER, site, within=mw.Subspace(others), n=16)
    assert inside.iia.tolist() == [1]
    assert outside.iia.tolist() == [0]
    assert outside.stays.mean() == 1
    same = ab.iia(LM, MODEL, "pointer", RENDER, [{site: mw.Within(mw.Subspace(rows))}], n=16)
    assert same.iia.tolist() == [1]


def test_a_part_of_its_own_for_every_variable() -> None:
    """Two drinks from two prompts, each where it stands and within the words alone."""
    words = mw.Subspace(np.eye(LM.d_model)[BLOCK["tok"]])
    sites = {
        "first_drink": mw.Site("residual", 1, position=2),
        "second_drink": mw.Site("residual", 1, position=4),
    }
    for within in (None, words, dict.fromkeys(sites, words)):
        found = ab.iia(
            *(LM, MODEL, tuple(sites), RENDER, sites), within=within, own_sources=True, n=16
        )
        assert found.iia.tolist() == [1]
        assert found.solved.all()
    crossed = dict(zip(sites, reversed(sites.values()), strict=True))
    wrong = ab.iia(LM, MODEL, tuple(sites), RENDER, crossed, own_sources=True, n=16)
    assert wrong.iia[0] < 0.5


@pytest.mark.parametrize(
    "inputs",
    [
        {**PAIRS[0].base, "first": "Zoe"},
        {**PAIRS[0].base, "second": PAIRS[0].base["first"]},
        {"first": "Ann"},
        "Ann",
    ],
)
def test_other_stories_are_refused(inputs: Any) -> None:
    assert "two people" in str(raised(lambda: RENDER(inputs)))
