"""The page of a CounterfactualDesigner: what it is sent, what it asks, what is saved of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..abstraction.causal_model import CausalModel
from ..abstraction.drawing import Counterfactual, Render
from ..effect_files import writing
from ..errors import MediationError, error_fields
from ..mediators import mediator_named
from ..sites import Site
from ..workers import beside
from ._designing import SIDES, pair_payload, static_html
from ._page import Page
from ._parts import Written

if TYPE_CHECKING:
    import pandas as pd

    from .exports.snapshot import Snapshot

_log = logging.getLogger(__name__)

MOST_VALUES = 200
"""Values of an input that the page lists."""


class DesignerPage(Page):
    """The part of a designer that its page talks to."""

    state = Written().tag(sync=True)

    pairs: list[Counterfactual]
    kept: list[Counterfactual]
    _lm: Any
    _model: CausalModel
    _render: Render
    _mediator: str
    _answer: Callable[[Any], str]
    _inputs: dict[str, dict[str, Any]]
    _at: int | None
    _runs: dict[str, tuple[Counterfactual, dict[Any, int]]]
    _error: str
    _seq: int
    _loop: asyncio.AbstractEventLoop | None

    @property
    def counterfactual(self) -> Counterfactual | None:
        """The pair that is shown; None where there is no prompt of its inputs."""
        raise NotImplementedError

    def go(self, index: int) -> None:
        """Show another pair, counted from 0."""
        raise NotImplementedError

    def set(self, side: str, name: str, value: Any) -> None:
        """Give an input of the ``base`` or of the ``source`` another value."""
        raise NotImplementedError

    def run(self, layer: int | None = None, position: int | None = None) -> None:
        """Run the interchange at one layer and position, or at all of them."""
        raise NotImplementedError

    def keep(self) -> None:
        """Put the pair among those that are kept."""
        raise NotImplementedError

    def to_dataframe(self) -> pd.DataFrame:
        """A row per interchange that was run."""
        raise NotImplementedError

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        """Any thread: queue the request on the kernel's loop; without one, do it now."""
        if not isinstance(content, Mapping) or "do" not in content:
            return
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._take, content)
        else:
            self._do(content)

    def _take(self, content: Mapping[str, Any]) -> None:
        """On the kernel's loop: do it, or where it would hold up the kernel hand it on."""
        beside(self._lm.worker, lambda: self._do(content))

    def _do(self, content: Mapping[str, Any]) -> None:
        """Do what the page asks. Whatever fails is said on it."""
        actions: dict[object, Callable[[], None]] = {
            "go": lambda: self.go(int(content["to"])),
            "set": lambda: self._set(content),
            "run": lambda: self.run(content.get("layer"), content.get("position")),
            "keep": self.keep,
        }
        self._error = ""
        try:
            self._same_pair(content)
            actions[content["do"]]()
        except Exception as error:  # noqa: BLE001 - the page must hear of it
            if not isinstance(error, MediationError):
                _log.warning("the designer failed", exc_info=True)
            told = error_fields(error)
            self._error = f"{told['message']} Got {told['value']}; expected {told['expected']}."
            self._draw()

    def _same_pair(self, content: Mapping[str, Any]) -> None:
        """What was pointed at belongs to the pair that is shown, where the page says which."""
        if content.get("of", self._shown) != self._shown:
            raise MediationError(
                "The pair changed while this was on its way.",
                value="a click on another pair",
                expected="one on the pair that is shown now",
                fix="do it again on the new picture",
            )

    @property
    def _shown(self) -> list[list[int]]:
        """Which of their values the inputs have, of the base and of the source."""
        inputs = self._model.inputs
        return [[inputs[n].index(self._inputs[side][n]) for n in inputs] for side in SIDES]

    def _set(self, content: Mapping[str, Any]) -> None:
        name = str(content["input"])
        self.set(str(content["side"]), name, self._model.inputs[name][int(content["value"])])

    def _draw(self) -> None:
        self._writing = True
        self._seq += 1
        try:
            self.set_trait("state", self._payload())
        finally:
            self._writing = False
        self._saved.soon()

    def _payload(self) -> dict[str, Any]:
        inputs = self._model.inputs
        shown: dict[str, Any] = {
            "seq": self._seq,
            "inputs": [
                {"name": name, "values": [str(v) for v in values[:MOST_VALUES]]}
                for name, values in inputs.items()
            ],
            **dict(zip(SIDES, self._shown, strict=True)),
            "at": self._at,
            "n": len(self.pairs),
            "kept": len(self.kept),
            "error": self._error,
            "layers": [self._label(Site(self._mediator, layer)) for layer in self._layers],
            "pair": None,
        }
        one = self.counterfactual
        if one is None:
            return shown
        try:
            return {**shown, "pair": self._pair(one)}
        except MediationError as error:
            return {**shown, "error": shown["error"] or f"{error.message} {error.value}"}

    def _pair(self, one: Counterfactual) -> dict[str, Any]:
        """What the page draws of a pair that has prompts."""
        _, known = self._runs.get(self._key(), (one, {}))
        drawn = pair_payload(self._lm, one, known, self._layers, self._render, self._answer)
        return {**drawn, "kept": one in self.kept}

    @property
    def _layers(self) -> range:
        return range(mediator_named(self._mediator).n_layers(self._lm.shape))

    def _label(self, site: Site) -> str:
        return site.label(None, self._lm.n_layers)

    def _key(self) -> str:
        return repr((self._inputs, self._lm.version()))

    def _html(self) -> str:
        return static_html(self.state)

    def _picture(self) -> Snapshot | None:
        return None

    def snapshot(self, path: str | Path | None = None, **_look: Any) -> Snapshot:
        """The designer has no picture.

        Raises:
            MediationError: always.
        """
        raise MediationError(
            "The designer has no picture.",
            value=path,
            expected="designer.to_dataframe(), what was run",
            fix="mw.export_html('page.html', designer) writes a page",
        )

    def export(self, path: str | Path, **look: Any) -> Path:
        """Write what was run: .csv, ``to_dataframe()``; .html, a page.

        Args:
            path: of the file; its ending says what it is.
            look: of the page, as ``theme``.

        Raises:
            MediationError: another ending, or a place where nothing can be written.
        """
        if Path(path).suffix == ".csv":
            with writing(Path(path), "The table", "designer.export('runs.csv')"):
                self.to_dataframe().to_csv(path, index=False)
            return Path(path)
        if Path(path).suffix != ".html":
            self.snapshot(path)
        return super().export(path, **look)
