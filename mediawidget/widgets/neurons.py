"""Neurons: the strongest single units of one layer."""

from __future__ import annotations

from typing import ClassVar

from . import _neurons
from ._base import View
from ._page import front_end
from ._parts import Part, Written
from ._tables import neurons_table


class Neurons(View):
    """The strongest 20 neurons of a layer, estimated until they are run; a click runs one.

    The layer follows the selection; the page can choose another, and any neuron by its number.

    Args:
        study: its pairs, metric, edit and history; all views of it are linked.
        direction: "restore" shows PIE, "break" TIE; of edits to a constant they show the effect on
            the corrupt and on the clean prompt, "difference" the latter less the former.

    Raises:
        MediationError: what ``View`` raises.

    Example:
        >>> mw.Neurons(study)
    """

    _esm, _css = front_end("neurons")
    PANELS: ClassVar[tuple[str, ...]] = ()
    PARTS: ClassVar[tuple[type[Part], ...]] = (_neurons.Neurons,)
    OPEN: ClassVar[tuple[str, ...]] = ("neurons",)

    neurons = Written().tag(sync=True)

    def _html(self) -> str:
        return super()._html() + neurons_table(self.neurons)
