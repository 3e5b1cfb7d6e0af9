"""Requests to a model that is on a card: nothing that was sent meets it before it is moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.remoting.cards import on_a_card
from tests.remoting.elsewhere import Elsewhere
from tests.remoting.test_refusals import ANSWERED, PAIRS

HEAD = mw.Site("head", 2, head=1)
QUIET: dict[str, Any] = {"progress": False}

KINDS = ("head", "residual", "query", "key", "value", "pattern", "mlp_out")


def sweep(mediator: str) -> Callable[[mw.Study], Any]:
    return lambda s: s.sweep(mediator, **QUIET)


ASKS: dict[str, Callable[[mw.Study], Any]] = {
    **{mediator: sweep(mediator) for mediator in KINDS},
    "by position": lambda s: s.sweep("residual", by="position", **QUIET),
    "edge": lambda s: s.intervene({mw.Site("edge", 2, head=1, position=4, key=1): mw.Knockout()}),
    "mean": lambda s: s.intervene({HEAD: mw.Mean()}),
    "noise": lambda s: s.intervene({mw.Site("residual", 1): mw.Noise(sigma=1.0)}),
    "steer": lambda s: s.intervene(
        {mw.Site("residual", 1): mw.Steer(torch.ones(s.lm.d_model).numpy())}
    ),
    "freeze": lambda s: s.intervene(HEAD, freeze=("head",)),
    "KL": lambda s: mw.Study(s.lm, PAIRS, metric=mw.KL()).sweep("head", **QUIET),
}


@pytest.mark.parametrize("name", list(ASKS))
def test_what_was_sent_is_moved_to_where_a_pass_has_come(name: str) -> None:
    server = Elsewhere("llama")
    study = mw.Study(server.there(), PAIRS)
    with on_a_card() as cards:
        effect = ASKS[name](study)
    assert cards.moved > 10
    local = ASKS[name](mw.Study(server.here(), PAIRS))
    # Attention is computed in single precision there, whatever the model is in.
    np.testing.assert_allclose(effect.edited, local.edited, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ANSWERED))
def test_so_it_is_of_all_that_a_server_answers(name: str) -> None:
    with on_a_card():
        assert ANSWERED[name](mw.Study(Elsewhere("llama").there(), PAIRS)) is not None
