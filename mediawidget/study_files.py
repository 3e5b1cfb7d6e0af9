"""Studies as files: what was asked and everything that came of it, as JSON. Never pickle.

Numbers go in as the bytes of their double precision, so they come back to the last bit. A file
holds a checksum of itself, and what tells its model from others.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from .edits import Edit, edit_from_json
from .effect_files import BROKEN, writing
from .errors import MediationError, require
from .lm import LM
from .metrics import Metric, SavedFunction, metric_from_json
from .precision import logits_of, tolerance
from .prompts import Contrast
from .readouts import Readout
from .study_json import body_of, freeze_of, record_of, sites_of

if TYPE_CHECKING:
    from .study import Study

FORMAT = "mediawidget-study-1"


def save(study: Study, path: Path) -> Path:
    """Write a study. A file that is there already is replaced only once all is written."""
    remote = study.lm.remote
    if remote is None:
        _refuse_changed_weights(study)
    body = {"model": _model(study), **body_of(study)}
    if remote is not None and remote.jobs:
        body["jobs"] = remote.ledger.to_json()
    data = {"format": FORMAT, "checksum": checksum(body), "study": body}
    text = json.dumps(data, allow_nan=False)
    with writing(path, "The study", "study.save('study.json')"):
        put_in_place(path, text)
    return path


def load(kind: type[Study], path: Path, lm: LM, metric: Metric | None, *, rerun: bool) -> Study:
    """Read what ``save`` wrote; see ``Study.load``."""
    body = _read(path)
    try:
        return _study(kind, body, lm, metric, rerun)
    except MediationError:
        raise
    except BROKEN as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error


def checksum(body: Mapping[str, Any]) -> str:
    """Of the content, however it is spaced."""
    return xxhash.xxh3_128_hexdigest(json.dumps(body, sort_keys=True).encode())


def put_in_place(path: Path, text: str) -> None:
    """Put a whole file where there may be one, in one step; who may read it stays as it was.

    A new one is as open as any that the user makes: ``tempfile`` would keep it from all others.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with new.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
            if path.exists():
                shutil.copymode(path, new)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def _model(study: Study) -> dict[str, Any]:
    """What tells a model from others: its weights, and how it reads these prompts."""
    tokens = xxhash.xxh3_128()
    for pair in study.token_pairs:
        tokens.update(repr((pair.clean.tolist(), pair.corrupt.tolist(), pair.answers)).encode())
    return {
        "name": study.lm.name,
        "class": type(study.lm.hf).__name__,
        "weights": study.lm.identity(),
        "tokens": tokens.hexdigest(),
    }


