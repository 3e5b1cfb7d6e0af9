"""The numbers that TypeScript is held to are those of Python."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mediawidget.estimands import ESTIMANDS, estimand

CASES = json.loads((Path(__file__).parents[1] / "fixtures" / "estimands.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_estimands(case: dict[str, Any]) -> None:
    corners = {key: np.array(case[key]) for key in ("Y11", "Y00", "Y10", "Y01")}
    assert set(case["expected"]) == set(ESTIMANDS)
    for key, expected in case["expected"].items():
        assert float(estimand(key, corners)) == expected
