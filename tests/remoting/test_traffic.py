"""What a client counts of its requests is what the server counts."""

from __future__ import annotations

import mediawidget as mw


def test_what_was_asked_is_counted_as_the_server_counts_it() -> None:
    loopback = mw.remote.Loopback(mw.load()).open()
    try:
        lm = mw.load(loopback.model, remote=loopback.server)
        assert lm.remote is not None
        assert lm.remote.traffic == mw.remote.Traffic()
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
