"""A circuit: the components, or the edges between them, that are claimed to do the work."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .effect_files import as_path, writing
from .errors import MediationError, reading, require
from .sites import Site
from .wiring import Edge

NODES = ("head", "mlp_out")
"""What a node of a circuit may be. The embedding and the logits belong to every circuit."""

_FILE = ("A circuit", "a path", "circuit.save('circuit.json')")


@dataclass(frozen=True)
class Circuit:
    """Sites and edges claimed to compute an answer.

    Args:
        nodes: heads and MLPs, everywhere or at positions (a role's name serves all pairs).
        edges: which of their connections belong to it; None: all between its nodes, the embedding
            and the logits. Edges bring their nodes with them.
        name: what it is called.
        source: who claims it (a paper, a search with its settings).
        classes: what a node is said to do, as in ``{site: "name mover"}``, of nodes that it has.

    Raises:
        MediationError: what is no node or edge, and classes of nodes that it does not have.

    Example:
        >>> mw.Circuit([mw.Site("head", 9, head=9)], name="movers").to_json()["nodes"]
        [{'mediator': 'head', 'layer': 9, 'head': 9}]
    """

    nodes: frozenset[Site]
    edges: frozenset[Edge] | None = None
    name: str = ""
    source: str = ""
    classes: Mapping[Site, str] = field(default_factory=dict, hash=False)

    def __init__(
        self,
        nodes: Iterable[Site] = (),
        edges: Iterable[Edge] | None = None,
        *,
        name: str = "",
        source: str = "",
        classes: Mapping[Site, str] | None = None,
    ) -> None:
        wires = None if edges is None else frozenset(_checked(edges, Edge, "edges"))
        found = set(_checked(nodes, Site, "nodes"))
        for edge in wires or ():
            found |= {node for node in (edge.sender, _reader(edge)) if node is not None}
        found = {node for node in found if node.mediator != "embedding"}
        for node in found:
            _check_node(node)
        said = {} if classes is None else classes
        _check_words(name, source)
        _check_classes(said, found)
        object.__setattr__(self, "nodes", frozenset(found))
        object.__setattr__(self, "edges", wires)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "classes", dict(said))

    @property
    def size(self) -> int:
        """Its edges where it names them, else its nodes."""
        return len(self.nodes) if self.edges is None else len(self.edges)

    @property
    def ordered(self) -> tuple[Site, ...]:
        """Its nodes in forward order."""
        return tuple(sorted(self.nodes, key=_order))

    def __len__(self) -> int:
        return self.size

    def __contains__(self, item: object) -> bool:
        return item in self.nodes or item in (self.edges or ())

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Circuit.from_json`` reads back."""
        wires = None
        if self.edges is not None:
            wires = [edge.to_json() for edge in sorted(self.edges, key=_edge_order)]
        return {
            "is": "circuit",
            "name": self.name,
            "source": self.source,
            "nodes": [node.to_json() for node in self.ordered],
            "edges": wires,
            "classes": [
                {"node": node.to_json(), "class": text} for node, text in self.classes.items()
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Circuit:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved circuit, or one that could not be made anew.
        """
        with reading("circuit", data):
            wires = data["edges"]
            return cls(
                [Site.from_json(node) for node in data["nodes"]],
                None if wires is None else [Edge.from_json(edge) for edge in wires],
                name=data["name"],
                source=data["source"],
                classes={Site.from_json(c["node"]): c["class"] for c in data["classes"]},
            )

    def save(self, path: str | Path) -> None:
        """Write it as JSON.

        Raises:
            MediationError: a path that is none, or to where nothing can be written.
        """
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        place = as_path(path, *_FILE)
        with writing(place, "The circuit", "circuit.save('circuit.json')"):
            place.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Circuit:
        """Read what ``save`` wrote.

        Raises:
            MediationError: there is no such file, or it holds no circuit.
        """
        place = as_path(path, *_FILE)
        with reading("circuit", str(path)):
            return cls.from_json(json.loads(_text(place)))

    def __repr__(self) -> str:
        labels = ", ".join(node.label() for node in self.ordered[:8])
        more = ", ..." if len(self.nodes) > 8 else ""
        wires = "" if self.edges is None else f"; {len(self.edges)} edges"
        named = f"{self.name}: " if self.name else ""
        return f"Circuit({named}{len(self.nodes)} nodes: {labels}{more}{wires})"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise MediationError(
            "No circuit could be read there.",
            value=f"{path}: {type(error).__name__}: {error}",
            expected="a file that circuit.save wrote",
            fix="circuit.save('circuit.json'), then Circuit.load('circuit.json')",
        ) from error


def _reader(edge: Edge) -> Site | None:
    """The node that an edge feeds; None: the logits, or a key that several heads share."""
    end = edge.receiver
    if end.mediator == "mlp_out":
        return Site("mlp_out", end.layer)
    if end.mediator == "query":
        return Site("head", end.layer, head=end.head)
    return None


def _checked(given: Iterable[Any], kind: type, what: str) -> list[Any]:
    several: object = given
    require(
        isinstance(several, Iterable)
        and not isinstance(several, str)
        and getattr(several, "ndim", 1) > 0,
        f"A circuit's {what} are several.",
        value=several,
        expected=f"a list of {kind.__name__}",
        fix="Circuit([Site('head', 3, head=1)])",
    )
    found = list(given)
    for one in found:
        require(
            isinstance(one, kind),
            f"A circuit's {what} are of one kind.",
            value=one,
            expected=f"a {kind.__name__}",
            fix="Circuit(nodes=[Site('head', 3, head=1)], edges=[Edge(sender, receiver)])",
        )
    return found


def _check_node(node: Site) -> None:
    if node.mediator not in NODES:
        raise MediationError(
            "A circuit is made of heads and MLPs.",
            value=node.label(),
            expected="a site of 'head' or 'mlp_out'",
            fix="Circuit([Site('head', 3, head=1), Site('mlp_out', 2)])",
        )


def _check_words(name: object, source: object) -> None:
    require(
        isinstance(name, str) and isinstance(source, str),
        "A circuit has a name and a source, in words.",
        value=f"name={name!r}, source={source!r}",
        expected="two texts",
        fix="Circuit(nodes, name='movers', source='a search of my own')",
    )


def _check_classes(classes: Mapping[Site, str], nodes: Collection[Site]) -> None:
    given: object = classes
    require(
        isinstance(given, Mapping) and all(isinstance(text, str) for text in given.values()),
        "What nodes do is said in words.",
        value=classes,
        expected="{node: text}",
        fix="Circuit([node], classes={node: 'name mover'})",
    )
    strange = [node for node in classes if node not in nodes]
    if strange:
        first: object = strange[0]
        raise MediationError(
            "A circuit has classes of nodes that are in it, at their positions.",
            value=first.label() if isinstance(first, Site) else repr(first),
            expected=", ".join(node.label() for node in sorted(nodes, key=_order)[:8]) or "none",
            fix="classes={node: text for node, text in classes.items() if node in nodes}",
        )


def _order(site: Site) -> tuple[int, bool, int, str]:
    return site.layer, site.mediator != "head", site.head or 0, str(site.position)


def _edge_order(edge: Edge) -> tuple[Any, ...]:
    end = edge.receiver
    return (*_order(edge.sender), end.layer, end.mediator, end.head or 0, str(end.position))
