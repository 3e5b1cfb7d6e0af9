"""Plain forward passes of a network: from given activations, and to be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import MediationError
from ..gradients import Slope, only_activations
from ..memory import out_of_memory
from .anatomy import Spot, Tap
from .failing import own_words
from .hooks import looking
from .network import Network
from .points import from_columns, to_columns

Given = Tensor | Callable[[Tensor], Tensor]
"""What a point is set to, (row, position, column); or what makes that of its own value."""


def forward(
    network: Network,
    inputs: Any,
    given: Mapping[str, Given] | None = None,
    *,
    see: Sequence[str] = (),
    gradients: bool = False,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run inputs through the network, from activations that are given.

    Args:
        network: in evaluation mode.
        inputs: (row, ...).
        given: by a point's name what the whole point is set to, (row, position, column); or a
            function of its own value. States come a time step at a time: (row, 1, column).
        see: names of points whose values are wanted, after what is given.
        gradients: keep what a backward pass needs: of what is given, and of the parameters.

    Returns:
        (row, class), and by name (row, position, column).

    Raises:
        MediationError: no such point, values of another shape, a network in training mode, inputs
            that its forward does not take.

    Example:
        >>> _, seen = mw.networks.forward(network, x1[None], see=["conv1"])
        >>> seen["conv1"].shape
        torch.Size([1, 36, 4])
        >>> output, _ = mw.networks.forward(network, x0[None], seen)
    """
    rows = network.tensor(inputs)
    anatomy = network.anatomy(rows)
    places = given or {}
    seen: dict[str, list[Tensor]] = {}
    with network.lock, ExitStack() as hooks, torch.set_grad_enabled(gradients):
        for name in dict.fromkeys((*places, *see)):
            spot = anatomy.named(name)
            kept = seen.setdefault(name, []) if name in see else None
            for number in spot.taps:
                tap = anatomy.taps[number]
                change = _Change(spot, tap, places.get(name), kept)
                part = network.hf.get_submodule(tap.path)
                hooks.enter_context(looking(part, tap.side, change))
        out = network.output_of(rows)
    return out, {name: torch.cat(pieces, dim=1) for name, pieces in seen.items()}


@dataclass(frozen=True)
class Pass:
    """A forward pass that can be differentiated.

    Attributes:
        number: what is differentiated, of shape ().
        output: (row, class).
        pieces: by point the tensors (row, position, column) that it came as: one for most, one a
            step for states.
    """

    number: Tensor
    output: Tensor
    pieces: Mapping[str, Sequence[Tensor]]

    @property
    def seen(self) -> dict[str, Tensor]:
        """By point what it was, (row, position, column)."""
        return {
            name: torch.cat([p.detach() for p in some], 1) for name, some in self.pieces.items()
        }

    def slopes(self, *, again: bool = False) -> dict[str, Slope]:
        """What each point was, and how the number moves with it: (row, position, column) each.

        Args:
            again: whether another backward pass is to come.
        """
        flat = [piece for some in self.pieces.values() for piece in some]
        found: Sequence[Tensor | None] = torch.autograd.grad(
            self.number, flat, retain_graph=again, allow_unused=True
        )
        whole = iter(
            torch.zeros_like(piece) if gradient is None else gradient
            for piece, gradient in zip(flat, found, strict=True)
        )
        return {
            name: Slope(value, torch.cat([next(whole) for _ in self.pieces[name]], dim=1))
            for name, value in self.seen.items()
        }


@contextmanager
def differentiated(
    network: Network,
    inputs: Any,
    places: Sequence[str],
    number: Callable[[Tensor], Tensor],
    *,
    shifts: Mapping[str, Tensor] | None = None,
) -> Iterator[Pass]:
    """A forward pass, to be differentiated inside as often as it takes.

    What a point adds through everything that is computed after it counts, later places among
    them. The graph begins at the first of the places; parameters get no gradient.

    Args:
        network: in evaluation mode.
        inputs: (row, ...).
        places: names of points.
        number: output (row, class) to a tensor without axes. A row's gradient is that of the
            whole number.
        shifts: by a point's name what is added to it, (row, position, column).

    Example:
        >>> x, third = torch.stack([x0, x1]), lambda out: out[:, 3].sum()
        >>> with mw.networks.differentiated(network, x, ["conv1"], third) as done:
        ...     done.slopes()["conv1"].gradient.shape
        torch.Size([2, 36, 4])
    """
    rows = network.tensor(inputs)
    anatomy = network.anatomy(rows)
    added = shifts or {}
    pieces: dict[str, list[Tensor]] = {name: [] for name in places}
    model: Any = network
    with network.lock, only_activations(model):
        with ExitStack() as hooks:
            for name in dict.fromkeys((*added, *places)):
                spot = anatomy.named(name)
                for number_of_tap in spot.taps:
                    tap = anatomy.taps[number_of_tap]
                    change = _Change(spot, tap, _shifted(added.get(name), tap), pieces.get(name))
                    part = network.hf.get_submodule(tap.path)
                    hooks.enter_context(looking(part, tap.side, change))
            out = network.output_of(rows)
        yield Pass(number(out), out, pieces)


@dataclass(frozen=True)
class _Change:
    """What is done to a value at one tap: it is set, and then kept."""

    spot: Spot
    tap: Tap
    given: Given | None
    kept: list[Tensor] | None

    def __call__(self, value: Tensor) -> Tensor:
        columns = to_columns(value, self.tap.layout)
        columns = columns if self.given is None else self._set(columns, self.given)
        if self.kept is not None:
            if torch.is_grad_enabled() and not columns.requires_grad:
                columns = columns.detach().requires_grad_()
            self.kept.append(columns)
        # Of its own, for what comes after may write over it.
        return from_columns(columns, self.tap.layout, self.tap.tail).clone()

    def _set(self, columns: Tensor, given: Given) -> Tensor:
        new: Any
        if callable(given):
            new = _computed(self.spot.name, given, columns)
            wanted = tuple(columns.shape)
        else:
            wanted = (len(columns), self.spot.n_positions, self.tap.width)
            new = given
        shape = tuple(new.shape) if isinstance(new, Tensor) else type(new).__name__
        if shape != wanted:
            raise MediationError(
                "What a point is set to is as large as the point.",
                value=f"{self.spot.name!r}: {shape}",
                expected=f"(row, position, column) of {wanted}",
                fix="networks.forward(network, inputs, see=[name]) shows what a point is",
            )
        if new.shape[1] != columns.shape[1]:
            new = new[:, self.tap.first : self.tap.first + columns.shape[1]]
        value: Tensor = new.to(columns)
        return value


def _computed(name: str, make: Callable[[Tensor], Tensor], columns: Tensor) -> Any:
    """What a caller's function makes of a point; its errors are none of the network's."""
    try:
        return make(columns)
    except MediationError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise MediationError(
            "What a point is set to could not be computed.",
            value=f"{name!r}, of shape {tuple(columns.shape)}: {own_words(error)}",
            expected="a function of the point's value (row, position, column) that gives another",
            fix="networks.forward(network, inputs, see=[name]) shows what a point is",
        ) from error


def _shifted(shift: Tensor | None, tap: Tap) -> Given | None:
    """A shift of a whole point as a function of its value at one tap."""
    if shift is None:
        return None
    own = shift[:, tap.first : tap.first + tap.n_positions]
    return lambda value: value + own.to(value)
