"""Pairs of inputs on which hypotheses say what an interchange comes to, and whether they differ."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ..errors import MediationError, is_one_of, require
from ..prompts import PromptPair
from ..statistics.resampling import refuse_no_flag, refuse_no_seed
from .causal_model import CausalModel, Values, said_by
from .given import is_sequence, refuse_no_count, refuse_no_function
from .hypotheses import NOTHING, Hypotheses, Hypothesis, as_hypotheses

Render = Callable[[Values], str]
"""The prompt that has these inputs."""

TRIES = 200_000
"""Draws of a pair of inputs before it is given up to find more."""


@dataclass(frozen=True)
class Counterfactual:
    """A base, its sources, and what each hypothesis says that the interchange comes to.

    Attributes:
        base: inputs of the prompt that is run.
        sources: inputs of the prompts that values are taken from: one, or one a variable.
        predicted: hypothesis -> output after the interchange.
        plain: the output on the base, nothing being interchanged.
        others: and on each source.
    """

    base: Values
    sources: tuple[Values, ...]
    predicted: Mapping[str, Any]
    plain: Any
    others: tuple[Any, ...]

    @property
    def source(self) -> Values:
        """The first source, which is the only one unless each variable has its own."""
        return self.sources[0]

    @property
    def alike(self) -> tuple[tuple[str, str], ...]:
        """Hypotheses that predict the same here, in twos; ``NOTHING`` is one that predicts plain.

        What predicts the same cannot be told apart on this pair, whatever the network does.
        """
        said = {**self.predicted, NOTHING: self.plain}
        return tuple((a, b) for a, b in combinations(said, 2) if said[a] == said[b])

    @property
    def telling(self) -> bool:
        """Whether all hypotheses predict different outputs, and none that nothing changes."""
        return not self.alike


def counterfactuals(  # noqa: PLR0913 - all but the first three are named
    model: CausalModel,
    variables: str | Sequence[str],
    n: int = 64,
    *,
    seed: int = 0,
    telling: bool = True,
    own_sources: bool = False,
    where: Callable[[Counterfactual], bool] | None = None,
    without: Sequence[Counterfactual] = (),
) -> list[Counterfactual]:
    """Draw pairs of inputs for one hypothesis, without repeats.

    Args:
        model: the hypothesis.
        variables: what is interchanged, one variable or several.
        n: how many pairs.
        seed: of the draw.
        telling: whether the interchange must change the output: where it does not, a site that
            carries nothing would be right too.
        own_sources: several variables come from a source each.
        where: which pairs are wanted, of those.
        without: pairs that are not drawn again (held-out pairs).

    Raises:
        MediationError: an unknown variable, an argument of another kind, or not so many pairs.
    """
    refuse_no_flag("telling", telling)
    refuse_no_flag("own_sources", own_sources)
    rival = Hypothesis(model, variables)
    number = len(rival.variables) if own_sources else 1
    wanted = _wanted(where, telling=telling)
    return _drawn({rival.name: rival}, n, seed, number, wanted, without)


def separating(
    hypotheses: Hypotheses,
    n: int = 64,
    *,
    seed: int = 0,
    where: Callable[[Counterfactual], bool] | None = None,
    without: Sequence[Counterfactual] = (),
) -> list[Counterfactual]:
    """Draw pairs on which every hypothesis predicts another output, and none that nothing changes.

    Args:
        hypotheses: at least two, of models with the same inputs.
        n: how many pairs.
        seed: of the draw.
        where: which pairs are wanted, of those.
        without: pairs that are not drawn again.

    Raises:
        MediationError: hypotheses that no pair, or not so many, tells apart, or an argument of
            another kind.

    Source: the counterfactual pairs of Prakash et al. 2025 ("Language models use lookbacks to
    track beliefs").

    Example:
        >>> model = mw.abstraction.lookback()
        >>> rivals = {"pointer": (model, "pointer"), "payload": (model, "payload")}
        >>> pairs = mw.abstraction.separating(rivals, n=8)
        >>> pairs[0].telling
        True
    """
    rivals = as_hypotheses(hypotheses)
    return _drawn(rivals, n, seed, 1, _wanted(where, telling=True), without)


def counterfactual(hypotheses: Hypotheses, base: Values, *sources: Values) -> Counterfactual:
    """One pair of inputs of your own; ``alike`` says which hypotheses it cannot tell apart.

    Args:
        hypotheses: name -> ``Hypothesis``, or (model, variable); all of the same inputs.
        base: a value for every input of the prompt that is intervened on.
        sources: inputs of the prompts that the variables take their values from: one for all
            variables, or one for each.

    Raises:
        MediationError: hypotheses of different inputs, inputs that are not the models', or an
            output that cannot be told from others.
    """
    rivals = as_hypotheses(hypotheses)
    require(
        bool(sources),
        "An interchange has a source.",
        value=sources,
        expected="the inputs of a second prompt",
        fix="counterfactual(hypotheses, base, source)",
    )
    first = next(iter(rivals.values())).model
    plain, *others = (said_by(first, inputs) for inputs in (base, *sources))
    return Counterfactual(
        base=dict(base),
        sources=tuple(map(dict, sources)),
        predicted={name: one.predict(base, sources) for name, one in rivals.items()},
        plain=plain,
        others=tuple(others),
    )


def refuse_no_pairs(pairs: object, *, empty: bool = True) -> None:
    """Raise unless these are counterfactuals, and, unless ``empty``, at least one.

    Raises:
        MediationError: no list of them, or an empty one.
    """
    require(
        is_sequence(pairs)
        and all(isinstance(one, Counterfactual) for one in pairs)  # type: ignore[attr-defined]
        and (empty or len(pairs) > 0),  # type: ignore[arg-type]
        "Pairs of inputs are counterfactuals." if empty else "An interchange needs pairs.",
        value=pairs,
        expected="a list of Counterfactual" + ("" if empty else ", at least one"),
        fix="abstraction.counterfactuals(model, variable, n=64)",
    )


def refuse_no_rendering(render: object, answer: object) -> None:
    """Raise unless prompts and tokens can be made of inputs and outputs.

    Raises:
        MediationError: one of the two is no function.
    """
    refuse_no_function(render, "render", "inputs -> prompt", "render=mw.models.lookback_prompt")
    refuse_no_function(answer, "answer", "output -> token", "answer=str")


def refuse_alike(pairs: Sequence[Counterfactual]) -> None:
    """Raise unless every pair tells all hypotheses apart.

    Raises:
        MediationError: names the first pair that does not, and which hypotheses it confuses; or
            what are no counterfactuals.
    """
    refuse_no_pairs(pairs)
    for index, pair in enumerate(pairs):
        if not pair.telling:
            a, b = pair.alike[0]
            said = pair.predicted.get(b, pair.plain)
            raise MediationError(
                "A pair cannot tell two hypotheses apart.",
                value=f"pair {index}: {a!r} and {b!r} both predict {said!r}",
                expected="a different output from each",
                fix="abstraction.separating(hypotheses, n) draws such pairs",
            )


def prompt_pair(
    one: Counterfactual,
    render: Render,
    answer: Callable[[Any], str] = str,
    *,
    hypothesis: str | None = None,
    roles: Mapping[str, int] | None = None,
) -> PromptPair:
    """A counterfactual as a pair of prompts: the corrupt one is the base, the clean one the source.

    So ``Run("corrupt", {site: Patch()})`` is the interchange. The answer is what is predicted (by
    ``hypothesis``, default the first), the wrong answer what the base says by itself, or, where
    that is the same, what the source says.

    Args:
        one: the inputs, and what each hypothesis predicts.
        render: inputs -> prompt.
        answer: output -> token.
        hypothesis: whose prediction is the answer.
        roles: names of positions.

    Raises:
        MediationError: prompts that are equal, outputs that are all the same, no hypothesis of this
            name, or an argument of another kind.
    """
    refuse_no_pairs([one])
    refuse_no_rendering(render, answer)
    require(
        hypothesis is None or is_one_of(hypothesis, one.predicted),
        "The answer is what one of the hypotheses predicts.",
        value=hypothesis,
        expected="one of " + ", ".join(one.predicted),
        fix="hypothesis=None takes the first",
    )
    predicted = one.predicted[hypothesis or next(iter(one.predicted))]
    rest = [said for said in (one.plain, *one.others, *one.predicted.values()) if said != predicted]
    texts = render(one.source), render(one.base)
    require(
        texts[0] != texts[1] and bool(rest),
        "Nothing is interchanged between prompts that are equal, or whose outputs all are.",
        value=f"{texts[0]!r} and {texts[1]!r}; output {predicted!r}",
        expected="a base and a source that differ in the prompt and in the output",
        fix="abstraction.counterfactuals(model, variable) draws such pairs",
    )
    return PromptPair(
        clean=texts[0],
        corrupt=texts[1],
        answer=answer(predicted),
        wrong=answer(rest[0]),
        roles={} if roles is None else roles,
    )


def _wanted(
    where: Callable[[Counterfactual], bool] | None, *, telling: bool
) -> Callable[[Counterfactual], bool]:
    if where is not None:
        refuse_no_function(where, "where", "Counterfactual -> bool", "where=lambda one: True")
    return lambda one: (one.telling or not telling) and (where is None or where(one))


def _drawn(
    rivals: dict[str, Hypothesis],
    n: int,
    seed: int,
    n_sources: int,
    wanted: Callable[[Counterfactual], bool],
    without: Sequence[Counterfactual],
) -> list[Counterfactual]:
    refuse_no_count(n, "n", "Pairs", 64)
    refuse_no_seed(seed)
    refuse_no_pairs(without)
    first = next(iter(rivals.values())).model
    used = [(one.base, one.sources) for one in without]
    found: list[Counterfactual] = []
    for indices in _indices(first.size, n_sources + 1, seed):
        base, *sources = map(first.setting, indices)
        valid = all(map(first.is_valid, (base, *sources)))
        if base in sources or not valid or (base, tuple(sources)) in used:
            continue
        one = counterfactual(rivals, base, *sources)
        if wanted(one):
            found.append(one)
        if len(found) == n:
            return found
    raise MediationError(
        "There are not so many such pairs of inputs.",
        value=f"n={n}",
        expected=f"at most {len(found)}, as many as were found",
        fix="fewer pairs, or inputs with more values",
    )


def _indices(size: int, number: int, seed: int) -> Iterator[tuple[int, ...]]:
    """Different combinations of ``number`` settings, in random order: all, or very many."""
    rng = random.Random(int(seed))
    total = size**number
    if total <= TRIES:
        codes = rng.sample(range(total), total)
    else:
        codes = list(dict.fromkeys(rng.randrange(total) for _ in range(TRIES)))
    for code in codes:
        yield tuple(code // size**place % size for place in range(number))
