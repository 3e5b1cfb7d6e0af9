"""Relevance of tokens to a study's metric, pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..decomposition.anatomy import Anatomy, anatomy
from ..decomposition.directions import directions, slopes_on_clean
from ..decomposition.proving import refuse_other_model
from ..errors import MediationError, require
from ..gradients import only_activations
from ..groups import Group
from ..plan.frame import Ints
from ..study import Study, refuse_no_study
from .backward import passed_back
from .forward import Seen, forward
from .rollout import mixed, rolled_out

Array = NDArray[np.float64]

PROMPTS = 16
"""Prompts that are gone through together."""


@dataclass(frozen=True, eq=False)
class Relevance:
    """How one run's metric is divided among its tokens: an attribution, of no intervention.

    Attributes:
        tokens: per pair those of the clean prompt.
        values: per pair (position,): shares that are not negative and add up to 1.
        totals: (pair, layer) the relevance in the residual stream before each block and after the
            last, 1 everywhere but for rounding.
        start_layer: the first layer of the product; 0 means all.
        metric: what it is relevance to.
    """

    tokens: tuple[tuple[str, ...], ...]
    values: tuple[Array, ...]
    totals: Array
    start_layer: int
    metric: str

    def __len__(self) -> int:
        return len(self.values)

    def to_dataframe(self) -> pd.DataFrame:
        """A row per pair and token: ``pair, position, token, relevance``."""
        return pd.DataFrame(
            [
                {"pair": pair, "position": i, "token": token, "relevance": float(value)}
                for pair, (tokens, values) in enumerate(zip(self.tokens, self.values, strict=True))
                for i, (token, value) in enumerate(zip(tokens, values, strict=True))
            ]
        )

    def __repr__(self) -> str:
        found = self.to_dataframe().groupby("token", sort=False)["relevance"].sum() / len(self)
        best = ", ".join(f"{str(token).strip()} {x:.2f}" for token, x in found.nlargest(3).items())
        return (
            f"Relevance(of tokens to {self.metric} on the clean prompts, n={len(self)}: {best}; "
            "an attribution, not an effect)"
        )


def relevance(study: Study, start_layer: int = 0) -> Relevance:
    """Relevance of every token of the clean prompts to the metric.

    Each layer has a matrix I + mean over heads of (gradient * R)^+, its rows divided by their
    sums: gradient is the metric's by the attention pattern, R the pattern's Deep Taylor relevance
    (``rules`` says by which rules it is passed back, and what becomes of biases and norms). The
    matrices are multiplied from ``start_layer`` on, and the row at which the metric is read is
    the answer.

    A metric that is not linear in the logits, or of sets of answers, is taken by its slope at the
    clean prompt. What is relevant here need not matter: see ``beside_tie``.

    Args:
        study: its clean prompts and its metric.
        start_layer: positions then mean the residual stream before that layer.

    Raises:
        MediationError: an architecture that cannot be taken apart (it says which can), a metric
            without a slope, answers of several tokens, prompts of unequal length.

    Example:
        >>> found = mw.contrasting.relevance(study)
        >>> round(float(found.values[0].sum()), 6)
        1.0

    Source: Chefer, Gur and Wolf 2021, in the form for a decoder: the row of the position that is
    read stands for that of the class token.
    """
    refuse_no_study(study)
    lm, engine = study.lm, study.engine
    _refuse_layer(start_layer, lm.n_layers)
    model, groups = anatomy(lm), _groups(study)
    refuse_other_model(lm, model, groups[0])
    slopes = slopes_on_clean(engine, study.metric)
    values: list[Array] = [np.empty(0)] * len(study.contrast)
    totals = np.empty((len(values), lm.n_layers + 1))
    for group, pairs in _parts(groups):
        # What is made in inference mode is of no use to gradients, so that none of it is.
        with torch.inference_mode(mode=False), torch.no_grad():
            way = directions(engine, model, group, pairs, slopes)
            index = torch.from_numpy(pairs).to(group.ids.device)
            ids = group.ids[0, index]
            found, sums = _of(model, study, ids, way, group.frame.read_at, start_layer)
        for at, member in enumerate(group.members[pairs].tolist()):
            values[member], totals[member] = found[at], sums[at]
    tokens = tuple(pair.clean_tokens for pair in study.token_pairs)
    return Relevance(tokens, tuple(values), totals, start_layer, study.metric.name)


def _of(
    model: Anatomy, study: Study, ids: Tensor, way: Tensor, reads: tuple[int, ...], start: int
) -> tuple[Array, Array]:
    """(prompt, position) relevances, (prompt, layer) what is in the stream altogether."""
    lm = study.lm
    with lm.lock, only_activations(lm):
        seen = forward(model, ids)
        gradients = _gradients(seen, way, reads)
    passed = passed_back(model, seen, way, reads)
    layers = [
        mixed(gradient.double(), pattern)
        for gradient, pattern in zip(gradients, passed.patterns, strict=True)
    ]
    rows = rolled_out(layers[start:])[:, list(reads)].mean(1)
    sums = torch.stack([stream.sum((1, 2)) for stream in passed.streams], dim=1)
    return rows.cpu().numpy(), sums.cpu().numpy()


def _gradients(seen: Seen, way: Tensor, reads: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Of the metric by every layer's pattern, all that follows from it counted."""
    number = (seen.normed[:, list(reads)] * way).sum()
    return torch.autograd.grad(number, [attended.pattern for attended, _ in seen.blocks])


def _groups(study: Study) -> list[Group]:
    engine = study.engine
    forced = any(strand.forced for pair in study.token_pairs for strand in pair.strands)
    if forced or not engine.equal:
        raise MediationError(
            "A relevance is that of one prompt to a number that is read off it.",
            value="answers of several tokens" if forced else "prompts of unequal length",
            expected="answers of one token, or sets of them; both prompts of one length",
            fix="choose a replacement of as many tokens; lm.tokens(text) shows them",
        )
    return list(engine.groups_of(frozenset()))


def _parts(groups: list[Group]) -> Iterator[tuple[Group, Ints]]:
    for group in groups:
        n = len(group.members)
        for some in np.array_split(np.arange(n), -(-n // PROMPTS)):
            yield group, some


def _refuse_layer(layer: object, n_layers: int) -> None:
    known = isinstance(layer, int) and not isinstance(layer, bool) and 0 <= layer < n_layers
    require(
        known,
        "The product of layers starts at one of them.",
        value=layer,
        expected=f"0 to {n_layers - 1}",
        fix="mw.contrasting.relevance(study, start_layer=0)",
    )
