"""An NDIF server without its cluster: the real sandbox runner, and the real host that drives it.

Run by the Python of .venv-remote:

    server.py NUMBER

where the number is that of an open socket.

The first message names the model and its dtype, each later one is a job. What Ray, Redis and the
object store do for the real server, one socket does here; the way of a job (a fresh process that
runs the trace's body, this one that runs the model, the values in between) is that of NDIF.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

import torch
import zstandard
from ndif.services.ray.sandbox.driver import RunnerError, SandboxDriver
from ndif.services.ray.sandbox.host import Pool
from nnsight.modeling.huggingface import HuggingFaceModel
from nnsight.schema.request import RequestModel
from nnsight.schema.response import ResponseModel, Status
from torch.overrides import TorchFunctionMode


class DoubleSoftmax(TorchFunctionMode):
    """Takes a softmax of double precision numbers in it; the models themselves take it in single.

    So that what is compared is where a trace ran. mediawidget does the same where it runs.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = kwargs or {}
        if func is torch.nn.functional.softmax and args and args[0].dtype == torch.float64:
            options = {**options, "dtype": None}
        return func(*args, **options)


class Deployment:
    """One loaded model and runners in waiting, as the model actor of the server has them."""

    def __init__(self, model_key: str, dtype: str) -> None:
        self.dtype = getattr(torch, dtype)
        self.model = HuggingFaceModel.from_model_key(model_key, dispatch=True, dtype=dtype)
        self.model._module.requires_grad_(requires_grad=False)
        self.pool = Pool(size=1, model_key=model_key)

    def run(self, request: RequestModel, blob: bytes, answer: Connection) -> bytes:
        """Run one job; return the saved values as the client reads them."""
        self.model._remoteable_set_env(request.env)
        runner = self.pool.acquire(timeout=120)
        try:
            connection = runner.connection()
            try:
                connection.send((blob, request.compress, str(self.dtype), None, request.env))
                driver = SandboxDriver(
                    self.model, self.dtype, on_log=lambda text: say(answer, Status.LOG, text)
                )
                with DoubleSoftmax():
                    saved, _ = driver.pump(connection)
            finally:
                connection.close()
        finally:
            runner.stop()
        return zstandard.ZstdCompressor(level=3).compress(saved) if request.compress else saved

    def close(self) -> None:
        """End the runners, those that are still starting too: left alone they would stay."""
        self.pool.close()
        while self.pool.spawning:
            time.sleep(0.05)
        self.pool.close()


def say(answer: Connection, status: Status, words: str = "", data: bytes | None = None) -> None:
    """Send one status, as the server's websocket does: text, or binary with a result."""
    response = ResponseModel(id="job", status=status, description=words, data=data)
    answer.send(response.model_dump_json() if data is None else response.pickle())


def serve(deployment: Deployment, answer: Connection) -> None:
    """Run jobs until the client hangs up."""
    while True:
        try:
            metadata, blob = answer.recv()
        except EOFError:
            return
        try:
            saved = deployment.run(RequestModel.model_validate_json(metadata), blob, answer)
        except RunnerError as error:
            say(answer, Status.ERROR, str(error))
        except Exception:  # noqa: BLE001 - whatever the host raised is the client's to read
            say(answer, Status.ERROR, "the host failed:\n" + traceback.format_exc())
        else:
            say(answer, Status.COMPLETED, data=saved)


def main() -> None:
    """Load the model, say so, and serve."""
    if find_spec("mediawidget") is not None:
        raise SystemExit("This server has mediawidget, which no real one has.")
    number = int(sys.argv[1])
    os.set_inheritable(number, False)  # noqa: FBT003 - it knows no keywords
    with Connection(number) as answer:
        deployment = Deployment(*answer.recv())
        try:
            say(answer, Status.RECEIVED)
            serve(deployment, answer)
        finally:
            deployment.close()


if __name__ == "__main__":
    main()
