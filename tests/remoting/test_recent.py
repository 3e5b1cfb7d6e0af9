"""What a server answered stays in the kernel's memory: what is asked again is not sent again."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.remote.packing import packed
from mediawidget.remote.recent import LIMIT, Recent
from tests.remoting.faults import Faulty
from tests.remoting.keeping import asked, posted, same_bits, there

PAIR = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")
IDS = torch.tensor([[2, 3, 4, 5, 6]])
NAMES = frozenset({"value"})


def remote_of(lm: mw.LM) -> Any:
    assert lm.remote is not None
    return lm.remote


def value(n: int = 10, of: float = 0.0) -> dict[str, Any]:
    return {"value": torch.full((n,), of)}


SIZE = len(packed("a", value()))


# --- what is asked again ------------------------------------------------------------------------


def test_a_sweep_that_is_asked_again_is_not_sent_again(server: Faulty) -> None:
    lm = there(server, None)
    first = mw.Study(lm, PAIR).sweep("head")
    n, traffic = posted(server), remote_of(lm).traffic
    assert n > 2
    second = mw.Study(lm, PAIR).sweep("head")
    assert posted(server) == n
    assert remote_of(lm).traffic == traffic, "nothing was asked, so nothing is counted"
    assert first.edited.tobytes() == second.edited.tobytes()
    mw.Study(lm, PAIR).sweep("mlp_out")
    assert posted(server) > n, "another question is sent"


@pytest.mark.parametrize("view", [mw.HeadGrid, mw.Explorer, mw.TokenHeatmap])
def test_a_view_that_opens_again_asks_nothing(
    server: Faulty, view: Callable[[mw.Study], Any]
) -> None:
    study = mw.Study(there(server, None), PAIR)
    study.sweep("head")
    view(study)
    n = posted(server)
    view(study)
    assert posted(server) == n
    mw.Explorer(study)
    assert posted(server) == n, "of the prompts alone all views ask the same"
    # Cells that were swept are asked by no view; a sweep of the same is not sent.
    study.sweep("head")
    assert posted(server) == n


def test_who_forgets_asks_anew(server: Faulty) -> None:
    lm = there(server, None)
    one, other = asked(lm), asked(lm)
    assert posted(server) == 1
    remote_of(lm).forget()
    assert len(remote_of(lm).recent) == 0
    again = asked(lm)
    assert posted(server) == 2
    same_bits(one, other)
    same_bits(one, again)


def test_it_is_said_how_much_is_kept(server: Faulty) -> None:
    lm = there(server, None)
    remote = remote_of(lm)
    assert "0 answers kept in 0 bytes" in repr(remote)
    asked(lm)
    size = remote.recent.bytes
    assert f"1 answers kept in {size:,} bytes" in repr(remote)
    assert repr(remote.recent) == f"Recent(1 answers, {size:,} of at most {LIMIT:,} bytes)"


def test_what_is_changed_in_place_is_nobody_elses(server: Faulty) -> None:
    lm = there(server, None)
    known = lm.logits_at(IDS, [-1])
    first = known.clone()
    for _ in range(2):  # what came from the server, and what came from memory
        known.zero_()
        known = lm.logits_at(IDS, [-1])
        same_bits(known, first)
    assert posted(server) == 1


def test_who_is_done_with_a_model_keeps_nothing_of_it(server: Faulty) -> None:
    lm = there(server, None)
    lm.logits_at(IDS, [-1])
    held = weakref.ref(remote_of(lm).recent)
    assert held() is not None
    del lm
    gc.collect()
    assert held() is None


def test_two_threads_that_ask_the_same_are_one_job(server: Faulty) -> None:
    lm, found = there(server, None), list[torch.Tensor]()
    server.going.clear()
    threads = [
        threading.Thread(target=lambda: found.append(lm.logits_at(IDS, [-1]))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    server.going.set()
    for thread in threads:
        thread.join(60)
    assert posted(server) == 1
    assert len(found) == 3
    found[0].zero_()
    same_bits(found[1], found[2])
    assert found[1].abs().max() > 0


def test_of_a_server_that_lied_nothing_is_remembered(server: Faulty) -> None:
    server.lies(by=0.5, only="kept")
    lm = there(server, None)
    for _ in range(2):
        before = posted(server)
        with pytest.raises(mw.MediationError, match="does not compute"):
            mw.Study(lm, PAIR).sweep("head")
        assert posted(server) > before, "it is asked again, for it may be mended"
        assert len(remote_of(lm).recent) == 0
    server.heals()
    found = mw.Study(lm, PAIR).sweep("head")
    here = mw.Study(server._lm, PAIR).sweep("head")
    np.testing.assert_allclose(found.edited, here.edited, rtol=0, atol=1e-9)


def test_an_answer_of_another_shape_is_not_remembered(server: Faulty) -> None:
    lm = there(server, None)
    server._lie = lambda saved: {"found": saved["found"][..., :-1]}
    for n in (1, 2):
        with pytest.raises(mw.MediationError, match="other numbers than"):
            lm.logits_at(IDS, [-1])
        assert posted(server) == n
    server.heals()
    assert lm.logits_at(IDS, [-1]).shape == (1, 1, lm.vocabulary)


# --- the bound ----------------------------------------------------------------------------------


def test_the_one_not_asked_for_longest_goes_first() -> None:
    recent = Recent(5 * SIZE)
    for i, name in enumerate("abcde"):
        recent.keep(name, value(of=float(i)))
    assert (len(recent), recent.bytes) == (5, 5 * SIZE)
    assert recent.find("a", NAMES) is not None, "which is asked for now"
    recent.keep("f", value())
    assert (len(recent), recent.bytes) == (5, 5 * SIZE)
    assert [name for name in "abcdef" if recent.find(name, NAMES)] == ["a", "c", "d", "e", "f"]


def test_what_is_large_drives_nobody_out() -> None:
    recent = Recent(5 * SIZE)
    recent.keep("a", value())
    recent.keep("large", value(1000))
    assert (len(recent), recent.bytes) == (1, SIZE)
    recent.keep("a", value(1000))
    assert (len(recent), recent.bytes) == (0, 0), "what it was before is not its answer"


def test_an_answer_is_kept_once_and_found_whole_or_not() -> None:
    recent = Recent()
    for of in (1.0, 2.0):
        recent.keep("a", value(of=of))
    assert (len(recent), recent.bytes) == (1, SIZE)
    found = recent.find("a", NAMES)
    assert found is not None
    assert found["value"].tolist() == [2.0] * 10
    assert recent.find("a", NAMES | {"other"}) is None
    assert recent.find("b", NAMES) is None
    recent.drop("b")
    recent.drop("a")
    assert (len(recent), recent.bytes) == (0, 0)


def test_what_no_bytes_can_hold_is_not_kept() -> None:
    recent = Recent()
    recent.keep("a", {"value": object()})
    assert (len(recent), recent.bytes) == (0, 0)


def test_several_threads_leave_the_count_right() -> None:
    recent = Recent(20 * SIZE)

    def busy(seed: int) -> None:
        for i in range(300):
            name = str((seed * i) % 37)
            recent.keep(name, value(10 + i % 3))
            recent.find(name, NAMES)
            recent.drop(str(i % 7))

    threads = [threading.Thread(target=busy, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recent.bytes == sum(map(len, recent._answers.values())) <= recent.limit
