"""One short name for one question: equal where the same is asked, in any process.

The bytes of a request will not do: they hold addresses of storages, names drawn at random for
classes, and names in the order of a set. So what the request is made of is read instead: the text
of the trace's body and all that it names, functions with what they call, tensors bit by bit.
"""

from __future__ import annotations

import copyreg
import enum
import functools
import types
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
import xxhash
from cloudpickle import cloudpickle
from nnsight.intervention.envoy import Envoy
from nnsight.intervention.serialization import reduce_block
from nnsight.ndif import pull_env
from torch import nn

from ..identity import lies_plain

_ATOMS = (type(None), bool, int, float, complex, str, bytes)
_SHOWN = (torch.dtype, torch.device, torch.Size, torch.layout, range, type(...), enum.Enum)
_NAMED = (type(None), types.ModuleType, type)
"""Whose functions have all of it in their names."""
_APART = ("backend", "batcher", "info", "node")
"""Of a tracer: where its text lies, and how it travels."""


class _NoDigestError(Exception):
    """Something of which nobody can say that it is the same as before."""


def digest_of(tracer: Any, whose: tuple[str, ...], env: Mapping[str, Any]) -> str | None:
    """Of what a trace asks of a model; None where that cannot be told.

    Args:
        tracer: of nnsight, whose body was not run yet.
        whose: what tells the model from others.
        env: how the model is to be set there.
    """
    # As nnsight does before it writes a request: modules of the user's travel by value.
    pull_env()
    frame = tracer.info.frame
    source, globals_, locals_ = reduce_block(tracer.node, frame.f_globals, dict(frame.f_locals))
    state = {name: value for name, value in vars(tracer).items() if name not in _APART}
    reader = _Reader(tracer)
    try:
        for part in (_versions(), whose, source.strip()):
            reader.read(part)
        for names in (env, globals_, locals_, state):
            reader.named(names)
    except _NoDigestError:
        return None
    return reader.found.hexdigest()


def digest_of_value(value: Any) -> str | None:
    """Of any value, as it is read within a question."""
    reader = _Reader(None)
    try:
        reader.read(value)
    except _NoDigestError:
        return None
    return reader.found.hexdigest()


def _versions() -> tuple[str, ...]:
    """What else a result depends on: what the request is read and run by."""
    return tuple(f"{name} {version(name)}" for name in ("mediawidget", "nnsight"))


