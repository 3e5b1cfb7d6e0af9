"""Linear maps by oneDNN's kernels, where the library that torch hands them to is slow.

torch gives products of single precision to MKL, which leaves the widest instructions of another
maker's processors unused: on an AMD with AVX-512 it runs at half the pace of oneDNN, which torch
comes with too, for 15 rows as for 1,600. The numbers are the same to rounding.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from .lm import LM

FEWEST_ROWS, FEWEST = 4, 1 << 21
"""Rows, and multiplications, below which a product is over before oneDNN has begun."""

LARGE = 1 << 24
"""Multiplications of a pass's widest map from where on a pass is worth a look at every call."""


BLOCK, STEP, SHORT, SHORT_STEP = 256, 32, 64, 8
"""Rows of a block; what is left is padded to a multiple of ``STEP``, and if it is short of
``SHORT_STEP``: fourteen numbers of rows in all."""


ENOUGH = 1 << 27
"""Bytes that a chunk must be free to take: oneDNN's programs take up to 42 MB for one model."""

_SCARCE: ContextVar[bool] = ContextVar("_SCARCE", default=False)


@contextmanager
def fit_products(budget: int) -> Iterator[None]:
    """Inside, torch computes all products if ``budget``, bytes of a chunk, has room for no more."""
    before = _SCARCE.set(budget < ENOUGH)
    try:
        yield
    finally:
        _SCARCE.reset(before)


def products(lm: LM, n_tokens: int) -> AbstractContextManager[Any]:
    """Inside, this thread computes a model's large linear maps as fast as its processor can.

    Args:
        lm: the model.
        n_tokens: rows times positions of the pass.
    """
    here = lm.backend is None and lm.device.type == "cpu" and lm.dtype == torch.float32
    large = n_tokens * lm.d_model * max(lm.d_model, lm.d_mlp) >= LARGE
    return QuickProducts() if here and large and _wanted() else nullcontext()


def _wanted() -> bool:
    return pays() and not _SCARCE.get()


@cache
def pays() -> bool:
    """Whether this is a processor on which oneDNN is the faster one, as far as was measured."""
    return (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and "AuthenticAMD" in _maker()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _maker() -> str:
    """What the processor says of its maker, somewhere in a text."""
    told = Path("/proc/cpuinfo")
    return told.read_text(errors="replace")[:4096] if told.is_file() else platform.processor()


class QuickProducts(TorchFunctionMode):
    """Computes the maps of Linear and of GPT-2's Conv1D by oneDNN, if they are large."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if len(args) == 3 and not kwargs:
            if func is linear and _fit(*args):
                return _mapped(*args)
            if func is torch.addmm and args[0].ndim == 1 and args[2].ndim == 2:
                bias, rows, weight = args[0], args[1], args[2].t()
                if _fit(rows, weight, bias):
                    return _mapped(rows, weight, bias)
        return func(*args, **(kwargs or {}))


def quick_product(rows: Tensor, weight: Tensor) -> Tensor | None:
    """``rows`` (..., n) by ``weight`` (m, n): (..., m). None where torch's own way is the one."""
    return _mapped(rows, weight, None) if _wanted() and _fit(rows, weight, None) else None


def _fit(rows: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether oneDNN may compute it, and is done sooner."""
    n = rows.numel() // max(1, weight.shape[-1])
    if n < FEWEST_ROWS or n * weight.numel() < FEWEST:
        return False
    if torch.is_grad_enabled() and (rows.requires_grad or weight.requires_grad):
        return False
    return all(
        type(part) in (Tensor, Parameter)
        and part.dtype == torch.float32
        and part.device.type == "cpu"
        and part.layout == torch.strided
        for part in (rows, weight, bias)
        if part is not None
    )


def _mapped(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The map, block by block: only so many numbers of rows are ever asked of oneDNN.

    It keeps 0.6 MB of a program for every one that it has met, up to 1,024 of them.
    """
    flat = rows.reshape(-1, weight.shape[1])
    whole = len(flat) - len(flat) % BLOCK
    if whole == 0:
        return _padded(flat, weight, bias).view(*rows.shape[:-1], -1)
    made = flat.new_empty(len(flat), len(weight))
    for first in range(0, whole, BLOCK):
        block = slice(first, first + BLOCK)
        made[block] = _product(flat[block], weight, bias)
    if whole < len(flat):
        made[whole:] = _padded(flat[whole:], weight, bias)
    return made.view(*rows.shape[:-1], -1)


def _padded(flat: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Fewer rows than a block, with rows of zeros up to the next multiple of a step."""
    step = SHORT_STEP if len(flat) <= SHORT else STEP
    lacking = -len(flat) % step
    rows = torch.cat([flat, flat.new_zeros(lacking, flat.shape[1])]) if lacking else flat
    return _product(rows, weight, bias)[: len(flat)]


def _product(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    made: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")  # noqa: SLF001
    return made
