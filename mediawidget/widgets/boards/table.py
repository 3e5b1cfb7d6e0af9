"""A board's circuit as rows, and as a plain HTML table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...pictures import signed
from ...sites import Site
from ..drawing.text import count
from .sizes import Sizes
from .worth import BoardResult

if TYPE_CHECKING:
    import pandas as pd


def board_rows(result: BoardResult, sizes: Sizes | None, wiring: Any) -> pd.DataFrame:
    """A row per node and per edge: its class, its score, and the circuit without it."""
    import pandas as pd

    from .graph import links

    f, unit = result.faithfulness, result.faithfulness.terms.unit
    edges = [link.edge for link in links(result.circuit, wiring)] if result.mode == "edge" else []
    rows = []
    for kind, several in (("node", result.circuit.ordered), ("edge", edges)):
        for one in several:
            without = result.left_out.get(one)
            score = sizes.of(one) if sizes else None
            row: dict[str, Any] = {
                "panel": kind,
                "site": one.label(),
                "class": result.circuit.classes.get(cast("Site", one), ""),
            }
            row |= {"score": np.nan if score is None else score}
            row |= {"without": np.nan if without is None else float(without.mean())}
            change = result.change(one)
            share = np.nan if change is None or result.refused else change
            row |= {"change of faithfulness": share, "circuit": float(f.kept.mean())}
            row |= {"model": float(f.model.mean()), "empty": float(f.empty.mean())}
            rows.append(row | {"n": f.terms.n_pairs, "unit": unit})
    return pd.DataFrame(rows, columns=None if rows else ["panel", "site", "n", "unit"])


def figures(result: BoardResult) -> list[tuple[str, str]]:
    """The figures over the graph: a name and a text of each."""
    f, unit = result.faithfulness, result.faithfulness.terms.unit
    told = []
    if result.refused:
        told.append(("Faithfulness", f"not normalised: {result.refused}"))
    else:
        ends = result.interval
        words = f"{result.normalized:.2f}"
        told.append(("Faithfulness", words + (f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else "")))
    means = (float(one.mean()) for one in (f.kept, f.model, f.empty))
    kept, model, empty = (signed(one) for one in means)
    told.append(("m(C)", f"{kept} {unit} (network {model}, nothing {empty})"))
    if result.gap is not None:
        told.append(("Gap, all of C removed", f"{result.gap:.2f} {unit}"))
    size = f"{len(result.circuit.nodes)} of {count(result.of[0], 'node')}"
    if result.n_edges is not None:
        size += f", {result.n_edges} of {count(result.of[1], 'edge')}"
    told.append(("Size", size))
    if result.found:
        hits, of = (sum(column) for column in zip(*result.found.values(), strict=True))
        told.append(("Known circuit", f"found {hits} of {of}"))
    return told


def board_html(result: BoardResult, note: str) -> str:
    """The figures, and a row per node, every text escaped."""
    head = "".join(f"<b>{escape(name)}</b> {escape(text)}<br>" for name, text in figures(result))
    rows = ""
    for node in result.circuit.ordered:
        change = result.change(node)
        cells = (node.label(), result.circuit.classes.get(node, ""))
        told = "" if change is None else signed(change)
        rows += "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in (*cells, told)) + "</tr>"
    names = "".join(f"<th>{name}</th>" for name in ("node", "class", "change without it"))
    words = f"<p>{escape(note)}</p>" if note else ""
    terms = escape(result.faithfulness.terms.words)
    return f"<p>{head}{terms}</p>{words}<table><tr>{names}</tr>{rows}</table>"
