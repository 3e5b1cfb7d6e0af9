"""Interchange interventions run in the network, held against what hypotheses predict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..edits import Edit
from ..engine_inputs import refuse_no_lm
from ..errors import MediationError, is_one_of, require
from ..metrics import Function
from ..outcomes import Outcomes
from ..readouts import Readout, logit_column
from ..results import Axes
from ..runs import Run
from ..study import Study
from .cells import Cell, Sites, cells_of, from_own
from .drawing import (
    Counterfactual,
    Render,
    prompt_pair,
    refuse_no_pairs,
    refuse_no_rendering,
)

if TYPE_CHECKING:
    from ..lm import LM

SAYS_NOTHING = -1
"""The token of a tie: two tokens share the largest logit, so that none is said."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Words:
    """How outputs of a causal model are read off a network.

    Attributes:
        texts: output -> the token that says it.
        ids: output -> the token's id.
        among: "vocabulary" or "outputs": the tokens of which the largest logit counts.
        size: how many these are, for the chance level 1 / size.
    """

    texts: Mapping[Any, str]
    ids: Mapping[Any, int]
    among: str
    size: int


@dataclass(frozen=True)
class Said:
    """What a network says on pairs, by itself and after each interchange.

    Attributes:
        axes: names to coordinates; one cell per combination.
        labels: the cells' names, in row-major order.
        cells: what each sets; None where there is nothing to set.
        after: (cell, pair) the token after the interchange, where it was run.
        ran: (cell,) whether it was run.
        base: (pair,) the token on the base, and
        source: (pair, source) on each source, nothing being interchanged.
        study: bases and first sources as pairs of prompts.
        words: how outputs are read.
    """

    axes: Axes
    labels: tuple[str, ...]
    cells: tuple[Cell | None, ...]
    after: Ids
    ran: NDArray[np.bool_]
    base: Ids
    source: Ids
    study: Study
    words: Words


def interchange(  # noqa: PLR0913 - what is asked, at which sites, how it is read
    lm: LM | Study,
    pairs: Sequence[Counterfactual],
    render: Render,
    sites: Sites = "residual",
    *,
    by: Any = "position",
    layers: Sequence[int] | int | None = None,
    edit: Edit | None = None,
    within: Any = None,
    outputs: Sequence[Any] = (),
    among: str = "vocabulary",
    answer: Callable[[Any], str] = str,
    roles: Mapping[str, int] | None = None,
    variables: Sequence[str] = (),
    progress: bool = False,
) -> Said:
    """Run every base prompt with each cell set to what it is on the source.

    Args:
        lm: the network; of a study its model and readout.
        pairs: counterfactuals, of one source each or, where ``sites`` names variables, of several.
        render: the prompt of some inputs.
        sites: where; see ``Sites``.
        by: of a sweep: by "position", "role" and so on, as ``study.sweep`` has it.
        layers: of a sweep: only these.
        edit: what sites are set to; default ``Patch()``.
        within: a subspace (or another part) that the edit is confined to.
        outputs: all that the causal models can say, beside what these pairs do.
        among: "vocabulary": the network says the token of the largest logit of all; "outputs": of
            the largest among the outputs' tokens.
        answer: output -> token.
        roles: names of positions.
        variables: whose sources ``Counterfactual.sources`` are, in order.
        progress: whether to show a bar.

    Raises:
        MediationError: outputs that are no single tokens or the same, no pairs, and what
            ``PromptPair`` and the engine raise.
    """
    refuse_no_network(lm)
    refuse_no_pairs(pairs, empty=False)
    refuse_no_rendering(render, answer)
    words = _words(lm, pairs, render, outputs, among, answer)
    study = _study(lm, pairs, render, words, answer, roles)
    axes, cells, labels = cells_of(study, sites, by=by, layers=layers, edit=edit, within=within)
    others = _others(lm, pairs, render, words, answer, roles)
    if others:
        cells = [from_own(sites, cells, variables, others)]
    runs = [Run("corrupt", cell) for cell in cells if cell]
    outcomes = study.engine.job(runs, top=2).result(progress=progress)
    after = np.full((len(cells), len(pairs)), SAYS_NOTHING, dtype=np.int64)
    ran = np.array([bool(cell) for cell in cells])
    if runs:
        after[ran] = [_tokens(outcomes, index, words) for index in range(len(runs))]
    further = [_tokens(other.engine.evaluate([], top=2), "clean", words) for other in others]
    source = np.stack([_tokens(outcomes, "clean", words), *further], axis=1)
    base = _tokens(outcomes, "corrupt", words)
    return Said(axes, tuple(labels), tuple(cells), after, ran, base, source, study, words)


