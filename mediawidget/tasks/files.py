"""One's own pairs from a file: a table with commas, or a JSON object a line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..answers import parted
from ..errors import MediationError, require
from ..prompts import Contrast, KeptRoles
from ._rows import NAMES, REQUIRED, Row, Where, contrast, refuse_columns, text

_PROMPTS, _ANSWERS = REQUIRED[:2], REQUIRED[2:]
_OPTIONAL = (*NAMES, "roles", "roles_of", "alignment")
_ROLE = "role:"
_POSITIONS = re.compile(r"\d{1,9}(\s+\d{1,9})*", re.ASCII)
_OBJECT = '{"clean": "...", "corrupt": "...", "answer": "...", "wrong": "..."}'


def from_csv(path: str | Path, name: str = "") -> Contrast:
    """Pairs from a table with the columns clean, corrupt, answer and wrong.

    The first line names the columns; a space after a comma is no part of a cell. An answer of
    several right tokens has bars between them ("is|was"). Further columns may be ``template``,
    ``group``, and ``role:NAME`` for a role's position in the clean prompt ("3", or "3 4" for a
    span; empty where a pair has none).

    Args:
        path: a file in UTF-8.
        name: what the contrast is called; the file's name, unless told otherwise.

    Raises:
        MediationError: the file cannot be read, or a line is no pair; it names file, line and
            column.
    """
    place, content = _content(path)
    return _of_table(place, content, name)


def from_jsonl(path: str | Path, name: str = "") -> Contrast:
    """Pairs from a file with a JSON object a line: what ``PromptPair.to_json`` gives.

    Keys are clean, corrupt, answer and wrong (a text, or a list of texts: any of them is right);
    further ones may be roles (an object of names and positions, or lists of positions),
    ``roles_of`` ("corrupt" after a swap that no model had a part in), alignment, template and
    group. Empty lines are skipped.

    Args:
        path: a file in UTF-8.
        name: what the contrast is called; the file's name, unless told otherwise.

    Raises:
        MediationError: the file cannot be read, or a line is no pair; it names file, line and
            key.
    """
    place, content = _content(path)
    return _of_lines(place, content, name)


def from_text(content: str, filename: str) -> Contrast:
    """The same of a file's content, a table where its name ends in .csv.

    Args:
        content: what stands in the file.
        filename: what it is called, for messages and for the contrast's name.

    Raises:
        MediationError: a line is no pair, or the name ends in neither .csv nor .jsonl.
    """
    place = Path(filename)
    readers = {".csv": _of_table, ".jsonl": _of_lines}
    require(
        place.suffix.lower() in readers,
        "Pairs are read from a table with commas, or from a JSON object a line.",
        value=filename,
        expected="a name that ends in .csv or .jsonl",
        fix="save it as one of the two",
    )
    return readers[place.suffix.lower()](place, content.removeprefix("\ufeff"), "")


def _of_table(place: Path, content: str, name: str) -> Contrast:
    return contrast(place, _table(place, content), name)


def _of_lines(place: Path, content: str, name: str) -> Contrast:
    lines = ((Where(place, i), line) for i, line in enumerate(content.split("\n"), start=1))
    rows = (Row(where, _object(where, line)) for where, line in lines if line.strip())
    return contrast(place, rows, name)


def _content(path: object) -> tuple[Path, str]:
    """The place of a file and its text, without the mark that some programs begin it with."""
    require(
        isinstance(path, str | Path) and bool(str(path)),
        "Pairs are read from a file.",
        value=path,
        expected="a path",
        fix="mw.tasks.from_csv('pairs.csv')",
    )
    place = Path(str(path))
    try:
        data = place.read_bytes()
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        raise MediationError(
            "There is no such file." if missing else "The file cannot be read.",
            value=str(place) if missing else f"{place}: {error}",
            expected=f"a file, looked for from {Path.cwd()}",
            fix="check the path",
        ) from error
    try:
        return place, data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = Where(place, data.count(b"\n", 0, error.start) + 1)
        raise where.error(
            "The file is not in UTF-8.",
            f"byte {data[error.start]:#04x}",
            expected="text in UTF-8",
            fix="save it again as UTF-8; spreadsheets call it 'CSV UTF-8'",
        ) from error


def _lines(path: Path, content: str) -> Iterator[tuple[Where, list[str]]]:
    """The cells of every line of a table that is not blank, and where it begins."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True, skipinitialspace=True)
    while True:
        where = Where(path, reader.line_num + 1)
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise where.error(
                "The line is no row of a table with commas.",
                error,
                expected="cells with commas between them, and quotes that are closed again",
                fix="write a quote within a quoted cell twice, or save the table again",
            ) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield where, cells


