"""Answers that are kept come back to the last bit, and no broken file is believed."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as to_safetensors

from mediawidget.remote import Cache
from mediawidget.remote.packing import (
    FORMAT,
    DamagedError,
    UnkeepableError,
    _checksum,
    packed,
    unpacked,
)
from tests.remoting.faults import Faulty
from tests.remoting.keeping import asked, files, posted, same_bits, there

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


def test_an_empty_tensor_that_lies_in_steps_is_kept_too() -> None:
    """What a question of the prompts alone brings: of no edit there is no largest change."""
    value = torch.zeros(2, 39)[:0, 0].clone()
    assert value.stride() == (39,)
    found = unpacked("q", packed("q", {"change": value, "kept": torch.ones(2)}))
    assert (found["change"].shape, found["change"].dtype) == (value.shape, value.dtype)
    assert found["kept"].tolist() == [1, 1]


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
