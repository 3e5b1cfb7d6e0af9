"""HeadGrid: attention heads, layer by head."""

from __future__ import annotations

from typing import ClassVar

from ._base import View
from ._page import front_end


class HeadGrid(View):
    """Every attention head as a cell; a click patches it.

    Args:
        study: its pairs, metric, edit and history; all views of it are linked.
        direction: "restore" shows PIE, "break" TIE; of edits to a constant they show the effect on
            the corrupt and on the clean prompt, "difference" the latter less the former.

    Raises:
        MediationError: what ``View`` raises.

    Example:
        >>> mw.HeadGrid(study, direction="break")
    """

    _esm, _css = front_end("head_grid")
    PANELS: ClassVar[tuple[str, ...]] = ("head",)
    NEEDS: ClassVar[tuple[str, ...]] = ("head",)
