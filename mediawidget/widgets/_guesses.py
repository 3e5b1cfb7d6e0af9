"""Panels that would take long to run are estimated by themselves.

Where a sweep takes less than a second, running it is as quick as reading an estimate, so nothing is
guessed. Where it takes longer, the estimate costs a few passes: it comes once the cell that made
the view is done, one panel at a time, so that cells and clicks get in between, and the page already
shows what there is. Without a running loop (a script) nothing comes unasked.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import MediationError
from ..status import Status
from ..turns import in_kernel, running_loop
from ..workers import beside

if TYPE_CHECKING:
    from ._base import View
    from .panels import Panel

_log = logging.getLogger(__name__)

SLOW = 1.0
"""Seconds of a sweep from which on its estimate is worth reading."""

CHEAP = 0.25
"""The share of the sweep's seconds that an estimate may take at most."""

RUNS = 20
"""About as many runs of a sweep take as long as the estimate of a pair."""


class Guesses:
    """The estimates that a view asks for by itself.

    Args:
        view: whose panels are looked at whenever it is written.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._waiting = False
        self._asked: list[object] = []  # a metric of yours may have no hash
        view.observe(lambda _: self.soon(), "view")
        self.soon()

    def soon(self) -> None:
        """Look on the kernel's loop, once what runs now is done."""
        in_kernel(self._soon)

    def _soon(self) -> None:
        loop = running_loop()
        if loop is not None and not self._waiting:
            self._waiting = True
            loop.call_soon(self._next)

    def wanted(self) -> Panel | None:
        """The first panel that is slow to run, is not run, and can be estimated."""
        study = self._view.study
        drawn = {data["key"]: data for data in self._view.view["panels"]}
        for panel in self._view.panels:
            data = drawn.get(panel.key)
            if data is None or self._question(panel) in self._asked:
                continue
            seconds, runs = data["cost"]["seconds"], max(1, data["cost"]["runs"])
            guess = RUNS * len(study.contrast) * seconds / runs
            missing = Status.NOT_RUN in data["status"]
            if missing and seconds > SLOW and guess <= CHEAP * seconds:
                return panel
        return None

    def _question(self, panel: Panel) -> object:
        study = self._view.study
        return study.revision, panel.sweep(study).key, study.metric

    def _next(self) -> None:
        self._waiting = False
        panel = None if self._view.comm is None else self.wanted()
        if panel is None:
            return
        study = self._view.study
        # Once, whatever comes of it: cells that stay empty would be asked for again and again.
        self._asked.append(self._question(panel))
        edit = panel.sweep(study).edit

        def estimate() -> None:
            try:
                study.estimate(panel.mediator, panel.by, edit=edit)
            except MediationError:
                _log.debug("no estimate of %s", panel.key, exc_info=True)
                self.soon()

        beside(study.lm.worker, estimate)