def refuse_no_network(lm: object) -> None:
    """Raise unless ``lm`` is a language model or a study of one."""
    network = lm.lm if isinstance(lm, Study) else lm
    refuse_no_lm(network, "An interchange runs in a network.", "abstraction.iia(mw.load(), ...)")


def ids_of(outputs: Sequence[Any], words: Words) -> Ids:
    """The tokens of outputs."""
    return np.array([words.ids[one] for one in outputs], dtype=np.int64)


# --- words --------------------------------------------------------------------------------------


def _words(
    lm: LM | Study,
    pairs: Sequence[Counterfactual],
    render: Render,
    outputs: Sequence[Any],
    among: str,
    answer: Callable[[Any], str],
) -> Words:
    require(
        is_one_of(among, ("vocabulary", "outputs")),
        "What a network says is its likeliest token, of all or of some.",
        value=among,
        expected="'vocabulary' or 'outputs'",
        fix="iia(..., among='outputs')",
    )
    of_pairs = [said for p in pairs for said in (p.plain, *p.others, *p.predicted.values())]
    known = tuple(dict.fromkeys([*outputs, *of_pairs]))
    model = lm.lm if isinstance(lm, Study) else lm
    texts = {one: answer(one) for one in known}
    _refuse_no_texts(texts.values(), "answer", "output", "a token as text")
    rendered = [render(inputs) for p in pairs for inputs in (p.base, *p.sources)]
    _refuse_no_texts(rendered, "render", "inputs", "a prompt as text")
    prompts = sorted(set(rendered))
    ids = {one: model.encoder.answer(text, "output", prompts) for one, text in texts.items()}
    if len(set(ids.values())) < len(ids):
        raise MediationError(
            "Two outputs are the same token.",
            value=", ".join(map(repr, texts.values())),
            expected="a token for each output",
            fix="iia(..., answer=...) gives each output its own",
        )
    return Words(texts, ids, among, model.vocabulary if among == "vocabulary" else len(ids))


def _refuse_no_texts(made: Iterable[object], name: str, of: str, expected: str) -> None:
    others = [one for one in made if not isinstance(one, str)]
    require(
        not others,
        f"{name}({of}) is text.",
        value=next(iter(others), None),
        expected=expected,
        fix=f"{name}=lambda {of}: str(...)",
    )


def _tokens(outcomes: Outcomes, run: int | str, words: Words) -> Ids:
    """(pair,) what is said in a run, or on a base prompt."""
    n_pairs = len(outcomes.bases)
    if words.among == "vocabulary":
        return np.array([_first(outcomes.top[run, pair]) for pair in range(n_pairs)])
    columns = [outcomes.columns.index(logit_column(text)) for text in words.texts.values()]
    kept = outcomes.kept[run] if isinstance(run, int) else outcomes.bases[:, int(run == "corrupt")]
    logits = kept[:, columns]
    best = logits.argmax(axis=1)
    alone = (logits == logits.max(axis=1, keepdims=True)).sum(axis=1) == 1
    return np.where(alone, np.array([*words.ids.values()])[best], SAYS_NOTHING)


def _first(likeliest: Sequence[tuple[int, float]]) -> int:
    (token, chance), *rest = likeliest
    return SAYS_NOTHING if rest and rest[0][1] >= chance else token


# --- prompts ------------------------------------------------------------------------------------


def _study(
    lm: LM | Study,
    pairs: Sequence[Counterfactual],
    render: Render,
    words: Words,
    answer: Callable[[Any], str],
    roles: Mapping[str, int] | None,
) -> Study:
    """The pairs as prompts, each of whose runs keeps the logits of all outputs."""
    prompts = [prompt_pair(one, render, answer, roles=roles) for one in pairs]
    tokens = tuple(words.texts.values()) if words.among == "outputs" else ()
    metric = Function(_difference, "logit_diff", tokens=tokens)
    model, readout = (lm.lm, lm.readout) if isinstance(lm, Study) else (lm, Readout())
    return Study(model, prompts, metric, readout=readout)


def _difference(kept: Mapping[str, Any]) -> Any:
    return kept["answer"] - kept["wrong"]


def _others(
    lm: LM | Study,
    pairs: Sequence[Counterfactual],
    render: Render,
    words: Words,
    answer: Callable[[Any], str],
    roles: Mapping[str, int] | None,
) -> list[Study]:
    """A study for every source after the first, on the same bases."""
    found = []
    for index in range(1, max(len(one.sources) for one in pairs)):
        turned = [_with_source(one, index) for one in pairs]
        found.append(_study(lm, turned, render, words, answer, roles))
    return found


def _with_source(one: Counterfactual, index: int) -> Counterfactual:
    sources, others = (one.sources[index],), (one.others[index],)
    return Counterfactual(one.base, sources, one.predicted, one.plain, others)
