"""Linear maps by oneDNN's kernels, where the library that torch hands them to is slow.

torch gives products of single precision to MKL, which leaves the widest instructions of another
maker's processors unused: on an AMD with AVX-512 it runs at half the pace of oneDNN, which torch
comes with too, for 15 rows as for 1,600. The numbers are the same to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from .memory import budget_bytes
from .processor import MKL_LAGS
from .tanh_gelu import gelu_of_map, tanh_gelu
from .unembedding import left_to_torch, tall_product

if TYPE_CHECKING:
    from .lm import LM

FEWEST_ROWS, FEWEST_MULTIPLICATIONS = 2, 1 << 21
"""Of a product; below them torch's own way was measured to be as quick or quicker."""

MULTIPLICATIONS_OF_PASS = 1 << 24
"""Of a pass's widest map: below them a look at every call costs more than it gains."""

PROGRAMS = 192
"""How many products get a program of their own, for exactly their number of rows. The next ones
are laid out in numbers of rows that are few: a tenth slower, and a third for a dozen rows."""

BLOCK, STEP, SHORT, SHORT_STEP = 256, 32, 64, 8
"""Rows that are computed together then. Fewer are padded to a multiple of ``STEP``, and ``SHORT``
or fewer to one of ``SHORT_STEP``: fourteen numbers of rows in all, a tall map's apart."""

TALL = 8192
"""Columns of a map above which all rows are computed together, padded: a copy of a block of logits
would take as much memory as they do."""

LONG, PART = 2048, 1024
"""Numbers that are summed for one: above the first of a transposed weight, so many at a time."""

ROOM, PLENTY = 1 << 27, 1 << 30
"""Bytes that a chunk must be free to take, and for ``PROGRAMS`` of their own: oneDNN keeps 0.6 MB
of a program for each number of rows of each map, and never gives them back."""

_TAKEN_OVER = frozenset((tall_product, gelu_of_map, linear, torch.addmm))

_OWN: set[tuple[int, int, int, bool]] = set()
"""Rows, both widths and whether GELU follows, of the products that have a program of their own."""

_BUDGET: ContextVar[int | None] = ContextVar("_BUDGET", default=None)


@contextmanager
def products_within(budget: int | None) -> Iterator[None]:
    """Inside, ``products`` heeds a budget: bytes that a chunk may take; None asks the machine."""
    before = _BUDGET.set(budget)
    try:
        yield
    finally:
        _BUDGET.reset(before)


def products(lm: LM, n_tokens: int) -> AbstractContextManager[Any]:
    """Inside, this thread computes a model's large linear maps as fast as its processor can.

    Args:
        lm: the model.
        n_tokens: rows times positions of the pass.
    """
    here = lm.backend is None and lm.device.type == "cpu" and lm.dtype == torch.float32
    large = n_tokens * lm.d_model * max(lm.d_model, lm.d_mlp) >= MULTIPLICATIONS_OF_PASS
    if not (here and large and pays()):
        return nullcontext()
    asked = _BUDGET.get()
    budget = budget_bytes(torch.device("cpu")) if asked is None else asked
    return QuickProducts(plenty=budget >= PLENTY) if budget >= ROOM else nullcontext()


