"""Hostile arguments of abstraction: a right answer, or an error naming the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import abstraction
from tests.asking import raised
from tests.hostile_arguments import Call, assert_all_asked, assert_helped, few

LM = mw.models.lookback()
MODEL = abstraction.lookback()
RENDER = mw.models.lookback_prompt
HYPOTHESES = abstraction.lookback_hypotheses()
SITES = [mw.Site("residual", 3, position=7)]
DRAWN: dict[str, Any] = {"n": 4, "seed": 0}


@lru_cache
def pairs() -> list[abstraction.Counterfactual]:
    return abstraction.separating(HYPOTHESES, 4)


@lru_cache
def measured() -> abstraction.IIA:
    return abstraction.iia(LM, MODEL, "pointer", RENDER, SITES, pairs=pairs(), progress=False)


def of(function: Callable[..., Any], **more: Any) -> Callable[[], Call]:
    """Measured of the pointer, or of its rivals."""
    held: dict[str, Any] = {"model": MODEL, "variables": "pointer"}
    return lambda: (
        few(partial(function, progress=False), *{"n", "draws"} & set(more)),
        {"lm": LM, **held, "render": RENDER, "sites": SITES, **more},
    )


def iia() -> Call:
    more = {**DRAWN, "answer": str, "among": "vocabulary", "own_sources": False}
    return of(abstraction.iia, pairs=pairs(), **more)()


def drawn_and_run(n: Any, seed: Any, own_sources: Any) -> abstraction.IIA:
    more = {"n": n, "seed": seed, "own_sources": own_sources, "progress": False}
    return abstraction.iia(LM, MODEL, "pointer", RENDER, SITES, **more)


def swept(**more: Any) -> Any:
    return abstraction.iia(LM, MODEL, "pointer", RENDER, pairs=pairs(), progress=False, **more)


def rivals() -> Call:
    known = {"lm": LM, "hypotheses": HYPOTHESES, "render": RENDER, "sites": SITES}
    return partial(abstraction.rivals, progress=False), {**known, "pairs": pairs(), **DRAWN}


def drawn() -> Call:
    known = {"model": MODEL, "variables": "pointer", "telling": True, "own_sources": False}
    return few(abstraction.counterfactuals, "n"), {**known, **DRAWN, "where": None, "without": ()}


def separating() -> Call:
    known = {"hypotheses": HYPOTHESES, **DRAWN, "where": None, "without": ()}
    return few(abstraction.separating, "n"), known


def causal_model() -> Call:
    known = {"inputs": {"x": (0, 1)}, "variables": {"y": lambda x: 1 - x}, "output": "y"}
    return abstraction.CausalModel, {**known, "valid": None}


def base() -> Any:
    return pairs()[0].base


def one_of(hypotheses: Any, base: Any, source: Any) -> abstraction.Counterfactual:
    return abstraction.counterfactual(hypotheses, base, source)


def told_apart(pairs: Any) -> bool:
    abstraction.refuse_alike(pairs)
    return True


CALLS: dict[str, Callable[[], Call]] = {
    "CausalModel": causal_model,
    "CausalModel.run": lambda: (MODEL.run, {"inputs": base(), "do": {"pointer": 1}}),
    "CausalModel.interchange": lambda: (
        MODEL.interchange,
        {"base": base(), "sources": {"pointer": base()}},
    ),
    "CausalModel.is_valid": lambda: (MODEL.is_valid, {"inputs": base()}),
    "CausalModel.setting": lambda: (MODEL.setting, {"index": 0}),
    "CausalModel.values_of": lambda: (MODEL.values_of, {"name": "pointer"}),
    "Hypothesis": lambda: (abstraction.Hypothesis, {"model": MODEL, "variables": "pointer"}),
    "Hypothesis.predict": lambda: (
        HYPOTHESES["pointer"].predict,
        {"base": base(), "sources": [base()]},
    ),
    "IIA.at": lambda: (measured().at, {"index": 0}),
    "IIA.ci": lambda: (measured().ci, {"level": 0.95}),
    "arbitrary": lambda: (
        abstraction.arbitrary,
        {"model": MODEL, "variables": "pointer", "seed": 0},
    ),
    "controls": of(abstraction.controls, **DRAWN, draws=2, random_lm=None, answer=str),
    "counterfactual": lambda: (
        one_of,
        {"hypotheses": HYPOTHESES, "base": base(), "source": pairs()[0].sources[0]},
    ),
    "counterfactuals": drawn,
    "iia": iia,
    "iia of drawn pairs": lambda: (few(drawn_and_run, "n"), {**DRAWN, "own_sources": False}),
    "iia of a kind": lambda: (
        swept,
        {"sites": "residual", "by": "position", "layers": [1], "edit": None, "within": None}
        | {"roles": None},
    ),
    "prompt_pair": lambda: (
        abstraction.prompt_pair,
        {"one": pairs()[0], "render": RENDER, "answer": str}
        | {"hypothesis": "pointer", "roles": None},
    ),
    "random_weights": lambda: (abstraction.random_weights, {"lm": LM, "seed": 0}),
    "refuse_alike": lambda: (told_apart, {"pairs": pairs()}),
    "rivals": rivals,
    "separating": separating,
}

MADE = {
    "CausalModel.refuse_unknown": "asked by everything here",
    "Controls": "made by controls",
    "Counterfactual": "made by counterfactual",
    "IIA": "made by iia",
    "Rivals": "made by rivals",
    "lookback": "takes nothing",
    "lookback_hypotheses": "takes nothing",
}
"""What nobody makes by hand, and why it is not asked."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(abstraction, CALLS, MADE)


