"""What a weight is read into shows every change of it, on a processor and elsewhere."""

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mediawidget import identity
from mediawidget.identity import _read, _sums


def digest(weight: Tensor) -> bytes:
    return b"".join(_read([weight]))


def summed(weight: Tensor) -> bytes:
    """What a GPU does, on a processor."""
    raw = weight.contiguous().reshape(-1).view(torch.uint8)
    return bytes(_sums(raw).numpy().tobytes())


def flip_the_last_bit(weight: Tensor) -> None:
    weight.view(torch.uint8).reshape(-1)[-1] ^= 1


def swap_rows(weight: Tensor) -> None:
    weight[[0, -1]] = weight[[-1, 0]]


def negate_a_zero(weight: Tensor) -> None:
    weight[1, 2] = -0.0


@pytest.mark.parametrize("read", [digest, summed])
@pytest.mark.parametrize("change", [flip_the_last_bit, swap_rows, negate_a_zero])
@pytest.mark.parametrize("shape", [(3, 5), (257, 33), (700, 64)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_every_change_shows(
    read: Callable[[Tensor], bytes],
    change: Callable[[Tensor], None],
    shape: tuple[int, int],
    dtype: torch.dtype,
) -> None:
    torch.manual_seed(0)
    weight = torch.randn(shape).to(dtype)
    weight[1, 2] = 0.0
    before = read(weight)
    assert read(weight.clone()) == before
    assert read(weight.T.contiguous().T) == before
    change(weight)
    assert read(weight) != before


@pytest.mark.parametrize("n_threads", [1, 2, 3, 64])
def test_by_many_threads_every_byte_is_read_and_it_is_the_same(
    n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_PIECE", 64)
    weights = [torch.arange(n, dtype=torch.uint8) for n in (1, 0, 64, 65, 200, 63)]
    by_one, readers = _read(weights), set()

    def read_share(*given: Any) -> None:
        readers.add(threading.current_thread())
        share(*given)

    share = identity._read_share
    monkeypatch.setattr(identity, "_read_share", read_share)
    monkeypatch.setattr(identity, "_WORTH_THREADS", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    assert _read(weights) == by_one
    assert len(readers) == min(n_threads, identity._MOST_THREADS)
    for weight in weights:
        for place in range(len(weight)):
            weight[place] ^= 1
            assert _read(weights) != by_one
            weight[place] ^= 1
    weights[3], weights[4] = weights[4].roll(1), weights[3]
    assert _read(weights) != by_one


LATE = """
import threading, torch
from mediawidget import identity

torch.get_num_threads = lambda: 2
identity._WORTH_THREADS = 0
weights = [torch.zeros(2 * identity._PIECE, dtype=torch.uint8)]

def read():
    threading.main_thread().join()
    assert len(identity._read(weights)) == 3
    print("read")

threading.Thread(target=read).start()
"""


def test_weights_are_read_while_the_interpreter_ends() -> None:
    """A click on another thread outlives the script that began it."""
    ended = subprocess.run(
        [sys.executable, "-c", LATE], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "read\n", ended.stderr
