"""A file that is damaged, or of something else, is refused; writing one loses nothing."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mediawidget as mw
from mediawidget import study_files
from tests.asking import pair
from tests.core.saving import asked, same
from tests.engine.cases import lm_of


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    found: mw.LM = lm_of("gpt2")
    return found


@pytest.fixture
def saved(lm: mw.LM, tmp_path: Path) -> tuple[mw.Study, Path]:
    study = asked(lm)
    return study, study.save(tmp_path / "study.json")


def changed_number(data: Any) -> None:
    numbers = data["study"]["effects"][0]["edited"]
    raw = bytearray(base64.b64decode(numbers["bytes"]))
    raw[3] ^= 1
    numbers["bytes"] = base64.b64encode(raw).decode()


def changed_prompt(data: Any) -> None:
    data["study"]["contrast"]["pairs"][0]["answer"] = "gnu"


@pytest.mark.parametrize("change", [changed_number, changed_prompt])
def test_a_file_changed_by_hand_is_noticed(
    saved: tuple[mw.Study, Path], change: Callable[[Any], None]
) -> None:
    study, path = saved
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(mw.MediationError, match="changed after it was written"):
        mw.Study.load(path, study.lm)


def test_a_file_that_is_spaced_anew_is_the_same_file(saved: tuple[mw.Study, Path]) -> None:
    study, path = saved
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2, ensure_ascii=True))
    same(mw.Study.load(path, study.lm).last, study.last)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"format": 1}', b"\xff\xfe", b"[" * 100_000, b"clean,corrupt"],
)
def test_a_foreign_file_is_refused(lm: mw.LM, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(content)
    with pytest.raises(mw.MediationError, match="no file of a saved study"):
        mw.Study.load(path, lm)


def test_a_place_that_cannot_be_written_is_refused(lm: mw.LM, tmp_path: Path) -> None:
    study = mw.Study(lm, pair())
    for path in (tmp_path / "none" / "s.json", tmp_path):
        with pytest.raises(mw.MediationError, match="cannot be written there"):
            study.save(path)
    assert list(tmp_path.iterdir()) == []


def test_no_file_and_a_folder_are_refused(lm: mw.LM, tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(mw.MediationError, match="no file of a saved study"):
            mw.Study.load(path, lm)


def test_every_truncation_is_refused(saved: tuple[mw.Study, Path]) -> None:
    study, path = saved
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(mw.MediationError, match="no file of a saved study"):
            mw.Study.load(path, study.lm)


BODY = (
    "tops",
    "contrast",
    "metric",
    "readout",
    "edits",
    "effects",
    "entries",
    "names",
    "cursor",
    "grids",
)


_VALUES: tuple[Any, ...] = (None, [], {}, -1, "x", [[0]])
NONSENSE: list[tuple[str, Any]] = [
    (field, value)
    for field in BODY
    for value in _VALUES
    # A study without grids, and the readout that is the default, are no nonsense.
    if (field, value) not in (("grids", []), ("grids", {}), ("readout", {}))
]


@pytest.mark.parametrize(("field", "value"), NONSENSE)
def test_nonsense_with_a_right_checksum_is_an_error(
    saved: tuple[mw.Study, Path], field: str, value: object
) -> None:
    study, path = saved
    data = json.loads(path.read_text())
    data["study"][field] = copy.deepcopy(value)
    data["checksum"] = study_files.checksum(data["study"])
    path.write_text(json.dumps(data))
    with pytest.raises(mw.MediationError):
        mw.Study.load(path, study.lm)


def test_a_failed_write_leaves_the_old_file(
    saved: tuple[mw.Study, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, path = saved
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(mw.MediationError, match="no space"):
        study.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
