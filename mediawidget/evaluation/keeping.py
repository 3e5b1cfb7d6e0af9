"""Node by node: a circuit's nodes are computed, all other components are ablated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..circuit import Circuit
from ..edits import Edit
from ..engine import Engine
from ..errors import MediationError
from ..jobs import Job
from ..mediators import mediator_named
from ..mediators.base import positions_of
from ..outcomes import Outcomes
from ..runs import Run
from ..sites import Position, Site
from ..token_pairs import TokenPair
from .proving import once_runs, refuse_unproven
from .values import Array, CircuitValues, Rest, as_circuits

Places = frozenset[int | str] | None
"""Positions and roles; None: everywhere."""
Cell = dict[Site, Edit]


class NodeValues(CircuitValues):
    """m(C): the metric with every candidate that is not in C set to its ablated value.

    A node at some positions leaves the head's other positions outside the circuit. What a
    circuit keeps is computed anew from what comes to it, so a kept node passes on what was
    ablated before it. Every circuit is one run on the clean prompt; all circuits of a call are
    one experiment, and circuits that are alike are run once.

    Prompts of unequal length: under "resample" a position without a partner keeps its value.

    Example:
        >>> values = mw.evaluation.NodeValues(study, "mean", over=("head",))
        >>> values([values.full, values.empty]).shape == (2, len(study.contrast))
        True
    """

    mode: ClassVar[str] = "node"
    _proven: Any = None

    @property
    def candidates(self) -> tuple[Site, ...]:
        """Every head and MLP, of the kinds of ``over``, without positions."""
        shape = self.study.lm.shape
        found = []
        for layer in range(shape.n_layers):
            for kind in self.over:
                mediator = mediator_named(kind)
                for unit in range(mediator.units(shape)):
                    where = {mediator.index: unit} if mediator.index else {}
                    found.append(Site(kind, layer, **where))
        return tuple(found)

    @property
    def empty(self) -> Circuit:
        """All candidates are ablated."""
        return Circuit([], name="empty")

    def job(self, circuits: Sequence[Circuit | Rest]) -> Job[Array]:
        circuits = as_circuits(circuits)
        if not circuits:
            return self._nothing()
        outside = [self._outside(circuit) for circuit in circuits]
        engine, names = self._engine_for(outside)
        runs, index = _distinct([_cell(one, names, self.edit) for one in outside])
        # What proves the engine goes along once for these weights and prompts.
        mark = (self.study.lm.version(), self.study.revision)
        once = [] if self._proven == mark else once_runs(engine, runs)
        metric = self.study.metric

        def read(outcomes: Outcomes) -> Array:
            if once and outcomes.ran[: len(runs)].all():
                refuse_unproven(engine, once, outcomes)
                self._proven = mark
            self.passes += outcomes.passes
            self.rows += outcomes.rows
            self.seconds += outcomes.seconds
            kept = np.where(outcomes.ran[..., None], outcomes.kept, np.nan)
            return np.asarray(metric.read(kept[: len(runs)], outcomes.columns)[index])

        return engine.job(runs, once=once).then(read)

    # --- inside ---------------------------------------------------------------------------------

    def _outside(self, circuit: Circuit | Rest) -> dict[Site, _Part]:
        """Per candidate that is ablated, where."""
        whole = isinstance(circuit, Rest)
        if isinstance(circuit, Circuit) and circuit.edges is not None:
            raise _has_edges(circuit)
        named = self._places(circuit.without if isinstance(circuit, Rest) else circuit.nodes)
        found: dict[Site, _Part] = {}
        for site in self.candidates:
            places = named.get(site, frozenset())
            if places is None:
                part = _Part(None) if whole else None
            elif not places:
                part = None if whole else _Part(None)
            else:
                part = _Part(places, others=not whole)
            if part is not None:
                found[site] = part
        return found

    def _places(self, nodes: Iterable[Site]) -> dict[Site, Places]:
        """Per component of some nodes all their positions."""
        shape, found = self.study.lm.shape, dict[Site, Places]()
        for node in nodes:
            site = Site(node.mediator, node.layer, head=node.head)
            mediator_named(site.mediator).check(site, shape, 1, {})
            before = found.get(site, frozenset())
            more = node.position if isinstance(node.position, tuple) else (node.position,)
            places = frozenset(place for place in more if place is not None)
            found[site] = None if before is None or not places else before | places
        return found

    def _engine_for(
        self, outside: Sequence[dict[Site, _Part]]
    ) -> tuple[Engine, dict[_Part, str | None]]:
        """An engine that knows, as a role of every pair, each place at which something is ablated.

        The name of a place is None where in no pair there is anything of it.
        """
        engine, names = self.study.engine, dict[_Part, str | None]()
        parts = [p for p in dict.fromkeys(q for one in outside for q in one.values()) if p.places]
        if not parts:
            return engine, names
        roles: list[dict[str, Any]] = [dict(named) for named in engine.roles]
        for number, part in enumerate(parts):
            at = [
                part.at(*both, self.edit) for both in zip(engine.pairs, engine.roles, strict=True)
            ]
            if len({bool(some) for some in at}) > 1:
                raise _nowhere(part)
            names[part] = f"ablated {number}" if at[0] else None
            for named, some in zip(roles, at, strict=True):
                named.update({f"ablated {number}": some} if some else {})
        known = Engine(engine.lm, engine.pairs, engine.budget, roles=roles, columns=engine.columns)
        return known, names


@dataclass(frozen=True)
class _Part:
    """Where a component is ablated: everywhere, at some places, or at all others.

    Whatever the lengths of prompts and the places of their roles.
    """

    places: Places
    others: bool = False

    def at(self, pair: TokenPair, roles: Any, edit: Edit) -> tuple[int, ...]:
        """Its positions in one pair, of the clean prompt."""
        lengths = {len(strand) for strand in pair.strands}
        n = max(lengths)
        assert self.places is not None
        named = {p for place in sorted(self.places, key=str) for p in positions_of(place, n, roles)}
        if not all(0 <= p < len(pair) for p in named):
            raise _no_position(max(named, key=abs), len(pair))
        if not self.others:
            return tuple(sorted(named))
        if len(lengths) > 1:
            raise _several_lengths(sorted(lengths))
        partnered = {clean for clean, _ in pair.strands[0].alignment}
        lonely = edit.corners and len(pair.clean) != len(pair.corrupt)
        found = (p for p in range(n) if p not in named and not (lonely and p not in partnered))
        return tuple(found)


def _cell(outside: dict[Site, _Part], names: dict[_Part, str | None], edit: Edit) -> Cell:
    cell: Cell = {}
    for site, part in outside.items():
        position: Position = names[part] if part.places else None
        if part.places and position is None:
            continue  # the circuit has it at every position there is
        cell[Site(site.mediator, site.layer, head=site.head, position=position)] = edit
    return cell


def _distinct(cells: Sequence[Cell]) -> tuple[list[Run], NDArray[np.int64]]:
    """Different cells as runs, and which run each cell is."""
    known: dict[tuple[Site, ...], int] = {}
    index = [known.setdefault(tuple(cell), len(known)) for cell in cells]
    edits = {tuple(cell): cell for cell in cells}
    return [Run("clean", edits[sites]) for sites in known], np.array(index, dtype=np.int64)


def _has_edges(circuit: Circuit) -> MediationError:
    return MediationError(
        "Node mode does not tell the edges of a circuit apart.",
        value=repr(circuit),
        expected="a circuit without edges, which has all those between its nodes",
        fix="mw.evaluation.EdgeValues(study), or Circuit(circuit.nodes)",
    )


def _nowhere(part: _Part) -> MediationError:
    return MediationError(
        "In some pairs these positions are all there are, in others they are not.",
        value=", ".join(map(str, part.places or ())),
        expected="positions that leave something outside in every pair, or in none",
        fix="a node without a position is in the circuit everywhere",
    )


def _no_position(position: int, n: int) -> MediationError:
    return MediationError(
        "A node of the circuit is at a position that a prompt does not have.",
        value=f"position {position}",
        expected=f"0 to {n - 1}",
        fix="name a role that every pair has, such as position='END'",
    )


def _several_lengths(lengths: list[int]) -> MediationError:
    return MediationError(
        "Answers of different numbers of tokens leave no common positions outside a node.",
        value=f"rows of {lengths[0]} and {lengths[-1]} tokens",
        expected="answers of equally many tokens, or nodes without positions",
        fix="Circuit([Site('head', 3, head=1)]) has the head everywhere",
    )
