"""What was learned between two tests of parallel form: the normalised gain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import MediationError, require
from .attempts import read_answers
from .lesson import Lesson
from .misconceptions import MISCONCEPTIONS
from .shuffle import plain_name

Judged = Lesson | pd.DataFrame | str | Path
"""A test whose answers were judged."""

ALL = "all"
"""The row over all misconceptions."""

_RIGHT = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_EMPTY = ("", "nan", "none", "<na>")


def gain(pre: Judged, post: Judged) -> pd.DataFrame:
    """How much of what could be learned was learned, for each misconception and over all.

    The normalised gain is (post - pre) / (1 - pre), of shares of right answers: 0 where nothing
    changed, 1 where all that was wrong became right, negative where something was unlearned. A
    question that was not answered counts as not right. With several students, shares are over
    those who are in both tests.

    Args:
        pre: the first test: its ``Lesson``, ``lesson.judged()``, or a file: the table of either
            or of ``python -m mediawidget grade`` as .csv, or answers (.json) of a lesson whose
            questions are called by their misconception and were revealed.
        post: the second.

    Returns:
        A row per misconception and one for "all"; columns ``students``, ``pre`` and ``post``
        (shares from 0 to 1) and ``gain``; NaN where a test did not ask, and a gain where nothing
        was left to learn.

    Raises:
        MediationError: a file that is none, answers that nobody judged, tests of other students
            or of other misconceptions.

    Source: Hake 1998, "Interactive-engagement versus traditional methods".

    Example:
        >>> asked = ["mirror", "both", "shares"]
        >>> pre = pd.DataFrame({"misconception": asked, "right": [False, False, True]})
        >>> post = pd.DataFrame({"misconception": asked, "right": [True, False, True]})
        >>> float(mw.teach.gain(pre, post).loc["all", "gain"].round(2))
        0.5
    """
    tables = [_items(it) for it in (pre, post)]
    common = set(tables[0]["student"]) & set(tables[1]["student"])
    require(
        bool(common),
        "These two tests were not taken by the same student.",
        value=[sorted(set(it["student"]))[:5] for it in tables],
        expected="at least one student who is in both",
        fix="mw.teach.gain(pre, post) of one class",
    )
    asked = [set(it["misconception"]) for it in tables]
    require(
        bool(asked[0] & asked[1]),
        "These two tests ask about nothing in common.",
        value=[sorted(it) for it in asked],
        expected="questions about the same misconceptions",
        fix="mw.teach.gain of the course's pre_test and post_test",
    )
    before, after = (
        it[it["student"].isin(common)].groupby("misconception")["right"].mean() for it in tables
    )
    names = [name for name in MISCONCEPTIONS if name in asked[0] | asked[1]]
    table = pd.DataFrame({"pre": before, "post": after}).reindex(names)
    table.loc[ALL] = table.dropna().mean()
    left = 1 - table["pre"]
    table["gain"] = (table["post"] - table["pre"]) / left.where(left > 0)
    table.insert(0, "students", len(common))
    return table.rename_axis("misconception")


# --- inside ---------------------------------------------------------------------------------


def _items(given: Judged) -> pd.DataFrame:
    """A row per question about a misconception and student: ``misconception, student, right``."""
    table, where = _table(given)
    missing = {"misconception", "right"} - set(table.columns)
    require(
        not missing,
        "This is no table of judged answers.",
        value=f"{where}: no column {', '.join(sorted(missing))}",
        expected="columns misconception and right, as lesson.judged() has them",
        fix="lesson.judged().to_csv('pre.csv', index=False)",
    )
    about = np.array([not _is_empty(it) for it in table["misconception"]], dtype=bool)
    table = table[about]
    unknown = sorted(set(map(str, table["misconception"])) - set(MISCONCEPTIONS))
    require(
        not unknown and len(table) > 0,
        "This test asks about no misconception that is known here.",
        value=f"{where}: {', '.join(unknown) or 'none'}",
        expected="some of " + ", ".join(MISCONCEPTIONS),
        fix="lesson.choice(..., misconception='shares')",
    )
    students = table["student"] if "student" in table else [""] * len(table)
    return pd.DataFrame(
        {
            "misconception": list(map(str, table["misconception"])),
            "student": ["" if _is_empty(it) else plain_name(str(it)) for it in students],
            "right": _rights(table, where),
        }
    )


def _table(given: Judged) -> tuple[pd.DataFrame, str]:
    """The table, and what to call it in an error."""
    if isinstance(given, Lesson):
        return given.judged(), repr(given)
    if isinstance(given, pd.DataFrame):
        return given, "this table"
    kind: object = given
    require(
        isinstance(kind, str | Path) and Path(kind).suffix in (".csv", ".json"),
        "A gain is that of two tests.",
        value=given,
        expected="lessons, tables of lesson.judged(), or files that end in .csv or .json",
        fix="mw.teach.gain('pre.csv', 'post.csv')",
    )
    return (_of_csv if Path(given).suffix == ".csv" else _of_json)(Path(given)), str(given)


def _of_csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise MediationError(
            "This table of answers cannot be read.",
            value=f"{path}: {type(error).__name__}: {error}"[:300],
            expected="a table in UTF-8 whose first line names the columns",
            fix="lesson.judged().to_csv('pre.csv', index=False)",
        ) from error


def _of_json(path: Path) -> pd.DataFrame:
    """The answers of a lesson that says of itself what was right; questions are their ids."""
    kept = read_answers(path)
    rows = [
        (name, kept.student, attempt.committed, attempt.right)
        for name, attempt in kept.answers.items()
        if name in MISCONCEPTIONS
    ]
    return pd.DataFrame(rows, columns=["misconception", "student", "committed", "right"])


def _rights(table: pd.DataFrame, where: str) -> list[bool]:
    """Whether each was right; what was not answered was not."""
    rights = [None if _is_empty(it) else _RIGHT.get(str(it).lower(), it) for it in table["right"]]
    strange = [it for it in rights if it is not None and not isinstance(it, bool)]
    require(
        not strange,
        "This table of answers is damaged.",
        value=f"{where}: right is {strange[:1]}",
        expected="True, False, or nothing where there was no answer",
        fix="lesson.judged().to_csv('pre.csv', index=False)",
    )
    answered = (
        [not _is_empty(it) for it in table["committed"]]
        if "committed" in table
        else [it is not None for it in rights]
    )
    open_ones = [it for it, done in zip(rights, answered, strict=True) if done and it is None]
    require(
        any(answered) and not open_ones,
        "Nobody judged these answers." if open_ones else "Nothing was answered in this test.",
        value=f"{where}: {sum(answered)} of {len(rights)} answered, {len(open_ones)} not judged",
        expected="answers, each said to be right or wrong",
        fix="lesson.judged() in the test's notebook, or python -m mediawidget grade",
    )
    return [bool(it) for it in rights]


def _is_empty(value: object) -> bool:
    return str(value).strip().lower() in _EMPTY


__all__ = ["ALL", "Judged", "gain"]
