"""The course is copied to where it can be worked on, and nothing of the reader's is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import shipped

from mediawidget import MediationError
from mediawidget.__main__ import main, parser
from mediawidget.commands import course, lab


def test_the_course_is_copied_once_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a b" / "unit"
    assert main(["course", str(folder)]) == 0
    source = course.shipped_course()
    names = {path.relative_to(source) for path in course.files_of(source)}
    assert {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} == names
    assert any(name.parts[0] == "teacher" for name in names)

    mine = folder / sorted(names)[0]
    mine.write_text("mine")
    (folder / sorted(names)[-1]).unlink()
    assert main(["course", str(folder)]) == 0
    assert mine.read_text() == "mine"
    said = capsys.readouterr().out
    assert f"Copied {len(names)} files" in said
    assert "Copied 1 files" in said
    assert f"{len(names) - 1} files are there already" in said


def test_what_its_use_has_made_is_no_part_of_the_course(tmp_path: Path) -> None:
    for name in ("01.ipynb", "teacher/01.ipynb", "messy/model.safetensors"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    kept = list(course.files_of(tmp_path))
    for name in ("answers/01.json", "teacher/answers/x.json", ".ipynb_checkpoints/01.ipynb"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert list(course.files_of(tmp_path)) == kept
    assert len(kept) == 3


def test_a_wheel_is_given_the_files_that_are_copied() -> None:
    root = Path(__file__).parents[2]
    names = [path.relative_to(root).as_posix() for path in course.files_of(root / course.COURSE)]
    assert shipped.examples(root) == [f"examples/{lab.NOTEBOOK}", *names]
    assert len(names) > 1


def test_a_folder_that_cannot_be_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "a" * 300):
        assert main(["course", str(tmp_path / name)]) == 1
        assert "The course cannot be written there." in capsys.readouterr().err


def test_an_installation_without_the_course_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "PLACES", (tmp_path / "one", tmp_path / "two"))
    with pytest.raises(MediationError, match="not in this installation"):
        course.main(tmp_path)


def test_options_of_jupyterlab_may_stand_before_and_after_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is asked of `open`, in every way to ask it."""
    asked: list[tuple[object, ...]] = []

    def opened(notebook: Path | None, *, port: int | None, token: str | None, browser: bool) -> int:
        asked.append((notebook, port, token, browser))
        return 0

    monkeypatch.setattr(lab, "main", opened)
    for words in (
        [],
        ["open"],
        ["--port", "9", "--token="],
        ["--port", "9", "open", "n.ipynb", "--no-browser"],
        ["open", "n.ipynb", "--port=9", "--token=t"],
    ):
        assert main(words) == 0
    assert asked == [
        (None, None, None, True),
        (None, None, None, True),
        (None, 9, "", True),
        (Path("n.ipynb"), 9, None, False),
        (Path("n.ipynb"), 9, "t", True),
    ]


def test_grading_is_told_to_prove_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["grade", "--help"])
    assert "a file of answers proves nothing" in " ".join(capsys.readouterr().out.split())
