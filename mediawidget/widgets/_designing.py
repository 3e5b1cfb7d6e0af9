"""What the page of a CounterfactualDesigner is sent of one pair of prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ..abstraction.drawing import Counterfactual, Render, prompt_pair
from ..abstraction.hypotheses import NOTHING
from ..errors import require

if TYPE_CHECKING:
    from ..lm import LM

SIDES = ("base", "source")
MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""A letter for each hypothesis, for eyes and ears that colours do not reach."""

TIE = "nothing (a tie)"

Answer = Callable[[Any], str]
Known = Mapping[Any, int]
"""(layer, position), "base" or "source" -> the token that was said there; negative for a tie."""


def pair_payload(
    lm: LM,
    one: Counterfactual,
    known: Known,
    layers: range,
    render: Render,
    answer: Answer,
) -> dict[str, Any]:
    """Tokens, what each hypothesis predicts, and what was run: a row of cells per layer.

    Raises:
        MediationError: what ``tokens_of`` raises.
    """
    tokens = tokens_of(lm, one, render, answer)
    prompts = dict(zip(SIDES, (render(one.base), render(one.source)), strict=True))
    rivals = rivals_payload(one, answer)
    texts = [rival["predicted"] for rival in rivals]
    places = range(len(tokens["base"]))
    wanted = dict(zip(SIDES, (one.plain, one.others[0]), strict=True))
    return {
        "tokens": tokens,
        "rivals": rivals,
        "telling": one.telling,
        "plain": answer(one.plain),
        "other": answer(one.others[0]),
        "says": {
            side: _cell(lm, known.get(side), [answer(out)], prompts[side])
            for side, out in wanted.items()
        },
        "cells": [
            [_cell(lm, known.get((at, place)), texts, prompts["base"]) for place in places]
            for at in layers
        ],
    }


def rivals_payload(one: Counterfactual, answer: Answer) -> list[dict[str, Any]]:
    """What each hypothesis predicts, and which others predict the same; last, that of no change."""
    said = {**one.predicted, NOTHING: one.plain}
    marks = {name: MARKS[i % len(MARKS)] for i, name in enumerate(one.predicted)}
    return [
        {
            "name": name,
            "mark": marks.get(name, "\N{EN DASH}"),
            "predicted": answer(output),
            "alike": [b if name == a else a for a, b in one.alike if name in (a, b)],
        }
        for name, output in said.items()
    ]


def tokens_of(lm: LM, one: Counterfactual, render: Render, answer: Answer) -> dict[str, list[str]]:
    """Both prompts as tokens.

    Raises:
        MediationError: not as many of one as of the other, or no prompts.
    """
    pair = prompt_pair(one, render, answer)
    tokens = {"base": lm.tokens(pair.corrupt), "source": lm.tokens(pair.clean)}
    lengths = [len(tokens[side]) for side in SIDES]
    require(
        lengths[0] == lengths[1],
        "The two prompts have not as many tokens.",
        value=lengths,
        expected="prompts of one length, so that every token has a partner",
        fix="values that are as many tokens",
    )
    return tokens


def said_by(lm: LM, token: int) -> str:
    """What was said, as people read it."""
    text = TIE if token < 0 else lm.encoder.token(token)
    return text.strip() or repr(text)


def static_html(state: Mapping[str, Any]) -> str:
    """The pair and what was run of it, as plain HTML."""
    pair = state["pair"]
    if pair is None:
        return "<p>There is no such pair of prompts.</p>"
    rows = "".join(
        f"<tr><td>{escape(one['mark'])} {escape(one['name'])}</td>"
        f"<td>{escape(one['predicted'])}</td><td>{escape(', '.join(one['alike']))}</td></tr>"
        for one in pair["rivals"]
    )
    head = "<tr><th>hypothesis</th><th>predicts</th><th>cannot be told from</th></tr>"
    texts = [escape("".join(pair["tokens"][side]).strip()) for side in SIDES]
    runs = [
        f"{layer} @ {position}: {cell[0]}"
        for layer, row in zip(state["layers"], pair["cells"], strict=True)
        for position, cell in enumerate(row)
        if cell
    ]
    said = f"Run: {escape('; '.join(runs))}." if runs else "No interchange was run."
    return (
        f"<p>Original: {texts[0]}</p><p>Counterfactual: {texts[1]}</p>"
        f"<table>{head}{rows}</table><p>{said}</p>"
    )


def _cell(lm: LM, token: int | None, texts: Sequence[str], prompt: str) -> list[Any] | None:
    """What was said to a prompt, and which of the texts say that; None where nothing was run."""
    if token is None:
        return None
    ids = [lm.encoder.answer(text, "output", [prompt]) for text in texts]
    return [said_by(lm, token), [i for i, at in enumerate(ids) if at == token]]
