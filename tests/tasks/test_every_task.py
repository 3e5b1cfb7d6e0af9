"""What holds of the pairs of every task, in the tokens of several tokenizers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.encoding import Encoder
from mediawidget.prompts import Contrast
from tests.tasks.kinds import KINDS, UNREAD, at_roles, differing, role_positions

EVERYWHERE = ("teaching", "pieces", "plain")
ELSEWHERE = ("pieces", "plain")


@dataclass(frozen=True)
class Case:
    """A task with options: the tokenizers that have its words, and the roles that differ."""

    task: Callable[..., Contrast]
    changed: tuple[str, ...]
    kinds: tuple[str, ...] = EVERYWHERE
    options: dict[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ("",)
    exactly: bool = True


SIDES = ("stereotypically female", "stereotypically male")
ATTRACTORS = ("opposite attractor", "same attractor")
NTH = ("first", "second", "third")
DEFINED = ("A_def", "B_def", "C_def", "D_def")

CASES = {
    "ioi": Case(mw.tasks.ioi, ("S2",), groups=("ABBA", "BABA")),
    "ioi ABBA": Case(mw.tasks.ioi, ("S2",), options={"order": "ABBA"}, groups=("ABBA",)),
    "ioi BABA": Case(mw.tasks.ioi, ("S2",), options={"order": "BABA"}, groups=("BABA",)),
    "induction": Case(
        mw.tasks.induction, ("A1", "C1"), ("teaching", "plain"), groups=("A B first", "C D first")
    ),
    "greater": Case(mw.tasks.greater_than, ("YY",)),
    "greater 01": Case(mw.tasks.greater_than, ("YY",), options={"corruption": "01"}),
    "gender": Case(mw.tasks.gender, ("person",), groups=SIDES),
    "winobias": Case(mw.tasks.gender, ("pronoun",), ELSEWHERE, {"style": "winobias"}, groups=SIDES),
    "winogender": Case(
        mw.tasks.gender, ("pronoun",), ELSEWHERE, {"style": "winogender"}, groups=SIDES
    ),
    "facts": Case(mw.tasks.facts, ("subject",), groups=("city", "country")),
    "cities": Case(mw.tasks.facts, ("subject",), options={"relation": "city"}, groups=("city",)),
    "agreement": Case(mw.tasks.agreement, ("subject",), groups=ATTRACTORS),
    "agreement same": Case(
        mw.tasks.agreement, ("subject",), options={"attractor": "same"}, groups=ATTRACTORS[1:]
    ),
    "agreement opposite": Case(
        mw.tasks.agreement, ("subject",), options={"attractor": "opposite"}, groups=ATTRACTORS[:1]
    ),
    "docstring": Case(mw.tasks.docstring, ("C_def", "D_def"), ELSEWHERE),
    "docstring definition": Case(
        mw.tasks.docstring, DEFINED, ELSEWHERE, {"corruption": "definition"}
    ),
    "docstring description": Case(
        mw.tasks.docstring, ("A_doc", "B_doc"), ELSEWHERE, {"corruption": "description"}
    ),
    "colors": Case(mw.tasks.colored_objects, ("asked",), ELSEWHERE, groups=NTH),
    "colors exchanged": Case(
        mw.tasks.colored_objects,
        ("color", "other color"),
        ELSEWHERE,
        {"corruption": "colors"},
        groups=NTH,
    ),
    "sums": Case(mw.tasks.arithmetic, ("first", "second"), ELSEWHERE, exactly=False),
    "differences": Case(
        mw.tasks.arithmetic, ("first",), ELSEWHERE, {"operator": "-", "corruption": "first"}
    ),
    "products": Case(
        mw.tasks.arithmetic, ("second",), ELSEWHERE, {"operator": "*", "corruption": "second"}
    ),
}
IN_TOKENS = [(name, kind) for name, case in CASES.items() for kind in case.kinds]


@lru_cache
def made(name: str, kind: str, n: int = 48, seed: int = 0) -> Contrast:
    case = CASES[name]
    return case.task(KINDS[kind](), n=n, seed=seed, **case.options)


def lm_of(kind: str) -> Encoder:
    return KINDS[kind]()


@pytest.mark.parametrize(("name", "kind"), IN_TOKENS)
def test_as_many_pairs_as_asked_all_different(name: str, kind: str) -> None:
    contrast = made(name, kind)
    assert len(contrast) == 48
    assert len({(pair.clean, pair.corrupt) for pair in contrast}) == 48


@pytest.mark.parametrize(("name", "kind"), IN_TOKENS)
def test_the_seed_decides(name: str, kind: str) -> None:
    case = CASES[name]
    again = case.task(lm_of(kind), n=48, seed=0, **case.options)
    assert again == made(name, kind)
    assert again != made(name, kind, seed=1)
    assert made(name, kind, n=12).pairs == again.pairs[:12]


@pytest.mark.parametrize(("name", "kind"), IN_TOKENS)
def test_the_pairs_are_of_one_length_and_the_encoder_takes_them(name: str, kind: str) -> None:
    lm = lm_of(kind)
    encoded = [lm.pair(pair, single=False) for pair in made(name, kind)]
    assert len({len(pair) for pair in encoded}) == 1
    for pair in encoded:
        assert len(pair.clean) == len(pair.corrupt)


@pytest.mark.parametrize(("name", "kind"), IN_TOKENS)
def test_only_the_named_tokens_differ(name: str, kind: str) -> None:
    case, lm = CASES[name], lm_of(kind)
    for pair in made(name, kind):
        told = role_positions(pair, *case.changed)
        assert differing(lm, pair) == told if case.exactly else differing(lm, pair) <= told


@pytest.mark.parametrize(("name", "kind"), IN_TOKENS)
def test_roles_are_there_and_end_with_the_prompt(name: str, kind: str) -> None:
    lm, contrast = lm_of(kind), made(name, kind)
    assert len({tuple(pair.roles) for pair in contrast}) == 1
    for pair in contrast:
        assert list(pair.roles)[-1] == "END"
        assert pair.roles["END"] == len(lm.tokens(pair.clean)) - 1
        squeezed = pair.clean.replace(" ", "")
        assert all(w.replace(" ", "") in squeezed for w in at_roles(lm, pair).values())


@pytest.mark.parametrize(("name", "kind"), IN_TOKENS)
def test_pairs_of_a_group_have_their_roles_at_the_same_places(name: str, kind: str) -> None:
    """All tokens but those whose words take turns: who gave, which thing was asked for."""
    takes_turns = {"IO", "S1", "S1+1", "person", "other", "color", "thing", "A1", "B1", "C1", "D1"}
    takes_turns |= {"other color", "other thing"}
    rest = [
        {role: at for role, at in pair.roles.items() if role not in takes_turns}
        for pair in made(name, kind)
    ]
    assert all(roles == rest[0] for roles in rest)


@pytest.mark.parametrize(("name", "kind"), IN_TOKENS)
def test_groups_come_equally_often(name: str, kind: str) -> None:
    groups = [pair.group for pair in made(name, kind)]
    assert {group: groups.count(group) for group in groups} == dict.fromkeys(
        CASES[name].groups, 48 // len(CASES[name].groups)
    )


@pytest.mark.parametrize(("name", "kind"), IN_TOKENS)
def test_a_template_is_the_prompt_but_for_its_slots(name: str, kind: str) -> None:
    """Of numbers and random words there is none, each pair being evidence of its own."""
    for pair in made(name, kind):
        if CASES[name].task in (mw.tasks.induction, mw.tasks.arithmetic):
            assert not pair.template
            continue
        fixed = [piece for piece in re.split(r"\{\w+\}", pair.template) if piece]
        assert re.search(".*".join(map(re.escape, fixed)), pair.clean, re.DOTALL)
        entity = CASES[name].task is mw.tasks.facts or name == "gender"
        assert (fixed == [pair.template]) == entity


@pytest.mark.parametrize(("name", "kind"), IN_TOKENS)
def test_there_is_enough_independent_evidence_for_statistics(name: str, kind: str) -> None:
    """Pairs of one template count as one, and few are too few for a test of 24 heads."""
    templates = [pair.template or pair.clean for pair in made(name, kind)]
    assert len(set(templates)) >= 20


@pytest.mark.parametrize("name", ["docstring", "colors", "sums", "winobias", "winogender"])
def test_a_tokenizer_without_the_words_is_told_which(name: str) -> None:
    missing = {"docstring": "path", "colors": "purple", "sums": r"'\+'"}.get(name, "grateful")
    with pytest.raises(mw.MediationError, match=missing):
        made(name, "teaching")


DROPS = ("ioi", "greater", "gender", "facts", "agreement", "docstring", "colors", "sums")


@pytest.mark.parametrize("name", [*DROPS, "winobias", "winogender"])
def test_words_of_several_tokens_are_left_out_and_counted(name: str) -> None:
    lm, contrast = lm_of("pieces"), made(name, "pieces", n=192)
    used = {word for pair in contrast for word in (*at_roles(lm, pair).values(), *pair.answers)}
    assert contrast.dropped > 0
    assert not used & set(UNREAD)
    assert made(name, "plain", n=192).dropped == 0


TASKS = {task.__name__: task for task in (case.task for case in CASES.values())}
OPTIONS = {
    "ioi": ("corruption", "split", "order"),
    "induction": ("corruption", "split"),
    "greater_than": ("corruption", "split"),
    "gender": ("style", "split"),
    "facts": ("relation", "split"),
    "agreement": ("attractor", "split"),
    "docstring": ("corruption",),
    "colored_objects": ("corruption",),
    "arithmetic": ("operator", "corruption"),
}


@pytest.mark.parametrize("value", ["nonsense", "", 3, None, ["swap"], True])
@pytest.mark.parametrize(
    ("task", "option"), [(task, option) for task, some in OPTIONS.items() for option in some]
)
def test_an_unknown_option_is_refused(task: str, option: str, value: object) -> None:
    with pytest.raises(mw.MediationError, match=f"{option}="):
        TASKS[task](lm_of("plain"), **{option: value})


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "wrong",
    [
        *({"n": n} for n in (0, -3, 2.0, True, 10**12, np.int64(0), np.bool_(True))),  # noqa: FBT003
        *({"seed": seed} for seed in ("0", None, True, -1, np.int64(-1), 1.0)),
    ],
)
def test_a_wrong_number_is_refused(task: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(mw.MediationError, match=r"fix: +(n|seed)="):
        TASKS[task](lm_of("plain"), **wrong)


@pytest.mark.parametrize("task", TASKS)
def test_whole_numbers_of_numpy_are_whole_numbers(task: str) -> None:
    lm = lm_of("plain")
    assert TASKS[task](lm, n=np.int64(4), seed=np.int64(3)) == TASKS[task](lm, n=4, seed=3)


@pytest.mark.parametrize("style", ["winobias", "winogender"])
@pytest.mark.parametrize("split", ["heldout", "train"])
def test_a_style_without_splits_is_told_so(style: Any, split: Any) -> None:
    with pytest.raises(mw.MediationError, match=r"fix: +split='any'"):
        mw.tasks.gender(lm_of("plain"), style=style, split=split)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("lm", [None, 3, "gpt2", []])
def test_what_has_no_tokens_is_refused(task: str, lm: object) -> None:
    with pytest.raises(mw.MediationError, match="an LM"):
        TASKS[task](lm)


def test_every_task_of_the_package_is_here() -> None:
    assert {*TASKS, "from_csv", "from_jsonl"} == set(mw.tasks.__all__)
    assert set(OPTIONS) == set(TASKS)
