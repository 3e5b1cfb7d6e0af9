"""Weights once more, as oneDNN lays them out for itself, for those that many rows pass repeatedly.

A product of many rows is an eighth quicker by them, and of a small weight more. They take the
memory of the weights again, and are never trusted: somebody may have written into a weight behind
every counter, so each use reads all of its bits, which takes a fortieth of what it saves time of.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import torch
import xxhash
from torch import Tensor
from torch.nn import Parameter
from torch.utils.weak import WeakTensorKeyDictionary

FEWEST_ROWS = 512
"""Of a product, for which it pays to read all bits of a weight."""

_ROWS = 1536
"""Of the products that a weight is laid out for; it was measured to be good for 256 and 2,400."""


@dataclass(frozen=True)
class _Packed:
    """A weight that was packed, and the proof that it is still the same."""

    proof: object
    weight: Tensor


_KEPT: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
"""Parameter -> ``_Packed``, or None where it was asked for once; gone with the parameter."""

_LOCK = Lock()


def packed(parameter: Tensor, weight: Tensor, room: int) -> Tensor | None:
    """A parameter's weight for oneDNN's ``_linear_pointwise``; None the first time it is asked for.

    Packing takes as long as two passes save by it, so what is asked for once is not packed.

    Args:
        parameter: whose weight; of another tensor nothing is kept.
        weight: the same numbers, (columns, numbers to sum), contiguous or transposed.
        room: bytes that all that is kept may take.
    """
    if type(parameter) is not Parameter:
        return None
    with _LOCK:
        if parameter not in _KEPT:
            _KEPT[parameter] = None
            return None
        proof, kept = _proof(weight), _KEPT[parameter]
        if kept is None and _bytes_kept() + parameter.nbytes <= room:
            made = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _ROWS)  # noqa: SLF001
            kept = _KEPT[parameter] = _Packed(proof, made)
        elif kept is not None and kept.proof != proof:
            kept = _KEPT[parameter] = None
        return None if kept is None else kept.weight


def _proof(weight: Tensor) -> object:
    """Other for other numbers, and for the same ones elsewhere in the weight."""
    lying = weight if weight.is_contiguous() else weight.t()
    bits = xxhash.xxh3_128_digest(lying.numpy(force=True).data)
    return bits, tuple(weight.shape), weight.stride()


def _bytes_kept() -> int:
    kept = _KEPT.items()  # type: ignore[no-untyped-call]
    return sum(parameter.nbytes for parameter, one in kept if one is not None)
