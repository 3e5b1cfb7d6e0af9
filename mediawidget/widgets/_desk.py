"""Requests from the page, one at a time.

Which thread runs a comm callback depends on the version of ipykernel, and two traces of one model
at once go wrong. So a callback only puts its request on the event loop of the kernel's main thread,
where cells run too, and returns. Where a server must be waited for, the loop hands it on to the
model's worker, which takes turns with the loop, one request after the other.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..asking import Asked
from ..edits import Edit
from ..errors import MediationError, error_fields
from ..history import Intervention
from ..jobs import Job
from ..results import frozen_facts
from ..runs import common_edit
from ..sites import Site
from ..turns import running_loop
from ..workers import beside
from ._goals import EDITS
from ._intervals import interval_answer
from ._parts import Action, Request
from ._straight import straight
from ._sweeping import Sweeping
from ._typed import sites_of
from ._waiting import Waiting
from .exports.answer import export_answer
from .payload import entry_payload

if TYPE_CHECKING:
    from ..study import Study
    from ._base import View
    from .panels import Panel

_log = logging.getLogger(__name__)

AT_ONCE = ("cancel", "intervals")
"""What runs nothing and waits for nobody."""


class Desk:
    """Takes a view's requests, does them in order, and answers each."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._sweep: Sweeping | None = None
        self._loop = running_loop()
        self._waiting: deque[Request] = deque()
        self._rests: tuple[object, dict[int, Any]] = (None, {})
        self._actions: dict[str, Action] = {
            "intervene": self._intervene,
            "select": self._select,
            "without": self._without,
            "sweep": self._start_sweep,
            "estimate": self._estimate,
            "cancel": self._cancel,
            "undo": lambda _: void(self._study.undo()),
            "redo": lambda _: void(self._study.redo()),
            "clear": self._clear,
            "swap": lambda _: self._study.swap(),
            "pair": self._pair,
            "edit": self._edit,
            "tokens": self._tokens,
            "open": self._open,
            "straight": self._straight,
            "intervals": lambda request: interval_answer(self._view, request),
            "export": lambda request: export_answer(self._view, request),
        }
        for part in view.parts.values():
            self._actions |= part.actions()
        view.on_msg(self._receive)
        self._said = Waiting(view, self._study.lm, self._loop)

    @property
    def _study(self) -> Study:
        return self._view.study

    def close(self) -> None:
        """Stop what a click runs; what was finished is kept."""
        self._said.close()
        self._waiting.clear()
        self._cancel({})

    def _receive(self, _view: object, content: object, _buffers: object) -> None:
        """Any thread: queue the request on the kernel's loop; without one, do it now."""
        if not isinstance(content, Mapping) or content.get("kind") != "request":
            return
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._take, content)
        else:
            self.do(content)

    def _take(self, request: Request) -> None:
        """On the kernel's loop: do it, or where it would hold up the kernel hand it on."""
        worker = self._study.lm.worker
        if worker is None or request.get("action") in AT_ONCE:
            self.do(request)
            return
        self._waiting.append(request)
        beside(worker, self._next)

    def _next(self) -> None:
        """Do the request that has waited longest, unless a newer click says all that it says."""
        if not self._waiting:
            return  # the view was closed
        request = self._waiting.popleft()
        newer = self._waiting[0].get("action") if self._waiting else None
        if request.get("action") == newer == "intervene":
            self._view.send({"kind": "reply", "id": request.get("id", 0), "ok": True})
        else:
            self.do(request)

    def do(self, request: Request) -> None:
        """Do one request and answer it. An error is an answer, and changes nothing."""
        reply: dict[str, Any] = {"kind": "reply", "id": request.get("id", 0), "ok": True}
        try:
            answer = self._action(request)(request)
            if isinstance(answer, Job):
                self._run([str(request.get("action"))], [answer], request)
            elif answer is not None:
                reply["data"] = answer
        except MediationError as error:
            reply |= {"ok": False, "error": error_fields(error)}
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the page must hear of it
            _log.warning("a view's request failed", exc_info=True)
            reply |= {"ok": False, "error": error_fields(error)}
        self._view.send(reply)

    def _action(self, request: Request) -> Action:
        name = request.get("action")
        if name not in self._actions:
            raise MediationError(
                "The page asked for something unknown.",
                value=repr(name),
                expected="one of " + ", ".join(self._actions),
                fix="run the cell again: page and kernel may be of different versions",
            )
        return self._actions[str(name)]

    # --- actions ----------------------------------------------------------------------------------

    def _intervene(self, request: Request) -> None:
        self._same_question(request)
        cells = request.get("cells")
        if not isinstance(cells, list) or not cells:
            raise _malformed("cells", cells, "a list of {panel, index}")
        chosen = dict(self._chosen(cell) for cell in cells)
        current = self._study.history.current
        freeze: tuple[str | Site, ...] = ()
        if current is not None and len(chosen) > 1:
            # What is selected already stays what it was set to, and what is held stays held.
            kept = {site: edit for site, edit in current.edits.items() if site in chosen}
            chosen |= kept
            freeze = current.freeze if kept else ()
        self._study.intervene(chosen, freeze=freeze)

    def _chosen(self, cell: object) -> tuple[Site, Edit]:
        """A cell's site and edit; ``panel: "site"`` counts through the present selection.

        The label that the page shows there goes with it: panels show other sites after another
        selection, a new order, another choice of theirs, and the revision says nothing of that.
        """
        if not isinstance(cell, Mapping) or not isinstance(cell.get("index"), int):
            raise _malformed("cell", cell, "{panel, index}")
        key, index = cell.get("panel"), int(cell["index"])
        by_key = {cells.key: cells for cells in self._view.cells}
        current = self._study.history.current
        sites: Sequence[Site] = ()
        if key == "site":
            sites = current.sites if current else ()
        elif key in by_key:
            sites = by_key[key].sites(self._study)
        else:
            raise _malformed("panel", key, "one of " + ", ".join(by_key))
        if not 0 <= index < len(sites):
            raise _malformed("index", index, f"0 to {len(sites) - 1}")
        site = sites[index]
        self._same_site(cell.get("label"), site)
        if key == "site" and current is not None:
            return site, current.edits[site]
        return site, by_key[key].edit(self._study)

    def _select(self, request: Request) -> None:
        """Run what a line of text names, jointly."""
        self._same_question(request)
        text = request.get("text")
        if not isinstance(text, str):
            raise _malformed("text", text, "names of sites")
        # As in a panel: of what is random the first draw.
        edit = self._study.edit.sample(0)
        self._study.intervene(dict.fromkeys(sites_of(self._study, text), edit))

    def _without(self, request: Request) -> Any:
        """The present selection without one of its sites: a run of its own, not in history."""
        self._same_question(request)
        current, index = self._study.history.current, request.get("index")
        edits = dict(current.edits) if current else {}
        if not isinstance(index, int) or not 0 <= index < len(edits) or len(edits) < 2:
            raise _malformed("index", index, "one of several selected sites")
        self._same_site(request.get("label"), list(edits)[index])
        question = (current, self._study.revision, self._study.metric, self._view.pair)
        if self._rests[0] != question:
            self._rests = (question, {})
        known = self._rests[1]
        if index not in known:
            del edits[list(edits)[index]]
            rest = self._apart(edits, current.freeze if current else ())
            known[index] = entry_payload(self._study, rest, self._view.cells, self._view.pair)
        return known[index]

    def _straight(self, request: Request) -> Any:
        """The path between the two selected sites, not in history."""
        self._same_question(request)
        return straight(self._study, self._view.pair)

    def _apart(self, edits: dict[Site, Edit], freeze: tuple[str | Site, ...]) -> Intervention:
        """What joint edits come to, checked, and kept nowhere."""
        study = self._study
        name = " + ".join(study.labels(list(edits)))
        facts = frozen_facts(freeze)
        asked = Asked({}, (name,), [edits], [freeze], common_edit(edits), facts=facts)
        with study.unmoved():
            effect = study.ask(asked).result(progress=False)
        if study.admit(effect.bases):
            raise MediationError(
                "The weights have changed since this was selected.",
                value=name,
                expected="the model that the selection was run on",
                fix="run the selection again",
            )
        return Intervention(edits, effect, freeze=freeze)

    def _start_sweep(self, request: Request) -> None:
        self._same_question(request)
        keys, wanted = self._asked_panels(request)
        sweeps = [panel.sweep(self._study) for panel in wanted]
        jobs = [self._study.job(sweep.mediator, sweep.by, sweep.edit) for sweep in sweeps]
        self._run(keys, jobs, request)

    def _run(self, keys: list[str], jobs: list[Job[Any]], request: Request) -> None:
        """Jobs one after the other, with progress, and a way to cancel them."""
        if self._sweep is not None and self._sweep.running:
            raise MediationError(
                "A sweep is running.",
                value="a second one",
                expected="one sweep at a time",
                fix="wait for it, or cancel it (Esc)",
            )
        self._sweep = Sweeping(self._view, keys, jobs, request.get("id", 0))
        self._sweep.start()

    def _estimate(self, request: Request) -> None:
        """A few passes a panel, answered when they are done: too short to be cut."""
        self._same_question(request)
        for panel in self._asked_panels(request)[1]:
            sweep = panel.sweep(self._study)
            self._study.estimate(sweep.mediator, panel.by, edit=sweep.edit)

    def _asked_panels(self, request: Request) -> tuple[list[str], list[Panel]]:
        """The panels that a request names, and their names."""
        known = {panel.key: panel for panel in self._view.panels}
        keys = request.get("panels")
        if not isinstance(keys, list) or not keys or not set(keys) <= set(known):
            raise _malformed("panels", keys, "some of " + ", ".join(known))
        return keys, [known[key] for key in keys]

    def _cancel(self, _request: Request) -> None:
        if self._sweep is not None:
            self._sweep.cancel()

    def _clear(self, _request: Request) -> None:
        if self._study.selection:
            self._study.clear()

    def _open(self, request: Request) -> None:
        name, parts = request.get("part"), self._view.parts
        if name not in parts:
            raise _malformed("part", name, "one of " + ", ".join(parts))
        part = parts[str(name)]
        if request.get("open") is False:
            part.hide()
        else:
            part.show()

    def _pair(self, request: Request) -> None:
        self._view.pair = request.get("index")

    def _edit(self, request: Request) -> None:
        kind = request.get("edit")
        if kind not in EDITS:
            raise _malformed("edit", kind, "one of " + ", ".join(EDITS))
        self._study.edit = EDITS[kind]

    def _tokens(self, request: Request) -> None:
        self._view.mediator = str(request.get("mediator"))

    def _same_site(self, shown: object, site: Site) -> None:
        """What was pointed at is what will be run, where the page says what it was."""
        label = self._study.labels([site])[0]
        if shown is not None and shown != label:
            raise MediationError(
                "The picture changed while this was on its way.",
                value=f"{str(shown)[:100]!r} was pointed at",
                expected=f"{label!r}, which stands there now",
                fix="do it again on the new picture",
            )

    def _same_question(self, request: Request) -> None:
        """A cell of an old picture is not the cell that was meant."""
        if request.get("revision") != self._study.revision:
            raise MediationError(
                "The prompts or the edit changed while this was on its way.",
                value=f"revision {request.get('revision')}",
                expected=f"revision {self._study.revision}",
                fix="do it again on the new picture",
            )


def void(_value: object) -> None:
    """Forget a value."""


def _malformed(name: str, value: object, expected: str) -> MediationError:
    return MediationError(
        f"The page sent a request whose {name} cannot be used.",
        value=repr(value)[:200],
        expected=expected,
        fix="run the cell again",
    )
