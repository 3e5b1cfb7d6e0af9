"""What a mask is trained for: that draws of it do what the whole network does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..chunks import half_of, in_halves
from ..edits.base import Base
from ..engine import Engine
from ..errors import MediationError
from ..gradients import only_activations
from ..groups import Group
from ..memory import budget_bytes
from ..metrics import Metric
from ..plan.frame import Ints
from ..rewiring import Ablation, Writes
from ..rewiring.evaluating import others_of, read_rows, references_of, refuse_no_ablation
from .mask_gates import noise, opened
from .mask_passes import Masking
from .pair_splits import Numbers

Keep = Literal["metric", "kl"]

FEWEST_ROWS = 8
"""Draws a step; where there are fewer prompts each is drawn several times."""

NOTHING = 1e-12
"""Below this the empty circuit does what the network does."""


@dataclass(frozen=True)
class _Part:
    """The prompts of one group that train.

    Attributes:
        strands: which of the group's.
        others: what is written in place of what is not kept.
        fixed: logits of both prompts, where KL is asked for.
        wanted: (strand, read, vocabulary) log-probabilities of the whole network, for "kl";
            (strand,) its metric, for "metric".
    """

    group: Group
    strands: Ints
    others: Writes
    fixed: tuple[Tensor, Tensor] | None
    wanted: Tensor


@dataclass
class Goal:
    """How far draws of a mask are from the whole network, and the slope of that.

    Attributes:
        engine: its pairs. metric: of the study. masking: what is masked.
        base: the prompts that are read. ablation: what is written instead.
        keep: "metric", the square of what the metric changes; or "kl", KL(network || masked) over
            next tokens, the mean over what is read.
        pairs: numbers of those that train.
        passes, rows, backward: what it cost so far: forward passes, the rows of their batches,
            backward passes.

    Raises:
        MediationError: pairs of unequal length under "resample", a metric without a slope,
            answers of several tokens.
    """

    engine: Engine
    metric: Metric
    masking: Masking
    base: Base
    ablation: Ablation
    keep: Keep
    pairs: Numbers
    passes: int = 0
    rows: int = 0
    backward: int = 0

    def __post_init__(self) -> None:
        refuse_no_ablation(self.engine, self.ablation)
        self.metric.refuse_missing(self.engine.columns)
        if any(group.gives != "both" for group in self.engine.groups):
            raise MediationError(
                "Masks are not trained for answers of several tokens.",
                value=f"{len(self.engine.pairs)} pairs with such answers among them",
                expected="answers of one token",
                fix="give single tokens, or select by runs: mw.search.greedy(study, 5)",
            )

    def loss(self, gates: Tensor, source: torch.Generator) -> tuple[float, Tensor]:
        """The mean over new draws, 1 for the empty circuit, and its gradient (gate,)."""
        total, slope = 0.0, torch.zeros_like(gates)
        n = sum(len(part.strands) for part in self._parts)
        draws = -(-FEWEST_ROWS // n)
        for part in self._parts:
            # Before the rows are cut to what fits, so that a seed is the same on every machine.
            some = noise(draws * len(part.strands), len(gates), source)
            found = self._summed(part, some.reshape(draws, -1, len(gates)), gates)
            total, slope = total + found[0], slope + found[1]
        scale = self._scale * n * draws
        return total / scale, slope / scale

    @cached_property
    def _parts(self) -> list[_Part]:
        lm, found = self.engine.lm, []
        for group in self.engine.groups:
            strands = np.flatnonzero(np.isin(group.members, self.pairs))
            if not len(strands):
                continue
            index = torch.from_numpy(strands).to(lm.device)
            with torch.inference_mode(mode=False), torch.no_grad():
                others = others_of(self.engine, group, self.base, self.ablation)
                fixed = references_of(lm, group)
                logits = lm.logits_at(self._ids(group, index), group.frame.read_at)
                wanted = logits.double().log_softmax(-1)
                if self.keep == "metric":
                    kept = read_rows(logits, group, index, fixed).double().cpu().numpy()
                    wanted = torch.from_numpy(self.metric.read(kept, self.engine.columns))
            found.append(_Part(group, strands, others, fixed, wanted))
        return found

    @cached_property
    def _scale(self) -> float:
        """The mean loss of the empty circuit."""
        shut = torch.zeros(len(self.masking.elements), device=self.engine.lm.device)
        n = sum(len(part.strands) for part in self._parts)
        total = sum(self._summed(part, None, shut)[0] for part in self._parts)
        if not total > NOTHING * n:
            raise MediationError(
                "With everything exchanged these prompts do what they did, so nothing is needed.",
                value=f"a mean loss of {total / n:.2g} without all of {self.masking.over}",
                expected="prompts that differ in what the network does",
                fix="study.total shows TE; ablation='mean' or 'zero' exchanges more",
            )
        return total / n

    def _summed(self, part: _Part, draws: Tensor | None, gates: Tensor) -> tuple[float, Tensor]:
        """The loss summed over draws (draw, strand, gate), and its gradient; None: all shut."""
        n_draws = 1 if draws is None else len(draws)

        def do(some: Ints) -> tuple[float, Tensor]:
            with only_activations(self.engine.lm):
                own = gates.detach().clone().requires_grad_(draws is not None)
                shares = own.expand(len(some), -1)
                if draws is not None:
                    shares = opened(own, draws[:, torch.from_numpy(some)].flatten(0, 1))
                with torch.set_grad_enabled(draws is not None):
                    number, loss = self._distance(part, some, shares)
                if draws is None:
                    return loss, own
                (slope,) = torch.autograd.grad(number, own)
                return loss, slope

        total, slope = 0.0, torch.zeros_like(gates)
        whole = np.array_split(np.arange(len(part.strands)), self._n_chunks(part, n_draws))
        for some, found in in_halves(whole, do, half_of, part.group.frame.n_positions):
            total, slope = total + found[0], slope + found[1]
            self.passes += 1
            self.backward += draws is not None
            self.rows += len(some) * n_draws
        return total, slope

    def _distance(self, part: _Part, some: Ints, shares: Tensor) -> tuple[Tensor, float]:
        """What has the gradient of the loss summed over rows, and that sum."""
        lm, group = self.engine.lm, part.group
        index = torch.from_numpy(part.strands[some]).to(lm.device)
        others = part.others if len(part.others.start) == 1 else part.others.of(index)
        ids = self._ids(group, index)
        logits = self.masking.logits(shares.to(lm.dtype), ids, others, group.frame.read_at)
        wanted = part.wanted[torch.from_numpy(some).to(part.wanted.device)]
        wanted = wanted.repeat(len(shares) // len(some), *(1,) * (wanted.ndim - 1))
        if self.keep == "kl":
            masked = logits.double().log_softmax(-1)
            apart = (wanted.exp() * (wanted - masked)).sum(-1).mean(-1).sum()
            return apart, float(apart.detach())
        kept = read_rows(logits, group, index, part.fixed)
        return self._squared(kept, wanted.numpy())

    def _squared(self, kept: Tensor, wanted: np.ndarray) -> tuple[Tensor, float]:
        columns, seen = self.engine.columns, kept.detach().double().cpu().numpy()
        apart = self.metric.read(seen, columns) - wanted
        at = {name: columns.index(name) for name in self.metric.columns}
        slopes = np.zeros_like(seen)
        for name, slope in self.metric.slopes({n: seen[:, k] for n, k in at.items()}).items():
            slopes[:, at[name]] = 2 * apart * slope
        weights = torch.from_numpy(slopes).to(kept)
        return (torch.where(weights == 0, 0.0, kept) * weights).sum(), float((apart**2).sum())

    def _ids(self, group: Group, index: Tensor) -> Tensor:
        return group.ids[group.frame.bases.index(self.base), index]

    def _n_chunks(self, part: _Part, n_draws: int) -> int:
        lm = self.engine.lm
        free = budget_bytes(lm.device) if self.engine.budget is None else self.engine.budget
        rows = max(1, free // self.masking.row_bytes(part.group))
        return -(-len(part.strands) // max(1, rows // n_draws))
