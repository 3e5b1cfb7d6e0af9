"""The script is sent once per view on a page, so its size counts."""

import pytest
from anywidget import AnyWidget

from mediawidget.teach import Card
from mediawidget.widgets import (
    AttentionPattern,
    Basket,
    CausalTrace,
    CircuitBoard,
    CounterfactualDesigner,
    Explorer,
    FeatureGrid,
    GatePlayground,
    HeadGrid,
    InteractionGrid,
    LogitLens,
    MediationDiagram,
    Neurons,
    PromptEditor,
    TokenHeatmap,
)

#: A name of SVG's elements; nothing is fetched from it.
SVG = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize(
    ("view", "most"),
    [
        *((HeadGrid, 40_000), (TokenHeatmap, 40_000), (Explorer, 96_000)),
        *((MediationDiagram, 40_000), (InteractionGrid, 40_000), (PromptEditor, 40_000)),
        *((AttentionPattern, 40_000), (LogitLens, 40_000), (Neurons, 40_000)),
        *(
            (Basket, 40_000),
            (CircuitBoard, 40_000),
            (FeatureGrid, 40_000),
            (CausalTrace, 24_000),
            (CounterfactualDesigner, 16_000),
            (GatePlayground, 16_000),
            (Card, 28_000),
        ),
    ],
)
def test_scripts_are_small_and_stand_alone(view: type[AnyWidget], most: int) -> None:
    script = str(view._esm).replace(SVG, "")
    assert 1_000 < len(script.encode()) <= most
    for address in ("http://", "https://", "import(", "fetch("):
        assert address not in script
