"""Whether a model is still the one that it was: what a forward pass depends on, at a glance."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from threading import Thread
from typing import Any

import torch
import xxhash
from nnsight.intervention.source import STATE, Controller
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_COLUMNS = 4093
"""Sums that a GPU's weight is read into: a prime, so that exchanged rows fall into others."""

_PIECE, _WORTH_THREADS, _MOST_THREADS = 1 << 22, 1 << 26, 8
"""Bytes that are read in one go, those from which on threads are worth their start, and how many
of them the memory has work for."""

_TENSORS = (torch.Tensor, nn.Parameter)

_PLAIN = (bool, int, float, complex, str)

_OF_PLAIN = (dict, list, tuple)
"""What may hold plain values, as a config holds the settings of its rotation."""

_KEPT_BY_TORCH = frozenset(vars(nn.Module())) - {"training"}
"""Where every module has its weights, hooks and children, which are looked at elsewhere."""


_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes", "torchao", "accelerate")
"""Whose modules compute every position alike, and take keys and values from a cache."""

_MODELS = "transformers.models."


class Contents:
    """The modules of a model, and what can be said of their state.

    The public iterators walk the whole tree by name, which takes as long as a click, so this reads
    what torch's modules keep themselves.
    """

    def __init__(self, root: nn.Module) -> None:
        self._modules = list(root.modules())
        self._children = self._child_ids()
        self._forwards = self._class_forwards()
        self._classes = hash(tuple(self._forwards))
        self._config: Any = getattr(root, "config", None)

    def moved(self) -> bool:
        """Whether a module was replaced since, or its class, or the ``forward`` of that."""
        same = self._children == self._child_ids()
        return not same or self._forwards != self._class_forwards()

    def version(self) -> tuple[int, ...]:
        """Changes when a parameter or buffer is replaced, moved or written in place.

        Not with a buffer that every pass writes before it reads it.
        """
        marks = [*self._children, self._classes]
        for t in self._tensors():
            address = t.data_ptr() if lies_plain(t) else 0
            marks += (id(t), address, 0 if t.is_inference() else t._version)  # noqa: SLF001
        return tuple(marks)

    def state(self) -> tuple[int, int] | None:
        """Changes when any weight, or any setting of a module or of the config, does.

        None where that cannot be told: a hook or a ``forward`` of the user's may compute anything,
        and a packed weight, or one on a server, does not lie where it can be read.
        """
        weights = self.weights()
        if weights is None:
            return None
        settings = [value for owner in self._owners() for value in _settings(owner)]
        # As text, for Python's own hashes of -1 and -2 are one.
        return weights, hash(repr(settings))

    def weights(self) -> int | None:
        """The same without the settings: changes when any weight does; None as in ``state``."""
        tensors = list({id(tensor): tensor for tensor in self._tensors()}.values())
        here = all(lies_plain(tensor) and not tensor.is_meta for tensor in tensors)
        if self._rewritten() or not here:
            return None
        return hash(_read(tensors))

    def others_code(self) -> bool:
        """Whether code of somebody else's than the model's and ours runs in a pass.

        Hooks, functions in place of methods, and in a library's model parts of other classes: what
        they make of a position may depend on which it is.
        """
        hooks = [*_everywhere(), *(hook for m in self._modules for hook in _hooks(m))]
        if not all(map(_is_ours, hooks)) or any(map(_own_forward, self._modules)):
            return True
        kinds = {type(module) for module in self._modules}
        return not all(map(_as_written, kinds)) or _mixed(type(self._modules[0]), kinds)

    def _rewritten(self) -> bool:
        """Whether anybody's code runs in a pass: hooks, or functions in place of methods."""
        return bool(_everywhere()) or any(_hooked(m) or _own_forward(m) for m in self._modules)

    def _owners(self) -> Iterator[Any]:
        yield from self._modules
        if self._config is not None:
            yield self._config

    def _tensors(self) -> Iterator[torch.Tensor]:
        """Every parameter and buffer that a pass depends on, by each of its names."""
        for module in self._modules:
            left_out = _written_in_passes(module)
            for tensors in (module._parameters, module._buffers):  # noqa: SLF001
                for name, tensor in tensors.items():
                    if tensor is not None and name not in left_out:
                        yield tensor

    def _class_forwards(self) -> list[Any]:
        return [type(module).forward for module in self._modules]

    def _child_ids(self) -> list[int]:
        return [id(child) for m in self._modules for child in m._modules.values()]  # noqa: SLF001


