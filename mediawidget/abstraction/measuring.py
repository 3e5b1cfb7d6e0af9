"""Interchange intervention accuracy, measured: pairs drawn, run, held against hypotheses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import is_one_of
from .accuracy import IIA, Array, Rivals
from .causal_model import CausalModel, said_by
from .cells import Sites
from .drawing import (
    Counterfactual,
    Render,
    counterfactuals,
    refuse_no_pairs,
    separating,
)
from .hypotheses import Hypotheses, Hypothesis, as_hypotheses
from .interchange import Said, ids_of, interchange

if TYPE_CHECKING:
    from ..lm import LM
    from ..study import Study


def iia(  # noqa: PLR0913 - all but the first five are named
    lm: LM | Study,
    model: CausalModel,
    variables: str | Sequence[str],
    render: Render,
    sites: Sites = "residual",
    *,
    pairs: Sequence[Counterfactual] | None = None,
    n: int = 64,
    seed: int = 0,
    answer: Callable[[Any], str] = str,
    among: str = "vocabulary",
    own_sources: bool = False,
    **more: Any,
) -> IIA:
    """How often a network, a site set to its value on the source, says what the model predicts.

    The base prompt is the corrupt one of a pair and the source the clean one, so every cell is
    ``Run("corrupt", {site: Patch()})``; all run in the study's engine.

    Args:
        lm: the network; of a study its model and readout.
        model: what it is held to compute.
        variables: which variable the sites are held to carry; several are interchanged together.
        render: inputs -> prompt.
        sites: "residual", "head" and so on sweeps that kind; a ``Site`` or a list of them is a
            cell each, as is a ``{site: edit}``; ``{variable: site}`` is one cell.
        pairs: to be run, such as held-out ones; default ``counterfactuals(model, variables, n)``.
            What they predict is asked of ``model`` anew.
        n: how many are drawn.
        seed: of that draw.
        answer: output -> token.
        among: "vocabulary": the largest logit of all tokens counts; "outputs": the largest among
            the tokens of the model's outputs. A tie says nothing, and is no hit.
        own_sources: every variable comes from a source of its own (``sites`` names them).
        more: ``by`` (default "position"), ``layers``, ``edit``, ``within`` (a ``Subspace``: the
            interchange is confined to it), ``roles`` (names of positions), ``progress``.

    Returns:
        ``IIA``: axes layer and position for a swept kind, else site.

    Raises:
        MediationError: an unknown variable, too few pairs, outputs that are no single tokens.

    Source: Geiger et al. 2021, 2023; of a subspace Geiger et al. 2024 (DAS).

    Example:
        >>> network, model = mw.models.lookback(), mw.abstraction.lookback()
        >>> render = mw.models.lookback_prompt
        >>> result = mw.abstraction.iia(network, model, "pointer", render, layers=[1, 2])
        >>> result.iia.shape, result.n
        ((2, 8), 64)
    """
    rival = Hypothesis(model, variables)
    if pairs is None:
        pairs = counterfactuals(model, variables, n, seed=seed, own_sources=own_sources)
    refuse_no_pairs(pairs, empty=False)
    outputs = outputs_of([rival], pairs, among)
    said = interchange(
        lm,
        pairs,
        render,
        sites,
        outputs=outputs,
        answer=answer,
        among=among,
        variables=rival.variables,
        **more,
    )
    return judged(said, rival.name, rival, pairs)


def rivals(
    lm: LM | Study,
    hypotheses: Hypotheses,
    render: Render,
    sites: Sites = "residual",
    *,
    pairs: Sequence[Counterfactual] | None = None,
    n: int = 64,
    seed: int = 0,
    **more: Any,
) -> Rivals:
    """The same interchanges held against several hypotheses, on pairs that tell them apart.

    Args:
        lm: the network; of a study its model and readout.
        hypotheses: ``{name: (model, variable)}``, of models with the same inputs.
        render: inputs -> prompt.
        sites: as in ``iia``.
        pairs: your own; default ``separating(hypotheses, n, seed=seed)``. On pairs that cannot
            tell two apart, both are right or both wrong: see ``Rivals.told_apart``.
        n: how many are drawn.
        seed: of that draw.
        more: as in ``iia``, ``answer`` and ``among`` with it.

    Raises:
        MediationError: what ``separating`` and ``iia`` raise.

    Source: Prakash et al. 2025.
    """
    known = as_hypotheses(hypotheses)
    pairs = separating(known, n, seed=seed) if pairs is None else pairs
    refuse_no_pairs(pairs, empty=False)
    outputs = outputs_of([*known.values()], pairs, str(more.get("among", "vocabulary")))
    said = interchange(lm, pairs, render, sites, outputs=outputs, **more)
    return Rivals({name: judged(said, name, one, pairs) for name, one in known.items()})


def judged(said: Said, name: str, hypothesis: Hypothesis, pairs: Sequence[Counterfactual]) -> IIA:
    """What a network said, held against one hypothesis on these pairs."""
    model, shape = hypothesis.model, tuple(len(labels) for labels in said.axes.values())

    def of(token: Any) -> Array:
        same = np.where(said.ran[:, None], said.after == token, np.nan)
        return np.asarray(same.T.reshape(len(pairs), *shape), dtype=np.float64)

    def ids(outputs: Any) -> Any:
        return ids_of(list(outputs), said.words)

    predicted = ids(hypothesis.predict(one.base, one.sources) for one in pairs)
    plain = ids(model.run(one.base)[model.output] for one in pairs)
    others = np.stack([ids(model.run(s)[model.output] for s in one.sources) for one in pairs])
    base_right = said.base == plain
    return IIA(
        name=name,
        axes=said.axes,
        labels=said.labels,
        cells=said.cells,
        hits=of(predicted),
        stays=of(said.base),
        follows=of(said.source[:, 0]),
        base_right=base_right,
        solved=base_right & (said.source == others).all(axis=1),
        unmoved=said.base == predicted,
        pairs=tuple(pairs),
        network=said.study.lm.name,
        among=said.words.among,
        chance=1 / said.words.size,
    )


def outputs_of(
    hypotheses: Sequence[Hypothesis],
    pairs: Sequence[Counterfactual],
    among: str,
    others: Sequence[Hypothesis] = (),
) -> list[Any]:
    """What models say on these pairs, and, where the network chooses among outputs, elsewhere.

    ``others`` are held against the same runs and add no alternatives but what they predict.
    """
    own = dict.fromkeys(one.model for one in hypotheses)
    every = own if is_one_of(among, ("outputs",)) else {}
    found = [said for model in every for said in model.values_of(model.output)]
    for one in (*hypotheses, *others):
        for pair in pairs:
            found.append(one.predict(pair.base, pair.sources))
            inputs = (pair.base, *pair.sources)
            found += [said_by(one.model, known) for known in inputs]
    return found
