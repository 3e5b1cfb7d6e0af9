"""CausalTrace: where restoring a state brings back what a corrupted subject took away."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from ..edits import Patch
from ..effects import Status
from ..errors import require
from ..pictures import colours, grid_html, signed
from ..sites import Site
from ..sweeps import Sweep
from ..tracing import Tracing
from ._page import Page, front_end
from .payload import with_failures

if TYPE_CHECKING:
    from numpy.typing import NDArray

TITLES = {"residual": "State", "mlp_out": "MLP", "attn_out": "Attention"}
MOST_DOTS = 100
"""Draws or pairs whose own effects are sent for a cell."""


class CausalTrace(Page):
    """Tokens by layers: the indirect effect of restoring a state, an MLP or attention.

    The layers that a cell restores together are framed on the grid while it is pointed at. A
    click keeps the cell, with the effect of every draw of noise (or of every pair).

    Args:
        tracing: what ``mw.causal_tracing`` found.
        kind: which kind of state is shown first.

    Attributes:
        kind: may be set.

    Raises:
        MediationError: no ``Tracing``, or a kind of state that was not traced.

    Example:
        >>> mw.CausalTrace(mw.causal_tracing(study, corruption="noise", subject="S2"))
    """

    _esm, _css = front_end("causal_trace")

    trace = t.Dict(read_only=True).tag(sync=True)
    kind = t.Unicode().tag(sync=True)

    def __init__(self, tracing: Tracing, *, kind: str | None = None) -> None:
        require(
            isinstance(tracing, Tracing),
            "CausalTrace shows a causal trace.",
            value=tracing,
            expected="mw.causal_tracing(study)",
            fix="CausalTrace(mw.causal_tracing(study, corruption='noise'))",
        )
        self.tracing = tracing
        self.set_trait("trace", trace_payload(tracing))
        super().__init__(kind=tracing.kinds[0] if kind is None else kind)

    @t.validate("kind")
    def _known_kind(self, proposal: Any) -> Any:
        require(
            proposal["value"] in self.tracing.kinds,
            "This kind of state was not traced.",
            value=proposal["value"],
            expected=" or ".join(map(repr, self.tracing.kinds)),
            fix=f"mw.causal_tracing(study, kinds=({proposal['value']!r},))",
        )
        return proposal["value"]

    @t.observe("kind")
    def _redraw(self, _change: Any) -> None:
        self._saved.soon()

    def __repr__(self) -> str:
        tracing = self.tracing
        return (
            f"CausalTrace({', '.join(tracing.kinds)}; {tracing.corruption}, "
            f"{len(tracing.clean_kept)} pairs; TE {tracing.total:+.3f} {tracing.unit})"
        )

    def _html(self) -> str:
        tracing = self.tracing
        values = tracing.indirect(self.kind).T
        status = np.where(np.isfinite(values), Status.EXACT, Status.NOT_RUN).astype(np.uint8)
        rows = [
            f"{token.strip()} *" if i in tracing.subject else token.strip()
            for i, token in enumerate(tracing.tokens)
        ]
        grid = grid_html(values, status, rows, _layers(tracing, values.shape[1]), tracing.total)
        words = (
            f"{tracing.title} Clean {signed(tracing.clean)}, corrupted {signed(tracing.corrupted)} "
            f"{tracing.unit}. {TITLES.get(self.kind, self.kind)}, window "
            f"{tracing.windows[self.kind]}; *: the subject."
        )
        return f"<p>{escape(words)}</p>{grid}<p>{escape(colours([Patch()]))}</p>"


def trace_payload(tracing: Tracing) -> dict[str, Any]:
    """What the page reads: words, tokens and per kind the numbers of its grid."""
    return {
        "title": with_failures(tracing.title, tracing.failed),
        "metric": tracing.metric.label(*tracing.answers),
        "unit": tracing.unit,
        "clean": tracing.clean,
        "corrupted": tracing.corrupted,
        "tokens": list(tracing.tokens),
        "subject": list(tracing.subject),
        "pairs": len(tracing.clean_kept),
        "draws": tracing.n_samples,
        "kinds": [_kind(tracing, kind) for kind in tracing.kinds],
    }


def _kind(tracing: Tracing, kind: str) -> dict[str, Any]:
    """One grid: float32 bytes of (layer, position), NaN where not run; dots (dot, layer, ...)."""
    restored, (low, high) = tracing.restored(kind), tracing.ci(kind)
    layers = len(restored)
    shape = tracing.study.lm.shape
    cells = Sweep(kind, Patch("clean"), window=tracing.windows[kind]).cells(shape, 1)
    spans = [[min(s.layer for s in cell), max(s.layer for s in cell)] for cell in cells if cell]
    dots = _dots(tracing, kind)
    return {
        "kind": kind,
        "title": TITLES.get(kind, kind),
        "window": tracing.windows[kind],
        "layers": _layers(tracing, layers),
        "names": [Site(kind, layer).label((), tracing.n_layers) for layer in range(layers)],
        "spans": spans,
        "restored": _bytes(restored),
        "low": _bytes(low),
        "high": _bytes(high),
        "n_dots": len(dots),
        "dots": _bytes(dots),
    }


def _dots(tracing: Tracing, kind: str) -> NDArray[np.float64]:
    """(dot, layer, position) the effect of every draw, or of every pair where there is one draw."""
    if tracing.n_samples > 1:
        return np.asarray(tracing.samples(kind).mean(axis=-1))[:MOST_DOTS]
    return tracing.pairs(kind)[:MOST_DOTS]


def _layers(tracing: Tracing, n: int) -> list[str]:
    """The residual stream has one more: what comes out after the last block."""
    return [str(i) if i < tracing.n_layers else "out" for i in range(n)]


def _bytes(numbers: NDArray[np.float64]) -> bytes:
    return numbers.astype("<f4").tobytes()
