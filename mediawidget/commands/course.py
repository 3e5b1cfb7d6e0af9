"""Copy the course: the students' notebooks, and the teacher's with their solutions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import MediationError

COURSE = "examples/course"
# A wheel carries the course inside the package; a checkout has it beside the package.
PLACES = (Path(__file__).parents[1] / COURSE, Path(__file__).parents[2] / COURSE)
OWN = ("answers", "__pycache__")
"""Folders that a course gets when it is used."""


def main(folder: Path | None = None) -> int:
    """Copy the course to a folder, by default ``course`` here; files that are there stay.

    Raises:
        MediationError: no course in this installation, or nowhere to write.
    """
    source, target = shipped_course(), Path("course") if folder is None else folder
    kept, copied = [], 0
    for path in files_of(source):
        to = target / path.relative_to(source)
        try:
            if to.exists():
                kept.append(to)
                continue
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
        except OSError as error:
            raise MediationError(
                "The course cannot be written there.",
                value=f"{to}: {error.strerror or error}",
                expected="a folder that you may write to",
                fix="python -m mediawidget course ~/course",
            ) from error
        copied += 1
    print(f"Copied {copied} files to {target}.")
    if kept:
        print(f"{len(kept)} files are there already and stay as they are, as {kept[0]}.")
    print(f"Solutions and the guide are in {target / 'teacher'}; the rest is for students.")
    return 0


def shipped_course() -> Path:
    """Where the shipped course is."""
    for place in PLACES:
        if place.is_dir():
            return place
    raise MediationError(
        "The course is not in this installation.",
        value=COURSE,
        expected=f"in {PLACES[0]} or {PLACES[1]}",
        fix="install mediawidget from a wheel, or run from a checkout",
    )


def files_of(course: Path) -> Iterator[Path]:
    """The files that belong to a course, none that its use has made."""
    for path in sorted(course.rglob("*")):
        parts = path.relative_to(course).parts
        made = any(part in OWN or part.startswith(".") for part in parts)
        if path.is_file() and not made:
            yield path
