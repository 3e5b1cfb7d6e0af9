"""HeadGrid: attention heads, layer by head."""

from __future__ import annotations

from typing import ClassVar

from ._base import View, front_end


class HeadGrid(View):
    """Every attention head as a cell; a click patches it.

    Example:
        >>> mw.HeadGrid(study, direction="break")
    """

    _esm, _css = front_end("head_grid")
    PANELS: ClassVar[tuple[str, ...]] = ("head",)
    NEEDS: ClassVar[tuple[str, ...]] = ("head",)
