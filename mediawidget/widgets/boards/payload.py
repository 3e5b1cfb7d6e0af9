"""What a page draws of a board, as plain data."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ...circuit import Circuit
from ...sites import Site
from ...wiring import Wiring
from .graph import Link, Mode, absent, component, links
from .sizes import Sizes
from .worth import BoardResult, Worth

if TYPE_CHECKING:
    from ...study import Study

MOST_GHOSTS = 400
"""Components of a network that are drawn though they are not in the circuit; of more, none are."""
MOST_DRAWN = 600
"""Edges that are drawn: of more, the strongest."""

Numbers = dict[str, Any]


def network_payload(study: Study, overlay: Circuit | None, over: Collection[str]) -> dict[str, Any]:
    """What stays the same under every circuit: the candidates, where one may be, what is known."""
    shape, wiring = study.lm.shape, study.lm.wiring
    known = (
        {}
        if overlay is None
        else {component(n): overlay.classes.get(n, "") for n in overlay.ordered}
    )
    return {
        "model": study.lm.name,
        "task": study.contrast.name,
        "layers": shape.n_layers,
        "heads": shape.n_heads if "head" in over else 0,
        "mlps": wiring.mlps and "mlp_out" in over,
        "parallel": wiring.parallel,
        "ghosts": len(wiring.senders) <= MOST_GHOSTS,
        "places": list(study.roles),
        "unit": study.metric.unit,
        "metric": study.metric.label("answer", "wrong"),
        "known": [{"id": node.label(), "class": text} for node, text in known.items()],
        "overlay": "" if overlay is None else overlay.name or "the overlay",
    }


def graph_payload(circuit: Circuit, mode: Mode, wiring: Wiring, sizes: Sizes | None) -> Numbers:
    """Nodes and edges; in node mode all edges are there, and none of them is drawn unscored."""
    drawn = links(circuit, wiring)
    if mode == "node":
        drawn = tuple(link for link in drawn if sizes is not None and sizes.kind == "edges")
    shown = strongest(drawn, sizes)
    return {
        "mode": mode,
        "nodes": [_node(node, circuit, sizes) for node in circuit.ordered],
        "edges": [edge_payload(link, sizes) for link in shown],
        "hidden": len(drawn) - len(shown),
    }


def strongest(drawn: tuple[Link, ...], sizes: Sizes | None) -> tuple[Link, ...]:
    """As many as a page can draw, in the order in which they came."""
    if len(drawn) <= MOST_DRAWN:
        return drawn
    size = {link: abs((sizes.of(link.edge) if sizes else None) or 0.0) for link in drawn}
    kept = set(sorted(drawn, key=lambda link: -size[link])[:MOST_DRAWN])
    return tuple(link for link in drawn if link in kept)


def _node(node: Site, circuit: Circuit, sizes: Sizes | None) -> dict[str, Any]:
    found: dict[str, Any] = {"id": node.label(), "layer": node.layer}
    if node.head is not None:
        found["head"] = node.head
    if node.position is not None:
        found["place"] = node.label().partition(" @ ")[2]
    text = circuit.classes.get(node)
    score = sizes.of(node) if sizes else None
    return found | ({"class": text} if text else {}) | ({} if score is None else {"score": score})


def edge_payload(link: Link, sizes: Sizes | None) -> dict[str, Any]:
    """Its name, its ends ("" for the embedding and the logits), its port, its score."""
    found = {"id": link.edge.label(), "from": _name(link.sender), "to": _name(link.receiver)}
    score = sizes.of(link.edge) if sizes else None
    return found | {"port": link.port} | ({} if score is None else {"score": score})


def absent_payload(circuit: Circuit, node: Site, study: Study, sizes: Sizes | None) -> list[Any]:
    """The edges between a node and the circuit that can be added."""
    return [edge_payload(link, sizes) for link in absent(circuit, node, study.lm.wiring)]


def _name(node: Site | None) -> str:
    return "" if node is None else node.label()


def numbers_payload(result: BoardResult) -> Numbers:
    """The figures over the graph."""
    f, interval = result.faithfulness, result.interval
    return {
        "f": result.normalized,
        "low": interval and interval[0],
        "high": interval and interval[1],
        "refused": result.refused,
        "kept": float(f.kept.mean()),
        "model": float(f.model.mean()),
        "empty": float(f.empty.mean()),
        "terms": f.terms.words,
        "n_nodes": len(result.circuit.nodes),
        "n_edges": result.n_edges,
        "of_nodes": result.of[0],
        "of_edges": result.of[1],
        "found": [[name, *counts] for name, counts in result.found.items()],
    }


def late_payload(result: BoardResult) -> Numbers:
    """What is run after the answer: the rest of the network, and each element left out."""
    left = {one.label(): result.change(one) for one in result.left_out}
    return {"gap": result.gap, "left": left}


def curve_payload(
    sizes: Sizes | None, worth: Worth, mode: Mode, at: Any, chosen: int | None
) -> dict[str, Any]:
    """The slider and its curve: m(C) of each size, None where it is not run.

    ``chosen`` is the size that made the board's circuit what it is, None where none did.
    """
    if sizes is None:
        return {}
    kept = [worth.known(mode, at(n)) for n in sizes.counts]
    means = [None if one is None else float(one.mean()) for one in kept]
    return {**sizes.sent(), "counts": list(sizes.counts), "kept": means, "chosen": chosen}
