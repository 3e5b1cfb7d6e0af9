"""Small networks of four kinds, and what each is at its points by a pass of its own.

No code of the package is used: torch's hooks for networks without states, torch's own cells, one
time step after another, for those with states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

Change = Callable[[Tensor, int], Tensor]
"""(position, column) of a point, from a position on, to the same."""


class Residual(nn.Module):
    """Convolutions, a batch norm, a skip connection and ReLUs that write in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.shrink = nn.MaxPool2d(2)
        self.third = nn.Conv2d(3, 5, 2)
        self.act = nn.ReLU(inplace=True)
        self.wide = nn.Linear(10, 6)
        self.last = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.norm(self.first(x)))
        x = self.shrink(x + self.second(x))
        x = self.act(self.third(x))
        out: Tensor = self.last(torch.tanh(self.wide(x.flatten(1))))
        return out


class Remembering(nn.Module):
    """A recurrent net of two layers, read after its last step."""

    def __init__(self, kind: Any, *, first: bool) -> None:
        super().__init__()
        self.memory = kind(3, 4, 2, batch_first=first)
        self.first = first
        self.last = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.memory(x if self.first else x.transpose(0, 1))
        out: Tensor = self.last(states[:, -1] if self.first else states[-1])
        return out


class Mixing(nn.Module):
    """A mixer of time steps: (row, time, feature) everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(3, 5)
        self.over = nn.Conv1d(5, 4, 3, padding=1)
        self.last = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.over(torch.tanh(self.read(x)).transpose(1, 2))
        out: Tensor = self.last(torch.tanh(mixed).mean(2))
        return out


@dataclass(frozen=True)
class Made:
    """A network with what a test must know of it.

    Attributes:
        points: for ``mw.load``.
        kinds: kind of component -> the names of its points, in forward order.
        layouts: how each point's value lies.
        shape: of an input.
    """

    net: nn.Module
    points: Mapping[str, Any]
    kinds: Mapping[str, tuple[str, ...]]
    layouts: Mapping[str, str]
    shape: tuple[int, ...]

    def run(self, x: Tensor, changes: Mapping[str, Change]) -> tuple[Tensor, dict[str, Tensor]]:
        """Output (class,) of one input, and what every point is, (position, column)."""
        if isinstance(self.net, Remembering):
            return _stepped(self.net, x, changes)
        seen: dict[str, Tensor] = {}
        with ExitStack() as hooks, torch.no_grad():
            for name, layout in self.layouts.items():
                part = self.net.get_submodule(self.points[name])
                hook = _hook(name, layout, changes.get(name), seen)
                hooks.callback(part.register_forward_hook(hook).remove)
            out = self.net(x[None])[0]
        return out, seen


def _hook(name: str, layout: str, change: Change | None, seen: dict[str, Tensor]) -> Any:
    def after(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        own = output[0].clone()
        grid = {"flat": lambda: own[None], "time": lambda: own}.get(
            layout, lambda: own.reshape(len(own), -1).T
        )()
        new = grid if change is None else change(grid.clone(), 0)
        seen[name] = new.clone()
        back = {"flat": lambda: new[0], "time": lambda: new}.get(
            layout, lambda: new.T.reshape(own.shape)
        )()
        return back[None].clone()

    return after


def _stepped(
    net: Remembering, x: Tensor, changes: Mapping[str, Change]
) -> tuple[Tensor, dict[str, Tensor]]:
    """By torch's own cells; of an edited cell state the hidden state is made anew."""
    lstm = isinstance(net.memory, nn.LSTM)
    cells = [_cell(net.memory, layer) for layer in range(2)]
    state = [(torch.zeros(1, 4).double(), torch.zeros(1, 4).double()) for _ in range(2)]
    seen: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for t, step in enumerate(x):
            below = step[None]
            for layer, cell in enumerate(cells):
                if lstm:
                    hidden, inner = cell(below, state[layer])
                    leave = hidden / inner.tanh()
                    inner = _passed(f"memory.c{layer}", inner, t, changes, seen)
                    hidden = leave * inner.tanh()
                else:
                    hidden, inner = cell(below, state[layer][0]), state[layer][1]
                hidden = _passed(f"memory.h{layer}", hidden, t, changes, seen)
                state[layer] = below_state = (hidden, inner)
                below = below_state[0]
        out = net.last(below)[0]
    return out, {name: torch.cat(values) for name, values in seen.items()}


def _passed(
    name: str, value: Tensor, t: int, changes: Mapping[str, Change], seen: dict[str, list[Tensor]]
) -> Tensor:
    new = changes[name](value.clone(), t) if name in changes else value
    seen.setdefault(name, []).append(new)
    return new


def _cell(fused: nn.RNNBase, layer: int) -> Any:
    kinds: dict[type, Any] = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell, nn.RNN: nn.RNNCell}
    cell = kinds[type(fused)](3 if layer == 0 else 4, 4).double()
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).data = getattr(fused, f"{name}_l{layer}").data
    return cell


_STATES = ("memory.h0", "memory.h1")
_CELLS = ("memory.c0", "memory.c1")


@lru_cache
def made(kind: str) -> Made:
    """A network of a kind, in evaluation mode and double precision, its weights drawn."""
    torch.manual_seed(3)
    shape: tuple[int, ...]
    if kind == "mlp":
        steps = (nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6), nn.ReLU(inplace=True))
        net: nn.Module = nn.Sequential(*steps, nn.Linear(6, 3))
        points = {"narrow": "1", "before": "2", "after": "3"}
        names = tuple(points)
        kinds: dict[str, tuple[str, ...]] = {"layer": names, "unit": names}
        layouts, shape = dict.fromkeys(names, "flat"), (5,)
    elif kind == "cnn":
        net = Residual()
        points = {name: name for name in ("first", "norm", "second", "third", "wide")}
        maps = ("first", "norm", "second", "third")
        kinds = {"layer": (*maps, "wide"), "channel": maps, "unit": ("wide",)}
        layouts, shape = {**dict.fromkeys(maps, "maps"), "wide": "flat"}, (1, 4, 6)
        for buffer in (net.norm.running_mean, net.norm.running_var):
            assert buffer is not None
            buffer.data = torch.rand(3) + 0.5
    elif kind == "mixer":
        net = Mixing()
        points = {"read": "read", "over": "over"}
        kinds = {"layer": ("read", "over"), "unit": ("read",), "channel": ("over",)}
        layouts, shape = {"read": "time", "over": "maps"}, (6, 3)
    else:
        net = Remembering(
            {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind], first=kind != "gru"
        )
        points, layouts, shape = {"memory": "memory"}, {}, (6, 3)
        kinds = {"hidden": _STATES, "hidden_unit": _STATES}
        if kind == "lstm":
            kinds |= {"cell": _CELLS, "cell_unit": _CELLS}
    return Made(net.double().eval(), points, kinds, layouts, shape)


KINDS = ("mlp", "cnn", "mixer", "lstm", "gru", "rnn")
