"""A real kernel, driven as a page drives it: cells, clicks, and what it takes of the machine."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

OURS = ("HF_", "XDG_", "IPYTHON", "JUPYTER")
"""How the names of settings begin that are this process's user's, not the kernel's."""

VIEW = "application/vnd.jupyter.widget-view+json"
PATIENCE = 600.0
"""Seconds for a cell; twenty kernels that import torch at once on two cores take minutes."""


@dataclass(frozen=True)
class Memory:
    """What a process holds, in bytes.

    Attributes:
        rss: resident, pages of files included: as many as the system chose to map, 60 MB more of
            the same kernel on one day than on another.
        own: what it wrote itself, which no file holds and nobody shares.
        pss: its own, and its part of what it shares.
        peak: the largest ``rss`` so far.
    """

    rss: int
    own: int
    pss: int
    peak: int


@dataclass
class Cell:
    """What came of a cell.

    Attributes:
        seconds: from sending it to the reply.
        bundles: what was displayed, as MIME bundles.
        text, warnings: of its two streams.
        error: of an exception, empty without one.
    """

    seconds: float = 0.0
    bundles: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""
    warnings: str = ""
    error: str = ""

    @property
    def views(self) -> list[str]:
        """The widgets it showed, by model."""
        return [str(one[VIEW]["model_id"]) for one in self.bundles if VIEW in one]

    @property
    def pictures(self) -> int:
        """How many pictures it left for a page without a kernel."""
        return sum("mw-saved-" in str(one.get("text/html", "")) for one in self.bundles)


class Kernel:
    """A kernel that runs; made by ``kernel``."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient, log: Path) -> None:
        self._client, self._log = client, log
        self.pid = int(manager.provisioner.pid)  # type: ignore[union-attr]

    def run(self, code: str) -> Cell:
        """Run a cell to its end."""
        cell, started = Cell(), time.perf_counter()

        def take(message: Mapping[str, Any]) -> None:
            content, kind = message["content"], message["msg_type"]
            if kind == "stream":
                name = "text" if content["name"] == "stdout" else "warnings"
                setattr(cell, name, getattr(cell, name) + content["text"])
            elif kind in ("display_data", "execute_result"):
                cell.bundles.append(content["data"])
            elif kind == "error":
                cell.error = f"{content['ename']}: {content['evalue']}"

        self._client.execute_interactive(
            code, allow_stdin=False, output_hook=take, timeout=PATIENCE, stop_on_error=False
        )
        cell.seconds = time.perf_counter() - started
        return cell

    def value(self, expression: str) -> Any:
        """What an expression is in the kernel, as JSON.

        Raises:
            RuntimeError: it failed there.
        """
        cell = self.run(f"import json as _json; print(_json.dumps({expression}))")
        if cell.error:
            raise RuntimeError(cell.error)
        return json.loads(cell.text.splitlines()[-1])

    def click(self, model: str, message: Mapping[str, Any]) -> tuple[float, list[dict[str, Any]]]:
        """Send a widget a message of its page: seconds until the kernel rests, and its answers."""
        client = self._client
        data = {"comm_id": model, "data": {"method": "custom", "content": dict(message)}}
        asked = client.session.msg("comm_msg", data)
        started = time.perf_counter()
        client.shell_channel.send(asked)
        answers: list[dict[str, Any]] = []
        seconds = 0.0
        while time.perf_counter() - started < PATIENCE:
            # A request is done on the kernel's loop, after the message itself is.
            heard = self._heard(30.0)
            if heard["msg_type"] == "comm_msg" and heard["content"]["comm_id"] == model:
                answers.append(heard["content"]["data"])
                seconds = time.perf_counter() - started
                if _is_answer(answers[-1]):
                    return seconds, answers
        raise TimeoutError(f"no answer to {message}")

    def _heard(self, timeout: float) -> dict[str, Any]:
        return dict(self._client.get_iopub_msg(timeout=timeout))

    def memory(self) -> Memory:
        """Of the kernel's process, now."""
        rolled = _kilobytes(Path(f"/proc/{self.pid}/smaps_rollup"))
        peak = _kilobytes(Path(f"/proc/{self.pid}/status"))["VmHWM"]
        sizes = (rolled["Rss"], rolled["Anonymous"], rolled["Pss"], peak)
        return Memory(*(1024 * n for n in sizes))

    def said(self) -> str:
        """What the process wrote, which no page shows."""
        return self._log.read_text(encoding="utf-8", errors="replace")


def _is_answer(data: Mapping[str, Any]) -> bool:
    """Whether a message ends what a click began: a view's reply, or a card with the guess's run."""
    if data.get("method") == "custom":
        return bool(data["content"].get("kind") == "reply")
    card = data.get("state", {}).get("state", {}).get("card", {})
    return bool(card.get("tried") or card.get("error"))


def _kilobytes(file: Path) -> dict[str, int]:
    lines = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[-1] == "kB"}


@contextmanager
def kernel(
    folder: Path,
    *,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Kernel]:
    """Start a kernel, ready for its first cell; end it at the end.

    It listens on sockets in ``folder``, not on ports: it is reached where it has no network.

    Args:
        folder: for its sockets and its log; a short path.
        before: a command that runs the kernel's command, which is appended to it.
        environment: besides this process's, without its user's settings and numbers of threads.
        cwd: where it runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manager = KernelManager(transport="ipc", connection_file=str(folder / "kernel.json"))
    spec = manager.kernel_spec
    assert spec is not None
    spec.argv = [*before, sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OURS) and not name.endswith("_NUM_THREADS")
    }
    log = folder / "log"
    with log.open("w") as out:
        manager.start_kernel(
            env={**inherited, **(environment or {})}, cwd=str(cwd or folder), stdout=out, stderr=out
        )
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield Kernel(manager, client, log)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
