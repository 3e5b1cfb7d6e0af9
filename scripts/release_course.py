"""Make the students' notebooks of the course from the teacher's.

    release_course.py [--check]

What is between `### BEGIN SOLUTION` and `### END SOLUTION` becomes `...  # your answer`, hidden
tests go, cells that grade are locked. nbgrader's own steps do it, so that what students hand in can
be collected and graded with the teacher's notebook. --check writes nothing and says what is out of
step.
"""

import argparse
import ast
import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat
from nbgrader import preprocessors as steps
from traitlets.config import Config

COURSE = Path(__file__).resolve().parent.parent / "examples" / "course"
STUB = "...  # your answer"
TEXT = "*Your answer here.*"
BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
BEGIN_TESTS, END_TESTS = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
#: nbgrader's order for a release, without its database.
STEPS = (
    steps.LockCells,
    steps.ClearSolutions,
    steps.ClearOutput,
    steps.ClearHiddenTests,
    steps.ClearMarkScheme,
    steps.ComputeChecksums,
    steps.CheckCellMetadata,
)


def released(teachers: Any) -> Any:
    """The students' copy of a notebook."""
    notebook = copy.deepcopy(teachers)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        shown = [visible(other.source) for other in cells if other is not cell]
        read, given = (set().union(*map(names, shown)) for names in (names_read, names_given))
        cell.source = with_names(cell.source, read - given)
    stub = {"python": STUB}
    config = Config(ClearSolutions={"code_stub": stub, "text_stub": TEXT})
    for step in STEPS:
        notebook, _ = step(config=config).preprocess(notebook, {})
        if step is steps.ClearSolutions:
            for cell in notebook.cells:
                cell.source = without_repeats(cell.source)
    return notebook


def with_names(source: str, others: set[str]) -> str:
    """Before each solution, `name = ...` for what it assigns and other cells read.

    Without them an unanswered notebook would end in a NameError; what stands there already stays.
    """
    lines, given = source.split("\n"), []
    for start, stop in solutions(lines):
        indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
        bound = [name for name in names_bound("\n".join(lines[start + 1 : stop])) if name in others]
        before = "\n".join(lines[:start])
        given.append(
            (start, [f"{indent}{n} = {STUB}" for n in bound if f"{n} = ..." not in before])
        )
    for start, added in reversed(given):
        lines[start:start] = added
    return "\n".join(lines)


def without_repeats(source: str) -> str:
    """A bare stub right below a line that says the same says nothing."""
    kept: list[str] = []
    for line in source.split("\n"):
        if line.strip() == STUB and kept and kept[-1].strip().endswith(f"= {STUB}"):
            continue
        kept.append(line)
    return "\n".join(kept)


def solutions(lines: list[str]) -> Iterator[tuple[int, int]]:
    """(first, last) line of each solution, its two marks."""
    start = None
    for number, line in enumerate(lines):
        if BEGIN in line:
            start = number
        elif END in line and start is not None:
            yield start, number
            start = None


def names_bound(code: str) -> list[str]:
    """What a piece of code assigns or defines at its outermost level, in order."""
    try:
        body = ast.parse(dedent(code)).body
    except SyntaxError:  # a part of an expression
        return []
    found: dict[str, None] = {}
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            found[statement.name] = None
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [n for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            found |= {n.id: None for n in names if isinstance(n.ctx, ast.Store)}
    return list(found)


def visible(source: str) -> str:
    """What a student will see of a cell."""
    kept, hidden = [], False
    for line in source.split("\n"):
        hidden = hidden or BEGIN in line or BEGIN_TESTS in line
        if not hidden:
            kept.append(line)
        hidden = hidden and not (END in line or END_TESTS in line)
    return "\n".join(kept)


def names_read(source: str) -> set[str]:
    """Every name that a cell reads; none of one that only IPython understands."""
    return _names(source, ast.Load)


def names_given(source: str) -> set[str]:
    """Every name that a cell gives a value to, in loops too."""
    return _names(source, ast.Store)


def _names(source: str, context: type[ast.expr_context]) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, context)}


def main() -> int:
    """Write the students' copies, or say which are out of step; 1 where some are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    late = out_of_step(COURSE)
    for path, text in late.items():
        print(f"{path.name} {'is out of step' if check else 'written'}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(late))


def out_of_step(course: Path) -> dict[Path, str]:
    """The students' copies that are not what the teacher's give: where they go, and what is due."""
    late = {}
    for source in sorted((course / "teacher").glob("*.ipynb")):
        teachers = nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call]
        text = nbformat.writes(released(teachers)) + "\n"  # type: ignore[no-untyped-call]
        theirs = course / source.name
        if not theirs.is_file() or theirs.read_text(encoding="utf-8") != text:
            late[theirs] = text
    return late


if __name__ == "__main__":
    sys.exit(main())
