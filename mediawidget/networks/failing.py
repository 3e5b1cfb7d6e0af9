"""What a network's own forward raises, said in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import MediationError
from ..memory import out_of_memory


@contextmanager
def reading_inputs(inputs: object) -> Iterator[None]:
    """Whatever fails inside says that the network cannot read the inputs, and why.

    Want of memory stays what it is, for smaller batches may fit.

    Args:
        inputs: what is read, for the message.
    """
    try:
        yield
    except MediationError:
        raise
    except Exception as error:
        # A forward is anybody's code, and may raise anything.
        if out_of_memory(error):
            raise
        raise MediationError(
            "The network cannot read these inputs.",
            value=f"{_shown(inputs)}: {own_words(error)}",
            expected="what its forward takes, (row, ...); in a pair without the axis of rows",
            fix="InputPair(clean=batch[0], corrupt=batch[1], ...): one row of a batch each; or "
            "networks.forward(network, batch)",
        ) from error


def own_words(error: BaseException) -> str:
    """An error's type and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def refuse_lazy(module: nn.Module) -> None:
    """Raise where weights get their sizes, and their numbers, from a first batch only.

    Raises:
        MediationError: a lazy module that has seen no batch yet; it names which.
    """
    waiting = {
        f"{path or 'the network'}: {type(part).__name__}"
        for path, part in module.named_modules()
        for weight in (*part.parameters(recurse=False), *part.buffers(recurse=False))
        if is_lazy(weight)
    }
    if waiting:
        raise MediationError(
            "The network has uninitialized weights.",
            value=", ".join(sorted(waiting)[:5]),
            expected="a network whose lazy modules have seen a batch",
            fix="module(batch), and then mw.load(module, points={...})",
        )


def _shown(inputs: object) -> str:
    if isinstance(inputs, Tensor):
        return f"inputs of shape {tuple(inputs.shape)}, {inputs.dtype}"
    return repr(inputs)[:200]