class _Reader:
    """Goes through values; functions and classes are read once, then counted."""

    def __init__(self, tracer: Any) -> None:
        self.found = xxhash.xxh3_128()
        self._tracer = tracer
        self._above: dict[int, int] = {}
        self._read: dict[int, tuple[int, Any]] = {}

    def named(self, values: Mapping[str, Any]) -> None:
        """Values by name, in whatever order they came."""
        self._say("named", str(len(values)))
        for name in sorted(values):
            self.read(name)
            self.read(values[name])

    def read(self, value: Any) -> None:
        """Any value."""
        if isinstance(value, _ATOMS) and type(value) in _ATOMS:
            self._say(type(value).__name__, repr(value))
        elif isinstance(value, _SHOWN):
            self._say("shown", repr(value))
        elif isinstance(value, types.ModuleType):
            self._module(value)
        elif isinstance(value, torch.Tensor | np.ndarray | np.generic):
            self._numbers(value)
        elif isinstance(value, Envoy):
            self._envoy(value)
        elif isinstance(value, type | types.FunctionType):
            self._code(value)
        elif value is self._tracer and value is not None:
            self._say("tracer", "")
        elif id(value) in self._above:
            self._say("above", str(self._above[id(value)]))
        else:
            self._above[id(value)] = len(self._above)
            try:
                self._parts(value)
            except RecursionError as error:
                raise _NoDigestError from error
            finally:
                del self._above[id(value)]

    def _say(self, kind: str, text: str | bytes | memoryview) -> None:
        """A part with its length, so that no two rows of parts are one text."""
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self.found.update(f"{kind} {len(data)}:".encode())
        self.found.update(data)

    def _all(self, kind: str, values: Iterable[Any]) -> None:
        values = list(values)
        self._say(kind, str(len(values)))
        for value in values:
            self.read(value)

    def _parts(self, value: Any) -> None:
        """What is made of other things."""
        if type(value) in (list, tuple):
            self._all(type(value).__name__, value)
        elif type(value) in (dict, types.MappingProxyType):
            self._all("dict", (part for item in value.items() for part in item))
        elif isinstance(value, set | frozenset):
            self._all("set", sorted(value, key=repr))
        elif isinstance(value, slice):
            self._all("slice", (value.start, value.stop, value.step))
        elif isinstance(value, types.MethodType):
            self._all("method", (value.__func__, value.__self__))
        elif isinstance(value, functools.partial):
            self._all("partial", (value.func, value.args, value.keywords))
        elif isinstance(value, types.BuiltinFunctionType):
            self._say("builtin", f"{value.__module__}.{value.__qualname__}")
            # A method of an object has that in no part of its name.
            self.read(None if isinstance(value.__self__, _NAMED) else value.__self__)
        elif isinstance(value, types.SimpleNamespace):
            self._say("namespace", "")
            self.named(vars(value))
        else:
            self._other(value)

    def _other(self, value: Any) -> None:
        """An object as pickle would take it apart."""
        if isinstance(value, nn.Module):
            raise _NoDigestError
        try:
            reduce = copyreg.dispatch_table.get(type(value))
            parts = value.__reduce_ex__(4) if reduce is None else reduce(value)
        except Exception as error:
            # Whatever a class of others raises where it cannot be taken apart.
            raise _NoDigestError from error
        if isinstance(parts, str):
            self._say("global", f"{type(value).__module__}.{parts}")
            return
        plain, rows = parts[:3], parts[3:5]
        self._all("object", (*plain, *(list(row) for row in rows if row is not None)))

    def _numbers(self, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            if value.is_meta or not lies_plain(value):
                raise _NoDigestError
            self._say("tensor", f"{value.dtype} {tuple(value.shape)}")
            bits = value.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
            # An empty one may lie in steps, and cannot be read as bytes then.
            self._say("bits", bits.view(torch.uint8).numpy().data if len(bits) else b"")
            return
        if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
            # It has more than its numbers: a mask, a unit.
            raise _NoDigestError
        array = np.asarray(value)
        if array.dtype.hasobject:
            self._all(f"objects {array.shape}", array.ravel().tolist())
            return
        self._say("array", f"{array.dtype.str} {array.dtype} {array.shape}")
        self._say("bits", array.tobytes())

    def _module(self, module: types.ModuleType) -> None:
        """By name where the server has it, as it has ours, whose version is known."""
        ours = module.__name__.partition(".")[0] == __name__.partition(".")[0]
        if not (ours or cloudpickle._should_pickle_by_reference(module)):  # noqa: SLF001
            # All of it travels; whether any of it was changed nobody reads.
            raise _NoDigestError
        self._say("module", module.__name__)

    def _envoy(self, envoy: Any) -> None:
        """A place in the model, which the model's key says the rest of."""
        if any(one._edits for one in envoy.modules()):  # noqa: SLF001 - there is no public way
            raise _NoDigestError
        self._say("envoy", f"{type(envoy).__name__} {envoy.path}")

    def _code(self, value: Any) -> None:
        """A function or a class: by name where the server has it, else all that is in it."""
        if cloudpickle._should_pickle_by_reference(value):  # noqa: SLF001 - as nnsight's pickler does
            self._say("reference", f"{value.__module__}.{value.__qualname__}")
            return
        if id(value) in self._read:
            self._say("read", str(self._read[id(value)][0]))
            return
        # The value is kept, so that no other comes to have its address.
        self._read[id(value)] = (len(self._read), value)
        self._say("code", value.__qualname__)
        if isinstance(value, type):
            self._all("bases", value.__bases__)
            self.named({n: _unwrapped(v) for n, v in vars(value).items() if n not in _OF_CLASSES})
            return
        self._bytecode(value.__code__)
        self._all("defaults", (value.__defaults__, value.__kwdefaults__))
        self._all("closure", (_cell(cell) for cell in value.__closure__ or ()))
        names = cloudpickle._extract_code_globals(value.__code__)  # noqa: SLF001
        self.named({n: value.__globals__[n] for n in names if n in value.__globals__})

    def _bytecode(self, code: types.CodeType) -> None:
        self._say("bytecode", code.co_code)
        # How it takes its arguments, and what it catches, is in none of the rest.
        counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
        self._all("called", (*counts, code.co_exceptiontable))
        self._all("names", (*code.co_names, *code.co_varnames, *code.co_freevars))
        self._say("constants", str(len(code.co_consts)))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._bytecode(constant)
            else:
                self.read(constant)


_OF_CLASSES = (
    *("__dict__", "__weakref__", "__module__", "__doc__", "__firstlineno__", "__annotations__"),
    *("__static_attributes__", "__abstractmethods__", "_abc_impl", "__annotate__"),
    *("__annotations_cache__", "__annotate_func__", "__dataclass_params__", "__match_args__"),
)
"""Of a class what is no part of what it does, or is made from the rest."""


def _unwrapped(member: Any) -> Any:
    """What a class holds as a plain function, where there is one."""
    if isinstance(member, staticmethod | classmethod):
        return member.__func__
    if isinstance(member, property):
        return (member.fget, member.fset)
    return str(member) if isinstance(member, types.MemberDescriptorType) else member


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None
