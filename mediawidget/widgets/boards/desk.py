"""Requests from a board's page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ...errors import MediationError
from ...sites import Position, Site
from ...wiring import Edge, at
from .._desk import Desk, void
from .._parts import Request
from .._typed import sites_of
from ..exports.answer import export_answer
from .graph import links
from .payload import absent_payload
from .worth import Element

if TYPE_CHECKING:
    from .._base import View
    from ..circuit_board import CircuitBoard

ARROW = " \N{RIGHTWARDS ARROW} "


class BoardDesk(Desk):
    """Takes clicks on nodes and edges, in order, and answers each."""

    def __init__(self, board: CircuitBoard) -> None:
        self._board = board
        # It asks a view for its study and its parts alone, and a board has both.
        super().__init__(cast("View", board))
        self._actions = {
            "set": self._set,
            "add": lambda request: void(board.toggle(*self._new(request.get("text")))),
            "add_selection": lambda _: void(board.add_selection()),
            "show": self._show,
            "absent": self._absent,
            "mode": self._mode,
            "size": lambda request: void(board.choose(cast("int", request.get("n")))),
            "curve": lambda _: board.curve_job(),
            "undo": lambda _: void(board.undo()),
            "redo": lambda _: void(board.redo()),
            "cancel": self._cancel,
            "code": lambda _: {"code": board.to_code()},
            "export": lambda request: export_answer(cast("View", board), request),
        }

    def _show(self, request: Request) -> None:
        """A node by itself; of an edit that is random its first draw, as in a panel."""
        study = self._board.study
        study.intervene({self._node(request.get("node")): study.edit.sample(0)})

    def _set(self, request: Request) -> None:
        """Nodes and edges that are to be in the circuit, or not: whatever they were before."""
        items = request.get("items")
        if not isinstance(items, list) or not items:
            raise _malformed(items)
        asked = [self._asked(item) for item in items]
        mine = {*self._board.circuit.nodes, *self._edges().values()}
        changed = [one for one, on in asked if (one in mine) is not on]
        self._board.toggle(*changed)

    def _asked(self, item: object) -> tuple[Element, bool]:
        if not isinstance(item, Mapping) or not isinstance(item.get("on"), bool):
            raise _malformed(item)
        name = item.get("id")
        one = self._edge(name) if isinstance(name, str) and ARROW in name else self._node(name)
        return one, item["on"]

    def _new(self, text: object) -> list[Site]:
        if not isinstance(text, str):
            raise _malformed(text)
        found = sites_of(self._study, text)
        new = [site for site in found if site not in self._board.circuit.nodes]
        if not new:
            raise MediationError(
                "There is nothing to add.",
                value=text[:200],
                expected="heads or MLPs that are not in the circuit",
                fix="L3H0 mlp5@END",
            )
        return new

    def _absent(self, request: Request) -> dict[str, Any]:
        board, node = self._board, self._node(request.get("node"))
        if board.mode == "node":
            return {"edges": []}
        return {"edges": absent_payload(board.circuit, node, board.study, board.sizes)}

    def _mode(self, request: Request) -> None:
        self._board.mode = cast("Any", request.get("mode"))

    def _cancel(self, request: Request) -> None:
        super()._cancel(request)
        self._board.cancel()

    def _node(self, name: object) -> Site:
        for node in self._board.circuit.nodes:
            if node.label() == name:
                return node
        if not isinstance(name, str):
            raise _malformed(name)
        (site,) = sites_of(self._study, name)[:1]
        return site

    def _edges(self) -> dict[str, Edge]:
        board = self._board
        if board.mode == "node":
            return {}
        found = links(board.circuit, board.study.lm.wiring)
        return {link.edge.label(): link.edge for link in found}

    def _edge(self, name: str) -> Edge:
        known = self._edges().get(name)
        if known is not None:
            return known
        wiring = self._study.lm.wiring
        sender, _, end = name.partition(ARROW)
        receiver, _, place = end.partition(" @ ")
        senders = {site.label(): site for site in wiring.senders}
        receivers = {site.label(): site for site in wiring.receivers[:-1]}
        receivers["logits"] = wiring.receivers[-1]
        if sender not in senders or receiver not in receivers:
            raise _malformed(name)
        edge = Edge(senders[sender], receivers[receiver])
        return at(edge, _position(place)) if place else edge


def _position(place: str) -> Position:
    several = [int(x) if re.fullmatch(r"-?\d+", x) else x for x in place.split(", ")]
    return several[0] if len(several) == 1 else tuple(cast("list[int]", several))


def _malformed(value: object) -> MediationError:
    return MediationError(
        "The page sent a request that cannot be used.",
        value=repr(value)[:200],
        expected="the names of nodes and edges of this board",
        fix="run the cell again",
    )