def digest(root: nn.Module) -> str | None:
    """The same for the same weights in every process and on every device, other for others.

    Of the names, types, shapes and bits of all that a checkpoint of the model holds. None where
    they cannot be read: packed weights, or those that are on a server.
    """
    found = xxhash.xxh3_128()
    for name, tensor in root.state_dict().items():
        if not isinstance(tensor, torch.Tensor) or not lies_plain(tensor) or tensor.is_meta:
            return None
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        bits = tensor.detach().resolve_conj().contiguous().cpu().reshape(-1).view(torch.uint8)
        found.update(bits.numpy().data)
    return found.hexdigest()


def untouched(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a module does what its class was written to do.

    No subclass, no hooks, nor accelerate's, no other forward on the module or put into the class.
    """
    hooked = bool(_everywhere()) or _hooked(module) or "_hf_hook" in vars(module)
    own = type(module) is kind and _as_written(kind) and not _own_forward(module)
    return own and not hooked


def take_up_classes(root: nn.Module) -> None:
    """Let every module run the ``forward`` that its class has now.

    nnsight stands in the place of each module's, and calls the one that it found there, also when
    the class was given another since, or the module another class.
    """
    for module in root.modules():
        forward = vars(module).get("forward")
        if not isinstance(forward, Controller):
            continue
        state, found, now = forward.state, forward.__wrapped__, type(module).forward
        # What nnsight found on the module itself stays.
        if state.original is found and now is not found:
            state.original = state.body = now
            state.sourced, state.compiled = False, None
            vars(module)["forward"] = Controller(module, state)


def _home(kind: type[nn.Module]) -> type:
    """The class that the ``forward`` of a class is from."""
    return next(one for one in kind.__mro__ if "forward" in vars(one))


def _as_written(kind: type[nn.Module]) -> bool:
    """Whether the ``forward`` of a class, or of the one that it is from, was written with it."""
    home = _home(kind)
    return getattr(vars(home)["forward"], "__module__", None) in (home.__module__, None)


def _everywhere() -> list[Any]:
    """The hooks of every module there is."""
    kinds = module_hooks._global_forward_hooks, module_hooks._global_forward_pre_hooks  # noqa: SLF001
    return [hook for some in kinds for hook in some.values()]


def _hooks(module: nn.Module) -> Iterator[Any]:
    for some in (module._forward_hooks, module._forward_pre_hooks):  # noqa: SLF001 - no public way
        if some:
            yield from some.values()


def _is_ours(hook: Any) -> bool:
    """Whether this package put a hook there, to look or to set what it was asked to."""
    return (getattr(hook, "__module__", None) or "").partition(".")[0] == __package__


def _hooked(module: nn.Module) -> bool:
    return next(_hooks(module), None) is not None


def _settings(owner: Any) -> Iterator[tuple[str, Any]]:
    """The plain values among an object's attributes, and what holds nothing else."""
    for name, value in vars(owner).items():
        if name not in _KEPT_BY_TORCH and value is not None and _is_plain(value):
            yield name, value


def _is_plain(value: Any) -> bool:
    if isinstance(value, _OF_PLAIN):
        return all(map(_is_plain, (*value, *value.values()) if isinstance(value, dict) else value))
    return value is None or isinstance(value, _PLAIN)


def _written_in_passes(module: nn.Module) -> Collection[str]:
    """The buffers that every pass writes from others, by the length of its prompts.

    Those of transformers' "longrope", which has one kind of rotation, or one for each type of
    layer. A "dynamic" one stays as it is until a prompt is longer than the model reads.
    """
    kinds = vars(module).get("rope_type")
    if kinds == "longrope":
        before = [""]
    elif isinstance(kinds, dict):
        before = [f"{layer}_" for layer, kind in kinds.items() if kind == "longrope"]
    else:
        return ()
    return {f"{one}inv_freq" for one in before if hasattr(module, f"{one}original_inv_freq")}


def _own_forward(module: nn.Module) -> bool:
    """Whether another ``forward`` runs than that of the module's class.

    nnsight takes the place of one that was there, and calls it.
    """
    forward = vars(module).get("forward")
    if forward is None:
        return False
    taken = vars(module).get(STATE) if isinstance(forward, Controller) else None
    return taken is None or taken.original is not type(module).forward


def _mixed(root: type[nn.Module], kinds: Collection[type[nn.Module]]) -> bool:
    """Whether parts of somebody's own stand in a model of transformers', or around it.

    A model that is somebody's own throughout is as its paths say, and a class of one's own that
    leaves the ``forward`` to a library's is as that.
    """
    if not any(kind.__module__.startswith(_MODELS) for kind in kinds):
        return False
    around = {root} if _of_library(_home(root)) else set()
    return not all(_of_library(kind) for kind in kinds if kind not in around)


def _of_library(kind: type[Any]) -> bool:
    return kind.__module__.partition(".")[0] in _LIBRARIES


def lies_plain(tensor: torch.Tensor) -> bool:
    """Whether its bits can be read where they lie: not those of sparse or packed tensors."""
    dense = tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_nested
    # The first is the quick answer for nearly all; a click asks it of every weight twice.
    plain = type(tensor) in _TENSORS or not is_traceable_wrapper_subclass(tensor)
    return dense and plain


def _read(tensors: list[torch.Tensor]) -> tuple[bytes, ...]:
    """Every bit of the tensors, in few bytes."""
    raws = [t.detach().resolve_conj().contiguous().reshape(-1).view(torch.uint8) for t in tensors]
    here = [raw for raw in raws if raw.device.type == "cpu"]
    # Elsewhere it is added up on the spot, for it would take a second to fetch.
    sums: dict[torch.device, list[torch.Tensor]] = {}
    for raw in raws:
        if raw.device.type not in ("cpu", "meta"):
            sums.setdefault(raw.device, []).append(_sums(raw))
    nowhere = repr([(t.shape, t.dtype) for t in tensors if t.is_meta]).encode()
    far = (torch.cat(some).cpu().numpy().tobytes() for some in sums.values())
    return nowhere, *far, *_digests(here)


def _digests(raws: list[torch.Tensor]) -> list[bytes]:
    """Of bytes on the processor, read by as many threads as torch has: one reads half as fast."""
    views = [raw.numpy().data for raw in raws]
    pieces = [view[i : i + _PIECE] for view in views for i in range(0, len(view), _PIECE)]
    pieces.sort(key=len, reverse=True)  # so that every thread's share is as large
    found = [b""] * len(pieces)
    worth = sum(map(len, pieces)) >= _WORTH_THREADS
    n = min(torch.get_num_threads(), _MOST_THREADS) if worth else 1
    # No pool: none can be had where the interpreter ends, and a click may be under way there.
    others = [Thread(target=_read_share, args=(pieces, found, i, n)) for i in range(1, n)]
    for thread in others:
        thread.start()
    _read_share(pieces, found, 0, n)
    for thread in others:
        thread.join()
    if not all(found):
        raise RuntimeError("a thread that reads weights failed, and has said why")
    return found


def _read_share(pieces: list[memoryview], found: list[bytes], first: int, step: int) -> None:
    """Every ``step``-th piece, into its place among the digests."""
    for at in range(first, len(pieces), step):
        # Not in one call, in which some versions of xxhash let no other thread run.
        digest = xxhash.xxh3_128()
        digest.update(pieces[at])
        found[at] = digest.digest()


def _sums(raw: torch.Tensor) -> torch.Tensor:
    """Bytes as whole numbers of 64 bits, added up in columns, modulo 2**64."""
    whole = len(raw) // 8 * 8
    bits, rest = raw[:whole].view(torch.int64), raw[whole:].to(torch.int64)
    n = len(bits) // _COLUMNS * _COLUMNS
    if not n and not len(rest):
        return bits
    return torch.cat([bits[:n].view(-1, _COLUMNS).sum(0), bits[n:], rest])
