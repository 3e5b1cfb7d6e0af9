"""Published circuits: what they hold, and that they come with the package."""

from __future__ import annotations

from collections import Counter

import pytest

import mediawidget as mw
from mediawidget import evaluation as ev
from tests.asking import raised
from tests.test_import_light import loaded_by


def test_the_heads_of_ioi_by_class() -> None:
    found = ev.known("ioi")
    assert Counter(found.classes.values()) == {
        "name mover": 3,
        "backup name mover": 8,
        "negative name mover": 2,
        "S-inhibition": 4,
        "induction": 4,
        "duplicate token": 3,
        "previous token": 2,
    }
    assert len(found.nodes) == 26
    assert found.classes[mw.Site("head", 11, head=10)] == "negative name mover"
    assert found.classes[mw.Site("head", 4, head=11)] == "previous token"
    assert "Wang et al. 2023" in found.source
    assert "gpt2" in found.source


def test_ioi_at_the_roles_of_the_task() -> None:
    placed = ev.known("ioi", positions=True)
    assert len(placed.nodes) == 26
    assert placed.classes[mw.Site("head", 2, head=2, position="S1+1")] == "previous token"
    lm = mw.load()
    roles = set(mw.tasks.ioi(lm, n=2)[0].roles)
    assert {site.position for site in placed.nodes} <= roles
    raised(lambda: ev.known("docstring", positions=True))


@pytest.mark.parametrize(("name", "heads", "mlps"), [("greater-than", 9, 8), ("docstring", 8, 0)])
def test_the_other_circuits(name: str, heads: int, mlps: int) -> None:
    found = ev.known(name)
    kinds = Counter(site.mediator for site in found.nodes)
    assert (kinds["head"], kinds["mlp_out"]) == (heads, mlps)
    assert set(found.classes) == found.nodes
    assert mw.Circuit.from_json(found.to_json()) == found


def test_unknown_circuits_are_refused() -> None:
    assert "'ioi'" in raised(lambda: ev.known("sva")).expected


def test_what_runs_no_model_needs_no_torch() -> None:
    code = "import mediawidget as mw; e = mw.evaluation; e.known('ioi'), e.agreement, e.stability"
    assert {"torch", "nnsight"} & loaded_by(code) == set()


def test_every_name_is_there() -> None:
    for name in ev.__all__:
        assert getattr(ev, name) is not None
    assert set(ev.__all__) <= set(dir(ev))
    with pytest.raises(AttributeError, match="attribute nothing"):
        getattr(ev, "nothing")  # noqa: B009 - a name that a type checker refuses
