"""A study's metric as views and exports write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..study import Study


def formula(study: Study, pair: int | None) -> str:
    """The metric's formula, with the answers of the pair that is shown.

    Args:
        study: whose metric it is.
        pair: None for the mean over pairs, whose answers differ.
    """
    shown = study.token_pairs[pair or 0]
    several = pair is None and len(study.contrast) > 1
    answers = shown.answer_token.strip(), shown.wrong_token.strip()
    label = study.metric.label(*(("answer", "wrong") if several else answers))
    # Of several tokens it is not one logit that is kept, but what they come to together.
    return label.replace("logit(", "log P(") if shown.strands[0].forced else label
