"""TokenHeatmap: one kind of site at every layer and token."""

from __future__ import annotations

from typing import ClassVar

from ._base import View, front_end


class TokenHeatmap(View):
    """Layer by token: the residual stream, attention outputs or MLP outputs.

    Example:
        >>> mw.TokenHeatmap(study, mediator="mlp_out")
    """

    _esm, _css = front_end("token_heatmap")
    PANELS: ClassVar[tuple[str, ...]] = ("tokens",)
