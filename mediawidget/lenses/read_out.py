"""The metric of a study, read off the residual stream of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..edits.base import Base
from ..errors import is_one_of, require
from ..lens import AT_ONCE, logits_of, refuse_no_way_out
from ..lens_remote import kept_there
from ..reading import make_reading, read
from ..readouts import KL_CLEAN, KL_CORRUPT
from ..runs import Run
from ..sites import Site
from ..statistics import clusters_of, mean_interval
from ..statistics.resampling import whole
from ..study import Study, refuse_no_study
from ..token_pairs import refuse_several_tokens
from .tuned import TunedLens, refuse_no_lens

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LensReading:
    """A metric at layers and positions of some runs: what could be read there, not what is used.

    Attributes:
        values: (pair, run, layer, position) in the metric's unit.
        runs: what they are called.
        layers: those that were read; the last one there is stands behind the last block.
        positions: as numbers of the prompt, or the one position or role that was asked for.
        metric: the name of the metric that was read.
        unit: its unit.
        lens: "logit lens" or "tuned lens".
        clusters: of the pairs.
    """

    values: Array
    runs: tuple[str, ...]
    layers: tuple[int, ...]
    positions: tuple[int | str, ...]
    metric: str
    unit: str
    lens: str
    clusters: tuple[str, ...] = ()

    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame:
        """A row per run, layer and position: mean over pairs, interval (NaN below 3), n.

        Raises:
            MediationError: a level that is not between 0 and 1.
        """
        low, high = mean_interval(self.values, self.clusters, level)
        index = pd.MultiIndex.from_product(
            [self.runs, self.layers, self.positions], names=["run", "layer", "position"]
        )
        columns = {"mean": self.values.mean(axis=0), "low": low, "high": high}
        table = pd.DataFrame({name: x.reshape(-1) for name, x in columns.items()}, index=index)
        return table.assign(n=len(self.values)).reset_index()

    def __repr__(self) -> str:
        ends = self.values[:, :, [0, -1], -1].mean(axis=0)
        said = "; ".join(
            f"{run} {first:+.2f} to {last:+.2f}"
            for run, (first, last) in zip(self.runs, ends, strict=True)
        )
        return (
            f"LensReading({self.metric} in {self.unit} by the {self.lens}, "
            f"layers {self.layers[0]} to {self.layers[-1]}, n={len(self.values)}: {said})"
        )


def logit_lens(
    study: Study,
    position: int | str | None = None,
    runs: Sequence[Base | Run] = ("clean", "corrupt"),
    *,
    layers: Sequence[int] | None = None,
    lens: TunedLens | None = None,
) -> LensReading:
    """Read the study's metric off the residual stream, as if the model stopped at each layer.

    Args:
        study: its pairs and metric. Of KL the reference is the model's own output there.
        position: one, or a role; "all" of them; default the one at which the answer is read.
        runs: "clean", "corrupt", or any ``Run``: what is read then is what the edits left.
        layers: default all: before each block, and behind the last.
        lens: default none, that is the logit lens.

    Raises:
        MediationError: answers of several tokens, a model whose layers cannot be read, a lens of
            another model, and what ``Study.activations`` raises.

    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".

    Example:
        >>> mw.lenses.logit_lens(study).values.shape
        (8, 2, 7, 1)
    """
    refuse_no_study(study)
    lm = study.lm
    refuse_no_way_out(lm)
    refuse_several_tokens(
        study.token_pairs,
        "A lens reads the next token.",
        "a contrast of single words; lm.tokens(text) shows how a text is cut",
    )
    if lens is not None:
        refuse_no_lens(lens)
        lens.refuse_other(lm)
    asked: Any = runs
    named: list[Any] = []
    if isinstance(asked, Sequence) and not isinstance(asked, str):
        named = list(asked)
    given: list[Any] = [Run(one) if isinstance(one, str) else one for one in named]  # type: ignore[arg-type]
    some = tuple(range(lm.n_layers + 1)) if layers is None else _as_layers(layers)
    require(
        bool(some) and bool(given) and all(isinstance(run, Run) for run in given),
        "A lens reads layers of runs.",
        value=(runs, layers),
        expected="a list of 'clean', 'corrupt' or Runs, and of ints; at least one of each",
        fix="mw.lenses.logit_lens(study)",
    )
    at = _read_position(study) if position is None else position
    everywhere = is_one_of(at, ("all",))
    reader = _Reader(study, None if everywhere else at, lens)
    values = np.stack([reader.of(run, some) for run in given], axis=1)
    n = values.shape[-1]
    places = tuple(range(n)) if everywhere else (at,) * n
    names = tuple(run if isinstance(run, str) else f"run {i}" for i, run in enumerate(named))
    metric, kind = study.metric, "logit lens" if lens is None else "tuned lens"
    facts = (metric.name, metric.unit, kind, clusters_of(study.contrast))
    return LensReading(values, names, some, places, *facts)


@dataclass(frozen=True)
class _Reader:
    study: Study
    position: int | str | None
    lens: TunedLens | None

    def of(self, run: Run, layers: Sequence[int]) -> Array:
        """(pair, layer, position) the metric."""
        study, lm = self.study, self.study.lm
        streams = self._streams(run, layers)
        if self.lens is not None:
            moved = [self.lens.moved(*one) for one in zip(layers, streams, strict=True)]
            streams = torch.stack(moved)
        columns, n = study.engine.columns, streams.shape[1]
        # Of every layer the same references: the prompts' own ends.
        references = None
        if {KL_CLEAN, KL_CORRUPT} & set(columns):
            references = (self._logits(self._end("clean")), self._logits(self._end("corrupt")))
        strands = [pair.strands[0] for pair in study.token_pairs]
        ids = lm.encoder.column_ids(columns, strands)
        row = torch.arange(n, device=lm.device)
        reading = make_reading(strands, columns, lm.device, ids).of(row // (n // len(strands)))
        if lm.backend is not None:
            kept = kept_there(lm, streams, reading, references)
        else:
            each = (self._logits(stream)[:, None] for stream in streams)
            of_layers = [read(logits, reading, row, (row, row), references) for logits in each]
            kept = torch.stack(of_layers)
        found = study.metric.read(kept.double().cpu().numpy(), columns)
        return np.reshape(found, (len(layers), len(strands), -1)).swapaxes(0, 1)

    def _streams(self, run: Run, layers: Sequence[int]) -> Tensor:
        """(layer, pair and position, d_model), in one pass."""
        sites = [Site("residual", layer, position=self.position) for layer in layers]
        found = self.study.engine.values_of(sites, run)
        array = torch.from_numpy(np.stack([one.array for one in found]))
        return array.to(self.study.lm.device, self.study.lm.dtype).flatten(1, 2)

    def _end(self, base: Base) -> Tensor:
        return self._streams(Run(base), [self.study.lm.n_layers])[0]

    def _logits(self, stream: Tensor) -> Tensor:
        lm = self.study.lm
        parts = torch.split(stream, max(1, AT_ONCE // lm.vocabulary))
        return torch.cat([logits_of(lm, part) for part in parts])


def _as_layers(layers: Any) -> tuple[int, ...]:
    """Layers as ints; none where there are none."""
    try:
        several = tuple(layers)
    except TypeError:
        return ()
    return tuple(map(int, several)) if all(whole(one, 0) for one in several) else ()


def _read_position(study: Study) -> int:
    """Where all pairs are read."""
    found = {pair.strands[0].reads[0] for pair in study.token_pairs}
    require(
        len(found) == 1,
        "These pairs are read at several positions.",
        value=sorted(found),
        expected="pairs of one length, or a role that all of them have",
        fix="mw.lenses.logit_lens(study, 'END')",
    )
    return found.pop()
