"""The script is sent once per view on a page, so its size counts."""

import pytest

from mediawidget.widgets import Explorer, HeadGrid, TokenHeatmap, View


@pytest.mark.parametrize(
    ("view", "most"), [(HeadGrid, 40_000), (TokenHeatmap, 40_000), (Explorer, 96_000)]
)
def test_scripts_are_small_and_stand_alone(view: type[View], most: int) -> None:
    script = str(view._esm)
    assert 1_000 < len(script.encode()) <= most
    for address in ("http://", "https://", "import(", "fetch("):
        assert address not in script
