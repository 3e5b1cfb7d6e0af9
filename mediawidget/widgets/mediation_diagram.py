"""MediationDiagram: what is selected as paths, runs and parts of the total effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ..edits import Edit
from ..sites import Site
from ._base import View
from ._page import front_end

if TYPE_CHECKING:
    from ..history import Intervention


class MediationDiagram(View):
    """Input, mediator and metric, the bypass beside them, and the four runs behind the numbers.

    It shows the study's present intervention, so it follows every linked view. Under edits that
    have no corners it shows what exists there: the effect on the clean and on the corrupt prompt.

    Args:
        study: its pairs, metric, edit and history; all views of it are linked.
        direction: "restore" shows PIE, "break" TIE; of edits to a constant they show the effect on
            the corrupt and on the clean prompt, "difference" the latter less the former.

    Raises:
        MediationError: what ``View`` raises.

    Example:
        >>> mw.MediationDiagram(study)
    """

    _esm, _css = front_end("mediation_diagram")
    PANELS: ClassVar[tuple[str, ...]] = ()

    def told_beside(self, entry: Intervention) -> dict[str, Any]:
        return {
            "constant": same_on_both(entry.edits),
            "held": entry.effect.held.removeprefix("frozen: "),
        }


def same_on_both(edits: Mapping[Site, Edit]) -> bool:
    """Whether every site is set to one and the same value on both prompts.

    Only then is Y(clean, do) - Y(corrupt, do) a controlled direct effect (Pearl 2001): noise is
    added to each run's own value, and a mean may be that over each run's own prompts.
    """
    pairs = [
        (edit.recipe("clean", site), edit.recipe("corrupt", site)) for site, edit in edits.items()
    ]
    return all(clean == corrupt and clean.keep == 0.0 for clean, corrupt in pairs)
