"""Answers that are kept: one request for all who share a folder, however it is shared."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.remote import Cache, Ledger
from mediawidget.remote.folders import turn
from mediawidget.remote.packing import (
    packed,
)
from tests.remoting.faults import Faulty
from tests.remoting.keeping import asked, files, kept, posted, same_bits, there
from tests.small_models import random_model, tokenizer_of

PAIR = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")
FIRST = 2
"""Requests of first contact."""
ANOTHER = """
import sys
import numpy as np
import mediawidget as mw
model, host, folder, out = sys.argv[1:]
lm = mw.load(model, remote=host, cache=folder)
pair = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")
study = mw.Study(lm, pair)
study.engine.prove()
owed = lm.remote.owed is not None
np.save(out, study.sweep("head").edited)
print(lm.remote.traffic.jobs, int(owed and lm.remote.owed is None))
print(lm.remote.cache.hits, lm.remote.cache.misses)
"""


# --- what goes well -----------------------------------------------------------------------------


def test_what_was_answered_is_not_asked_again(server: Faulty, tmp_path: Path) -> None:
    first = there(server, tmp_path)
    one = mw.Study(first, PAIR).sweep("head")
    n = posted(server)
    assert n > 0
    assert (kept(first).hits, kept(first).misses) == (0, n)
    server.requests.clear()
    again = there(server, tmp_path)
    other = mw.Study(again, PAIR).sweep("head")
    assert posted(server) == 0, "not a word was sent"
    assert (kept(again).hits, kept(again).misses) == (n, 0)
    assert one.edited.tobytes() == other.edited.tobytes()
    assert kept(again).bytes == sum(path.stat().st_size for path in files(tmp_path)) > 0
    mw.Study(again, PAIR).sweep("mlp_out")
    assert posted(server) > 0, "another question is sent"


def test_without_a_folder_nothing_outlives_the_kernels_memory(server: Faulty) -> None:
    lm, other = there(server, None), there(server, None)
    assert lm.remote is not None
    assert lm.remote.cache is None
    first = asked(lm)
    lm.remote.forget()
    same_bits(first, asked(lm))
    assert posted(server) == 2
    same_bits(first, asked(other))
    assert posted(server) == 3


def test_what_is_in_memory_is_not_looked_for_in_the_folder(server: Faulty, tmp_path: Path) -> None:
    lm = there(server, tmp_path)
    first = asked(lm)
    (path,) = files(tmp_path)
    path.write_bytes(b"broken")
    same_bits(first, asked(lm))
    assert (kept(lm).hits, kept(lm).misses) == (0, 1)


def process(server: Faulty, folder: Path, out: Path) -> subprocess.Popen[str]:
    root = Path(mw.__file__).parent.parent
    env = {**os.environ, "NDIF_API_KEY": server.key, "PYTHONPATH": str(root)}
    words = [sys.executable, "-c", ANOTHER, server.model, server.host, str(folder), str(out)]
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)


def test_another_process_asks_nothing(server: Faulty, tmp_path: Path) -> None:
    lm = there(server, tmp_path)
    here = mw.Study(lm, PAIR).sweep("head").edited
    n = posted(server)
    server.requests.clear()
    second = process(server, tmp_path, tmp_path / "second.npy")
    said, _ = second.communicate(timeout=100)
    assert second.returncode == 0
    assert posted(server) == 0
    assert said.split()[-4:] == ["0", "0", str(n), "0"], "after its bars"
    assert np.load(tmp_path / "second.npy").tobytes() == here.tobytes()


def test_two_processes_at_once(server: Faulty, tmp_path: Path) -> None:
    outs = [tmp_path / f"{i}.npy" for i in range(2)]
    both = [process(server, tmp_path, out) for out in outs]
    said = [one.communicate(timeout=400)[0].split()[-4:-2] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    n, asked_twice = len(files(tmp_path)), sum(int(repeated) for _, repeated in said)
    assert posted(server) == sum(int(jobs) for jobs, _ in said)
    # One asked, the other waited for its job. Who read any of first contact in the folder repeats
    # it before the first job that is run for him: nobody, one or both, as they took turns. What
    # the other is repeating just then he waits for, too.
    assert n <= posted(server) <= n + FIRST * asked_twice
    assert np.load(outs[0]).tobytes() == np.load(outs[1]).tobytes()
    server.requests.clear()
    after = mw.Study(there(server, tmp_path), PAIR).sweep("head").edited
    assert posted(server) == 0
    assert after.tobytes() == np.load(outs[0]).tobytes()
    assert not list((tmp_path / "jobs").glob("*.json")), "no job is open"


def test_what_came_since_it_was_looked_for(tmp_path: Path) -> None:
    cache, value = Cache(tmp_path), {"value": torch.zeros(1)}
    names = frozenset(value)
    assert cache.find("q", names) is None
    assert cache.find("q", names, again=True) is None
    assert (cache.hits, cache.misses) == (0, 1)
    Cache(tmp_path).keep("q", value)
    assert cache.find("q", names, again=True) is not None
    assert (cache.hits, cache.misses) == (1, 0)
    (path,) = files(tmp_path)
    path.write_bytes(b"broken")
    with pytest.warns(UserWarning, match="asked again"):
        assert cache.find("q", names) is None
    assert cache.find("q", names, again=True) is None, "and nothing is said twice"
    assert (cache.hits, cache.misses) == (1, 1)


def test_who_died_or_sleeps_in_his_turn_stops_nobody(tmp_path: Path) -> None:
    place, stop = tmp_path / "jobs" / "a.turn", threading.Event()
    # A lock that no name holds is let go again.
    words = "import sys, time, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); "
    place.parent.mkdir()
    words += "print(flush=True); time.sleep(100)"
    command = [sys.executable, "-c", words, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        try:
            other.stdout.readline()
            done: list[str] = []
            with turn(place, stop, most=0.2):
                done.append("he sleeps")
            stop.set()
            with turn(place, stop):
                done.append("nobody wants it any more")
            stop.clear()
            waiting = threading.Thread(target=lambda: _in_turn(place, stop, done))
            waiting.start()
            assert len(done) == 2
        finally:
            other.kill()
        waiting.join(timeout=60)
    assert done[2:] == ["in turn"]


def _in_turn(place: Path, stop: threading.Event, done: list[str]) -> None:
    with turn(place, stop, most=1000):
        done.append("in turn")


def test_two_writers_and_a_reader(tmp_path: Path) -> None:
    cache, going = Cache(tmp_path), threading.Event()
    answers = [{"value": torch.full((200_000,), float(i))} for i in range(2)]
    cache.keep("question", answers[0])

    def write(answer: dict[str, Any]) -> None:
        while not going.is_set():
            Cache(tmp_path).keep("question", answer)

    writers = [threading.Thread(target=write, args=(answer,)) for answer in answers]
    for writer in writers:
        writer.start()
    try:
        for _ in range(100):
            found = cache.find("question", frozenset({"value"}))
            assert found is not None
            assert len(found["value"].unique()) == 1, "two answers in one"
    finally:
        going.set()
        for writer in writers:
            writer.join()
    assert [path.name for path in files(tmp_path)] == ["question.safetensors"]


def test_the_same_words_to_another_server_are_another_question(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    model: Any = random_model("gpt2")
    model.save_pretrained(folder)
    tokenizer_of("gpt2").save_pretrained(folder)
    one, two = (mw.load(folder) for _ in range(2))
    hf: Any = two.hf
    with torch.no_grad():
        hf.get_input_embeddings().weight *= 2.0
    with Faulty(one) as first, Faulty(two) as second:
        a, b = (asked(there(server, tmp_path)) for server in (first, second))
        assert posted(first) == posted(second) == 1
    assert (a - b).abs().max() > 0.01


def test_of_a_server_that_lied_nothing_is_kept(server: Faulty, tmp_path: Path) -> None:
    server.lies(by=0.5, only="kept")
    with pytest.raises(mw.MediationError, match="does not compute"):
        mw.Study(there(server, tmp_path), PAIR).sweep("head")
    assert files(tmp_path) == []
    server.heals()
    there_ = mw.Study(there(server, tmp_path), PAIR).sweep("head")
    here = mw.Study(server._lm, PAIR).sweep("head")
    np.testing.assert_allclose(there_.edited, here.edited, rtol=0, atol=1e-9)


def test_no_key_is_in_the_folder(server: Faulty, tmp_path: Path) -> None:
    asked(there(server, tmp_path))
    (path,) = files(tmp_path)
    assert server.key.encode() not in path.read_bytes()
    assert server.key not in path.name
    assert server.key not in repr(kept(there(server, tmp_path)))


# --- the folder ---------------------------------------------------------------------------------


@contextmanager
def only_read(folder: Path) -> Iterator[None]:
    """While nobody may write in a folder, root neither."""
    root = os.geteuid() == 0
    inside = [folder, *folder.iterdir()]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in inside]
    for path in inside:
        path.chmod(0o555)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in zip(inside, modes, strict=True):
            path.chmod(mode)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that others may reach; those of pytest are for their owner alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_that_is_only_read(shared: Path) -> None:
    value = {"value": torch.arange(3.0)}
    Cache(shared).keep("known", value)
    Ledger("http://host", shared).add("there", "job-1")
    with only_read(shared):
        cache, ledger = Cache(shared), Ledger("http://host", shared)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = cache.find("known", frozenset(value))
            assert cache.find("new", frozenset(value)) is None
        assert found is not None
        same_bits(found["value"], value["value"])
        with pytest.warns(UserWarning, match="not kept, but read"):
            cache.keep("new", value)
        cache.keep("newer", value)  # said once: here a warning is an error
        assert ledger.find("there") == "job-1"
        ledger.add("new", "job-2")
        assert ledger.find("new") == "job-2"
        ledger.forget("there")
        with ledger.turn("new", threading.Event()):
            ledger.add("newer", "job-3")
        cache.drop()
    assert [path.name for path in files(shared)] == ["known.safetensors"]


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o770, 0o775])
def test_what_is_kept_is_as_open_as_its_folder(shared: Path, mode: int) -> None:
    shared.chmod(mode)
    before = os.umask(0o077)
    try:
        Cache(shared).keep("question", {"value": torch.zeros(1)})
        Ledger("http://host", shared).add("question", "job")
    finally:
        os.umask(before)
    for name, inside in (("answers", "question.safetensors"), ("jobs", "question.json")):
        assert stat.S_IMODE((shared / name).stat().st_mode) == mode
        assert stat.S_IMODE((shared / name / inside).stat().st_mode) == mode & 0o666


def test_the_oldest_goes_where_there_is_no_room(tmp_path: Path) -> None:
    value = {"value": torch.zeros(250)}
    size = len(packed("a", value))
    cache = Cache(tmp_path, limit=3 * size)
    for i, name in enumerate("abc"):
        cache.keep(name, value)
        os.utime(tmp_path / "answers" / f"{name}.safetensors", (1000 + i, 1000 + i))
    assert cache.bytes == 3 * size
    assert cache.find("a", frozenset(value)) is not None, "which is read now"
    cache.keep("d", value)
    assert [path.stem for path in files(tmp_path)] == ["a", "c", "d"]
    cache.keep("large", {"value": torch.zeros(5000)})
    assert [path.stem for path in files(tmp_path)] == ["a", "c", "d"], "it alone is too large"


def test_what_a_dead_process_began_goes(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.keep("a", {"value": torch.zeros(1)})
    old, new = (tmp_path / "answers" / f".b.safetensors.{i}" for i in "01")
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    cache.keep("c", {"value": torch.zeros(1)})
    assert not old.exists()
    assert new.exists(), "somebody writes it now"


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "2"])
def test_nonsense_is_refused(limit: Any) -> None:
    with pytest.raises(mw.MediationError, match="number of bytes"):
        Cache("answers", limit=limit)
    with pytest.raises(mw.MediationError, match="folder"):
        Cache("")


def test_a_cache_says_how_much_it_was_of_use(server: Faulty, tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=10**6)
    lm = there(server, cache)
    assert kept(lm) is cache
    assert lm.remote is not None
    asked(lm)
    lm.remote.forget()
    asked(lm)
    assert repr(cache).endswith(f": 1 of 2 answers were there, {cache.bytes:,} bytes kept)")
