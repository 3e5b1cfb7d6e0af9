"""Tables of what looks closer, for pages that have no kernel: every text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

MOST_COLUMNS = 40
"""Longer prompts make no table that anybody reads; the numbers are in Python."""


def table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A titled table of texts; rows by their names."""
    if len(columns) > MOST_COLUMNS:
        return f"<p>{escape(title)}: {len(columns)} columns, drawn with a kernel only</p>"
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(f"<td>{escape(text)}</td>" for text in texts)
        + "</tr>"
        for name, texts in rows.items()
    )
    return f"<p><b>{escape(title)}</b></p><table><tr><th></th>{head}</tr>{body}</table>"


def refused(payload: Mapping[str, Any]) -> str:
    """Why a part could not be drawn, empty if it could."""
    error = payload.get("error")
    return f"<p>{escape(str(error['message']))}</p>" if error else ""


def attention_table(payload: Mapping[str, Any]) -> str:
    """The weights of a head on the clean prompt, query by key."""
    if "weights" not in payload:
        return refused(payload)
    tokens = [token.strip() for token in payload["tokens"]["clean"]]
    weights = np.frombuffer(payload["weights"]["clean"], "<f4").reshape(len(tokens), -1)
    rows = {
        f"{i} {token}": [f"{p:.2f}" if key <= i else "" for key, p in enumerate(weights[i])]
        for i, token in enumerate(tokens)
    }
    title = f"Attention of L{payload['layer']}H{payload['head']}, clean prompt, query by key"
    return table(title, tokens, rows)


def lens_table(payload: Mapping[str, Any]) -> str:
    """The likeliest next token of every layer and position, clean prompt."""
    if "runs" not in payload:
        return refused(payload)
    run, layers, words = payload["runs"][0], payload["layers"], payload["words"]
    shape = (len(layers), len(run["tokens"]), run["k"])
    top = np.frombuffer(run["top"], "<i4").reshape(shape)[..., 0]
    p = np.frombuffer(run["p"], "<f4").reshape(shape)[..., 0]
    rows = {
        layer: [f"{words[i].strip()} {q:.2f}" for i, q in zip(top[n], p[n], strict=True)]
        for n, layer in enumerate(layers)
    }
    columns = [token.strip() for token in run["tokens"]]
    return table("Logit lens, clean prompt: likeliest next token", columns, rows)


def neurons_table(payload: Mapping[str, Any]) -> str:
    """The neurons that are shown, with the metric of both edited runs."""
    if "panel" not in payload:
        return refused(payload)
    panel = payload["panel"]
    both = (("y01", "on corrupt"), ("y10", "on clean"))
    rows = {
        words: [f"{value:.3g}" for value in np.frombuffer(panel[name], "<f4")]
        for name, words in both
    }
    title = f"{panel['title']}, in order of the {payload['by']}: the metric, edited"
    return table(title, panel["labels"], rows)