@cache
def pays() -> bool:
    """Whether this is a processor on which oneDNN is the faster one, as far as was measured."""
    return (
        MKL_LAGS
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


class QuickProducts(TorchFunctionMode):
    """Computes the maps of Linear, of GPT-2's Conv1D and to logits by oneDNN, if they are large.

    What torch would refuse, compute in another precision or take a gradient of is torch's.

    Args:
        plenty: whether there is memory for programs of products' own numbers of rows.
    """

    def __init__(self, *, plenty: bool = False) -> None:
        super().__init__()
        self.plenty = plenty

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        found = self._taken_over(func, args) if func in _TAKEN_OVER and not kwargs else None
        # Most calls end here, thousands a pass.
        if found is None:
            return func(*args, **kwargs) if kwargs else func(*args)
        return found

    def _taken_over(self, func: Any, args: tuple[Any, ...]) -> Tensor | None:
        if func is tall_product:
            return _quick(args[0], args[1], None, plenty=self.plenty)
        if len(args) != 3:
            return None
        if func is linear:
            return _quick(*args, plenty=self.plenty)
        if func is gelu_of_map:
            return _quick(args[0], args[1].t(), args[2], plenty=self.plenty, gelu=True)
        if not (_is_matrix(args[1]) and _is_matrix(args[2])):
            return None
        return _quick(args[1], args[2].t(), args[0], plenty=self.plenty)


def _is_matrix(value: object) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2


def _quick(rows: Any, weight: Any, bias: Any, *, plenty: bool, gelu: bool = False) -> Tensor | None:
    """``rows`` (..., n) by ``weight`` (m, n), and ``bias`` (m,): (..., m). None: left to torch.

    ``gelu``: GELU of it, in its tanh form.
    """
    ours = _agree(rows, weight, bias) and torch.backends.mkldnn.enabled
    if not ours:
        return None
    n_rows = rows.numel() // max(1, rows.shape[-1])
    if n_rows < FEWEST_ROWS or n_rows * weight.numel() < FEWEST_MULTIPLICATIONS:
        return None
    return _mapped(rows, weight, bias, plenty=plenty, gelu=gelu)


def _agree(rows: Any, weight: Any, bias: Any) -> bool:
    """Whether oneDNN computes what torch would: it checks no shape, and heeds no bias's strides."""
    parts = (rows, weight) if bias is None else (rows, weight, bias)
    if not all(map(_is_plain, parts)) or left_to_torch(*parts):
        return False
    if weight.ndim != 2 or rows.ndim == 0 or rows.shape[-1] != weight.shape[1]:
        return False
    if not (weight.is_contiguous() or weight.t().is_contiguous()):
        return False  # of a part of a wider weight oneDNN is thousands of times slower
    return bias is None or (bias.shape == weight.shape[:1] and bias.is_contiguous())


def _is_plain(part: Any) -> bool:
    """Whether it is a tensor like any other, in single precision."""
    return (
        type(part) in (Tensor, Parameter)
        and part.dtype == torch.float32
        and part.device.type == "cpu"
        and part.layout == torch.strided
    )


def _mapped(
    rows: Tensor, weight: Tensor, bias: Tensor | None, *, plenty: bool, gelu: bool = False
) -> Tensor:
    flat = rows.reshape(-1, weight.shape[1])
    whole = plenty and _has_own(flat, weight, gelu=gelu)
    made = (_product if whole else _by_blocks)(flat, weight, bias, gelu=gelu)
    return made.view(*rows.shape[:-1], -1)


def _has_own(flat: Tensor, weight: Tensor, *, gelu: bool) -> bool:
    """Whether a product has a program of its own, or gets it now."""
    product = (len(flat), *weight.shape, gelu)
    if product not in _OWN and len(_OWN) < PROGRAMS:
        _OWN.add(product)
    return product in _OWN


def _by_blocks(flat: Tensor, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> Tensor:
    """The map, (n, m), block by block: few numbers of rows are ever asked of oneDNN."""
    if len(flat) <= BLOCK or len(weight) > TALL:
        return _padded(flat, weight, bias, gelu=gelu)
    made = flat.new_empty(len(flat), len(weight))
    for part, into in zip(torch.split(flat, BLOCK), torch.split(made, BLOCK), strict=True):
        into.copy_(_padded(part, weight, bias, gelu=gelu))
    return made


def _padded(flat: Tensor, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> Tensor:
    """The map of rows, with rows of zeros up to the next multiple of a step."""
    lacking = -len(flat) % (SHORT_STEP if len(flat) <= SHORT else STEP)
    rows = torch.cat([flat, flat.new_zeros(lacking, flat.shape[1])]) if lacking else flat
    return _product(rows, weight, bias, gelu=gelu)[: len(flat)]


def _product(rows: Tensor, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> Tensor:
    """The map by oneDNN; in parts where a weight that lies transposed is long, as in GPT-2's MLP.

    There oneDNN is a sixth slower, and in parts half of that.
    """
    if weight.is_contiguous() or weight.shape[1] <= LONG:
        return _plus(rows, weight, bias, gelu=gelu)
    pieces = zip(torch.split(rows, PART, dim=1), torch.split(weight, PART, dim=1), strict=True)
    made = _plus(*next(pieces), bias)
    for some, own in pieces:
        made = torch.ops.mkldnn._linear_pointwise.binary(some, made, own, None, "add")  # noqa: SLF001
    return tanh_gelu(made) if gelu else made


def _plus(rows: Tensor, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> Tensor:
    then, form = ("gelu", "tanh") if gelu else ("none", "")
    made: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, then, [], form)  # noqa: SLF001
    return made
