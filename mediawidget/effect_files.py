"""Effects as files: JSON for reading, npz for size. Never pickle."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .edits import edit_from_json
from .effects import Effect, Status
from .errors import MediationError, require
from .estimated import ESTIMATE_COLUMNS
from .metrics import BASE_COLUMNS, metric_from_json
from .readouts import joined
from .validity import Check

FORMAT = "mediawidget-effect-2"
_EARLIER = "mediawidget-effect-1"
"""Kept the base columns alone, and a metric by its bare name."""

BROKEN = (
    *(AttributeError, EOFError, LookupError, OSError, OverflowError, RecursionError, TypeError),
    *(NotImplementedError, ValueError, zipfile.BadZipFile, zlib.error),
)
"""What numpy, json and zipfile raise on a file that is not what they expect."""

_FIX = "effect.save('effect.npz')"

ARRAYS = {"bases": np.float64, "edited": np.float64, "status": np.uint8}


def save(effect: Effect, path: Path) -> Path:
    """Write ``effect`` to ``path``, by its ending.

    A function of the user's is written by its name; the numbers it reads are all there.

    Raises:
        MediationError: another ending, or a place that cannot be written to.
    """
    header: dict[str, Any] = {"format": FORMAT, **header_of(effect)}
    arrays = arrays_of(effect)
    if path.suffix == ".npz":
        written: Any = {"header": np.array(json.dumps(header))}
        with writing(path, "The effect", _FIX), path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **written, **arrays)
    elif path.suffix == ".json":
        for name, array in arrays.items():
            values = [_as_json(value) for value in array.reshape(-1).tolist()]
            header[name] = {"shape": array.shape, "values": values}
        text = json.dumps(header, allow_nan=False)
        with writing(path, "The effect", _FIX):
            path.write_text(text, encoding="utf-8")
    else:
        raise _unreadable(path, "the ending is neither .json nor .npz")
    return path


def _as_json(number: float) -> float | str | None:
    """A number in words that numpy reads back: JSON has no infinity and no NaN."""
    if math.isfinite(number):
        return number
    return None if math.isnan(number) else str(number)


def header_of(effect: Effect) -> dict[str, Any]:
    """All of an effect but its arrays, as plain data."""
    return {
        "axes": {name: list(labels) for name, labels in effect.axes.items()},
        "edit": effect.edit.to_json(),
        "metric": effect.metric.to_json(),
        "columns": list(effect.columns),
        "labels": list(effect.labels),
        "checks": [asdict(check) for check in effect.checks],
        "facts": dict(effect.facts),
        "clusters": list(effect.clusters),
        "groups": list(effect.groups),
    }


def arrays_of(effect: Effect) -> dict[str, Any]:
    """The arrays of an effect, in the types in which files hold them."""
    return {name: np.asarray(getattr(effect, name), dtype) for name, dtype in ARRAYS.items()}


def as_path(
    path: object,
    thing: str = "An effect",
    expected: str = "a path that ends in .json or .npz",
    fix: str = _FIX,
) -> Path:
    """The place of a file, refused if it is none.

    Args:
        path: what was given. The others are the words of the refusal.
        thing: what is saved.
        expected: instead.
        fix: a call that goes.
    """
    require(
        isinstance(path, str | Path) and bool(str(path)),
        f"{thing} is saved in a file.",
        value=path,
        expected=expected,
        fix=fix,
    )
    return Path(str(path))


@contextmanager
def writing(
    path: Path,
    thing: str,
    fix: str,
    *,
    place: str = "a file in a folder that can be written to",
    also: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """What keeps a file from being written inside is said in words.

    Args:
        path: of the file.
        thing: what is saved: "The study".
        fix: a call that goes.
        place: where it could be written.
        also: what a library raises beside ``OSError`` where it cannot write.

    Raises:
        MediationError: no such folder, a folder in its place, no right to write there.
    """
    raised: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except raised as error:
        raise MediationError(
            f"{thing} cannot be written there.",
            value=f"{path}: {getattr(error, 'strerror', None) or error}",
            expected=place,
            fix=fix,
        ) from error


def load(path: Path) -> Effect:
    """Read an effect from ``path``, by its ending.

    Raises:
        MediationError: there is no such file, or it is none of ours, or was cut short.
    """
    try:
        header, arrays = _parts(path)
        if header.get("format") not in (FORMAT, _EARLIER):
            raise _unreadable(path, f"its format is {header.get('format')!r}")
        return effect_of(header, arrays)
    except MediationError:
        raise
    except BROKEN as error:
        why = f"{type(error).__name__}: {error}"
        raise _unreadable(path, why) from error


def _parts(path: Path) -> tuple[Any, dict[str, Any]]:
    """What a file holds, as it stands there."""
    try:
        if path.suffix == ".npz":
            # Opened here, for numpy leaves a file open that it cannot read.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                header = json.loads(str(stored["header"]))
                arrays = {name: stored[name] for name in ARRAYS}
        elif path.suffix == ".json":
            header = json.loads(path.read_text(encoding="utf-8"))
            arrays = {
                name: np.array(header[name]["values"], dtype).reshape(header[name]["shape"])
                for name, dtype in ARRAYS.items()
            }
        else:
            raise _unreadable(path, "the ending is neither .json nor .npz")
    except MemoryError as error:
        raise _unreadable(path, "it claims to be larger than the memory") from error
    return header, arrays


def effect_of(header: Any, arrays: dict[str, Any]) -> Effect:
    """The effect of a header and arrays that were read somewhere; what is amiss raises."""
    axes = {name: tuple(labels) for name, labels in header["axes"].items()}
    checks = tuple(Check(**check) for check in header["checks"])
    labels, columns = tuple(header["labels"]), tuple(header.get("columns", BASE_COLUMNS))
    for coordinates in axes.values():
        _all_are(int | str, coordinates)
    _all_are(str, [*labels, *columns])
    _all_are(str, [text for check in checks for text in (check.name, check.words)])
    _all_are(bool | None, [check.ok for check in checks])
    _all_are(dict, [header["facts"]])
    _all_are(Status, [Status(int(code)) for code in arrays["status"].flat])
    return Effect(
        axes=axes,
        edit=edit_from_json(header["edit"]),
        metric=metric_from_json(header["metric"]),
        labels=labels,
        checks=checks,
        facts=header["facts"],
        columns=columns if columns == ESTIMATE_COLUMNS else joined(columns),
        clusters=tuple(header.get("clusters", ())),
        groups=tuple(header.get("groups", ())),
        **{name: arrays[name].astype(dtype) for name, dtype in ARRAYS.items()},
    )


def _all_are(kind: Any, values: Sequence[object]) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise TypeError(f"{value!r} where {kind} belongs")


def _unreadable(path: Path, why: str) -> MediationError:
    return MediationError(
        "This is no file of a saved effect.",
        value=f"{path}: {why}",
        expected=f"a .json or .npz file of format {FORMAT}",
        fix="effect.save('effect.npz') writes one",
    )
