"""Grids of a model on a server are those of the same model here, a request a chunk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.remote.loopback import Exchange, Loopback
from tests.small_models import random_model, tokenizer_of

PAIRS = [
    mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
    mw.PromptPair("hen pig cat zebra jay", "hen pig rat zebra jay", "owl", "kite"),
    mw.PromptPair("toad wasp flint newt yak", "toad lime flint newt yak", "dust", "bee"),
]
TOLERANCE = 1e-9
FIRST = 2
"""Requests of first contact."""
SLOW = 1
"""Requests of a sweep beside its chunks: one of its cells once more, by a plain forward pass."""


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as it lies on the server's disk."""
    place = tmp_path_factory.mktemp(request.param)
    random_model(request.param).save_pretrained(place)
    tokenizer_of(request.param).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def here(folder: Path) -> mw.LM:
    return mw.load(folder, dtype=torch.float64)


@pytest.fixture
def server(here: mw.LM) -> Iterator[Loopback]:
    with Loopback(here) as running:
        yield running


def there(server: Loopback) -> mw.LM:
    """The client's model, freshly loaded."""
    return mw.load(server.model, remote=server.server, dtype=torch.float64)


def asked(server: Loopback, since: int = 0) -> list[Exchange]:
    """The bodies that were sent."""
    return [one for one in server.requests[since:] if one.route == "request"]


def assert_same(one: mw.Effect, other: mw.Effect) -> None:
    np.testing.assert_array_equal(one.status, other.status)
    np.testing.assert_allclose(one.edited, other.edited, rtol=0, atol=TOLERANCE)
    assert np.nanstd(one.edited) > 1e-3, "no edit did a thing"


QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("head", {}),
    ("residual", {"by": "position"}),
    ("mlp_out", {"edit": mw.Zero()}),
    ("pattern", {}),
]


def test_by_the_address_of_a_folder_that_the_server_has(
    server: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NDIF_API_KEY", server.key)
    lm = mw.load(folder, remote=server.host, dtype=torch.float64)
    assert all(parameter.is_meta for parameter in lm.hf.parameters())
    local = mw.Study(mw.load(folder, dtype=torch.float64), PAIRS[:1])
    assert_same(mw.Study(lm, PAIRS[:1]).sweep("head"), local.sweep("head"))
    assert lm.remote is not None
    assert lm.remote.jobs == ()


@pytest.mark.parametrize(("mediator", "options"), QUESTIONS)
@pytest.mark.parametrize("budget", [None, 700_000])
def test_a_request_a_chunk(
    server: Loopback, here: mw.LM, mediator: str, options: dict[str, Any], budget: int | None
) -> None:
    study, local = mw.Study(there(server), PAIRS), mw.Study(here, PAIRS)
    study.engine.prove()
    assert len(asked(server)) == FIRST
    study.engine.budget = local.engine.budget = budget
    effect = study.sweep(mediator, **options)
    assert_same(effect, local.sweep(mediator, **options))
    sent = asked(server)[FIRST:]
    chunks = chunks_of(study, mediator, options)
    # The MLPs of a small model fit into one.
    assert chunks > 1 or budget is None or mediator == "mlp_out"
    assert len(sent) == chunks + SLOW
    assert len(server.executed) == len(set(server.executed)) == FIRST + len(sent)


def chunks_of(study: mw.Study, mediator: str, options: dict[str, Any]) -> int:
    """In how many chunks a sweep is cut on a server."""
    from mediawidget.questions import Question
    from mediawidget.sweeps import Sweep

    edit = options.get("edit", mw.Patch())
    sweep = Sweep(mediator, edit, options.get("by"))
    question = Question(sweep, study.engine, study.roles)
    plan = question.asked(study.labels(question.sites))
    return study.engine.cost(plan.runs, plan.checks(study.engine))[1]


def test_bytes_of_a_head_grid_are_counted_and_few(server: Loopback) -> None:
    study = mw.Study(there(server), PAIRS)
    study.engine.prove()
    since = len(server.requests)
    study.sweep("head")
    exchanges = server.requests[since:]
    bodies, results = asked(server, since), [o for o in exchanges if o.route == "result"]
    assert len(results) == len(bodies)
    # A body is code and ids; weights would be hundreds of thousands.
    assert all(0 < one.received < 50_000 for one in bodies)
    assert all(0 < one.sent < 100_000 for one in results)
    assert {one.route for one in exchanges} == {"request", "response", "result"}
    assert all(one.status in (200, 404) for one in exchanges)


def test_a_click_is_one_request_and_a_second_study_none_for_first_contact(
    server: Loopback, here: mw.LM
) -> None:
    lm, site = there(server), mw.Site("head", 2, head=1)
    study = mw.Study(lm, PAIRS)
    study.intervene(site)
    since = len(server.requests)
    effect = study.intervene(mw.Site("head", 3, head=0))
    assert len(asked(server, since)) == 1
    local = mw.Study(here, PAIRS).intervene(mw.Site("head", 3, head=0))
    np.testing.assert_allclose(effect.edited, local.edited, rtol=0, atol=TOLERANCE)
    other = mw.Study(lm, PAIRS[:1])
    since = len(server.requests)
    other.intervene(site)
    assert len(asked(server, since)) == 1


def test_the_teaching_model_without_a_key_of_anybody() -> None:
    """What a student does where there is no server: the numbers are those of the model here."""
    lm, pair = mw.load(), mw.PromptPair(*PROMPTS, " Mary", " John")
    assert lm.origin is not None
    with mw.remote.Loopback(lm) as loopback:
        for name in (loopback.model, lm.origin[0]):
            client = mw.load(name, remote=loopback.server, dtype=torch.float32)
            effect = mw.Study(client, [pair]).sweep("head")
            np.testing.assert_allclose(
                effect.edited, mw.Study(lm, [pair]).sweep("head").edited, rtol=0, atol=1e-4
            )
        assert mw.load(loopback.model, remote=loopback.server).dtype == lm.dtype
        assert str(lm.dtype) != "torch.float16"


PROMPTS = (
    "When Mary and John went to the store, John gave a drink to",
    "When Mary and John went to the store, Mary gave a drink to",
)


@pytest.mark.parametrize("kind", ["bloom", "gemma2", "falcon_alibi", "mamba", "bert"])
def test_what_needs_no_file_but_the_loopbacks(kind: str) -> None:
    """Models that were never saved, of kinds that compute attention in their own ways."""
    lm = mw.load(random_model(kind), tokenizer=tokenizer_of(kind))
    words = "ant [MASK] {} dog eel" if lm.fills_mask else "ant bee {} dog eel"
    pair = mw.PromptPair(words.format("cat"), words.format("owl"), "fox", "gnu")
    mediator = "head" if lm.n_heads else "mixer_out"
    with Loopback(lm) as server:
        client = mw.load(server.model, remote=server.server)
        assert client.dtype == lm.dtype
        assert type(client.hf) is type(lm.hf)
        assert_same(mw.Study(client, [pair]).sweep(mediator), mw.Study(lm, [pair]).sweep(mediator))
