"""Basket: the selection of a study, by itself."""

from __future__ import annotations

from typing import ClassVar

from ._base import View
from ._page import front_end


class Basket(View):
    """What is selected: what the sites do together, what alone, and what without each of them.

    Pointing at a site shows the others without it, a run that the history does not keep. Sites can
    be typed (``L3H0 mlp5@END``), and taken out one by one.

    Args:
        study: its pairs, metric, edit and history; all views of it are linked.
        direction: "restore" shows PIE, "break" TIE; of edits to a constant they show the effect on
            the corrupt and on the clean prompt, "difference" the latter less the former.

    Raises:
        MediationError: what ``View`` raises.

    Example:
        >>> mw.Basket(study)
    """

    _esm, _css = front_end("basket")
    PANELS: ClassVar[tuple[str, ...]] = ("head", "mlp_out", "tokens")
