"""Integrated gradients: the slope averaged along a path, over activations or over inputs.

Sources: Sundararajan, Taly and Yan 2017; Marks et al. 2024 (over one node's activation); Hanna,
Pezzelle and Belinkov 2024 (over the inputs, EAP-IG).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MediationError, require
from ..first_order import Method, steady
from ..gradients import Slope, Where
from ..mediators import mediator_named
from ..metrics import Metric
from ..pieces import Piece, wide
from ..questions import Question

Array = NDArray[np.float64]

STEPS, INPUT_STEPS = 20, 30
"""Points of a path; those over the inputs are as many as in the released code of EAP-IG."""

MOST = 5000
"""Passes a prompt that integrated gradients over activations take unasked."""


@dataclass(frozen=True)
class Integrated(Method):
    """Integrated gradients over a site's activation (Marks et al. 2024, there with 10 steps).

    The path leads from the site's own value to the edited one, in a straight line and with the
    rest of the run as it is on its base; the slope is taken in the middle of each of ``steps``
    equal parts (midpoint rule). As ``steps`` grows the estimate converges to what the run gives:
    along the path the slopes add up to the whole change. It is the one method here that
    saturation does not fool; where the model jumps on the way (experts are chosen anew) a slope
    does not see it.

    How many steps are enough is the model's: where attention goes over from one token to another
    within a hundredth of the way, equal steps miss that or count it double. Heads of the teaching
    model are off by at most 0.0002 of TE with 20 steps on greater-than, and by 0.015 on induction,
    but by 0.76 of TE on IOI, and by 0.23 with 40. ``check_estimate`` runs the largest.

    One site at a time is moved, so it costs cells x steps passes a prompt, of which many share a
    batch: for heads or some layers, or for small models.

    Args:
        steps: points of the path.
        most: passes a prompt that are not refused.
    """

    name: ClassVar[str] = "integrated gradients over the activation"
    words: ClassVar[str] = (
        "The slope averaged on the way from the site's own value to the new one (integrated "
        "gradients): with enough steps what a run gives."
    )

    steps: int = STEPS
    most: int = MOST

    @property
    def key(self) -> str:
        return f"ig {self.steps}"

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"steps": self.steps}

    @property
    def at_base(self) -> bool:
        return False

    def refuse(self, question: Question, metric: Metric) -> None:
        refuse_apart(question, metric, "ig")
        n = len(question.sites) * self.steps
        if n > self.most:
            name = question.sweep.mediator
            raise MediationError(
                "Integrated gradients move one site at a time, and these are many.",
                value=f"{len(question.sites)} cells x {self.steps} steps: {n} passes a prompt",
                expected=f"at most {self.most} passes",
                fix=f"study.estimate({name!r}, layers=[0], method='ig'), fewer steps, another "
                f"method, or most={n}",
            )

    def moved(self, piece: Piece) -> Sequence[Array]:
        own = piece.values(piece.places)
        return [self._layer(piece, layer, own[piece.where(layer)]) for layer in piece.layers]

    def _layer(self, piece: Piece, layer: int, own: Tensor) -> Array:
        """The cells of one layer: (base, strand, unit, position)."""
        change, masks = piece.change(layer, own), _masks(piece, layer, own)
        parts = (np.arange(self.steps) + 0.5) / self.steps
        # Before the prompts part nothing moves, and there is no way to walk.
        moved = [cell for cell, mask in enumerate(masks) if bool((mask * change).any())]
        work = [(cell, part) for cell in moved for part in parts]
        found = np.zeros((len(masks), len(piece.ids)))
        where, n = piece.where(layer), piece.copies
        for some in (work[start : start + n] for start in range(0, len(work), n)):
            cells = [cell for cell, _ in some]
            moving = torch.stack([masks[cell] for cell in cells])[:, None] * change
            far = torch.tensor([part for _, part in some], dtype=change.dtype)
            shift = moving * far.to(change.device)[:, None, None, None]
            with piece.passing(
                [where], shifts={where: shift.flatten(0, 1)}, copies=len(some)
            ) as passed:
                slope = passed.slopes()[where]
            gradient = torch.unflatten(wide(slope.gradient), 0, (len(some), -1))
            each = (gradient * moving).sum((-1, -2)).double().cpu().numpy() / self.steps
            np.add.at(found, cells, each)
        n_units = len(piece.grid.units)
        shape = (n_units, -1, len(piece.group.frame.bases), len(piece.pairs))
        return found.reshape(shape).transpose(2, 3, 0, 1)


def _masks(piece: Piece, layer: int, own: Tensor) -> list[Tensor]:
    """Of every cell, unit by unit, where its numbers are: (position, columns)."""
    n_units, width = piece.place(layer).n_units, own.shape[-1]
    found = []
    for unit in piece.grid.units.tolist():
        columns = torch.zeros(n_units, dtype=torch.float32, device=own.device)
        columns[unit] = 1.0
        for cell in piece.positions(layer).T:
            rows = torch.tensor(cell, dtype=torch.float32, device=own.device)
            found.append(rows[:, None] * columns.repeat_interleave(width // n_units))
    return found


@dataclass(frozen=True)
class IntegratedInputs(Method):
    """The slope averaged over inputs between the two prompts (Hanna et al. 2024, EAP-IG).

    Token embeddings are interpolated from the base's prompt to the other one, k / ``steps`` of the
    way for k = 0 ... ``steps`` - 1 (left Riemann sum, as in the authors' code), and the mean
    slope is multiplied with the site's change between the two prompts themselves. PIE begins at
    the corrupt prompt, as published; TIE walks the same way from the clean one. One step is
    attribution patching. It takes ``steps`` forward and backward passes for all sites at once; it
    is no integral over a site's own change, and does not converge to what a run gives.

    Args:
        steps: points of the path.
    """

    name: ClassVar[str] = "gradients integrated over the inputs"
    words: ClassVar[str] = (
        "The slope averaged over inputs between the two prompts, times the change of the site's "
        "value (EAP-IG): it sees past saturation at the prompts, and is not a run's number."
    )

    steps: int = INPUT_STEPS

    @property
    def key(self) -> str:
        return f"ig-inputs {self.steps}"

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"steps": self.steps}

    @property
    def at_base(self) -> bool:
        return self.steps == 1

    def refuse(self, question: Question, metric: Metric) -> None:
        refuse_apart(question, metric, "ig-inputs")
        engine, name = question.engine, question.sweep.mediator
        engine.lm.refuse_missing(mediator_named("embedding"))
        require(
            question.sweep.edit.corners,
            "Inputs are interpolated between the two prompts of a pair.",
            value=question.sweep.edit,
            expected="Patch() between the prompts",
            fix=f"study.estimate({name!r}, edit=mw.Patch(), method='ig-inputs'), or 'attribution'",
        )
        require(
            engine.equal,
            "Between prompts of different length there is no path.",
            value="prompts of two lengths",
            expected="pairs whose prompts are as long as each other",
            fix=f"study.estimate({name!r}, method='ig'), which moves a site alone",
        )

    def moved(self, piece: Piece) -> Sequence[Array]:
        embed: Where = (0, "embed")
        inputs = wide(piece.values([embed])[embed])
        between = torch.unflatten(inputs, 0, (2, -1)).flip(0).flatten(0, 1) - inputs
        mean: dict[Where, Slope] = {}
        for step in range(self.steps):
            shifts = {embed: between * (step / self.steps)}
            with piece.passing(piece.places, shifts=shifts) as passed:
                slopes = passed.slopes()
            for where, slope in slopes.items():
                # The first step is the base itself, whose value it is that changes.
                first = mean.get(where, Slope(slope.value, torch.zeros_like(wide(slope.gradient))))
                mean[where] = Slope(first.value, first.gradient + slope.gradient / self.steps)
        return piece.first_order(mean)


def refuse_apart(question: Question, metric: Metric, method: str) -> None:
    """Raise where an answer's and a wrong answer's passes are apart and the metric needs both.

    Its slope somewhere on a path is that of both numbers there.

    Raises:
        MediationError: a metric that is not linear, of answers of several tokens.
    """
    alone = any(group.gives != "both" for group in question.engine.groups_of(frozenset()))
    if alone and not steady(metric):
        raise MediationError(
            "This metric of answers of several tokens has no slope along a path.",
            value=f"{metric.name}, method={method!r}",
            expected="a metric that is linear in the kept numbers, or answers of one token",
            fix="study.metric = mw.LogitDiff(), or method='attribution'",
        )
