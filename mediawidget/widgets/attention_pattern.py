"""AttentionPattern: where one head looks, and what its edges carry."""

from __future__ import annotations

from typing import ClassVar

from ._attention import Attention, as_sent
from ._base import View
from ._page import front_end
from ._parts import Written
from ._tables import attention_table


class AttentionPattern(View):
    """The attention of one head, query by key, on both prompts; a click knocks an edge out.

    The head follows the selection; the page can choose another.

    Args:
        study: its pairs, metric, edit and history; all views of it are linked.
        direction: "restore" shows PIE, "break" TIE; of edits to a constant they show the effect on
            the corrupt and on the clean prompt, "difference" the latter less the former.

    Raises:
        MediationError: what ``View`` raises.

    Example:
        >>> mw.AttentionPattern(study)
    """

    _esm, _css = front_end("attention_pattern")
    PANELS: ClassVar[tuple[str, ...]] = ()
    PARTS = (Attention,)
    OPEN: ClassVar[tuple[str, ...]] = ("attention",)
    NEEDS: ClassVar[tuple[str, ...]] = ("head",)

    attention = Written().tag(sync=True, to_json=as_sent)
    attention_weights = Written().tag(sync=True, travels=True)

    def _html(self) -> str:
        return super()._html() + attention_table(self.attention)
