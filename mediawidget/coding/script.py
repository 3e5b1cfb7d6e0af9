"""The script: loads the model, sets the sites, prints the quantities. Nothing in it is a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..edits import (
    Clamp,
    Edit,
    Knockout,
    Mean,
    Patch,
    Projection,
    Scale,
    Steer,
    Subspace,
    Within,
    Zero,
)
from ..errors import MediationError, require
from ..naming import spanned
from ..sites import Site
from .parts import head, loading, pairs
from .places import spots_of
from .readings import Readings, reading_lines, readings_of
from .refusals import cannot
from .runs import looking, part_lines, results, running, vector_lines

if TYPE_CHECKING:
    from ..study import Study


def script(study: Study, model: str | None = None) -> str:
    """See ``Study.to_code``."""
    given: object = model
    require(
        given is None or (isinstance(given, str) and bool(given.strip())),
        "A script loads its model by a name.",
        value=model,
        expected="None, the name of a model on the hub, or a folder",
        fix="study.to_code(model='openai-community/gpt2')",
    )
    refuse_study(study)
    entry = study.history.current
    if entry is not None and entry.freeze:
        raise cannot("sites that are held at their base", entry.freeze, "an entry without freeze")
    how = readings_of(study.token_pairs, study.metric)
    edits = entry.edits if entry else {}
    source = _source(edits, how)
    _refuse_mean(source, study)
    roles = [{name: spanned(at) for name, at in p.roles.items()} for p in study.contrast]
    spots = spots_of(edits, study.lm, [len(p) for p in study.token_pairs], roles)
    corners = entry is not None and entry.effect.edit.corners
    parts = [
        head(spots, corners=corners),
        loading(study.lm, model, eager=any(".source." in spot.place for spot in spots)),
        pairs(study, how),
        vector_lines(spots, study.lm),
        part_lines(spots, study.lm),
        *looking(spots, how, source, study.lm),
        running(spots, how, source, study.lm),
        reading_lines(how),
        results(how, source, corners=corners, edited=bool(spots)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


# --- what is refused ----------------------------------------------------------------------------


def refuse_study(study: Study) -> None:
    """Raise for models and prompts that no script is written for."""
    lm = study.lm
    if lm.backend is not None:
        raise MediationError(
            "There is no code for a model on a server: a script loads its weights.",
            value=lm.name,
            expected="a model that runs here",
            fix="study.save(path) keeps what was asked, and Study.load(path, lm) asks it again; "
            "or mw.load(name) without remote=",
        )
    reads_on = lm.causal and not lm.encodes and lm.paths.mixes == "attention"
    if lm.classifies or not reads_on or not type(lm.hf).__module__.startswith("transformers."):
        raise cannot("this kind of model", type(lm.hf).__name__, "a causal model of transformers")
    lengths = [(len(pair.clean), len(pair.corrupt)) for pair in study.token_pairs]
    if any(a != b for a, b in lengths):
        raise cannot("prompts of different lengths", lengths, "as many tokens in both prompts")


def _refuse_mean(source: str, study: Study) -> None:
    lengths = {len(pair) for pair in study.token_pairs}
    if source.startswith("mean") and len(lengths) > 1:
        raise cannot("means over prompts of several lengths", lengths, "prompts of one length")


def _source(edits: Mapping[Site, Edit], how: Readings) -> str:
    """Where the values come from that sites are set to: "" for nowhere, else one for all.

    "other", "clean", "corrupt": that prompt; "mean", "mean clean"...: a mean over prompts.
    """
    sources = {_source_of(edit, site) for site, edit in edits.items()} - {""}
    if len(sources) > 1:
        raise cannot("values of several origins at once", sorted(sources), "one origin for all")
    source = sources.pop() if sources else ""
    if source.startswith("mean") and how.forced:
        raise cannot("means before answers of several tokens", source, "answers of one token")
    return source


def _source_of(edit: Edit, site: Site) -> str:
    match edit:
        case Patch(source=None):
            return "other"
        case Patch(source="clean" | "corrupt" as base):
            return base
        case Mean(base):
            return f"mean {base}" if base else "mean"
        case Zero() | Scale() | Steer() | Clamp() | Knockout():
            return ""
        case Within(part=Subspace() | Projection(), edit=inner):
            return _source_of(inner, site)
    kind = f"{edit.kind} of values or runs" if isinstance(edit, Patch) else edit.kind
    some = "patch, zero, mean, clamp, steer, scale or knockout"
    raise cannot(f"the edit {kind!r}", f"{site.label()}: {edit!r}", some)
