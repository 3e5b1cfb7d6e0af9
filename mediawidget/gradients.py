"""How a number read off a run moves with the activations on its way: the one gradient path.

A plain forward pass with torch's own hooks, and one backward pass; no trace, no grown batch. What
it leaves behind is nothing: parameters get no gradient, and flags and modes are as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .errors import MediationError
from .failing import noting_what_a_pass_asks
from .lm import LM
from .mediators import Point
from .plain_hooks import at_input, module_at
from .two_texts import n_positions

Where = tuple[int, Point]
"""Stage and point."""


@dataclass(frozen=True)
class Slope:
    """An activation and how the number moves with it: (row, position, columns) each."""

    value: Tensor
    gradient: Tensor


@dataclass
class Pass:
    """A forward pass that can be differentiated.

    Attributes:
        number: what is differentiated, without axes.
        seen: the activations on the way, by place.
        shape: rows and positions.
        backward: how many backward passes there were so far.
    """

    number: Tensor
    seen: Mapping[Where, Tensor]
    shape: tuple[int, ...]
    backward: int = 0

    def gradients(self, tensors: Sequence[Tensor], *, again: bool = False) -> list[Tensor]:
        """How the number moves with each tensor, 0 where it does not depend on it.

        Args:
            tensors: of this pass.
            again: whether another backward pass is to come.
        """
        self.backward += 1
        with noting_what_a_pass_asks():
            found: Sequence[Tensor | None] = torch.autograd.grad(
                self.number, tensors, retain_graph=again, allow_unused=True
            )
        return [
            torch.zeros_like(tensor) if gradient is None else gradient
            for tensor, gradient in zip(tensors, found, strict=True)
        ]

    def slopes(self, *, again: bool = False) -> dict[Where, Slope]:
        """What each place was, and its slope, in the model's precision."""
        shape = (*self.shape, -1)
        gradients = self.gradients(list(self.seen.values()), again=again)
        return {
            where: Slope(value.detach().reshape(shape), gradient.reshape(shape))
            for (where, value), gradient in zip(self.seen.items(), gradients, strict=True)
        }


@contextmanager
def differentiated(
    lm: LM,
    ids: Tensor,
    reads: Sequence[int],
    places: Sequence[Where],
    number: Callable[[Tensor], Tensor],
    *,
    under: AbstractContextManager[Any] | None = None,
    shifts: Mapping[Where, Tensor] | None = None,
) -> Iterator[Pass]:
    """A forward pass, to be differentiated inside as often as it takes.

    What an activation adds through everything that is computed after it counts, later places
    among them. The graph begins at the first of the places.

    Args:
        lm: a model that runs here.
        ids: (row, position) token ids.
        reads: positions whose logits the number is read from.
        places: where; attention patterns cannot be had.
        number: logits (row, read, vocabulary) to a tensor without axes. A row's gradient is that
            of the whole number.
        under: around the forward pass, entered before the hooks of the places, so that its own
            hooks come first.
        shifts: what is added to the activation at a place, (row, position, columns).

    Raises:
        MediationError: the model is remote or in training mode, or writes over an activation.
    """
    refuse_no_gradients(lm)
    added = shifts or {}
    seen: dict[Where, _Seen] = {}
    with lm.lock, only_activations(lm):
        with ExitStack() as hooks:
            hooks.enter_context(under or nullcontext())
            for where in dict.fromkeys((*added, *places)):
                kept = seen if where in places else None
                hooks.enter_context(_seeing(lm, where, kept, added.get(where)))
            logits = lm.logits_at(ids, reads, gradients=True)
        for where in places:
            _refuse_overwritten(where, seen[where])
        values = {where: seen[where].value for where in places}
        yield Pass(number(logits), values, (len(ids), n_positions(lm, ids)))


def row_bytes(lm: LM, n_positions: int, n_reads: int, *, eager: bool = False) -> int:
    """Bytes that one row of a forward and backward pass keeps, over all layers.

    Peaks of resident memory (GPT-2, Llama; 16 and 256 tokens) were 0.5 to 0.95 of it. ``eager``:
    attention patterns are tensors, whatever the config says.
    """
    size = torch.empty((), dtype=lm.dtype).element_size()
    heads, keys = lm.n_heads * lm.d_head, lm.n_kv_heads * lm.d_head
    layer = n_positions * (8 * lm.d_model + 5 * lm.d_mlp + 2 * (heads + keys))
    config = getattr(lm.hf, "config", None)
    if eager or getattr(config, "_attn_implementation", None) == "eager":
        layer += 4 * lm.n_heads * n_positions**2
    # Read in double precision, whatever the model is in, several times over.
    return size * lm.n_layers * layer + 8 * 6 * lm.vocabulary * n_reads


def refuse_no_gradients(lm: LM, instead: str = "study.sweep('head')") -> None:
    """Raise where a model gives no gradients; ``instead`` says what a server answers.

    Raises:
        MediationError: it runs on a server, or is in training mode.
    """
    if lm.backend is not None:
        raise MediationError(
            "A remote model gives no gradients.",
            value=lm.name,
            expected="a model that runs here",
            fix=f"{instead}, which its server answers; or load the model without remote=",
        )
    lm.refuse_training_mode()


@dataclass(frozen=True)
class _Seen:
    """A tensor on the way to the logits, and its version when the pass came to it."""

    value: Tensor
    version: int


@contextmanager
def _seeing(
    lm: LM, where: Where, seen: dict[Where, _Seen] | None, shift: Tensor | None
) -> Iterator[None]:
    """Shift and keep what a point is in the next pass; the graph begins at the first kept."""
    stage, point = where
    module = module_at(lm, stage, point)

    def look(value: Tensor) -> Tensor:
        # A block goes on with the very tensor that its norm before the MLP reads.
        same = point == "mid"
        if shift is not None:
            more = shift.reshape(value.shape).to(value)
            value = value.add_(more) if same else value + more
        if seen is not None:
            if not value.requires_grad:
                value = (value if same else value.detach()).requires_grad_()
            seen[where] = _Seen(value, value._version)  # noqa: SLF001 - torch's only name for it
        return value

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (look(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": look(kwargs["hidden_states"])}

    if at_input(lm, stage, point):
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        # What comes after may write over it (Falcon adds attention to the MLP's output in place).
        handle = module.register_forward_hook(lambda _, __, output: look(output).clone())
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def only_activations(lm: LM) -> Iterator[None]:
    """Gradients are on, whatever is on outside, and no parameter asks for one."""
    asking = [parameter for parameter in lm.hf.parameters() if parameter.requires_grad]
    try:
        for parameter in asking:
            parameter.requires_grad = False
        with torch.inference_mode(mode=False), torch.enable_grad():
            yield
    finally:
        for parameter in asking:
            parameter.requires_grad = True


def _refuse_overwritten(where: Where, seen: _Seen) -> None:
    if seen.value._version != seen.version:  # noqa: SLF001
        raise MediationError(
            "This model writes over an activation that is differentiated.",
            value=f"{where[1]} of layer {where[0] - 1}",
            expected="a model that makes a new tensor for what comes after it",
            fix="sweep it instead: study.sweep('head'), or estimate another mediator",
        )
