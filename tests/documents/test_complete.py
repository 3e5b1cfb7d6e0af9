"""Docstrings of all public names are complete: arguments, shapes, errors, twins and papers."""

from __future__ import annotations

from pathlib import Path

import griffe
import pytest

from tests.documents.complete import Gap, gaps
from tests.documents.pages import ROOT
from tests.documents.public import Described, package, parsed, public, roots, target

METHODS = ROOT / "docs" / "methods"
#: Methods of the literature, and whose: the docstring says so, and so does a page of methods.
PAPERS = {
    "Study.estimate": "Nanda 2023",
    "Study.check_estimate": "Kramar et al. 2024",
    "abstraction.iia": "Geiger et al. 2021",
    "abstraction.lookback": "Prakash et al. 2025",
    "abstraction.rivals": "Prakash et al. 2025",
    "alignment.boundless": "Wu et al. 2023",
    "alignment.controls": "Hewitt and Liang 2019",
    "alignment.das": "Geiger et al. 2023",
    "alignment.neuron_masks": "De Cao et al. 2020",
    "causal_tracing": "Meng et al. 2022",
    "contrasting.relevance": "Chefer, Gur and Wolf 2021",
    "crossing.cross_patch": "Prakash et al. 2024",
    "directions.check_dormant": "Makelov, Lange and Nanda 2023",
    "directions.illusion": "Makelov, Lange and Nanda 2023",
    "erasure.amnesic": "Elazar et al. 2021",
    "erasure.inlp": "Ravfogel et al. 2020",
    "erasure.leace": "Belrose et al. 2023",
    "evaluation.completeness": "Wang et al. 2023",
    "evaluation.curve": "Mueller et al. 2025",
    "evaluation.faithfulness": "Wang et al. 2023",
    "evaluation.minimality": "Wang et al. 2023",
    "features.attribute": "Marks et al. 2024",
    "features.circuit": "Marks et al. 2024",
    "features.edges": "Marks et al. 2024",
    "interactions": "Shapley 1953",
    "lenses.logit_lens": "nostalgebraist 2020",
    "lenses.tuned_lens": "Belrose et al. 2023",
    "search.acdc": "Conmy et al. 2023",
    "search.cdt": "Hsu et al. 2025",
    "search.eap": "Syed, Rager and Conmy 2023",
    "search.greedy": "Vig et al. 2020",
    "search.masks": "Cao et al. 2021",
    "search.path": "Goldowsky-Dill et al. 2023",
    "search.path_patching": "Wang et al. 2023",
    "search.top_k": "Vig et al. 2020",
}


@pytest.fixture(scope="module")
def names() -> dict[str, Described]:
    return public(package(), list(roots()))


def test_every_public_name_is_described(names: dict[str, Described]) -> None:
    found = sorted(gaps(names), key=str)
    assert not found, "\n".join(map(str, found))


def test_all_that_is_public_is_looked_at(names: dict[str, Described]) -> None:
    assert len(names) > 1000
    for one in (
        "study.Study",
        "effects.Effect",
        "erasure.least_squares.leace",
        "tasks.ioi.ioi",
        "edits.base.check_number",
        "widgets.explorer.Explorer",
        "remote.loopback.server.Loopback.say",
    ):
        assert f"mediawidget.{one}" in names


@pytest.mark.parametrize("name", ["tasks.ioi", "charts.maps", "erasure.leace"])
def test_an_example_is_read_as_one(name: str) -> None:
    assert "\n\nExamples:\n    >>> " in docstring(name)


@pytest.mark.parametrize("name", PAPERS)
def test_a_method_of_the_literature_names_its_paper(name: str) -> None:
    text = " ".join(docstring(name).split())
    pages = " ".join(path.read_text("utf-8") for path in METHODS.glob("*.md"))
    assert PAPERS[name] in text
    assert PAPERS[name].replace("Kramar", "Kramár") in " ".join(pages.split())


def docstring(name: str) -> str:
    """Of a name of ``mw``, or of a method of one."""
    head, _, last = name.rpartition(".")
    of = target(package()[head]) if head else package()
    found = target((of.all_members if isinstance(of, griffe.Class) else of.members)[last])
    assert found.docstring is not None
    return found.docstring.value


# ---- The test can fail

MADE = '''
"""A module."""

from dataclasses import dataclass

from numpy.typing import NDArray


def require(ok): ...


def whole(first: int, second: NDArray[float]) -> NDArray[float]:
    """All is said.

    Args:
        first: a number.
        second: (pair, width) numbers.

    Raises:
        MediationError: the first is none.
    """
    require(first)


def whole_job(first: int, second: NDArray[float]):
    """``whole``, not yet started. Arguments and errors as for ``whole``."""
    require(first)


@dataclass
class Point:
    """A point.

    Attributes:
        x, y: where it is.
    """

    x: int
    y: int

    def moved(self, by: int) -> None:
        """It moves."""
'''


def told(folder: Path, old: str, new: str) -> list[Gap]:
    """Gaps of the module above with this change."""
    assert MADE.count(old) >= 1
    (folder / "made_up.py").write_text(MADE.replace(old, new, 1))
    found = public(parsed("made_up", folder), ["made_up"])
    return gaps({name: one for name, one in found.items() if name != "made_up.require"})


def test_nothing_is_told_of_what_is_whole(tmp_path: Path) -> None:
    assert told(tmp_path, "A module.", "A module.") == []


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ('    """It moves."""', "    ...", ["summary"]),
        ("All is said.", "All is said", ["summary"]),
        ("        first: a number.\n", "", ["arguments", "arguments"]),
        ("first: a number.", "frist: a number.", ["arguments", "arguments", "arguments"]),
        ("first: a number.\n", "first: a number.\n        third: nothing.\n", ["arguments"]),
        ("first: a number.", "first:", ["arguments"]),
        (
            "first: a number.\n        second: (pair, width) numbers.",
            "second: (pair, width) numbers.\n        first: a number.",
            ["arguments"],
        ),
        ("as for ``whole``", "as elsewhere", ["arguments", "raises", "shape"]),
        (
            "``whole``, not yet started. Arguments and errors as for ``whole``.",
            "It.",
            ["arguments", "raises", "shape", "twin"],
        ),
        ("    Raises:\n        MediationError: the first is none.\n", "", ["raises", "raises"]),
        ("        MediationError: the first", "        KeyError: the first", ["raises", "raises"]),
        ("(pair, width) numbers", "numbers", ["shape", "shape", "shape"]),
        ("x, y: where", "x: where", ["arguments", "fields"]),
        ("x, y: where", "x, y, z: where", ["fields"]),
        ("def moved(self, by: int)", "def moved(self, by: int, to: int)", ["arguments"]),
        ("    Raises:\n        Med", "    Raises:\n    Med", ["raises", "raises", "sections"]),
        ("moved(self, by: int) -> None:", "moved(self, by: int) -> pd.DataFrame:", ["table"]),
        ("require(first)", "raise KeyError(first)", ["raises"]),
    ],
)
def test_what_is_missing_is_told(tmp_path: Path, old: str, new: str, kinds: list[str]) -> None:
    assert sorted(gap.kind for gap in told(tmp_path, old, new)) == kinds


def test_a_gap_says_where(tmp_path: Path) -> None:
    (gap,) = told(tmp_path, "All is said.", "All is said")
    assert str(gap).endswith("made_up.py:12: made_up.whole: summary: All is said")
