"""Recurrent layers one time step after another, so that every state can be read and set."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import MediationError
from .points import RECURRENT


class Step(nn.Module):
    """The states of all layers at one time step: modules that return what they are given."""

    def __init__(self, n_layers: int, *, cells: bool) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(nn.Identity() for _ in range(n_layers))
        self.cell = nn.ModuleList(nn.Identity() for _ in range(n_layers if cells else 0))


class Unrolled(nn.Module):
    """The same function as ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``, a step at a time.

    It computes with the parameters of ``fused`` itself. At every step and layer the hidden state
    passes through ``steps[t].hidden[layer]``, and an LSTM's cell state, before the hidden state is
    made of it, through ``steps[t].cell[layer]``. What is set there is what all that follows reads.

    Args:
        fused: of one direction, without projections.
    """

    def __init__(self, fused: nn.RNNBase) -> None:
        super().__init__()
        self.fused = fused
        self.n_layers, self.width = fused.num_layers, fused.hidden_size
        self.cells = isinstance(fused, nn.LSTM)
        self.steps = nn.ModuleList()
        self.train(fused.training)

    def forward(self, value: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(row, time, feature), or (time, row, feature), to the same and the last states."""
        refuse_packed(value)
        rows = value if self.fused.batch_first else value.transpose(0, 1)
        self.grow(rows.shape[1])
        hidden, cell = self._first(rows, state)
        outputs = []
        for t in range(rows.shape[1]):
            below, step = rows[:, t], self.steps[t]
            for layer in range(self.n_layers):
                hidden[layer], cell[layer] = self._next(
                    step, layer, below, (hidden[layer], cell[layer])
                )
                below = hidden[layer]
            outputs.append(below)
        out = torch.stack(outputs, dim=1)
        last = torch.stack(hidden)
        out = out if self.fused.batch_first else out.transpose(0, 1)
        return out, (last, torch.stack(cell)) if self.cells else last

    def grow(self, n_steps: int) -> None:
        """Have as many steps as that, at least."""
        for _ in range(len(self.steps), n_steps):
            step = Step(self.n_layers, cells=self.cells)
            self.steps.append(step.train(self.training))

    def _first(self, rows: Tensor, state: Any) -> tuple[list[Tensor], list[Tensor]]:
        """Hidden and cell state per layer, before the first step."""
        if state is None:
            none = rows.new_zeros(len(rows), self.width)
            return [none] * self.n_layers, [none] * self.n_layers
        hidden, cell = state if self.cells else (state, state)
        return list(hidden.unbind(0)), list(cell.unbind(0))

    def _next(
        self, step: Any, layer: int, below: Tensor, before: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        hidden, cell = before
        given = self._mapped(below, "ih", layer)
        held = self._mapped(hidden, "hh", layer)
        if self.cells:
            enter, forget, new, leave = (given + held).chunk(4, dim=1)
            cell = step.cell[layer](forget.sigmoid() * cell + enter.sigmoid() * new.tanh())
            return step.hidden[layer](leave.sigmoid() * cell.tanh()), cell
        if isinstance(self.fused, nn.GRU):
            (reset, keep, new), (held_r, held_z, held_n) = given.chunk(3, 1), held.chunk(3, 1)
            keep = (keep + held_z).sigmoid()
            new = (new + (reset + held_r).sigmoid() * held_n).tanh()
            hidden = (1 - keep) * new + keep * hidden
        else:
            total = given + held
            hidden = total.relu() if self.fused.mode == "RNN_RELU" else total.tanh()
        return step.hidden[layer](hidden), cell

    def _mapped(self, value: Tensor, side: str, layer: int) -> Tensor:
        bias = getattr(self.fused, f"bias_{side}_l{layer}") if self.fused.bias else None
        return nn.functional.linear(value, getattr(self.fused, f"weight_{side}_l{layer}"), bias)


def unrolled(module: nn.Module, paths: Iterable[str]) -> nn.Module:
    """A copy of the module with its own parameters, in which these recurrent layers are unrolled.

    The module itself stays as it is; a change of its weights is one of the copy's.

    Raises:
        MediationError: a layer of two directions, or with projections.
    """
    shared = {id(t): t for t in (*module.parameters(), *module.buffers())}
    found = copy.deepcopy(module, shared)  # which fills it further
    for path in paths:
        fused = found.get_submodule(path)
        assert isinstance(fused, RECURRENT)
        _refuse_unknown(path, fused)
        if not path:
            return Unrolled(fused)
        parent, _, name = path.rpartition(".")
        setattr(found.get_submodule(parent), name, Unrolled(fused))
    return found


def refuse_packed(value: object) -> None:
    """Raise where sequences come packed or without an axis of rows."""
    if not isinstance(value, Tensor) or value.dim() != 3:
        raise MediationError(
            "A recurrent layer that is edited reads plain sequences.",
            value=type(value).__name__ if not isinstance(value, Tensor) else tuple(value.shape),
            expected="a tensor (row, time, feature), or (time, row, feature)",
            fix="give sequences of one length, not packed ones",
        )


def _refuse_unknown(path: str, fused: nn.RNNBase) -> None:
    if fused.bidirectional or fused.proj_size:
        raise MediationError(
            "This recurrent layer cannot be unrolled.",
            value=f"{path!r}: {fused}",
            expected="one direction, and no projection",
            fix="leave the layer out of the points; what it gives to other modules can be one",
        )
