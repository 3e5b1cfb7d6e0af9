"""Answers that are kept: one request for all who share a folder, and no belief in broken files."""

from __future__ import annotations

import json
import os
import pickle
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnsight import save
from safetensors.torch import save as to_safetensors
from torch import Tensor

import mediawidget as mw
from mediawidget.remote import Cache, Ledger
from mediawidget.remote.packing import (
    FORMAT,
    DamagedError,
    UnkeepableError,
    _checksum,
    packed,
    unpacked,
)
from tests.remoting.faults import Faulty
from tests.small_models import random_model, tokenizer_of

IDS = torch.tensor([[2, 3, 4, 5, 6], [2, 7, 4, 5, 6]])
PAIR = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")
ANOTHER = """
import sys
import numpy as np
import mediawidget as mw
model, host, folder, out = sys.argv[1:]
lm = mw.load(model, remote=host, cache=folder)
pair = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")
np.save(out, mw.Study(lm, pair).sweep("head").edited)
print(lm.remote.cache.hits, lm.remote.cache.misses)
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Faulty]:
    with Faulty(mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))) as server:
        yield server


@pytest.fixture
def server(running: Faulty) -> Faulty:
    running.heals()
    running.requests.clear()
    return running


def there(server: Faulty, cache: Path | Cache | None) -> mw.LM:
    return mw.load(server.model, remote=server.server, cache=cache)


def asked(lm: mw.LM) -> Tensor:
    root: Any = lm.traced
    backend = lm.backend() if lm.backend else None
    with torch.no_grad(), root.trace(IDS, backend=backend):
        logits: Tensor = save(root.output.logits * 1.0)
    return logits


def kept(lm: mw.LM) -> Cache:
    assert lm.remote is not None
    assert lm.remote.cache is not None
    return lm.remote.cache


def posted(server: Faulty) -> int:
    return sum(exchange.method == "POST" for exchange in server.requests)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "answers").iterdir())


def same_bits(one: Tensor, other: Tensor) -> None:
    assert (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
    assert one.numpy().tobytes() == other.numpy().tobytes()


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
    assert server.requests == [], "not a word was sent"
    assert (kept(again).hits, kept(again).misses) == (n, 0)
    assert one.edited.tobytes() == other.edited.tobytes()
    assert kept(again).bytes == sum(path.stat().st_size for path in files(tmp_path)) > 0
    mw.Study(again, PAIR).sweep("mlp_out")
    assert posted(server) > 0, "another question is sent"


def test_without_a_folder_nothing_is_kept(server: Faulty) -> None:
    lm = there(server, None)
    assert lm.remote is not None
    assert lm.remote.cache is None
    same_bits(asked(lm), asked(lm))
    assert posted(server) == 2


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
    assert server.requests == []
    assert said.split() == [str(n), "0"]
    assert np.load(tmp_path / "second.npy").tobytes() == here.tobytes()


def test_two_processes_at_once(server: Faulty, tmp_path: Path) -> None:
    outs = [tmp_path / f"{i}.npy" for i in range(2)]
    both = [process(server, tmp_path, out) for out in outs]
    assert [one.wait(timeout=200) for one in both] == [0, 0]
    n = len(files(tmp_path))
    assert n <= posted(server) <= 2 * n
    assert np.load(outs[0]).tobytes() == np.load(outs[1]).tobytes()
    server.requests.clear()
    after = mw.Study(there(server, tmp_path), PAIR).sweep("head").edited
    assert server.requests == []
    assert after.tobytes() == np.load(outs[0]).tobytes()
    assert not list((tmp_path / "jobs").iterdir()), "no job is open"


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
    random_model("gpt2").save_pretrained(folder)
    tokenizer_of("gpt2").save_pretrained(folder)
    one, two = (mw.load(folder) for _ in range(2))
    embedding: Any = two.hf.get_input_embeddings()
    with torch.no_grad():
        embedding.weight *= 2.0
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


# --- what is not believed -----------------------------------------------------------------------


class Opened:
    """What a pickle would run."""

    def __reduce__(self) -> Any:
        return (os.mkdir, (os.environ["KEPT_TRAP"],))


def signed(path: Path, **change: str) -> bytes:
    """What is in a file, with something else said of it, and the right checksum of that."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    said = {**json.loads(content[8 : 8 + size])["__metadata__"], **change}
    del said["checksum"]
    tensors = {"0": torch.zeros(2, 5, 3)}
    return to_safetensors(tensors, {**said, "checksum": _checksum(said, tensors)})


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 4
    path.write_bytes(content)


