"""Labels of sites: what people read, and what cells are found by."""

import pytest

from mediawidget import Site

TOKENS = ["[BOS]", " When", " Mary", " and", " John", " went", " to", " the", " John", " to"]


@pytest.mark.parametrize(
    ("site", "label"),
    [
        (Site("head", 3, head=1), "L3H1"),
        (Site("head", 3, head=1, position=2), "L3H1 @ Mary"),
        (Site("residual", 2), "L2"),
        (Site("residual", 2, position=3), "L2 @ and"),
        (Site("residual", 2, position=8), "L2 @ John(8)"),
        (Site("residual", 2, position=(2, 4)), "L2 @ Mary, John(4)"),
        (Site("residual", 5), "out"),
        (Site("residual", 5, position=9), "out @ to(9)"),
        (Site("mlp_out", 5, position=1), "mlp5 @ When"),
        (Site("attn_out", 0), "attn0"),
    ],
)
def test_labels(site: Site, label: str) -> None:
    assert site.label(TOKENS, n_layers=5) == label


def test_without_a_prompt_positions_are_numbers() -> None:
    assert Site("residual", 5, position=7).label() == "L5 @ 7"


def test_json_there_and_back() -> None:
    for site in (Site("head", 3, head=1, position=(4, 5)), Site("mlp_out", 0, position=2)):
        assert Site.from_json(site.to_json()) == site
        assert hash(Site.from_json(site.to_json())) == hash(site)
