"""Linear maps by oneDNN's kernels, where the library that torch hands them to is slow.

torch gives products of single precision to MKL, which leaves the widest instructions of another
maker's processors unused: on an AMD with AVX-512 it runs at half the pace of oneDNN, which torch
comes with too, for 15 rows as for 1,600. The numbers are the same to rounding.
"""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, nullcontext
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


def products(lm: LM, n_tokens: int) -> AbstractContextManager[Any]:
    """Inside, this thread computes a model's large linear maps as fast as its processor can.

    Args:
        lm: the model.
        n_tokens: rows times positions of the pass.
    """
    here = lm.backend is None and lm.device.type == "cpu" and lm.dtype == torch.float32
    large = n_tokens * lm.d_model * max(lm.d_model, lm.d_mlp) >= LARGE
    return QuickProducts() if here and large and pays() else nullcontext()


@cache
def pays() -> bool:
    """Whether this is a processor on which oneDNN is the faster one, as far as was measured."""
    return (
        torch.backends.mkldnn.is_available()
        and torch.backends.mkl.is_available()
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
    return _mapped(rows, weight, None) if pays() and _fit(rows, weight, None) else None


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
    made: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")  # noqa: SLF001
    return made