def linked(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def grown(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(2**40)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "cut early": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "a bit": flipped,
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "noise": lambda path: path.write_bytes(os.urandom(5000)),
    "text": lambda path: path.write_text("{}" * 100),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(Opened())),
    "torch's pickle": lambda path: torch.save({"logits": Opened()}, path),
    "another version": lambda path: path.write_bytes(signed(path, format=FORMAT + "0")),
    "another question": lambda path: path.write_bytes(signed(path, question="0" * 32)),
    "other names": lambda path: path.write_bytes(signed(path, form='{"a": 1}')),
    "a list": lambda path: path.write_bytes(signed(path, form="[1, 2]")),
    "deep": lambda path: path.write_bytes(signed(path, form="[" * 10**6 + "]" * 10**6)),
    "a bad form": lambda path: path.write_bytes(signed(path, form='{"logits": {"tensor": "7"}}')),
    "a code": lambda path: path.write_bytes(signed(path, form='{"logits": {"eval": ["1"]}}')),
    "a link": linked,
    "a pipe": piped,
    "enormous": grown,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_file_that_is_not_whole_is_asked_again(
    server: Faulty, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPT_TRAP", str(tmp_path / "trap"))
    right = asked(there(server, tmp_path))
    (path,) = files(tmp_path)
    DAMAGE[kind](path)
    with pytest.warns(UserWarning, match="asked again"):
        same_bits(asked(there(server, tmp_path)), right)
    assert posted(server) == 2
    same_bits(asked(there(server, tmp_path)), right)
    assert posted(server) == 2, "it was put in order"
    assert not (tmp_path / "trap").exists()
    assert files(tmp_path) == [path]


def test_a_folder_in_the_place_of_a_file(server: Faulty, tmp_path: Path) -> None:
    right = asked(there(server, tmp_path))
    (path,) = files(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.warns(UserWarning, match="answer") as told:
        same_bits(asked(there(server, tmp_path)), right)
    assert len(told) == 2
    assert files(tmp_path) == [path], "nothing was left half done"


VALUES: dict[str, Any] = {
    "tensor": torch.randn(3, 5),
    "turned": torch.randn(3, 5).T,
    "one": torch.tensor(1.5, dtype=torch.float64),
    "none": torch.zeros(0, 4),
    "kinds": [torch.ones(2, dtype=kind) for kind in (torch.bfloat16, torch.float16, torch.bool)],
    "wide": torch.tensor([2**62, -1]),
    "odd": torch.tensor([float("nan"), float("inf"), -0.0]),
    "best": torch.randn(2, 6).topk(2),
    "plain": [None, True, 7, -0.0, float("inf"), "text", (1, [2.5]), {"a": 1, (2, 3): "b"}],
}


def test_values_come_back_as_they_were() -> None:
    found = unpacked("q", packed("q", VALUES))
    assert list(found) == list(VALUES)
    for name in ("tensor", "one", "none", "wide", "odd"):
        same_bits(found[name], VALUES[name])
    assert torch.equal(found["turned"], VALUES["turned"])
    assert found["best"].indices.tolist() == VALUES["best"].indices.tolist()
    same_bits(found["best"].values, VALUES["best"].values)
    for one, other in zip(found["kinds"], VALUES["kinds"], strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert found["plain"] == VALUES["plain"]
    assert str(found["plain"][3]) == "-0.0"
    found["tensor"][0] = 1.0  # its own memory


def test_a_changed_byte_never_changes_a_value() -> None:
    values = {"a": torch.arange(4.0), "b": [1, "x"]}
    content = packed("q", values)
    for at in range(len(content)):
        wrong = bytearray(content)
        wrong[at] ^= 1
        try:
            found = unpacked("q", bytes(wrong))
        except DamagedError:
            continue
        assert (found["a"].tolist(), found["b"]) == ([0, 1, 2, 3], [1, "x"]), at


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"bytes",
        np.float64(1.0),
        np.zeros(3),
        torch.zeros(3).to_sparse(),
        torch.zeros(3, device="meta"),
        torch.zeros(3, requires_grad=True),
        torch.nn.Linear(1, 1),
        type("Text", (str,), {})("text"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_file_cannot_hold_is_asked_again(tmp_path: Path, value: object) -> None:
    with pytest.raises(UnkeepableError):
        packed("q", {"one": torch.zeros(2), "other": [value]})
    cache = Cache(tmp_path)
    cache.keep("q", {"other": value})
    assert cache.find("q", frozenset({"other"})) is None
    assert cache.bytes == 0


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
    asked(lm)
    asked(lm)
    assert repr(cache).endswith(f": 1 of 2 answers were there, {cache.bytes:,} bytes kept)")