# --- reading ------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Any]:
    """The body of a file that is whole, and as it was written."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found, body, said = data["format"], data["study"], data["checksum"]
    except FileNotFoundError as error:
        raise _unreadable(path, "there is no such file") from error
    except MemoryError as error:
        raise _unreadable(path, "it is larger than the memory") from error
    except BROKEN as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}"[:300]) from error
    if found != FORMAT or not isinstance(body, dict):
        raise _unreadable(path, f"its format is {found!r}"[:300])
    require(
        said == checksum(body),
        "This file of a study was changed after it was written.",
        value=str(path),
        expected="a file as study.save wrote it",
        fix="take it from a copy, or run the study again",
    )
    return body


def _study(
    kind: type[Study], body: dict[str, Any], lm: LM, metric: Metric | None, rerun: bool
) -> Study:
    metric = _metric(body["metric"], metric)
    edits = [edit_from_json(data) for data in body["edits"]]
    contrast = Contrast.from_json(body["contrast"])
    study = kind(lm, contrast, metric, edits[body["edit"]], Readout(**body["readout"]))
    _refuse_another_model(body["model"], study, rerun)
    if lm.remote is not None and "jobs" in body:
        lm.remote.ledger.take(body["jobs"])
    if rerun:
        _run_again(study, body, edits)
        return study
    study.restore(record_of(body, edits, metric))
    _refuse_other_runs(study)
    return study


def _metric(data: Any, given: Metric | None) -> Metric:
    """The metric of the file, or what is given in its stead."""
    saved = metric_from_json(data)
    if given is not None:
        return given
    if isinstance(saved, SavedFunction):
        raise MediationError(
            "This study was saved under a function of yours, and a file cannot hold a function.",
            value=repr(saved.called),
            expected="the function again, or another metric",
            fix="Study.load(path, lm, metric=Function(fn, "
            f"name={saved.called!r}, tokens={list(saved.tokens)!r}))",
        )
    return saved


def _run_again(study: Study, body: dict[str, Any], edits: list[Edit]) -> None:
    """Every intervention of the file, on the model that is there now."""
    for index, data in enumerate(body["entries"]):
        if index == 0:
            continue
        if data is None:
            study.clear()
            continue
        try:
            study.intervene(sites_of(data, edits), freeze_of(data))
        except MediationError as error:
            raise MediationError(
                f"Entry {index} of the history cannot be run on this model. {error.message}",
                value=error.value,
                expected=error.expected,
                fix="a model that has its sites; or ask anew: Study(lm, contrast)",
            ) from error
    for index, name in enumerate(body["names"]):
        study.history.name(index, str(name) or None)
    study.walk(body["cursor"])


# --- whose it is --------------------------------------------------------------------------------


def _refuse_changed_weights(study: Study) -> None:
    """A file is of one set of weights, which it names: those that all of it was run on."""
    run = len(study.history) > 1 or study.last is not None or any(study.record().grids.items())
    before = study.revision
    study.total  # noqa: B018 - runs the prompts anew: what is of other weights is forgotten
    require(
        not run or study.revision == before,
        "The model's weights have changed since this study was run, so its results are no more.",
        value=study.lm.name,
        expected="the weights that the results are of",
        fix="run it again, then save it",
    )


def _refuse_another_model(saved: dict[str, Any], study: Study, rerun: bool) -> None:
    here = _model(study)
    require(
        saved["tokens"] == here["tokens"],
        "This model reads the prompts of the saved study in other tokens.",
        value=f"saved: {saved['name']}; here: {here['name']}",
        expected="the same tokenizer, for positions are counted in its tokens",
        fix=f"mw.load({saved['name']!r}), or a new study of the same prompts",
    )
    same = (saved["class"], saved["weights"]) == (here["class"], here["weights"])
    if not (rerun or same):
        raise _another(saved, here)


def _another(saved: dict[str, Any], here: dict[str, Any]) -> MediationError:
    def said(model: dict[str, Any]) -> str:
        return f"{model['name']} ({model['class']}, weights {str(model['weights'])[:8]})"

    return MediationError(
        "The study was saved with another model, or with other weights.",
        value=f"saved: {said(saved)}; here: {said(here)}",
        expected="the model that the numbers are of",
        fix="Study.load(path, lm, rerun=True) asks the same of this model",
    )


def _refuse_other_runs(study: Study) -> None:
    """What a fingerprint does not see, hooks and settings, shows in the base runs."""
    if study.lm.remote is not None and study.record().total is None:
        return
    known, now = study.known_total.bases, study.engine.evaluate([]).bases
    if known.shape == now.shape:
        known, now = (logits_of(one, study.engine.columns) for one in (known, now))
    near = tolerance(study.lm, known)
    require(
        known.shape == now.shape and np.allclose(known, now, rtol=0, atol=near, equal_nan=True),
        "The model does not compute what it did when the study was saved.",
        value=f"the prompts' own runs differ by {np.abs(known - now).max():.3g}"
        if known.shape == now.shape
        else f"{now.shape} numbers of the prompts' own runs",
        expected=f"at most {near:.3g}: the same weights, settings and hooks",
        fix="Study.load(path, lm, rerun=True) asks the same of this model",
    )


def _unreadable(path: Path, why: str) -> MediationError:
    return MediationError(
        "This is no file of a saved study.",
        value=f"{path}: {why}",
        expected=f"a whole file of format {FORMAT}",
        fix="study.save('study.json') writes one",
    )
