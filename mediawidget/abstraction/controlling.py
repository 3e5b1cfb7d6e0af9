"""Controls of an interchange accuracy: other pairs, other labels, another network."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..engine_inputs import refuse_no_lm
from ..errors import MediationError, require
from ..statistics.resampling import refuse_no_seed
from ..study import Study
from .accuracy import IIA
from .causal_model import CausalModel
from .cells import Sites
from .drawing import Render, counterfactuals, refuse_no_rendering
from .given import refuse_no_count, refuse_no_value
from .hypotheses import Hypothesis
from .interchange import interchange, refuse_no_network
from .measuring import iia, judged, outputs_of

if TYPE_CHECKING:
    from ..lm import LM


@dataclass(frozen=True, eq=False)
class Controls:
    """An accuracy beside what it would be if nothing had been found.

    Attributes:
        swept: of the network, at every cell, on the pairs on which the best cell was chosen.
        held_out: at that cell, on other pairs.
        arbitrary: at every cell, on the first pairs, held against models in which the variable is
            a random function of what it reads; one for each draw.
        random: at every cell, on the first pairs, of a network of random weights.
    """

    swept: IIA
    held_out: IIA
    arbitrary: tuple[IIA, ...]
    random: IIA

    @property
    def label(self) -> str:
        """The cell that was chosen."""
        return self.swept.labels[self.swept.best]

    def to_dataframe(self) -> pd.DataFrame:
        """A row for the network and one per control.

        Returns:
            ``iia`` at the chosen cell, ``low`` to ``high`` (``interval`` says of what), ``n``
            pairs, ``best``: the largest iia of any cell, what a search would have reported; and
            ``accuracy``: the share of pairs that the network solves by itself.
        """
        chosen = self.swept.best
        rows = [
            _row("network", self.swept, chosen),
            _row("held-out pairs", self.held_out, 0),
            self._of_arbitrary(chosen),
            _row("random weights", self.random, chosen),
        ]
        rows[1]["best"] = np.nan
        return pd.DataFrame(rows)

    def _of_arbitrary(self, chosen: int) -> dict[str, Any]:
        found = np.array([one.iia.reshape(-1) for one in self.arbitrary])
        low, high = np.quantile(found[:, chosen], [0.025, 0.975])
        return {
            "what": "arbitrary labels",
            "iia": float(found[:, chosen].mean()),
            "low": float(low),
            "high": float(high),
            "interval": f"95% of {len(found)} random functions",
            "n": self.swept.n,
            "best": float(np.nanmax(found, axis=1).mean()),
            "accuracy": float(np.mean([one.accuracy for one in self.arbitrary])),
        }

    def __repr__(self) -> str:
        rows = self.to_dataframe()
        each = "; ".join(f"{row.what} {row.iia:.2f}" for row in rows.itertuples())
        return f"Controls({self.swept.name} at {self.label}: {each}; n={self.swept.n} pairs)"


def controls(  # noqa: PLR0913 - all but the first five are named
    lm: LM | Study,
    model: CausalModel,
    variables: str | Sequence[str],
    render: Render,
    sites: Sites = "residual",
    *,
    n: int = 64,
    seed: int = 0,
    draws: int = 20,
    random_lm: LM | None = None,
    answer: Callable[[Any], str] = str,
    **more: Any,
) -> Controls:
    """The accuracy of the best cell, and the same where there is nothing to be found.

    A high accuracy at the best of many cells, or of a learned map, need not mean that the network
    has the variable: on other pairs, for a variable that means nothing, and in a network that
    learned nothing it must fall. A map given as ``within`` is taken as it is:
    ``mw.alignment.controls`` learns one anew on arbitrary labels.

    Args:
        lm: the network; of a study its model and readout.
        model: what it is held to compute.
        variables: which variable the sites are held to carry; computed ones, for the labels.
        render: inputs -> prompt.
        sites: as in ``iia``.
        n: how many pairs are drawn; as many again are held out.
        seed: of pairs, labels and weights.
        draws: how many random functions.
        random_lm: the network of random weights; default ``random_weights(lm, seed)``.
        answer: output -> token.
        more: as in ``iia``.

    Raises:
        MediationError: an input in the place of a variable, an argument of another kind, and what
            ``iia`` raises.

    Source: Geiger et al. 2021 for the random network; Hewitt and Liang 2019 for arbitrary labels.
    """
    refuse_no_network(lm)
    refuse_no_rendering(render, answer)
    refuse_no_count(draws, "draws", "Draws of arbitrary labels", 20)
    if random_lm is not None:
        fix = "random_lm=abstraction.random_weights(lm)"
        refuse_no_lm(random_lm, "The network of random weights is one.", fix)
    own = more.pop("own_sources", False)
    pairs = counterfactuals(model, variables, n, seed=seed, own_sources=own)
    others = counterfactuals(model, variables, n, seed=seed + 1, own_sources=own, without=pairs)
    rival = Hypothesis(model, variables)
    labelled = [arbitrary(model, rival.variables, seed + draw) for draw in range(draws)]
    rivals = [Hypothesis(one, rival.variables) for one in labelled]
    outputs = outputs_of([rival], pairs, str(more.get("among", "vocabulary")), rivals)
    asked = {"answer": answer, "variables": rival.variables, **more}
    said = interchange(lm, pairs, render, sites, outputs=outputs, **asked)
    swept = judged(said, rival.name, rival, pairs)
    cell = swept.cells[swept.best]
    there = sites if isinstance(sites, Mapping) else [cell or {}]
    known: Any = getattr(lm, "lm", lm)
    twin = random_weights(known, seed) if random_lm is None else random_lm
    read = Study(twin, lm.contrast, readout=lm.readout) if isinstance(lm, Study) else twin
    in_twin = interchange(read, pairs, render, sites, outputs=outputs, **asked)
    again = {"pairs": others, "answer": answer, "own_sources": own, **more}
    return Controls(
        swept=swept,
        held_out=iia(lm, model, variables, render, there, **again),
        arbitrary=tuple(judged(said, "arbitrary", one, pairs) for one in rivals),
        random=judged(in_twin, rival.name, rival, pairs),
    )


def arbitrary(model: CausalModel, variables: str | Sequence[str], seed: int = 0) -> CausalModel:
    """The same model, some variables being random functions of what they read.

    Each has one of the values that the variable takes, the same whenever its parents are the same.

    Args:
        model: whose other variables stay as they are.
        variables: one, or several; no inputs.
        seed: of the draw of the functions.

    Raises:
        MediationError: an input, no variable of the model, no seed, or values that cannot be told
            apart.
    """
    names = Hypothesis(model, variables).variables
    refuse_no_seed(seed)
    inputs = [name for name in names if name in model.inputs]
    require(
        not inputs,
        "An input follows from nothing, so it cannot be another function.",
        value=", ".join(inputs),
        expected="one of " + ", ".join(model.variables),
        fix=f"arbitrary(model, {model.output!r})",
    )
    changed = {name: _random_function(model, name, int(seed)) for name in names}
    return replace(model, variables={**model.variables, **changed})


def random_weights(lm: LM, seed: int = 0) -> LM:
    """A network of the same architecture whose weights are shuffled, tensor by tensor.

    Every tensor keeps its own numbers, so sizes of weights and of norms are those of the network,
    and all that was learned, or set by hand, is lost. The network given is not changed.

    Args:
        lm: the network, with its weights on this machine.
        seed: of the order.

    Raises:
        MediationError: no network, one whose weights are not here, or no seed.
    """
    refuse_no_lm(lm, "Weights are those of a network.", "abstraction.random_weights(mw.load())")
    refuse_no_seed(seed, torch=True)
    import torch

    from ..lm import LM as Model  # noqa: N811

    if any(parameter.is_meta for parameter in lm.hf.parameters()):
        raise MediationError(
            "The weights of this network are not on this machine.",
            value=lm.name,
            expected="a network that was loaded with its weights",
            fix="controls(..., random_lm=mw.load(another)), which may be on a server too",
        )
    module = copy.deepcopy(lm.hf)
    drawn = torch.Generator().manual_seed(int(seed))
    with torch.no_grad():
        for parameter in module.parameters():
            order = torch.randperm(parameter.numel(), generator=drawn).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return Model(module, lm.tokenizer, name=f"{lm.name}, weights shuffled", paths=lm.paths)


def _random_function(model: CausalModel, name: str, seed: int) -> Callable[..., Any]:
    values = model.values_of(name)
    drawn: dict[tuple[Any, ...], Any] = {}

    def function(*parents: Any) -> Any:
        for parent, value in zip(model.parents[name], parents, strict=True):
            refuse_no_value(parent, value)
        # By the values themselves, so that the order in which they come up does not matter.
        if parents not in drawn:
            drawn[parents] = random.Random(repr((name, seed, parents))).choice(values)
        return drawn[parents]

    function.__signature__ = _signature(model.parents[name])  # type: ignore[attr-defined]
    return function


def _signature(parents: Sequence[str]) -> Any:
    from inspect import Parameter, Signature

    return Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in parents])


def _row(what: str, result: IIA, index: int) -> dict[str, Any]:
    low, high = result.ci().reshape(2, -1)[:, index]
    every = result.iia.reshape(-1)
    return {
        "what": what,
        "iia": float(every[index]),
        "low": float(low),
        "high": float(high),
        "interval": "95% Wilson over pairs",
        "n": result.n,
        "best": float(np.nanmax(every)),
        "accuracy": result.accuracy,
    }
