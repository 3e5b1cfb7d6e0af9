"""Pages are run as by a stranger: in a folder of their own, and without a network."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, so that what a page writes is gone, and what it reads must be made."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only servers of this machine can be reached."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_here(address[0]):
            raise ConnectionRefusedError(f"a page asked for {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.delenv("NDIF_API_KEY", raising=False)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def own_chance() -> Iterator[None]:
    """A page that sets a seed sets it for itself."""
    import numpy as np
    import torch

    drawn, numpy_drawn = random.getstate(), np.random.get_state()  # noqa: NPY002 - what pages may set
    torch_drawn = torch.get_rng_state()
    yield
    random.setstate(drawn)
    np.random.set_state(numpy_drawn)  # noqa: NPY002
    torch.set_rng_state(torch_drawn)


@pytest.fixture(autouse=True)
def own_kinds() -> Iterator[None]:
    """What a page adds to the package is gone after it."""
    from mediawidget.architectures import ARCHITECTURES
    from mediawidget.edits import base
    from mediawidget.mediators import MEDIATORS

    registers: tuple[dict[str, Any], ...] = (MEDIATORS, base._KINDS, ARCHITECTURES)
    before = [dict(known) for known in registers]
    yield
    for known, kept in zip(registers, before, strict=True):
        known.clear()
        known.update(kept)
