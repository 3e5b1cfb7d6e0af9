"""LogitLens: what the model would say next after each of its layers."""

from __future__ import annotations

from typing import ClassVar

from ._base import View
from ._lens import LensPart
from ._page import front_end
from ._parts import Written
from ._tables import lens_table


class LogitLens(View):
    """Layer by position, each cell the likeliest next token if the model stopped there.

    On the clean prompt, the corrupt one, and on what the selection makes of them. A click patches
    the residual stream of the cell. Source: nostalgebraist 2020.

    Args:
        study: its pairs, metric, edit and history; all views of it are linked.
        direction: "restore" shows PIE, "break" TIE; of edits to a constant they show the effect on
            the corrupt and on the clean prompt, "difference" the latter less the former.

    Raises:
        MediationError: what ``View`` raises.

    Example:
        >>> mw.LogitLens(study)
    """

    _esm, _css = front_end("logit_lens")
    PANELS: ClassVar[tuple[str, ...]] = ()
    PARTS = (LensPart,)
    OPEN: ClassVar[tuple[str, ...]] = ("lens",)

    lens = Written().tag(sync=True)

    def _html(self) -> str:
        return super()._html() + lens_table(self.lens)
