"""What a click does to a circuit, and which edges a circuit is drawn with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from ...circuit import NODES, Circuit
from ...errors import MediationError, require
from ...sites import Position, Site
from ...wiring import Edge, Wiring

Mode = Literal["edge", "node"]

INPUTS = {"query": "q", "key": "k", "value": "v"}
"""The inputs of a head that edges enter by, and their letters."""

_Places = frozenset[int | str] | None


@dataclass(frozen=True)
class Link:
    """An edge as it is drawn.

    Attributes:
        edge: which one.
        sender: the node that it leaves; None: the embedding.
        receiver: the node that it enters; None: the logits.
    """

    edge: Edge
    sender: Site | None
    receiver: Site | None

    @property
    def port(self) -> str:
        """By which input it enters a head: "q", "k" or "v"; else nothing."""
        return INPUTS.get(self.edge.receiver.mediator, "")


def component(site: Site) -> Site:
    """A node wherever it is."""
    return site if site.position is None else replace(site, position=None)


@lru_cache(maxsize=64)
def links(circuit: Circuit, wiring: Wiring) -> tuple[Link, ...]:
    """Its edges, by sender and then by receiver.

    A circuit that names none has all between its nodes, the embedding and the logits, as
    ``EdgeValues`` has it: a node at a position sends and asks there alone.
    """
    if circuit.edges is None:
        return tuple(dict.fromkeys(_between(circuit.ordered, circuit.ordered, wiring)))
    nodes = {component(node): node for node in reversed(circuit.ordered)}
    found = []
    for edge in circuit.edges:
        sender = None if edge.sender.mediator == "embedding" else edge.sender
        reader = _reader(edge, nodes, wiring)
        found.append(Link(edge, sender and nodes[component(sender)], reader))
    return tuple(sorted(found, key=lambda link: _order(link.edge, wiring)))


def toggled(
    circuit: Circuit, elements: Iterable[Site | Edge], mode: Mode, wiring: Wiring
) -> Circuit:
    """The circuit with nodes and edges that it lacks, and without those that it has.

    Raises:
        MediationError: an edge in node mode, and what no circuit of this network has.
    """
    for one in elements:
        if isinstance(one, Edge):
            require(
                mode == "edge",
                "Node mode does not tell edges apart.",
                value=one.label(),
                expected="a node, or edge mode",
                fix="board.mode = 'edge'",
            )
            circuit = edge_toggled(circuit, one, wiring)
        else:
            circuit = with_or_without(circuit, one, wiring)
    return circuit


def with_or_without(circuit: Circuit, node: Site, wiring: Wiring) -> Circuit:
    """The circuit with a node and all its edges to the others, or if it has the node without both.

    A component is in a circuit everywhere or at positions: the newest word replaces the other.
    """
    if node in circuit.nodes:
        return without(circuit, node, wiring)
    if node.mediator not in NODES:
        raise MediationError(
            "A circuit is made of heads and MLPs.",
            value=node.label(),
            expected="a site of 'head' or 'mlp_out'",
            fix="select a head or an MLP, and add that",
        )
    wiring.sender(node)
    other = [
        one
        for one in circuit.nodes
        if component(one) == component(node) and None in (one.position, node.position)
    ]
    nodes = [one for one in circuit.ordered if one not in other]
    edges = None
    if circuit.edges is not None:
        more = Circuit([*nodes, node]).ordered
        new = (*_between([node], more, wiring), *_between(more, [node], wiring))
        mine = [link.edge for link in new if node in (link.sender, link.receiver)]
        edges = [*circuit.edges, *mine]
    kept = {one: text for one, text in circuit.classes.items() if one not in other}
    return Circuit([*nodes, node], edges, name=circuit.name, classes=kept)


def without(circuit: Circuit, node: Site, wiring: Wiring) -> Circuit:
    """The circuit without a node, what it sends, and what nobody but it reads."""
    nodes = circuit.nodes - {node}
    classes = {one: text for one, text in circuit.classes.items() if one != node}
    edges = None
    if circuit.edges is not None:
        left = {component(one) for one in nodes} | {wiring.senders[0]}
        readers, logits = _readers(wiring), wiring.receivers[-1]
        edges = []
        for edge in circuit.edges:
            end = component(edge.receiver)
            read = end == logits or not left.isdisjoint(readers[end])
            if edge.sender in left and read:
                edges.append(edge)
    return Circuit(nodes, edges, name=circuit.name, classes=classes)


def edge_toggled(circuit: Circuit, edge: Edge, wiring: Wiring) -> Circuit:
    """The circuit with an edge, or if it has the edge without it. Its nodes stay.

    Raises:
        MediationError: an edge that does not go forward, or is not of this network.
    """
    if not wiring.reach[wiring.sender(edge.sender), wiring.receiver(edge.receiver)]:
        raise MediationError(
            "This edge does not go forward.",
            value=edge.label(),
            expected="a receiver behind its sender",
            fix="lm.wiring.edges lists all edges",
        )
    return of_edges(circuit, {link.edge for link in links(circuit, wiring)} ^ {edge})


def of_edges(circuit: Circuit, edges: Iterable[Edge]) -> Circuit:
    """The circuit's nodes with these edges; from here on positions are those of edges."""
    nodes = {component(node) for node in circuit.nodes}
    classes = {component(node): text for node, text in circuit.classes.items()}
    return Circuit(nodes, edges, name=circuit.name, classes=classes)


