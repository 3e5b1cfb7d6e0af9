"""What a wheel carries beside the package: the first notebook and the course (stdlib only)."""

from pathlib import Path

NOTEBOOK = "examples/01_click_to_patch.ipynb"
COURSE = "examples/course"
#: Folders that a course gets when it is used.
USED = ("answers", "__pycache__")


def examples(root: Path) -> list[str]:
    """The files, as paths from the root of the project."""
    names = [
        path.relative_to(root) for path in sorted((root / COURSE).rglob("*")) if path.is_file()
    ]
    made = [any(part in USED or part.startswith(".") for part in name.parts) for name in names]
    course = [name.as_posix() for name, own in zip(names, made, strict=True) if not own]
    return [NOTEBOOK, *course]