def _table(path: Path, content: str) -> Iterator[Row]:
    """The rows of a table below its first line."""
    header: list[str] = []
    for where, cells in _lines(path, content):
        if not header:
            header = [cell.strip() for cell in cells]
            refuse_columns(where, header, (*NAMES, _ROLE))
            continue
        if len(cells) != len(header):
            raise where.error(
                "A line has other columns than the first.",
                f"{len(cells)} cells: {', '.join(map(repr, cells))}",
                expected=f"{len(header)} cells: {', '.join(header)}",
                fix="put cells with commas in double quotes, and keep the commas of empty ones",
            )
        yield Row(where, _cells(where, dict(zip(header, cells, strict=True))))


def _cells(where: Where, cells: Mapping[str, str]) -> dict[str, Any]:
    """A line of a table as the fields of a pair."""
    fields: dict[str, Any] = {name: text(where.of(name), cells[name]) for name in _PROMPTS}
    for name in _ANSWERS:
        members = [text(where.of(name), part) for part in parted(cells[name])]
        fields[name] = members if len(members) > 1 else cells[name]
    fields |= {name: cells[name].strip() for name in NAMES if name in cells}
    fields["roles"] = {
        column.removeprefix(_ROLE).strip(): _positions(where.of(column), cell.strip())
        for column, cell in cells.items()
        if column.startswith(_ROLE) and cell.strip()
    }
    return fields


def _positions(where: Where, cell: str) -> int | tuple[int, ...]:
    if not _POSITIONS.fullmatch(cell):
        raise where.error(
            "A role is at a position.",
            cell,
            expected="a whole number from 0, or several with spaces between them",
            fix="3, or 3 4; lm.tokens(clean) shows the positions",
        )
    positions = tuple(int(number) for number in cell.split())
    return positions[0] if len(positions) == 1 else positions


def _object(where: Where, line: str) -> dict[str, Any]:
    """A line of JSON as the fields of a pair."""
    try:
        data = json.loads(line, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        at = f", character {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise where.error(
            "The line is no JSON.",
            f"{getattr(error, 'msg', error)}{at}: {line[:80]}",
            expected=f"an object a line, {_OBJECT}",
            fix="write every pair on a line of its own, without a list around them",
        ) from error
    if not isinstance(data, dict):
        raise where.error(
            "The line is no pair.",
            line[:80],
            expected=f"an object, {_OBJECT}",
            fix="write every pair on a line of its own, without a list around them",
        )
    refuse_columns(where, data, _OPTIONAL)
    fields = {name: value for name, value in data.items() if value is not None or name in REQUIRED}
    for name in (*_PROMPTS, *_ANSWERS):
        some = data[name] if name in _ANSWERS and isinstance(data[name], list) else [data[name]]
        for one in some:
            text(where.of(name), one)
    if "roles" in fields:
        fields["roles"] = _roles(where.of("roles"), fields["roles"])
    of = fields.pop("roles_of", "clean")
    if of not in ("clean", "corrupt"):
        raise where.of("roles_of").error(
            "Roles are of one of the two prompts.",
            of,
            expected="'clean', or 'corrupt' after a swap that no model had a part in",
            fix="leave it out: roles are positions of the clean prompt",
        )
    if of == "corrupt":
        fields["roles"] = KeptRoles(fields.get("roles", {}))
    return fields


def _each_once(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's keys and values, refused if a key is there twice."""
    names = [name for name, _ in items]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"the key {twice[0]!r} is there twice")
    return dict(items)


def _roles(where: Where, roles: object) -> dict[str, Any]:
    """Names of positions, and of lists of them as spans."""
    given = roles if isinstance(roles, dict) else {"": roles}
    spans = {
        name: tuple(at) if isinstance(at, list) else (at,) for name, at in given.items() if name
    }
    whole = all(
        isinstance(one, int) and not isinstance(one, bool) and one >= 0
        for at in spans.values()
        for one in at
    )
    if len(spans) < len(given) or not whole or not all(spans.values()):
        raise where.error(
            "A role is at a position.",
            roles,
            expected="an object of names, each with a whole number from 0 or a list of them",
            fix='"roles": {"END": 9, "subject": [1, 2]}; lm.tokens(clean) shows the positions',
        )
    return {name: at if isinstance(given[name], list) else at[0] for name, at in spans.items()}
