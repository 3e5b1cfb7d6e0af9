"""Forward passes in which every node, or every edge, is kept to a share that can be learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..edits import Edit, Mean, Patch, Zero
from ..edits.base import Base
from ..engine import Engine
from ..evaluation.proving import once_runs, refuse_unproven
from ..gradients import refuse_no_gradients, row_bytes
from ..groups import Group
from ..lm import LM
from ..mediators import Point, mediator_named
from ..plain_hooks import at_point
from ..rewiring import Ablation, Pass, Writes, evaluating, masks_of, refuse_no_rewiring, rewire
from ..runs import Run
from ..sites import Site
from ..wiring import Edge

Element = Site | Edge
Array = np.ndarray[Any, np.dtype[np.float64]]


class Masking(ABC):
    """What is kept or exchanged, and how a network is run with shares of it.

    Attributes:
        lm: the model.
        elements: what has a gate.
        over: in words.
    """

    mode: Literal["node", "edge"]
    lm: LM
    elements: tuple[Element, ...]
    over: tuple[str, ...]

    @abstractmethod
    def logits(self, shares: Tensor, ids: Tensor, others: Writes, reads: Sequence[int]) -> Tensor:
        """(row, read, vocabulary), rows being several draws of each prompt, draw by draw.

        Args:
            shares: (row, element): 1 keeps what is written, 0 exchanges it.
            ids: (prompt, position).
            others: what is written instead, a row a prompt or one for all.
            reads: positions.
        """

    @abstractmethod
    def row_bytes(self, group: Group) -> int:
        """Bytes that a row of a forward and a backward pass keeps."""

    @abstractmethod
    def exactly(
        self, engine: Engine, kept: Sequence[bool], base: Base, ablation: Ablation
    ) -> Array:
        """(3, pair, K) run, not masked: the kept elements alone, the whole network, nothing."""


class Nodes(Masking):
    """Shares of what heads and MLPs write, for all that read it."""

    mode = "node"

    def __init__(self, lm: LM, kinds: tuple[str, ...]) -> None:
        refuse_no_gradients(lm, "mw.search.greedy(study, k=8)")
        self.lm, self.over = lm, kinds
        senders = lm.wiring.senders
        self.elements = tuple(site for site in senders if site.mediator in kinds)

    def logits(self, shares: Tensor, ids: Tensor, others: Writes, reads: Sequence[int]) -> Tensor:
        n = len(shares) // len(ids)
        places: dict[tuple[int, Point], list[int]] = {}
        for index, site in enumerate(self.elements):
            assert isinstance(site, Site)
            place = mediator_named(site.mediator).place(site, self.lm.shape)
            places.setdefault((place.stage, place.point), []).append(index)
        with ExitStack() as hooks:
            for (stage, point), some in places.items():
                instead = (others.heads if point == "attn_z" else others.mlps)[stage - 1]
                act = _mixed(shares[:, some], instead, len(shares))
                hooks.enter_context(at_point(self.lm, stage, point, act))
            grad = torch.is_grad_enabled()
            logits: Tensor = self.lm.logits_at(ids.repeat(n, 1), reads, gradients=grad)
        return logits

    def row_bytes(self, group: Group) -> int:
        return row_bytes(self.lm, group.frame.n_positions, len(group.frame.read_at))

    def exactly(
        self, engine: Engine, kept: Sequence[bool], base: Base, ablation: Ablation
    ) -> Array:
        edits: dict[str, Edit] = {"resample": Patch(), "mean": Mean(base), "zero": Zero()}
        sites = [site for site in self.elements if isinstance(site, Site)]
        outside = [site for site, inside in zip(sites, kept, strict=True) if not inside]
        runs = [Run(base, dict.fromkeys(some, edits[ablation])) for some in (outside, [], sites)]
        once = once_runs(engine, runs)
        outcomes = engine.job(runs, once=once).result()
        refuse_unproven(engine, once, outcomes)
        return outcomes.kept[: len(runs)]


class Edges(Masking):
    """Shares of what each sender writes, as each receiver sees it."""

    mode = "edge"

    def __init__(self, lm: LM) -> None:
        refuse_no_rewiring(lm)
        self.lm, self.over = lm, ("all edges",)
        self.elements = lm.wiring.edges
        reach = lm.wiring.reach
        self._flat = torch.from_numpy(np.flatnonzero(reach)).to(lm.device)

    def logits(self, shares: Tensor, ids: Tensor, others: Writes, reads: Sequence[int]) -> Tensor:
        reach = self.lm.wiring.reach
        whole = torch.zeros(len(shares), reach.size, device=shares.device, dtype=shares.dtype)
        cut = whole.index_copy(1, self._flat, 1 - shares).reshape(-1, *reach.shape)
        return Pass(self.lm, cut, others).logits(ids, reads)

    def row_bytes(self, group: Group) -> int:
        lm, frame = self.lm, group.frame
        size = torch.empty((), dtype=lm.dtype).element_size()
        # A reader's input keeps what is added to it step by step, and its norm.
        inputs = (lm.n_layers + 8) * len(lm.wiring.receivers) * lm.d_model
        each = row_bytes(lm, frame.n_positions, len(frame.read_at))
        own = evaluating.row_bytes(lm, frame.n_positions, len(frame.read_at))
        return each + own + size * inputs * frame.n_positions

    def exactly(
        self, engine: Engine, kept: Sequence[bool], base: Base, ablation: Ablation
    ) -> Array:
        reach = self.lm.wiring.reach
        keep = np.zeros((3, reach.size))
        keep[0, self._flat.cpu().numpy()] = np.asarray(kept, dtype=np.float64)
        keep[1] = 1
        wirings = masks_of(keep.reshape(3, *reach.shape))
        return rewire(engine, wirings, 3, base=base, ablation=ablation).result()


def _mixed(shares: Tensor, instead: Tensor, n_rows: int) -> Any:
    """An activation (row * position, columns) moved towards what is written elsewhere."""

    def act(value: Tensor) -> Tensor:
        rows = value.reshape(n_rows, -1, value.shape[-1])
        other = instead.reshape(len(instead), -1, value.shape[-1])
        other = other if len(other) == 1 else other.repeat(n_rows // len(other), 1, 1)
        share = shares.repeat_interleave(value.shape[-1] // shares.shape[1], 1)[:, None]
        return (other + share * (rows - other)).reshape(value.shape)

    return act