def in_mode(circuit: Circuit, mode: Mode) -> Circuit:
    """As a mode evaluates it: node by node, edges are not told apart."""
    if mode == "edge" or circuit.edges is None:
        return circuit
    classes = circuit.classes
    return Circuit(circuit.nodes, name=circuit.name, source=circuit.source, classes=classes)


def absent(circuit: Circuit, node: Site, wiring: Wiring) -> tuple[Link, ...]:
    """The edges between a node and the circuit that the circuit lacks."""
    others = circuit.ordered
    both = (*_between([node], others, wiring), *_between(others, [node], wiring))
    mine = dict.fromkeys(link for link in both if node in (link.sender, link.receiver))
    known = {link.edge for link in links(circuit, wiring)}
    return tuple(link for link in mine if link.edge not in known)


def refuse_no_mode(mode: object) -> None:
    """Raise where something else stands for a mode."""
    require(
        mode in ("edge", "node"),
        "A circuit is evaluated edge by edge or node by node.",
        value=mode,
        expected="'edge' or 'node'",
        fix="CircuitBoard(study, mode='node')",
    )


def refuse_strange(circuit: object, wiring: Wiring) -> Circuit:
    """The circuit, if it is one of this network.

    Raises:
        MediationError: no circuit, or a node or an edge that the network does not have.
    """
    if not isinstance(circuit, Circuit):
        raise MediationError(
            "A board holds a circuit.",
            value=repr(circuit)[:200],
            expected="a Circuit",
            fix="mw.CircuitBoard(study, mw.Circuit([mw.Site('head', 3, head=1)]))",
        )
    for node in circuit.ordered:
        wiring.sender(node)
    for edge in circuit.edges or ():
        # The same refusal whichever end it is that does not exist.
        edge_toggled(Circuit([], []), edge, wiring)
    return circuit


def _between(senders: Sequence[Site], readers: Sequence[Site], wiring: Wiring) -> Iterator[Link]:
    """All edges from some nodes and the embedding to some nodes and the logits."""
    n = len(wiring.receivers) - 1
    for sender in (None, *senders):
        source = wiring.senders[0] if sender is None else component(sender)
        reach = wiring.reach[wiring.sender(source)]
        ends = [(reader, r) for reader in readers for r in wiring.inputs(component(reader))]
        for reader, r in [*ends, (None, n)]:
            end = wiring.receivers[r]
            asks = reader is not None and end.mediator in ("query", "mlp_out")
            where = _shared(_places(sender), _places(reader) if asks else None)
            if reach[r] and where != frozenset():
                yield Link(Edge(source, replace(end, position=_position(where))), sender, reader)


def _places(site: Site | None) -> _Places:
    if site is None or site.position is None:
        return None
    position = site.position
    return frozenset(position) if isinstance(position, tuple) else frozenset({position})


def _shared(a: _Places, b: _Places) -> _Places:
    return b if a is None else a if b is None else a & b


def _position(places: _Places) -> Position:
    if places is None:
        return None
    several = tuple(sorted(places, key=str))
    return several[0] if len(several) == 1 else several


def _reader(edge: Edge, nodes: dict[Site, Site], wiring: Wiring) -> Site | None:
    """The node that an edge is drawn into; keys that heads share go to the first in the circuit."""
    readers = _readers(wiring)[component(edge.receiver)]
    known = [nodes[site] for site in readers if site in nodes]
    return next(iter((*known, *readers)), None)


@lru_cache(maxsize=8)
def _readers(wiring: Wiring) -> dict[Site, tuple[Site, ...]]:
    """Per receiver the components that read by it; the logits are no component."""
    found: dict[Site, tuple[Site, ...]] = dict.fromkeys(wiring.receivers, ())
    for site in wiring.senders[1:]:
        for at in wiring.inputs(site):
            found[wiring.receivers[at]] += (site,)
    return found


def _order(edge: Edge, wiring: Wiring) -> tuple[int, int, str]:
    senders, receivers = _numbers(wiring)
    ends = senders[edge.sender], receivers[component(edge.receiver)]
    return (*ends, str(edge.receiver.position))


@lru_cache(maxsize=8)
def _numbers(wiring: Wiring) -> tuple[dict[Site, int], dict[Site, int]]:
    """The places of senders and of receivers in forward order."""
    senders, receivers = (
        {s: i for i, s in enumerate(x)} for x in (wiring.senders, wiring.receivers)
    )
    return senders, receivers