# --- what is refused, and what is not -----------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "word"),
    [
        (lambda: abstraction.counterfactuals(MODEL, "pointer", 1.5), "Pairs are counted"),  # type: ignore[arg-type]
        (lambda: MODEL.setting(MODEL.size), "counted from 0"),
        (lambda: MODEL.is_valid({"first": "Ann"}), "asked of their values"),
        (lambda: measured().at(1), "Cells are numbered"),
        (lambda: swept(sites={SITES[0]: mw.Patch()}), "a site of its own"),
        (lambda: swept(sites=SITES, answer=lambda _: 0), "answer(output) is text"),
        (lambda: HYPOTHESES["pointer"].predict(base(), [base()] * 2), "a source each"),
        (lambda: abstraction.rivals(LM, {"a": MODEL}, RENDER), "names variables"),  # type: ignore[dict-item]
        (
            lambda: abstraction.CausalModel({"x": (0, 1)}, {"y": dict}, "y"),
            "what its parameters are called",
        ),
        (
            lambda: abstraction.CausalModel({"x": {0, 1}}, {"y": lambda x: x}, "y"),  # type: ignore[dict-item]
            "each with the values",
        ),
    ],
)
def test_it_says_what_is_wrong(ask: Callable[[], Any], word: str) -> None:
    assert word in str(raised(ask))


def test_numbers_and_rows_of_numpy_are_as_good() -> None:
    plain = abstraction.counterfactuals(MODEL, "pointer", 3, seed=1)
    given: Any = {"n": np.int64(3), "seed": np.int64(1)}
    assert abstraction.counterfactuals(MODEL, "pointer", **given) == plain
    rows: Any = {"x": np.arange(3)}
    model = abstraction.CausalModel(rows, {"y": lambda x: x + 1}, "y")
    assert model.values_of("y") == (1, 2, 3)
    ours, theirs = (abstraction.arbitrary(model, "y", one) for one in (2, given["n"] - 1))
    assert ours.values_of("y") == theirs.values_of("y")


def test_cells_are_counted_from_the_last_too() -> None:
    assert measured().at(-1).labels == measured().at(0).labels


def test_an_error_of_your_own_function_is_yours() -> None:
    model = abstraction.CausalModel({"x": (0, 1)}, {"y": lambda x: 1 / x}, "y")
    with pytest.raises(ZeroDivisionError):
        model.run({"x": 0})
