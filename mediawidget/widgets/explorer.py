"""Explorer: the whole study on one sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ._attention import Attention, as_sent
from ._base import View
from ._editor import Editor
from ._guesses import Guesses
from ._lens import LensPart
from ._log import Log
from ._neurons import Neurons
from ._page import front_end
from ._pairs import Pairs
from ._parts import Part, Written

if TYPE_CHECKING:
    from ..study import Study


class Explorer(View):
    """Prompts, the result's rail, heads, MLPs and tokens on shared layer rows, corners, checks.

    Args:
        study: its pairs, metric and history; all views of it are linked.
        direction: "restore" shows PIE, "break" TIE; of edits to a constant they show the effect on
            the corrupt and on the clean prompt, "difference" the latter less the former.
        mediator: what the rows of tokens are of: "residual", "attn_out" or "mlp_out".

    Raises:
        MediationError: what ``View`` raises, and another mediator.

    Example:
        >>> mw.Explorer(mw.Study(mw.load(), pair))
    """

    _esm, _css = front_end("explorer")
    PANELS: ClassVar[tuple[str, ...]] = ("head", "mlp_out", "tokens")
    OPEN: ClassVar[tuple[str, ...]] = ("entries",)
    PARTS: ClassVar[tuple[type[Part], ...]] = (Editor, Attention, LensPart, Pairs, Neurons, Log)

    editor = Written().tag(sync=True)
    attention = Written().tag(sync=True, to_json=as_sent)
    attention_weights = Written().tag(sync=True, travels=True)
    lens = Written().tag(sync=True)
    pairs = Written().tag(sync=True)
    neurons = Written().tag(sync=True)
    entries = Written().tag(sync=True)

    def __init__(self, study: Study, *, direction: str = "restore", mediator: str = "residual"):
        super().__init__(study, direction=direction, mediator=mediator)
        self._guesses = Guesses(self)
