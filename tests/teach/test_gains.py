"""The normalised gain: by hand on small tables, from lessons and files, and what it refuses."""

import json
from pathlib import Path

import pandas as pd
import pytest

import mediawidget as mw
from mediawidget.teach.gains import gain
from mediawidget.teach.lesson import Lesson


def a_test(right: dict[str, bool | None], student: str = "") -> Lesson:
    """A test without feedback, answered so; None leaves a question open."""
    lesson = Lesson("a test", student=student, feedback=False)
    for name, good in right.items():
        lesson.add(
            mw.teach.Choice(
                id=name, prompt="?", options=("yes", "no"), answer=lambda: 0, misconception=name
            )
        )
        if good is not None:
            lesson.commit(name, int(not good))
    return lesson


def table(rows: list[tuple[str, str, object]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["student", "misconception", "right"])


def test_it_is_the_share_of_what_was_left_to_learn() -> None:
    """Of one student who knew one of four and then three: (3/4 - 1/4) / (1 - 1/4) = 2/3."""
    pre = a_test({"mirror": True, "shares": False, "iia": False, "zero": False})
    post = a_test({"mirror": True, "shares": True, "iia": True, "zero": False})

    found = gain(pre, post)

    assert found.loc["all", ["pre", "post"]].to_dict() == {"pre": 0.25, "post": 0.75}
    assert found.loc["all", "gain"] == pytest.approx(2 / 3)
    # Of "mirror" nothing was left to learn.
    assert found["gain"].drop("all").dropna().to_dict() == {"shares": 1, "zero": 0, "iia": 1}


def test_a_class_is_that_of_the_students_who_took_both() -> None:
    """Ada and Bo: 1 of 2, then 2 of 2; Cy has left and Di has come."""
    pre = table([("ada", "bug", True), ("bo", "bug", False), ("cy", "bug", False)])
    post = table([("Ada ", "bug", True), ("bo", "bug", True), ("di", "bug", False)])

    found = gain(pre, post).loc["bug"]

    assert found.to_dict() == {"students": 2, "pre": 0.5, "post": 1.0, "gain": 1.0}


def test_what_was_unlearned_is_negative_and_what_was_left_open_is_not_right() -> None:
    pre, post = a_test({"bug": False, "zero": True}), a_test({"bug": None, "zero": False})
    pre_half = table([("", "bug", True), ("", "bug", False)])

    assert gain(pre, post).loc["all", "gain"] == -1
    assert gain(pre, post).loc["bug", "post"] == 0
    assert gain(pre_half, table([("", "bug", False)])).loc["bug", "gain"] == -1


def test_files_say_the_same_as_lessons(tmp_path: Path) -> None:
    pre, post = a_test({"bug": False, "zero": None}), a_test({"bug": True, "zero": True})
    for name, lesson in {"pre": pre, "post": post}.items():
        lesson.judged().to_csv(tmp_path / f"{name}.csv", index=False)

    found = gain(tmp_path / "pre.csv", str(tmp_path / "post.csv"))

    pd.testing.assert_frame_equal(found, gain(pre, post))


def test_answers_of_a_lesson_that_showed_them_are_enough(tmp_path: Path) -> None:
    files = []
    for name, good in {"pre": False, "post": True}.items():
        lesson = a_test({"bug": good})
        lesson.feedback = True
        lesson.reveal("bug")
        files.append(lesson.save(tmp_path / f"{name}.json"))

    assert gain(*files).loc["bug", "gain"] == 1


def test_answers_that_nobody_judged_are_refused(tmp_path: Path) -> None:
    path = a_test({"bug": True}).save(tmp_path / "pre.json")
    with pytest.raises(mw.MediationError, match="Nobody judged"):
        gain(path, path)


def test_an_empty_test_is_refused() -> None:
    with pytest.raises(mw.MediationError, match="Nothing was answered"):
        gain(a_test({"bug": None}), a_test({"bug": True}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "cannot be read"),
        ("a.csv", b"\xff\xfe\x00misconception", "cannot be read"),
        ("a.csv", b"name,points\nada,3\n", "no table of judged answers"),
        ("a.csv", b"misconception,right\nbug,perhaps\n", "damaged"),
        ("a.csv", b"misconception,right\nghosts,True\n", "no misconception that is known"),
        ("a.csv", b"misconception,right\n", "no misconception that is known"),
        ("a.json", b"{", "no file of answers"),
        ("a.json", json.dumps({"format": "another"}).encode(), "no file of answers"),
        ("a.txt", b"", "that of two tests"),
    ],
)
def test_damaged_and_foreign_files_are_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(mw.MediationError, match=message):
        gain(path, a_test({"bug": True}))


def test_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    for name in ("none.csv", "none.json"):
        with pytest.raises(mw.MediationError, match=r"cannot be read|no file"):
            gain(tmp_path / name, a_test({"bug": True}))


def test_tests_of_others_are_refused() -> None:
    with pytest.raises(mw.MediationError, match="same student"):
        gain(a_test({"bug": True}, "ada"), a_test({"bug": True}, "bo"))
    with pytest.raises(mw.MediationError, match="nothing in common"):
        gain(a_test({"bug": True}), a_test({"zero": True}))
