"""One row of a file of pairs: what may stand in it, and what is said of what may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import MediationError
from ..prompts import Contrast, PromptPair

REQUIRED = ("clean", "corrupt", "answer", "wrong")
NAMES = ("template", "group")


class Where(NamedTuple):
    """A line of a file, counted from 1, and a column of it."""

    path: Path
    line: int
    column: str = ""

    def error(self, message: str, got: object, *, expected: str, fix: str) -> MediationError:
        """An error that names the place before what was found there."""
        column = f", column {self.column!r}" if self.column else ""
        text = repr(got) if self.column else str(got)
        text = text if len(text) <= 200 else text[:200] + "..."
        return MediationError(
            message,
            value=f"{self.path}, line {self.line}{column}: {text}",
            expected=expected,
            fix=fix,
        )

    def of(self, column: str) -> Where:
        """The same line, at a column."""
        return self._replace(column=column)


class Row(NamedTuple):
    """What a line says of a pair, by column: prompts, answers, names, roles, alignment."""

    where: Where
    fields: Mapping[str, Any]


def refuse_columns(where: Where, found: Iterable[str], optional: tuple[str, ...]) -> None:
    """Raise unless the required columns are there, and no others than these and the optional.

    Args:
        where: the line that names them.
        found: their names.
        optional: names that may be there; one that ends in a colon begins the names of many.
    """
    names = list(found)
    known = (*REQUIRED, *optional)
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise where.error(
            "A pair lacks " + " and ".join(map(repr, missing)) + ".",
            ", ".join(map(repr, names)) or "nothing",
            expected=", ".join(REQUIRED),
            fix="name the columns in the first line, with commas between them, or the keys of "
            "each JSON object",
        )
    beginnings = {name for name in known if name.endswith(":")}
    for name in names:
        used = name in {*known} - beginnings or any(
            name.startswith(some) and name != some for some in beginnings
        )
        if not used or names.count(name) > 1:
            raise where.error(
                "A column is there twice." if used else "There is no use for this column.",
                repr(name),
                expected=", ".join(f"{some}NAME" if some in beginnings else some for some in known),
                fix="rename it, or leave it out",
            )


def text(where: Where, value: object) -> str:
    """A text that is not blank.

    Raises:
        MediationError: it is another kind of value, or blank.
    """
    if not isinstance(value, str) or not value.strip():
        raise where.error(
            "The text is missing." if value in ("", None) else "This is no text.",
            value,
            expected="a text that is not empty",
            fix="fill it in, or take the line out",
        )
    return value


def contrast(path: Path, rows: Iterable[Row], name: str) -> Contrast:
    """The rows' pairs, each once.

    Raises:
        MediationError: there are no rows, two are the same, or one is no pair.
    """
    pairs: dict[tuple[Any, ...], tuple[int, PromptPair]] = {}
    for where, fields in rows:
        try:
            pair = PromptPair(**fields)
        except MediationError as error:
            raise where.error(
                error.message, error.value, expected=error.expected, fix=error.fix
            ) from error
        key = (pair.clean, pair.corrupt, pair.answers, pair.wrongs)
        if key in pairs:
            raise where.error(
                "A pair is there twice.",
                f"the same as line {pairs[key][0]}",
                expected="every pair once, for the pair is the unit of every statistic",
                fix="take one of the two lines out",
            )
        pairs[key] = (where.line, pair)
    if not pairs:
        raise MediationError(
            "The file has no pairs.",
            value=str(path),
            expected="a line for every pair",
            fix="add lines with " + ", ".join(REQUIRED),
        )
    given: object = name
    called = path.stem if isinstance(given, str | None) and not given else name
    return Contrast([pair for _, pair in pairs.values()], called)
