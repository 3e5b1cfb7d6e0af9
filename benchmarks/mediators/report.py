"""The tables and the chart, for the screen and for MEDIATORS.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmarks.circuits.report import machine

from .measure import Row
from .subjects import LAYER, Subject

HEAD = f"""# Which kind of mediator carries the effect?

Written by `make bench-mediators`, with its chart, `mediators.vl.json` (Vega-Lite). Kinds of
mediator on the same pairs: four tasks of the embedded teaching model, and a hand-set gate whose
variable is one known direction (G4). Subspaces are of the residual stream at one site: at the last
token before block {LAYER} of the teaching model, behind the noise of the gate. Heads and neurons
are of all layers and positions.

- Every mediator is found on one half of the pairs and patched on the other, of the gate on two
  draws; where pairs have templates a template is in one half alone, so that `PIE` beside `on fit`
  is generality, as far as prompts are not in both.
- k: units, of so many that there are (heads, neurons, features, dimensions of the site): sparsity.
- PIE, TIE: shares of TE, ratios of means over pairs; PIE with its 95% interval over pairs.
- Read: how much of the subspace lies in the row space, the directions along which the metric
  moves to first order on the pairs that fit. Row PIE: of that part alone, as a subspace of its own,
  however short it is. Far below PIE it says that the subspace works through what is not read, a
  dormant direction (Makelov et al. 2023). A dash: no subspace.
- Leak: the same edit on pairs that ask for something else of the same site (the three other tasks;
  of the gate its second variable), the mean size of PIE's share there. Low is selective.
- IIA: how often the likeliest of all tokens after the patch on the corrupt prompt is the answer, or
  one of them where the answer is a set.
- Seconds: to find it, on a fresh study. Chance is one random subspace of each size.
- Of answers that are sets what finds mediators is given the first member alone, for what is trained
  needs one token; they are judged by the whole set.
"""

SAID = "\n## What it says\n"
"""From here on the file is written by hand, and kept."""

COLUMNS = (
    *("kind", "k", "of", "PIE", "95%", "TIE", "read", "row PIE", "on fit", "leak", "IIA", "s"),
)


def text(tables: Sequence[tuple[Subject, Sequence[Row]]]) -> str:
    """As Markdown."""
    lines = [HEAD]
    for subject, rows in tables:
        lines += [*section(subject, rows), ""]
    return "\n".join([*lines, machine(), ""])


def section(subject: Subject, rows: Sequence[Row]) -> list[str]:
    """One subject."""
    return [f"## {subject.name}", "", told(subject), "", *_table(rows)]


def told(subject: Subject) -> str:
    """On what mediators are found and judged, and what of it is the same."""
    fit, test = ([(p.clean, p.corrupt) for p in some] for some in (subject.fit, subject.test))
    pairs = sum(pair in fit for pair in test)
    prompts = sum(any(prompt in pair for pair in fit) for both in test for prompt in both)
    which = "of other templates" if subject.templates else "drawn apart"
    same = f"{pairs} of these and {prompts} of their {2 * len(test)} prompts are"
    return (
        f"Found on {len(fit)} pairs, judged on {len(test)} {which}; "
        f"{same if prompts else 'no prompt is'} in both; {subject.site.label()}."
    )


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The same as numbers."""
    return pd.DataFrame([asdict(row) for row in rows])


def chart(rows: Sequence[Row]) -> Any:
    """PIE's share by size, a line a kind, a panel a subject; the whole site's is a dot."""
    table = frame(rows)
    base = alt.Chart(table).encode(
        x=alt.X("k:Q", scale=alt.Scale(type="log", base=2), title="k: units"),
        y=alt.Y("pie:Q", title="PIE / TE", scale=alt.Scale(domain=[-0.2, 1.4], clamp=True)),
        color=alt.Color("kind:N", sort=list(dict.fromkeys(table["kind"]))),
        tooltip=["subject", "kind", "k", "of", *(alt.Tooltip(c, format=".2f") for c in _NUMBERS)],
    )
    marks = base.mark_line() + base.mark_point(filled=True, opacity=1, size=45)
    return marks.properties(width=260, height=180).facet(
        facet=alt.Facet("subject:N", sort=list(dict.fromkeys(table["subject"])), title=None),
        columns=2,
        title="Share of TE by kind of mediator and size, on pairs drawn apart",
    )


_NUMBERS = ("pie", "tie", "inside", "row", "fit", "leak", "iia", "seconds")


def _table(rows: Sequence[Row]) -> list[str]:
    cells = [COLUMNS, ["---"] * len(COLUMNS), *map(_cells, rows)]
    return ["| " + " | ".join(line) + " |" for line in cells]


def _cells(row: Row) -> tuple[str, ...]:
    interval = f"{row.low:.2f} to {row.high:.2f}"
    shares = (_number(x) for x in (row.tie, row.inside, row.row, row.fit, row.leak, row.iia))
    return (
        *(row.kind, str(row.k), f"{row.of:,}", _number(row.pie), interval),
        *shares,
        f"{row.seconds:.2f}",
    )


def _number(x: float) -> str:
    return "-" if np.isnan(x) else f"{x:.2f}"
