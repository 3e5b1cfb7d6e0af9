"""What a client counts of its requests is what the server counts."""

from __future__ import annotations

from typing import Any

import pytest

import mediawidget as mw


def test_what_was_asked_is_counted_as_the_server_counts_it() -> None:
    loopback = mw.remote.Loopback(mw.load()).open()
    try:
        lm = mw.load(loopback.model, remote=loopback.server)
        assert lm.remote is not None
        # What the server says of the model; nothing is run.
        (look,) = loopback.requests
        assert lm.remote.traffic == mw.remote.Traffic(requests=1, received=look.sent)
        study = mw.Study(lm, mw.tasks.ioi(lm, n=2))
        study.sweep("head")
        before = lm.remote.traffic
        study.intervene(mw.Site("head", 3, head=0))
        between, after = lm.remote.traffic - before, lm.remote.traffic
    finally:
        loopback.close()
    asked = loopback.requests
    assert after.jobs == len(loopback.jobs) == len(loopback.executed)
    assert after.requests == len(asked)
    assert (after.sent, after.received) == (
        sum(one.received for one in asked),
        sum(one.sent for one in asked),
    )
    assert between.jobs == 1
    assert 0 < between.sent < after.sent
    assert repr(between).startswith("1 job in ")


class Weighing(mw.remote.Loopback):
    """Keeps what tensors of a result say they are, and what is sent of them."""

    def __init__(self, lm: mw.LM) -> None:
        super().__init__(lm)
        self.sent: list[tuple[str, int, int]] = []

    def altered(self, saved: dict[str, Any]) -> dict[str, Any]:
        for name, value in saved.items():
            for one in value if isinstance(value, list | tuple) else [value]:
                stored = one.untyped_storage().nbytes()
                self.sent.append((name, one.nbytes, stored))
        return saved


def test_no_slice_of_a_result_brings_along_what_it_was_cut_from() -> None:
    """A grid of a model with 128,000 tokens would weigh half a megabyte a run."""
    with Weighing(mw.load()) as loopback:
        lm = mw.load(loopback.model, remote=loopback.server)
        study = mw.Study(lm, mw.tasks.ioi(lm, n=2))
        study.sweep("head")
        study.intervene(mw.Site("head", 3, head=0))
        study.activations(mw.Site("head", 3, head=0, position="END"))
        study.metric = mw.KL()
        study.sweep("mlp_out")
    assert len(loopback.sent) > 20
    row = 4 * lm.vocabulary
    assert [one for one in loopback.sent if one[2] - one[1] >= row] == []


def test_what_is_asked_does_not_depend_on_how_much_memory_is_free_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executed = []
    for free in (2**40, 2**20):
        monkeypatch.setattr("mediawidget.memory.budget_bytes", lambda _, free=free: free)
        with mw.remote.Loopback(mw.load()) as loopback:
            lm = mw.load(loopback.model, remote=loopback.server)
            mw.Study(lm, mw.tasks.ioi(lm, n=2, seed=0)).sweep("residual", by="position")
        executed.append(len(loopback.executed))
    assert executed[0] == executed[1]
