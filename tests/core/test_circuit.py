"""Edges and circuits as values: what they may be, what they are called, JSON there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mediawidget.circuit import Circuit
from mediawidget.errors import MediationError
from mediawidget.mediators import Shape
from mediawidget.sites import Site
from mediawidget.wiring import Edge, Wiring, at

HEAD = Site("head", 0, head=1)
KEY = Site("key", 1, head=0)
LOGITS = Site("residual", 2)


def test_every_edge_goes_forward_and_is_there_once() -> None:
    wiring = Wiring(Shape(n_layers=2, n_heads=3))
    # Per layer 3 queries, keys and values that see the layers before, an MLP that sees its heads.
    first = 9 * 1 + 4
    second = 9 * 5 + 8
    assert wiring.n_edges == first + second + 9 == len(wiring.edges) == len(set(wiring.edges))
    for edge in wiring.edges:
        s, r = wiring.sender(edge.sender), wiring.receiver(edge.receiver)
        assert wiring.reach[s, r]
        assert edge.sender.layer <= edge.receiver.layer
    assert wiring.reach.shape == (len(wiring.senders), len(wiring.receivers)) == (9, 21)


def test_a_parallel_mlp_does_not_see_its_own_heads() -> None:
    shape = Shape(n_layers=1, n_heads=2)
    mlp = Site("mlp_out", 0)
    after, beside = Wiring(shape), Wiring(shape, parallel=True)
    heads = [after.sender(Site("head", 0, head=h)) for h in range(2)]
    assert after.reach[heads, after.receiver(mlp)].all()
    assert not beside.reach[heads, beside.receiver(mlp)].any()


def test_keys_and_values_that_heads_share_are_one_receiver() -> None:
    wiring = Wiring(Shape(n_layers=1, n_heads=4, n_kv_heads=2), mlps=False)
    assert [site.label() for site in wiring.receivers] == [
        *("L0H0.q", "L0H1.q", "L0H2.q", "L0H3.q", "L0H0.k", "L0H1.k", "L0H0.v", "L0H1.v"),
        "L1",
    ]
    assert wiring.inputs(Site("head", 0, head=3)) == (3, 5, 7)
    assert wiring.inputs(Site("embedding", 0)) == ()


def test_labels_say_what_reads() -> None:
    assert Edge(HEAD, KEY).label() == "L0H1 → L1H0.k"
    assert Edge(Site("mlp_out", 0), at(Edge(HEAD, LOGITS), "END").receiver).label() == (
        "mlp0 → logits @ END"
    )
    assert Edge(Site("embedding", 0), Site("mlp_out", 1)).label() == "embed → mlp1"


@pytest.mark.parametrize(
    ("sender", "receiver", "words"),
    [
        (Site("query", 0, head=1), KEY, "An edge's sender is no such component"),
        (HEAD, HEAD, "An edge's receiver is no such component"),
        (
            Site("head", 0, head=1, position=3),
            KEY,
            "An edge is read at one place, and that is its receiver's",
        ),
        ("L0H1", KEY, "An edge's sender is no such component"),
    ],
)
def test_what_is_no_edge_is_refused(sender: Site, receiver: Site, words: str) -> None:
    with pytest.raises(MediationError, match=words):
        Edge(sender, receiver)


def test_what_is_not_in_the_network_is_refused() -> None:
    wiring = Wiring(Shape(n_layers=2, n_heads=3))
    with pytest.raises(MediationError, match="no such sender") as raised:
        wiring.sender(Site("head", 2, head=0))
    assert raised.value.value == "L2H0"
    with pytest.raises(MediationError, match="no such receiver"):
        wiring.receiver(HEAD)


def test_a_circuit_of_edges_has_their_nodes() -> None:
    edges = [Edge(Site("embedding", 0), Site("query", 1, head=0)), Edge(HEAD, KEY)]
    circuit = Circuit(edges=edges)
    assert circuit.nodes == {HEAD, Site("head", 1, head=0)}
    assert circuit.size == len(circuit) == 2
    assert edges[1] in circuit
    assert HEAD in circuit
    assert KEY not in circuit
    assert Circuit([HEAD]).size == 1


def test_a_circuit_goes_to_json_and_back(tmp_path: Path) -> None:
    nodes = [Site("head", 1, head=2, position="END"), Site("mlp_out", 0)]
    circuit = Circuit(
        nodes, [Edge(HEAD, KEY)], name="a", source="me", classes={nodes[0]: "name mover"}
    )
    circuit.save(tmp_path / "circuit.json")
    again = Circuit.load(tmp_path / "circuit.json")
    assert again == circuit
    assert hash(again) == hash(circuit)
    assert again.classes == circuit.classes
    rng = np.random.default_rng(0)
    shuffled = [list(circuit.nodes)[i] for i in rng.permutation(len(circuit.nodes))]
    assert Circuit(shuffled, circuit.edges, name="a", source="me").ordered == circuit.ordered


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([Site("residual", 0)], "A circuit is made of heads and MLPs"),
        ([Site("neuron", 0, unit=1)], "A circuit is made of heads and MLPs"),
        ("L0H1", "A circuit's nodes are several"),
        (["L0H1"], "A circuit's nodes are of one kind"),
        ([Edge(HEAD, KEY)], "A circuit's nodes are of one kind"),
    ],
)
def test_what_is_no_node_is_refused(nodes: list[Site], words: str) -> None:
    with pytest.raises(MediationError, match=words):
        Circuit(nodes)


def test_classes_are_those_of_its_nodes() -> None:
    placed = Site("head", 0, head=1, position="END")
    for node in (Site("head", 1, head=0), placed, "L0H1"):
        with pytest.raises(MediationError, match="classes of nodes that are in it"):
            Circuit([HEAD], classes={node: "mover"})  # type: ignore[dict-item]
    assert Circuit([placed], classes={placed: "mover"}).classes == {placed: "mover"}
    # Nodes that edges bring along are its own.
    assert Circuit(edges=[Edge(HEAD, KEY)], classes={HEAD: "mover"}).classes == {HEAD: "mover"}


def test_a_file_that_holds_no_circuit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.json"
    path.write_text('{"nodes": 3}')
    with pytest.raises(MediationError, match="circuit"):
        Circuit.load(path)
