"""What a server answered, as bytes: safetensors, whose header says how the tensors stood together.

Nothing in such a file is run, and nothing in it is believed before its checksum is right. That
tells damage from what was written; it does not tell who wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
import xxhash
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..identity import lies_plain

FORMAT = "mediawidget-answer-1"

_PLAIN = (type(None), bool, int, float, str)
_BROKEN = (
    *(AttributeError, LookupError, MemoryError, OverflowError, RecursionError, RuntimeError),
    *(SafetensorError, TypeError, ValueError),
)
"""What json, safetensors and torch raise on bytes that are not what they expect."""
_TopK: Any = torch.return_types.topk


class UnkeepableError(Exception):
    """A value that such a file cannot hold."""


class DamagedError(Exception):
    """Bytes that are not what was written."""


def packed(question: str, values: Mapping[str, Any]) -> bytes:
    """The values by name, as bytes.

    Raises:
        UnkeepableError: something that is neither a tensor nor plain, nor made of such.
    """
    tensors: dict[str, Tensor] = {}
    try:
        form = json.dumps({name: _form(value, tensors) for name, value in values.items()})
        said = {"format": FORMAT, "question": question, "form": form}
        return save(tensors, {**said, "checksum": _checksum(said, tensors)})
    except _BROKEN as error:
        # A type of number that the format has no name for, or an object in itself.
        raise UnkeepableError(f"{type(error).__name__}: {error}") from error


def unpacked(question: str, content: bytes) -> dict[str, Any]:
    """The values as they were, to the last bit.

    Raises:
        DamagedError: cut, changed, of another version or of another question.
    """
    try:
        tensors = load(content)
        size = int.from_bytes(content[:8], "little")
        said = json.loads(content[8 : 8 + size])["__metadata__"]
        checksum = said.pop("checksum")
        if said["format"] != FORMAT:
            raise DamagedError("it is of another version")
        if said["question"] != question:
            raise DamagedError("it answers another question")
        if _checksum(said, tensors) != checksum:
            raise DamagedError("its checksum is wrong")
        return {name: _value(form, tensors) for name, form in json.loads(said["form"]).items()}
    except _BROKEN as error:
        raise DamagedError(f"{type(error).__name__}: {str(error)[:100]}") from error


def _checksum(said: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    found = xxhash.xxh3_128(json.dumps(said, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _form(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A value for JSON, where a tensor is its name among ``tensors``."""
    if type(value) is Tensor:
        if not lies_plain(value) or value.device.type != "cpu" or value.requires_grad:
            raise UnkeepableError(f"a tensor of {value.layout} on {value.device}")
        name = str(len(tensors))
        # Its own memory: two of one memory are refused.
        own = value.resolve_conj().resolve_neg().contiguous().clone()
        # An empty one may lie in steps all the same, and cannot be read as bytes then.
        tensors[name] = own if own.numel() else torch.empty(own.shape, dtype=own.dtype)
        return {"tensor": name}
    if type(value) in _PLAIN:
        return value
    if type(value) is list:
        return [_form(one, tensors) for one in value]
    if type(value) is tuple or isinstance(value, _TopK):
        kind = "tuple" if type(value) is tuple else "topk"
        return {kind: [_form(one, tensors) for one in value]}
    if type(value) is dict:
        parts = [[_form(part, tensors) for part in item] for item in value.items()]
        return {"dict": parts}
    raise UnkeepableError(type(value).__name__)


def _value(form: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(form, list):
        return [_value(one, tensors) for one in form]
    if not isinstance(form, dict):
        return form
    ((kind, parts),) = form.items()
    if kind == "tensor":
        return tensors[parts]
    if kind == "dict":
        return {_value(key, tensors): _value(value, tensors) for key, value in parts}
    several = tuple(_value(one, tensors) for one in parts)
    return several if kind == "tuple" else _TopK(several)
