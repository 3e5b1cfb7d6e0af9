"""What a script reads off logits: answers, and the metric of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..metrics import Logit, LogitDiff, LogOdds, LogProb, Metric, Prob, ProbDiff
from ..token_pairs import TokenPair
from .refusals import cannot

_TINY = "2.2e-16"
#: The metric of `right` and `wrong`: two logits, or two log probabilities.
_FORMULAS: dict[type[Metric], str] = {
    LogitDiff: "right - wrong",
    Logit: "right",
    LogProb: "right",
    Prob: "right.exp()",
    ProbDiff: "right.exp() - wrong.exp()",
    LogOdds: f"-(-right).clamp(min={_TINY}).expm1().log()",
}


@dataclass(frozen=True)
class Readings:
    """How the answers of all pairs are read.

    Attributes:
        forced: answers of several tokens are fed to the model token by token.
        sets: an answer is any of several tokens.
        at: the position that is read; None for the last one of every prompt.
        reduce: what the log probabilities of several tokens are put together by.
        formula: of the metric, in `right` and `wrong`.
        log_p: these are log probabilities, not logits.
    """

    forced: bool
    sets: bool
    at: int | None
    reduce: str
    formula: str
    log_p: bool


def readings_of(pairs: Sequence[TokenPair], metric: Metric) -> Readings:
    """How the answers are read, alike in all pairs.

    Raises:
        MediationError: a metric without a formula here, pairs that are read in different ways.
    """
    if type(metric) not in _FORMULAS:
        named = ", ".join(kind.__name__ for kind in _FORMULAS)
        raise cannot(f"the metric {metric.name!r}", metric, f"one of {named}")
    forced = {pair.strands[0].forced for pair in pairs}
    if len(forced) > 1:
        raise cannot("answers of one token beside answers of several", "", "pairs of one kind")
    (several,) = forced
    last = all(_reads_last(pair) for pair in pairs)
    reads = {pair.strands[0].reads[0] for pair in pairs}
    if not last and len(reads) > 1:
        raise cannot("pairs that are read at different positions", sorted(reads), "one position")
    return Readings(
        forced=several,
        sets=not several and any(len(ids) > 1 for pair in pairs for ids in pair.answers),
        at=None if last else reads.pop(),
        reduce=pairs[0].strands[0].reduce,
        formula=_FORMULAS[type(metric)],
        log_p=several or type(metric) not in (LogitDiff, Logit),
    )


def _reads_last(pair: TokenPair) -> bool:
    return pair.strands[0].reads[0] == len(pair) - 1


def reading_lines(how: Readings) -> list[str]:
    """The function of a script that gives the metric of a run."""
    if not how.forced:
        some = ".logsumexp(0)" if how.sets else ""
        formula = how.formula
        for answer in ("right", "wrong"):
            formula = formula.replace(answer, f"scores[{answer}]{some}")
        return [
            "def metric(scores, right, wrong):",
            *(["    scores = scores.log_softmax(-1)"] if how.log_p else []),
            f"    return ({formula}).item()",
        ]
    return [
        "def metric(prompt, right, wrong, given=None):",
        '    """The metric, of the log probabilities of two answers of several tokens."""',
        "    scores = []",
        "    for answer in (right, wrong):  # each is fed to the model token by token",
        "        log_p = run(prompt, answer[:-1], given)[-len(answer) :].log_softmax(-1)",
        f"        scores.append(log_p[range(len(answer)), answer].{how.reduce}())",
        "    right, wrong = scores",
        f"    return ({how.formula}).item()",
    ]
