"""A click is a cell of the grid that a sweep would have made, and of no other."""

from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.effects import Effect, Status
from mediawidget.grids import Grids
from mediawidget.mediators import Shape
from mediawidget.results import empty_grid
from mediawidget.sweeps import Sweep

SHAPE = Shape(n_layers=3, n_heads=2)
NAMES = ("When", "Mary")
PATCH, ZERO = mw.Patch(), mw.Zero()
BASES = np.arange(12.0).reshape(2, 2, 3)


def one(value: float, **more: Any) -> Effect:
    """A single number: two pairs, every edited number ``value``."""
    edited = np.full((2, 2, 3), value)
    return Effect({}, BASES, edited, np.array(Status.EXACT, dtype=np.uint8), **more)


def filled(site: mw.Site, edit: mw.Edit = PATCH, names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    grids = Grids()
    grids.fill_cell(site, edit, one(5, edit=edit), SHAPE, names)
    return dict(grids.under(edit))


def test_a_click_is_a_cell_of_a_grid_that_was_not_swept() -> None:
    grid = filled(mw.Site("head", 2, head=1))["head"]
    assert dict(grid.axes) == {"layer": (0, 1, 2), "head": (0, 1)}
    ran = np.zeros((3, 2), dtype=bool)
    ran[2, 1] = True
    np.testing.assert_array_equal(grid.status == Status.EXACT, ran)
    np.testing.assert_array_equal(grid.status == Status.NOT_RUN, ~ran)
    np.testing.assert_array_equal(grid.edited[:, :, 2, 1], np.full((2, 2, 3), 5))
    assert np.isnan(grid.edited[:, :, ~ran]).all()
    assert grid.labels == ("L0H0", "L0H1", "L1H0", "L1H1", "L2H0", "L2H1")


def test_a_click_on_a_position_is_a_cell_of_a_grid_by_position() -> None:
    (key,), (grid,) = zip(*filled(mw.Site("residual", 1, position=1)).items(), strict=True)
    assert key == "residual@position"
    assert dict(grid.axes) == {"layer": (0, 1, 2, 3), "position": (0, 1)}
    assert np.argwhere(grid.status == Status.EXACT).tolist() == [[1, 1]]
    sites = Sweep("residual", PATCH, "position").sites(SHAPE, 2)
    assert grid.labels == tuple(site.label(NAMES, 3) for site in sites)
    assert "Mary" in grid.labels[1]
    assert grid.labels[-1] != mw.Site("residual", 3, position=1).label(NAMES), "the last is named"


@pytest.mark.parametrize(
    ("site", "edit", "names"),
    [
        (mw.Site("residual", 1, position=(0, 1)), PATCH, NAMES),
        (mw.Site("residual", 1, position="last"), PATCH, NAMES),
        (mw.Site("residual", 1, position=1), PATCH, ()),
        (mw.Site("head", 1, head=0), mw.Noise(samples=2), NAMES),
        (mw.Site("edge", 1, head=0, position=1, key=0), mw.Knockout(), NAMES),
        (mw.Site("channel", 0, unit=0), PATCH, NAMES),
    ],
)
def test_what_no_sweep_has_fills_none(site: mw.Site, edit: mw.Edit, names: tuple[str, ...]) -> None:
    assert filled(site, edit, names) == {}


@pytest.mark.parametrize(
    ("site", "edit"),
    [
        (mw.Site("head", 1, head=0), PATCH),
        (mw.Site("head", 1, head=0), mw.Noise(samples=1)),
    ],
)
def test_whole_components_need_no_names_of_positions(site: mw.Site, edit: mw.Edit) -> None:
    assert list(filled(site, edit, ())) == ["head"]


def test_clicks_add_up_and_each_edit_has_its_own() -> None:
    grids = Grids()
    for value, (layer, head) in enumerate([(0, 0), (2, 1), (0, 0)]):
        grids.fill_cell(mw.Site("head", layer, head=head), PATCH, one(value), SHAPE, NAMES)
    grids.fill_cell(mw.Site("head", 1, head=0), ZERO, one(7, edit=ZERO), SHAPE, NAMES)
    assert [(edit, key) for edit, key, _ in grids.items()] == [(PATCH, "head"), (ZERO, "head")]
    np.testing.assert_array_equal(
        grids.under(PATCH)["head"].edited[0, 0, ..., 0], [[2, np.nan], [np.nan] * 2, [np.nan, 1]]
    )
    assert grids.under(ZERO)["head"].edited[0, 0, 1, 0, 0] == 7
    assert grids.under(mw.Mean()) == {}
    grids.clear()
    assert not list(grids.items())


def test_a_sweep_that_was_stopped_keeps_what_was_there() -> None:
    grids, sweep = Grids(), Sweep("head", PATCH)
    axes = sweep.axes(SHAPE, 0)
    first = empty_grid(axes, one(0), ())
    first.edited[:], first.status[:] = 1, Status.EXACT
    grids.add(sweep, first)
    assert grids.under(PATCH)["head"] is first
    half = empty_grid(axes, one(0), ())
    half.edited[:, :, 0], half.status[0] = 2, Status.EXACT
    grids.add(sweep, half)
    found = grids.under(PATCH)["head"]
    np.testing.assert_array_equal(found.edited[0, 0, ..., 0], [[2, 2], [1, 1], [1, 1]])
    assert (found.status == Status.EXACT).all()


def test_a_grid_may_have_a_name_of_its_own() -> None:
    grids, sweep = Grids(), Sweep("head", PATCH)
    grids.add(sweep, one(1), "mine")
    assert list(grids.under(PATCH)) == ["mine"]
    grids.add(sweep, one(1))
    assert list(grids.under(PATCH)) == ["mine", "head"]


def test_another_metric_reads_every_grid() -> None:
    grids = Grids()
    grids.fill_cell(mw.Site("head", 0, head=0), PATCH, one(3), SHAPE, NAMES)
    other = grids.rescored(mw.Logit())
    assert other.under(PATCH)["head"].metric == mw.Logit()
    assert other.under(PATCH)["head"].pairs("Y10")[0, 0, 0] == 3
    assert grids.under(PATCH)["head"].metric == mw.LogitDiff(), "the first keeps its own"
