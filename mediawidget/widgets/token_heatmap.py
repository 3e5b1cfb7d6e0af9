"""TokenHeatmap: one kind of site at every layer and token."""

from __future__ import annotations

from typing import ClassVar

from ._base import View
from ._page import front_end


class TokenHeatmap(View):
    """Layer by token: the residual stream, attention outputs or MLP outputs.

    Args:
        study: its pairs, metric, edit and history; all views of it are linked.
        direction: "restore" shows PIE, "break" TIE; of edits to a constant they show the effect on
            the corrupt and on the clean prompt, "difference" the latter less the former.
        mediator: "residual", "attn_out" or "mlp_out".

    Raises:
        MediationError: what ``View`` raises, and another mediator.

    Example:
        >>> mw.TokenHeatmap(study, mediator="mlp_out")
    """

    _esm, _css = front_end("token_heatmap")
    PANELS: ClassVar[tuple[str, ...]] = ("tokens",)
