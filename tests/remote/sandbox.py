"""A sandbox, and two ways into it: over NDIF's HTTP, and nnsight's backend on a bare socket."""

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
from nnsight.schema.request import RequestModel
from nnsight.schema.response import ResponseModel, Status

import mediawidget as mw
from mediawidget.remote.loopback import Loopback
from mediawidget.remote.loopback.deployed import RefusedError
from tests.small_models import random_model, tokenizer_of

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-remote" / "bin" / "python"
SERVER = Path(__file__).with_name("server.py")


class SandboxError(RefusedError):
    """What the server says that went wrong in it."""


class Sandbox:
    """A server with the random model of a kind, in float64.

    Attributes:
        hf: the same model here.
        model: it, traced; what names it on the server. A trace with ``backend()`` runs there.
        folder: where it is saved.
        front: the server as NDIF's clients know it: ``mw.load(folder, remote=front.server)``.
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
        self.folder = self._folder.name
        self.hf.save_pretrained(self.folder)
        self.tokenizer.save_pretrained(self.folder)
        self.model.repo_id = self.folder
        # What the client would ask the hub: how the name is spelt there.
        huggingface._ID_CACHE[self.folder] = self.folder
        self.wire, other = Pipe()
        # Away from the project, which its runners' -m would put on their path.
        away = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [str(PYTHON), str(SERVER), str(other.fileno())],
            pass_fds=(other.fileno(),),
            cwd=self.folder,
            env=away,
            start_new_session=True,
        )
        # Where the server ends, so does the wire.
        other.close()
        self.wire.send((self.model.to_model_key(), "float64"))
        self.wire.recv()
        self.front = Front(self).__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.front.close()
        self.wire.close()
        try:
            self._process.wait(timeout=60)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._folder.cleanup()

    def here(self) -> mw.LM:
        """The model with its weights."""
        return mw.load(self.folder, dtype=torch.float64)

    def there(self) -> mw.LM:
        """The model without its weights, as anybody loads it."""
        return mw.load(self.folder, remote=self.front.server)

    def run(self, metadata: str, blob: bytes) -> bytes:
        """Have a request run; its result as the server sends it.

        Raises:
            SandboxError: what the server says.
        """
        self.wire.send((metadata, blob))
        while True:
            response = RemoteBackend.parse(self.wire.recv())
            if response.status == Status.LOG:
                self.logs.append(response.description)
            elif response.status == Status.ERROR:
                raise SandboxError(response.description)
            else:
                self.jobs += 1
                result: bytes = response.data
                return result

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
        saved = self._sandbox.run(request.metadata(), self._serialize(tracer))
        return self.handle(ResponseModel(id="job", status=Status.COMPLETED, data=saved))


class Front(Loopback):
    """Takes requests and hands out results as NDIF does; the sandbox runs them."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox.here())
        self._sandbox = sandbox

    def __enter__(self) -> Self:
        super().__enter__()
        setattr(self._deployed, "run", self._away)  # noqa: B010 - no assignment for the types
        return self

    def _away(self, request: RequestModel, blob: bytes, *_: Any) -> bytes:
        return self._sandbox.run(request.metadata(), blob)


def largest_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Of two tensors of one shape."""
    assert one.shape == other.shape
    return float((one - other).abs().max())
