"""The client's end: nnsight's own remote backend, with a socket where HTTP would be."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from multiprocessing import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from nnsight.intervention.backends.remote import RemoteBackend
from nnsight.modeling import huggingface
from nnsight.modeling.transformers import TransformersModel
from nnsight.schema.response import Status

from tests.small_models import random_model, tokenizer_of

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-remote" / "bin" / "python"
SERVER = Path(__file__).with_name("server.py")


class Sandbox:
    """A server with the random model of a kind, in float64; a trace with ``backend()`` runs there.

    Attributes:
        hf: the same model here.
        model: it, traced; what names it on the server.
        logs: what bodies printed on the server.
        jobs: how many the server has done.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.hf: Any = random_model(kind)
        self.tokenizer: Any = tokenizer_of(kind)
        self.model = TransformersModel(self.hf, tokenizer=self.tokenizer, task="text-generation")
        self.logs: list[str] = []
        self.jobs = 0

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self.hf.save_pretrained(self._folder.name)
        self.tokenizer.save_pretrained(self._folder.name)
        self.model.repo_id = self._folder.name
        # What the client would ask the hub: how the name is spelt there.
        huggingface._ID_CACHE[self._folder.name] = self._folder.name
        self.wire, other = Pipe()
        # Away from the project, which its runners' -m would put on their path.
        away = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [str(PYTHON), str(SERVER), str(other.fileno())],
            pass_fds=(other.fileno(),),
            cwd=self._folder.name,
            env=away,
            start_new_session=True,
        )
        # Where the server ends, so does the wire.
        other.close()
        self.wire.send((self.model.to_model_key(), "float64"))
        self.wire.recv()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wire.close()
        try:
            self._process.wait(timeout=60)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._folder.cleanup()

    def backend(self) -> SandboxBackend:
        """A backend for one trace, with the attention implementation that the model has now."""
        return SandboxBackend(self)


class SandboxBackend(RemoteBackend):  # type: ignore[misc]
    """Sends what nnsight would send to NDIF, and reads what it would read."""

    def __init__(self, sandbox: Sandbox) -> None:
        env = sandbox.model._remoteable_get_env()
        super().__init__(sandbox.model.to_model_key(), host="http://localhost", env=env)
        self.display.enabled = False
        self._sandbox = sandbox

    def request(self, request: Any, tracer: Any) -> Any:
        wire = self._sandbox.wire
        wire.send((request.metadata(), self._serialize(tracer)))
        while True:
            response = self.parse(wire.recv())
            if response.status == Status.LOG:
                self._sandbox.logs.append(response.description)
            result = self.handle(response)
            if response.status == Status.COMPLETED:
                self._sandbox.jobs += 1
                return result


def largest_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Of two tensors of one shape."""
    assert one.shape == other.shape
    return float((one - other).abs().max())
