"""The bundle is rebuilt when a source is newer, and only then."""

import os
from collections.abc import Callable
from pathlib import Path

import front_end
import pytest

Touch = Callable[[str, int], None]


@pytest.fixture
def touch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Touch:
    """Set the age of a file in an empty checkout; higher is newer."""
    monkeypatch.setattr(front_end, "JS", tmp_path / "js")
    monkeypatch.setattr(front_end, "STATIC", tmp_path / "static")

    def touch(name: str, age: int) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (age, age))

    return touch


def test_a_bundle_newer_than_its_sources_is_up_to_date(touch: Touch) -> None:
    touch("js/src/grid.ts", 1)
    touch("static/grid.js", 2)
    assert front_end.is_built()


@pytest.mark.parametrize("source", ["src/grid.ts", "src/deep/a.css", "build.mjs"])
def test_a_newer_source_makes_it_stale(touch: Touch, source: str) -> None:
    touch(f"js/{source}", 3)
    touch("static/grid.js", 2)
    assert not front_end.is_built()


def test_a_newer_test_does_not(touch: Touch) -> None:
    touch("js/src/grid.ts", 1)
    touch("js/src/grid.test.ts", 3)
    touch("static/grid.js", 2)
    assert front_end.is_built()


def test_no_bundle_is_not_up_to_date(touch: Touch) -> None:
    touch("js/src/grid.ts", 1)
    touch("static/notes.txt", 2)
    assert not front_end.is_built()


@pytest.mark.parametrize(
    ("says", "counts"),
    [("v18.19.1", False), ("v20.18.0", False), ("v20.19.0", True), ("v24.1.0", True), ("?", False)],
)
def test_only_a_node_that_is_new_enough_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, counts: bool
) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {says}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (front_end.node_on_path() is not None) == counts


def test_node_without_npm_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "node").write_text("#!/bin/sh\necho v24.1.0\n")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert front_end.node_on_path() is None
