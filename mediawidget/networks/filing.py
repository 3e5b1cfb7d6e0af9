"""Puts what a batch came to where it belongs among the outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..edits.base import BASES
from ..filing import weights_changed
from ..outcomes import Outcomes
from ..plan.frame import Ints
from ..precision import logits_of, tolerance
from ..reading import Reading, read
from .batch import Batch
from .network import Network
from .tracing import Seen


@dataclass(frozen=True)
class Filing:
    """Outcomes of a network's runs, filled batch by batch.

    Attributes:
        reading: what is asked of the outputs.
        top: how many of the likeliest classes are kept.
    """

    network: Network
    reading: Reading
    outcomes: Outcomes
    top: int

    def add(self, batch: Batch, runs: Ints, pairs: Ints, seen: Seen) -> None:
        """What some runs of a batch came to on its pairs; runs that only lend are left out.

        Raises:
            MediationError: the base runs are not what they were in an earlier batch.
        """
        outcomes, n_pairs, device = self.outcomes, len(pairs), self.network.device
        of_row = torch.arange(n_pairs, device=device).repeat(batch.n_rows // n_pairs)
        clean = torch.arange(n_pairs, device=device)
        reading = self.reading.of(torch.from_numpy(pairs).to(device))
        found = read(seen.output[:, None], reading, of_row, (clean, clean + n_pairs))
        blocks = found.double().cpu().numpy().reshape(-1, n_pairs, len(outcomes.columns))
        bases = blocks[: len(BASES)].swapaxes(0, 1)
        before, now = (logits_of(one, outcomes.columns) for one in (outcomes.bases[pairs], bases))
        self._refuse_moved(before, now)
        outcomes.bases[pairs] = bases
        at = np.ix_(runs, pairs)
        outcomes.kept[at] = blocks[[batch.block[run] for run in runs.tolist()]]
        outcomes.left[at] = 0
        outcomes.fired[at] = _fired(batch, seen)[runs]
        outcomes.passes += 1
        outcomes.rows += batch.n_rows
        if self.top:
            self._keep_top(batch, runs, pairs, seen.output)

    def _keep_top(self, batch: Batch, runs: Ints, pairs: Ints, output: Tensor) -> None:
        """The likeliest classes of the inputs and of each run, under their pair."""
        chances = output.float().softmax(-1).topk(min(self.top, output.shape[-1]))
        best, likely = chances.indices.cpu().numpy(), chances.values.cpu().numpy()
        names: list[Any] = [*BASES, *runs.tolist()]
        for name in names:
            for column, pair in enumerate(pairs.tolist()):
                row = batch.block[name] * len(pairs) + column
                both = zip(best[row].tolist(), likely[row].tolist(), strict=True)
                self.outcomes.top[(name, pair)] = list(both)

    def _refuse_moved(self, before: NDArray[np.float64], now: NDArray[np.float64]) -> None:
        known, model = ~np.isnan(before), _any(self.network)
        if known.any() and not np.abs(before - now)[known].max() <= tolerance(model, now):
            raise weights_changed(model)


def _fired(batch: Batch, seen: Seen) -> NDArray[np.float64]:
    """(run, pair): the largest change by any edit of a run."""
    fired = np.zeros((len(batch.recorded.runs), len(batch.pairs)))
    runs = [of for _, some in sorted(batch.writes.items()) for _, of in some]
    for of, moved in zip(runs, seen.moved, strict=True):
        change = moved.double().cpu().numpy().reshape(len(of), -1)
        np.maximum.at(fired, of, change)
    return fired


def _any(network: Any) -> Any:
    """Where a model is asked for by its type, and no more of it than a network has is read."""
    return network
