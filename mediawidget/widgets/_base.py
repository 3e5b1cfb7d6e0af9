"""What every view of a study has in common: its traits, its panels, how it follows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets as t

from ..errors import MediationError
from ..mediators import mediator_named
from ..statistics import FEWEST
from ..turns import anywhere
from ._desk import Desk
from ._page import Page
from ._parts import Cells, Later, Part, Written
from ._static import study_html
from .panels import TOKEN_MEDIATORS, Panel, panels_of, with_present_cells
from .payload import BaseTokens, entry_payload, place_in, view_payload

if TYPE_CHECKING:
    from ..history import Intervention
    from ..study import Study

_log = logging.getLogger(__name__)


class View(Page):
    """A view of one study in a notebook cell.

    Args:
        study: what is shown; views of one study follow each other.
        direction: "restore", "break" or "difference" (for edits to a constant: on corrupt, on
            clean, difference).

    Attributes:
        view: the grids that the page draws. The view writes it; setting it raises.
        result: the present intervention, likewise.
        direction: may be set.

    Raises:
        MediationError: no study, a network that is no language model, or a model without the
            component that the view shows.
    """

    PANELS: ClassVar[tuple[str, ...]]
    DESK: ClassVar[type[Desk]] = Desk
    PARTS: ClassVar[tuple[type[Part], ...]] = ()
    OPEN: ClassVar[tuple[str, ...]] = ()
    NEEDS: ClassVar[tuple[str, ...]] = ()  # mediators without which there is nothing to show

    view = Written().tag(sync=True)
    result = Written().tag(sync=True)
    direction = t.Enum(["restore", "break", "difference"], "restore").tag(sync=True)

    def __init__(self, study: Study, *, direction: str = "restore", mediator: str = "residual"):
        from ..networks import refuse_network
        from ..study import Study

        if not isinstance(study, Study):
            raise MediationError(
                f"{type(self).__name__} shows a study.",
                value=repr(study)[:200],
                expected="mw.Study(lm, pair_or_contrast)",
                fix=f"{type(self).__name__}(mw.Study(lm, pair))",
            )
        refuse_network(study.lm, f"The view {type(self).__name__}")
        for name in self.NEEDS:
            study.lm.refuse_missing(mediator_named(name))
        _check_mediator(mediator)
        if len(study.contrast) >= FEWEST:
            # Intervals need it, and it takes a while: better here than at the first click.
            import scipy.stats  # noqa: F401
        self.study = study
        self._writing = False
        self._send_view = True
        self._mediator = mediator
        self._pair = None if len(study.contrast) > 1 else 0
        self._seq = 0
        self._tokens: tuple[object, BaseTokens] | None = None
        self.parts = {part.NAME: part(self) for part in self.PARTS}
        self.later = Later()
        super().__init__(direction=direction)
        self._refresh_view()
        self._refresh_result()
        for name in self.OPEN:
            self.parts[name].show()
        self._desk = self.DESK(self)
        self._stop = study.subscribe(self._changed)

    # --- what may be set ------------------------------------------------------------------------

    @property
    def pair(self) -> int | None:
        """The pair whose values are shown; None for the mean over all pairs."""
        return self._pair

    @pair.setter
    def pair(self, index: int | None) -> None:
        n = len(self.study.contrast)
        whole = isinstance(index, int) and not isinstance(index, bool)
        if index is not None and not (whole and 0 <= index < n):
            raise MediationError(
                "There is no such pair.",
                value=repr(index),
                expected=f"0 to {n - 1}, or None for the mean over pairs",
                fix="view.pair = 0",
            )
        self._pair = 0 if index is None and n == 1 else index
        self._refresh_view()
        self._refresh_result()
        self._tell_parts("pair")

    @property
    def mediator(self) -> str:
        """What the token panel shows: "residual", "attn_out" or "mlp_out"."""
        return self._mediator

    @mediator.setter
    def mediator(self, name: str) -> None:
        _check_mediator(name)
        self.study.lm.refuse_missing(mediator_named(name))
        self._mediator = name
        self._refresh_view()
        self._refresh_result()

    def close(self) -> None:
        """Let go of the study and of the page; what a click on it runs stops."""
        if hasattr(self, "_stop"):
            self._stop()
            self._desk.close()
        for part in getattr(self, "parts", {}).values():
            part.hide()
        super().close()

    # --- what is shown --------------------------------------------------------------------------

    @property
    def panels(self) -> list[Panel]:
        """The panels that this study can fill."""
        return panels_of(self.study, self.PANELS, self._mediator)

    @property
    def cells(self) -> list[Cells]:
        """What can be clicked: the panels, and the cells of the parts that are open."""
        parts = [part.cells for part in self.parts.values() if part.open]
        return [*self.panels, *(cells for cells in parts if cells is not None)]

    @anywhere
    def _changed(self, event: str) -> None:
        """The study has news: "prompts", "grid:<key>" or "result"."""
        self._refresh(event)
        # After the numbers: what a part draws may cost a pass of its own.
        self._tell_parts(event)

    def _tell_parts(self, event: str) -> None:
        for part in self.parts.values():
            try:
                part.follow(event)
            except Exception:  # noqa: BLE001 - the others hear of it all the same
                _log.warning("the part %r did not follow %r", part.NAME, event, exc_info=True)

    def _refresh(self, event: str) -> None:
        if event == "name":
            return  # what an entry of the history is called, a part shows alone
        if event == "prompts":
            n = len(self.study.contrast)
            self._pair = None if n > 1 and self._pair is None else min(self._pair or 0, n - 1)
        if event == "result":
            self._refresh_result()
            self._keep_clicked_cell()
            return
        kind, _, grid = event.partition(":")
        if kind == "grid" and grid not in [p.sweep(self.study).key for p in self.panels]:
            return
        self._refresh_view()
        if event == "prompts":
            self._refresh_result()

    def _refresh_view(self) -> None:
        # The first pass of a model is slow; it should not be the one that is timed.
        self.study.known_total  # noqa: B018
        tokens = self._base_tokens()
        payload = view_payload(self.study, self.panels, self._pair, tokens)
        self.write("view", payload)

    def _keep_clicked_cell(self) -> None:
        """Bring Python's copy of the view up to date with a one-cell result, and send nothing.

        The page puts the small `result` into its own copy, so the answer to a click stays small.
        """
        cells = self.result.get("cells", [])
        if len(cells) != 1 or self.result["revision"] != self.view["revision"]:
            return
        by_key = {panel.key: panel for panel in self.panels}
        panels = [
            with_present_cells(data, self.study, by_key[data["key"]], self._pair)
            if data["key"] == cells[0]["panel"]
            else data
            for data in self.view["panels"]
        ]
        self._send_view = False
        try:
            self.write("view", {**self.view, "panels": panels})
        finally:
            self._send_view = True

    def _refresh_result(self) -> None:
        self._seq += 1
        entry = self.study.history.current
        told = {} if entry is None else {**self.told(entry), "seq": self._seq}
        self.write("result", {**told, "history": place_in(self.study.history)})

    def told(self, entry: Intervention) -> dict[str, Any]:
        """What the page draws of an intervention of the history."""
        told = entry_payload(self.study, entry, self.cells, self._pair)
        return {**told, **self.told_beside(entry)}

    def told_beside(self, entry: Intervention) -> dict[str, Any]:  # noqa: ARG002
        """What this kind of view tells of an intervention beside what every view tells."""
        return {}

    def _base_tokens(self) -> BaseTokens:
        # The revision sees what the weights' version does not: numbers written behind its back.
        question = (self.study.engine, self.study.revision, self.study.lm.version())
        if self._tokens is None or self._tokens[0] != question:
            with self.study.unmoved():
                tokens = BaseTokens(self.study)
            self._tokens = (question, tokens)
        return self._tokens[1]

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Write a trait that only the view may write, and send it.

        Args:
            name: of the trait.
            value: what the page draws.
        """
        self._writing = True
        try:
            self.set_trait(name, value)
        finally:
            self._writing = False
        self._saved.soon()

    def _should_send_property(self, key: str, value: object) -> bool:
        if key == "view" and not self._send_view:
            return False
        return bool(super()._should_send_property(key, value))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.study!r})"

    def _html(self) -> str:
        return study_html(self.study, self.panels, self._pair)


def _check_mediator(name: object) -> None:
    if name not in TOKEN_MEDIATORS:
        raise MediationError(
            "The token panel cannot show that.",
            value=repr(name),
            expected="one of " + ", ".join(TOKEN_MEDIATORS),
            fix="mediator='residual'",
        )
