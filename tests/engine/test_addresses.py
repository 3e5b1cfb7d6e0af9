"""Where a site's value lies, column by column, and which sites there are: no model runs here."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.mediators import MEDIATORS, OF_NETWORKS, PointShape, PointSize, Shape
from mediawidget.mediators.base import LATE, POINTS, positions_of
from tests.asking import raised

SHAPE = Shape(n_layers=3, n_heads=6, n_kv_heads=2, d_model=12, d_mlp=5, d_mixer=7)
ROLES = {"S": (4, 1), "END": (5,)}


def fused(layout: str, n: int, kv: int) -> list[str]:
    """The columns of one fused map in memory, head by head, as they are laid out."""
    if layout == "thirds":
        names = [(kind, m) for kind, m in (("query", n), ("key", kv), ("value", kv))]
        return [f"{kind}{i}" for kind, m in names for i in range(m)]
    found: list[str] = []
    for group in range(kv):
        found += [f"query{head}" for head in range(n) if head // (n // kv) == group]
        found += [f"key{group}", f"value{group}"]
    return found


@pytest.mark.parametrize(("n", "kv"), [(6, 2), (6, 6), (4, 1), (6, 3)])
@pytest.mark.parametrize("layout", ["thirds", "grouped"])
@pytest.mark.parametrize("kind", ["query", "key", "value"])
def test_heads_in_a_fused_map(kind: str, layout: Any, n: int, kv: int) -> None:
    shape = replace(SHAPE, n_heads=n, n_kv_heads=kv, qkv=layout)
    columns, mediator = fused(layout, n, kv), MEDIATORS[kind]
    assert mediator.units(shape) == (n if kind == "query" else kv)
    for head in range(mediator.units(shape)):
        place = mediator.place(mw.Site(kind, 1, head=head), shape)
        assert (place.stage, place.point, place.n_units) == (2, "qkv", len(columns))
        assert columns[place.unit] == f"{kind}{head}"
        apart = mediator.place(mw.Site(kind, 1, head=head), replace(shape, qkv="separate"))
        assert (apart.point, apart.n_units, apart.unit) == (kind, mediator.units(shape), head)


LIES: dict[str, tuple[int, str, int, int]] = {
    "residual": (3, "block_in", 1, 4),
    "residual_post": (4, "block_in", 1, 3),
    "residual_mid": (3, "mid", 1, 3),
    "embedding": (0, "embed", 1, 1),
    "embedding_unit": (0, "embed", 12, 1),
    "attn_out": (3, "attn_out", 1, 3),
    "head": (3, "attn_z", 6, 3),
    "query": (3, "query", 6, 3),
    "key": (3, "key", 2, 3),
    "value": (3, "value", 2, 3),
    "pattern": (3, "pattern", 6, 3),
    "edge": (3, "pattern", 6, 3),
    "cross_out": (3, "cross_out", 1, 3),
    "cross_head": (3, "cross_z", 6, 3),
    "mixer_out": (3, "attn_out", 1, 3),
    "mixer_channel": (3, "attn_z", 7, 3),
    "mlp_out": (3, "mlp_out", 1, 3),
    "mlp_unit": (3, "mlp_out", 12, 3),
    "neuron": (3, "neurons", 5, 3),
    "neurons": (3, "neurons", 1, 3),
}


def test_every_kind_has_its_place() -> None:
    """Stage at layer 2, point, how many units, and how many layers of three there are."""
    assert {name for name in MEDIATORS if name in LIES} == set(LIES)
    for name, (stage, point, n_units, n_layers) in LIES.items():
        mediator = MEDIATORS[name]
        index: dict[str, int] = {mediator.index: 1} if mediator.index else {}
        place = mediator.place(mw.Site(name, 2 if stage else 0, **index), SHAPE)
        assert (place.stage, place.point, place.n_units) == (stage, point, n_units), name
        assert place.unit == len(index)
        assert mediator.n_layers(SHAPE) == n_layers
        assert mediator.keyed is (name == "edge")
    rare = {"mixer_out": "scan", "mixer_channel": "scan"}
    heads = ("attn_out", "head", "query", "key", "value", "pattern", "edge")
    rare |= dict.fromkeys((*heads, "cross_out", "cross_head"), "attention")
    assert {name: MEDIATORS[name].mixes for name in LIES} == {name: rare.get(name) for name in LIES}
    order = [POINTS.index(point) for point in LATE]
    assert order == sorted(order)
    assert POINTS.index("pattern") < order[0], "what is behind attention"
    assert replace(SHAPE, n_kv_heads=0).kv_heads == 6
    assert (SHAPE.sees(2, 2), SHAPE.sees(2, 3), replace(SHAPE, causal=False).sees(2, 3)) == (
        *(True, False, True),
    )


def test_positions_by_number_and_by_role() -> None:
    assert positions_of(None, 3) == (0, 1, 2)
    assert positions_of(2, 9) == (2,)
    assert positions_of((3, 1, 3), 9) == (3, 1)
    assert positions_of(("S", 5, "END"), 9, ROLES) == (4, 1, 5)
    assert raised(lambda: positions_of("IO", 9, ROLES)).expected == "one of 'S', 'END'"
    assert "none" in raised(lambda: positions_of("IO", 9)).expected


@pytest.mark.parametrize(
    "site",
    [
        mw.Site("head", 2, head=5, position=("S", 5)),
        mw.Site("key", 0, head=1, position=0),
        mw.Site("residual", 3, position=(0, 5)),
        mw.Site("neuron", 0, unit=4),
        mw.Site("edge", 1, position=5, key=(0, 5)),
        mw.Site("embedding", 0, position="END"),
    ],
    ids=repr,
)
def test_a_site_that_there_is(site: mw.Site) -> None:
    MEDIATORS[site.mediator].check(site, SHAPE, 6, ROLES)


@pytest.mark.parametrize(
    ("site", "said"),
    [
        (mw.Site("head", 3, head=0), "layer is out of range: 0 to 2"),
        (mw.Site("residual", 4), "layer is out of range: 0 to 3"),
        (mw.Site("embedding", 1), "layer is out of range: 0 to 0"),
        (mw.Site("head", 0, head=6), "head is out of range: 0 to 5"),
        (mw.Site("key", 0, head=2), "head is out of range: 0 to 1"),
        (mw.Site("neuron", 0, unit=5), "unit is out of range: 0 to 4"),
        (mw.Site("edge", 0, head=6, position=1, key=0), "head is out of range: 0 to 5"),
        (mw.Site("head", 0, head=0, position=(1, 6)), "position is out of range: 0 to 5"),
        (mw.Site("edge", 0, head=0, position=1, key=6), "position is out of range: 0 to 5"),
        (mw.Site("head", 0), "comes per head: head=0 to 5"),
        (mw.Site("neuron", 0), "comes per unit: unit=0 to 4"),
        (mw.Site("residual", 0, head=0), "'residual' has no head: head=None"),
        (mw.Site("head", 0, head=0, unit=1), "'head' has no unit: unit=None"),
        (mw.Site("head", 0, head=0, key=1), "'head' has no key: key=None"),
    ],
    ids=repr,
)
def test_a_site_that_there_is_not(site: mw.Site, said: str) -> None:
    message, expected = said.split(": ")
    error = raised(lambda: MEDIATORS[site.mediator].check(site, SHAPE, 6, ROLES))
    assert message in error.message
    assert expected in error.expected


NETWORK = PointShape(
    kinds={"layer": (PointSize(1, 4),), "channel": (PointSize(9, 2), PointSize(4, 3)), "unit": ()}
)


def test_the_points_of_other_networks() -> None:
    channel, layer, hidden = (OF_NETWORKS[name] for name in ("channel", "layer", "hidden"))
    assert (channel.n_layers(NETWORK), layer.n_layers(NETWORK)) == (2, 1)
    assert (channel.units(NETWORK), layer.units(NETWORK)) == (3, 1)
    assert (channel.index, layer.index, hidden.alone, layer.alone) == ("unit", None, True, False)
    channel.check(mw.Site("channel", 1, unit=2, position=3), NETWORK, 1)
    layer.check(mw.Site("layer", 0), NETWORK, 1)
    states = PointShape(kinds={"hidden": (PointSize(3, 2),)})
    hidden.check(mw.Site("hidden", 0, unit=1, position=2), states, 1)
    hidden.check(mw.Site("hidden", 0), states, 1)
    wrong = [
        *(mw.Site("channel", 2, unit=0), mw.Site("channel", 1), mw.Site("channel", 0, unit=2)),
        *(mw.Site("channel", 1, unit=0, position=4), mw.Site("layer", 0, unit=0)),
        *(mw.Site("layer", 0, head=0), mw.Site("layer", 0, key=0), mw.Site("unit", 0, unit=0)),
    ]
    for site in wrong:
        raised(partial(OF_NETWORKS[site.mediator].check, site, NETWORK, 1))
    raised(lambda: hidden.check(mw.Site("hidden", 0, unit=2), states, 1))
    assert "A language model has no" in raised(lambda: layer.points(SHAPE)).message
    assert raised(lambda: OF_NETWORKS["unit"].points(NETWORK)).expected == "one of layer, channel"


def test_no_column_is_two_kinds_at_once() -> None:
    """All units of queries, keys and values together fill a fused map, each once."""
    for layout in ("thirds", "grouped"):
        shape = replace(SHAPE, qkv=layout)
        units = [
            MEDIATORS[kind].place(mw.Site(kind, 0, head=head), shape).unit
            for kind in ("query", "key", "value")
            for head in range(MEDIATORS[kind].units(shape))
        ]
        np.testing.assert_array_equal(np.sort(units), np.arange(6 + 2 + 2))
