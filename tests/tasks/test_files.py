"""One's own pairs from files: what is read, and what is said of a file that is none."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.tasks import from_csv, from_jsonl

Read = Callable[[Path], mw.Contrast]
HEAD = "clean,corrupt,answer,wrong\n"
NO_ROLES: list[object] = [
    *({"END": at} for at in ("3", -1, [], True, 1.0, None, [1, "2"], {"at": 1})),
    *({"": 1}, [1], 3, "END"),
]
PAIR = {"clean": "the cat", "corrupt": "the dog", "answer": "purrs", "wrong": "barks"}


def file(tmp_path: Path, content: str | bytes, name: str = "pairs.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(read: Read, path: Path, *words: str) -> mw.MediationError:
    """Reading fails, and the error has all the words."""
    with pytest.raises(mw.MediationError) as caught:
        read(path)
    assert all(word in str(caught.value) for word in (str(path), *words)), str(caught.value)
    return caught.value


def line_of(**changes: Any) -> str:
    return json.dumps({**PAIR, **changes})


# --- what is read -------------------------------------------------------------------------------


def test_a_table_is_read(tmp_path: Path) -> None:
    table = (
        "clean,corrupt,answer,wrong,role:END,role:subject,template,group\n"
        '"The keys, all",The key,are|were,is | was,3,1 2,The {s},plural\n'
        "\n"
        "The cat,The dog,purrs,barks,,1,,\n"
        ",,,,,,,\n"
    )
    contrast = from_csv(file(tmp_path, table, "mine.csv"))
    assert contrast.name == "mine"
    assert list(contrast) == [
        mw.PromptPair(
            "The keys, all",
            "The key",
            ["are", "were"],
            ["is", "was"],
            {"END": 3, "subject": (1, 2)},
            template="The {s}",
            group="plural",
        ),
        mw.PromptPair("The cat", "The dog", "purrs", "barks", {"subject": 1}),
    ]


def test_lines_of_json_are_read(tmp_path: Path) -> None:
    lines = [
        line_of(answer=["purrs", "sleeps"], roles={"END": 1, "all": [0, 1]}, group="g"),
        "",
        line_of(clean="a cat", roles=None, alignment=[[0, 0], [1, 1]]),
    ]
    contrast = from_jsonl(file(tmp_path, "\n".join(lines), "mine.jsonl"))
    assert contrast.name == "mine"
    first = mw.PromptPair(
        "the cat",
        "the dog",
        ["purrs", "sleeps"],
        "barks",
        {"END": 1, "all": (0, 1)},
        group="g",
    )
    second = mw.PromptPair("a cat", "the dog", "purrs", "barks", alignment=[(0, 0), (1, 1)])
    assert list(contrast) == [first, second]


def test_a_name_may_be_given(tmp_path: Path) -> None:
    assert from_csv(file(tmp_path, HEAD + "a b,a c,x,y"), "cats").name == "cats"
    assert from_jsonl(file(tmp_path, line_of()), name="cats").name == "cats"


def test_columns_may_stand_in_any_order_and_spaces_after_commas_do_not_count(
    tmp_path: Path,
) -> None:
    (pair,) = from_csv(file(tmp_path, 'wrong, answer, corrupt, clean\ny, x, "a, c", " a b"\n'))
    assert pair == mw.PromptPair(" a b", "a, c", "x", "y")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_the_mark_and_line_ends_of_other_programs_are_read(tmp_path: Path, ending: str) -> None:
    table = "\ufeff" + (HEAD + "a b,a c,x,y\na d,a c,x,y\n").replace("\n", ending)
    assert [pair.clean for pair in from_csv(file(tmp_path, table))] == ["a b", "a d"]


def test_lines_of_json_of_other_programs_are_read(tmp_path: Path) -> None:
    lines = "\ufeff" + line_of(clean="a\u2028b") + "\r\n" + line_of() + "\r\n"
    assert [pair.clean for pair in from_jsonl(file(tmp_path, lines))] == ["a\u2028b", "the cat"]


def test_pairs_of_a_file_are_studied_like_those_of_a_task(tmp_path: Path) -> None:
    lm = mw.load()
    pairs = mw.tasks.ioi(lm, n=4)
    lines = "\n".join(json.dumps(pair.to_json()) for pair in pairs)
    read = from_jsonl(file(tmp_path, lines, "ioi.jsonl"))
    assert list(read) == list(pairs)
    own, theirs = mw.Study(lm, read).total, mw.Study(lm, pairs).total
    assert np.array_equal(own.pairs("TE"), theirs.pairs("TE"))


texts = st.text(min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
places: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 30), st.lists(st.integers(0, 30), min_size=1, max_size=3).map(tuple)
)


def _answer(some: list[str]) -> str | list[str]:
    return some[0] if len(some) == 1 else some


@st.composite
def pairs(draw: st.DrawFn) -> mw.PromptPair:
    clean, corrupt = draw(texts), draw(texts)
    answers = draw(st.lists(texts, min_size=2, max_size=6, unique_by=str.strip))
    cut = draw(st.integers(1, len(answers) - 1))
    return mw.PromptPair(
        clean,
        corrupt + "!" if corrupt == clean else corrupt,
        _answer(answers[:cut]),
        _answer(answers[cut:]),
        draw(st.dictionaries(texts, places, max_size=3)),
        template=draw(st.text(max_size=5)),
        group=draw(st.text(max_size=5)),
    )


contrasts = st.lists(
    pairs(), min_size=1, max_size=5, unique_by=lambda p: (p.clean, p.corrupt, p.answers, p.wrongs)
)


@settings(max_examples=60)
@given(contrasts)
def test_what_is_written_as_json_is_read_again(some: list[mw.PromptPair]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = "\n".join(json.dumps(pair.to_json()) for pair in some)
        assert list(from_jsonl(file(Path(folder), lines))) == some


def test_roles_that_a_swap_left_are_still_those_of_the_other_prompt(tmp_path: Path) -> None:
    pair = mw.PromptPair("the cat", "the old dog", "purrs", "barks", {"END": 1})
    line = json.dumps(pair.swapped().to_json())
    read = from_jsonl(file(tmp_path, line))[0]
    assert read.to_json() == pair.swapped().to_json() != pair.to_json()
    assert read.swapped().to_json() == pair.to_json()
    wrong = file(tmp_path, line_of(roles={"END": 1}, roles_of="both"), "pairs.jsonl")
    refused(from_jsonl, wrong, "roles_of", "both")


plain = st.text(st.characters(categories=["L", "P", "N"], exclude_characters="|"), min_size=1)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(plain, plain, st.lists(plain, min_size=2, max_size=5, unique=True)),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row[0],
    )
)
def test_what_is_written_as_a_table_is_read_again(rows: list[tuple[str, str, list[str]]]) -> None:
    some = [
        mw.PromptPair(clean, f"{corrupt} {clean}", answers[0], answers[1:])
        for clean, corrupt, answers in rows
    ]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["clean", "corrupt", "answer", "wrong", "role:END"])
    for i, pair in enumerate(some):
        writer.writerow([pair.clean, pair.corrupt, pair.answer, "|".join(pair.wrongs), i])
    with tempfile.TemporaryDirectory() as folder:
        read = from_csv(file(Path(folder), out.getvalue()))
    one = [pair.wrongs[0] if len(pair.wrongs) == 1 else pair.wrongs for pair in some]
    assert [pair.wrong for pair in read] == one
    assert [(p.clean, p.corrupt, p.answer) for p in read] == [
        (p.clean, p.corrupt, p.answer) for p in some
    ]
    assert [pair.roles["END"] for pair in read] == list(range(len(some)))


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("clean,corrupt,answer\na,b,c\n", ("line 1", "lacks 'wrong'")),
        ("\n\nclean,answer\na,b\n", ("line 3", "lacks 'corrupt' and 'wrong'")),
        ("clean;corrupt;answer;wrong\na;b;c;d\n", ("line 1", "commas", "clean;corrupt")),
        (HEAD + "a b,a c,x,y\na b,,x,y\n", ("line 3", "column 'corrupt'", "missing")),
        (HEAD + "  ,a c,x,y\n", ("line 2", "column 'clean'")),
        (HEAD + "a b,a c,x|,y\n", ("line 2", "column 'answer'")),
        (HEAD + "a b,a c,x\n", ("line 2", "3 cells", "4 cells")),
        (HEAD + "Oh, a b,a c,x,y\n", ("line 2", "5 cells", "quotes")),
        (HEAD + '"a\nb",a c,x,y\na d,a e,x,x\n', ("line 4", "same token")),
        (HEAD + "a b,a b,x,y\n", ("line 2", "prompts are equal")),
        (HEAD + "a b,a c,x|y,y\n", ("line 2", "overlap")),
        (HEAD + "a b,a c,x,y\na d,a c,x,y\na b,a c,x,y\n", ("line 4", "as line 2")),
        (HEAD, ("no pairs", "clean, corrupt, answer, wrong")),
        ("", ("no pairs",)),
        (HEAD + 'a b,"a c,x,y\n', ("line 2", "unexpected end")),
        (HEAD + 'a b,"a"c,x,y\n', ("line 2", "quote")),
        ("clean,corrupt,answer,wrong,note\na,b,c,d,e\n", ("line 1", "'note'", "role:NAME")),
        ("clean,corrupt,answer,wrong,\na,b,c,d,\n", ("line 1", "''")),
        ("clean,corrupt,answer,wrong,role:\na,b,c,d,1\n", ("line 1", "'role:'")),
        ("clean,corrupt,answer,wrong,clean\na,b,c,d,e\n", ("line 1", "'clean'", "twice")),
        *(
            (f"{HEAD.strip()},role:END\na b,a c,x,y,{cell}\n", ("line 2", "'role:END'", cell))
            for cell in ("one", "-1", "1.5", "1;2", "٣", "[1]")
        ),
        (f"{HEAD.strip()},role:END\na b,a c,x,y,{'1' * 5000}\n", ("line 2", "'role:END'")),
    ],
)
def test_a_broken_table_is_refused(tmp_path: Path, table: str, words: tuple[str, ...]) -> None:
    error = refused(from_csv, file(tmp_path, table), *words)
    assert error.fix


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (line_of() + "\n\n{bad}\n", ("line 3", "character 2", "no JSON")),
        (line_of()[:-1], ("line 1", "no JSON", "delimiter")),
        (f"[{line_of()}]", ("line 1", "without a list")),
        ("[\n" + line_of() + "\n]", ("line 1", "no JSON", "without a list")),
        ("3", ("line 1", "no pair")),
        ("[" * 100_000, ("line 1", "no JSON")),
        ("1" * 5_000, ("line 1", "no JSON")),
        ('{"clean": "a", "clean": "b"}', ("line 1", "'clean' is there twice")),
        ('{"clean": "a b"}', ("line 1", "lacks 'corrupt' and 'answer' and 'wrong'")),
        (line_of(note=1), ("line 1", "'note'", "roles")),
        (line_of(clean=""), ("line 1", "'clean'", "missing")),
        (line_of(clean=3), ("line 1", "'clean'", "no text")),
        (line_of(answer=None), ("line 1", "'answer'", "missing")),
        (line_of(answer=["x", " "]), ("line 1", "'answer'", "no text")),
        (line_of(answer=[]), ("line 1", "at least one text")),
        (line_of(answer={"x": 1}), ("line 1", "'answer'", "no text")),
        (line_of(answer=["barks", "purrs"]), ("line 1", "overlap")),
        (line_of(template=3), ("line 1", "template is named")),
        (line_of(alignment=[[1]]), ("line 1", "alignment")),
        (line_of() + "\n" + line_of(), ("line 2", "as line 1")),
        ("\n \n", ("no pairs",)),
        *((line_of(roles=roles), ("line 1", "'roles'", "whole number")) for roles in NO_ROLES),
    ],
)
def test_broken_lines_are_refused(tmp_path: Path, lines: str, words: tuple[str, ...]) -> None:
    refused(from_jsonl, file(tmp_path, lines, "pairs.jsonl"), *words)


@pytest.mark.parametrize("read", [from_csv, from_jsonl])
def test_other_encodings_are_refused_at_their_line(tmp_path: Path, read: Read) -> None:
    table = (HEAD + "caf\u00e9,bar,x,y\n").encode("latin-1")
    refused(read, file(tmp_path, table), "line 2", "0xe9", "UTF-8")
    refused(read, file(tmp_path, HEAD.encode("utf-16")), "line 1", "not in UTF-8")


@pytest.mark.parametrize("read", [from_csv, from_jsonl])
def test_files_that_are_none_are_refused(tmp_path: Path, read: Read) -> None:
    refused(read, tmp_path / "none.csv", "no such file", str(Path.cwd()))
    refused(read, tmp_path, "cannot be read")
    with pytest.raises(mw.MediationError, match="cannot be read"):
        read(Path("a\0b"))


@pytest.mark.parametrize("read", [from_csv, from_jsonl])
@pytest.mark.parametrize("path", [None, 3, "", b"pairs.csv", ["pairs.csv"]])
def test_what_is_no_path_is_refused(read: Callable[[Any], mw.Contrast], path: object) -> None:
    with pytest.raises(mw.MediationError, match="expected: a path"):
        read(path)


def _outcome(read: Read, path: Path) -> bool:
    """Whether there are pairs, or an error that names the file."""
    try:
        return len(read(path)) > 0
    except mw.MediationError as error:
        return str(path) in str(error)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.text(max_size=80).map(lambda t: (HEAD + t).encode("utf-8", "replace")),
    )
)
def test_any_bytes_are_pairs_or_refused_in_words(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = file(Path(folder), content)
        for read in (from_csv, from_jsonl):
            assert _outcome(read, path)
