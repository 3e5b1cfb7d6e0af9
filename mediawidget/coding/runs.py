"""The parts of a script that run the model: what sites are, runs in which they are set, results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from ..edits import Clamp, Edit, Knockout, Mean, Patch, Projection, Scale, Steer, Subspace, Within
from ..lm import LM
from .places import Spot
from .readings import Readings


def vector_lines(spots: Sequence[Spot], lm: LM) -> list[str]:
    """The vectors that are added, or that sites are set to; none for most edits."""
    vectors = [v for v in (_vector(spot) for spot in spots) if v is not None]
    if not vectors:
        return []
    where = "" if lm.device.type == "cpu" else ", device=hf.device"
    rows = [f"    torch.tensor({list(v)}, dtype={lm.dtype}{where})," for v in vectors]
    return ["vectors = [  # in the order of the sites below", *rows, "]"]


def part_lines(spots: Sequence[Spot], lm: LM) -> list[str]:
    """The directions that parts of a value are read by and written along; none for most edits."""
    parts = [spot.edit.part for spot in spots if isinstance(spot.edit, Within)]
    if not parts:
        return []
    where = "" if lm.device.type == "cpu" else ", device=hf.device"
    rows = [f"    {_matrices(part, f', dtype={lm.dtype}{where}')}," for part in parts]
    return ["parts = [  # (read by, written along), a direction a row", *rows, "]"]


def _matrices(part: object, options: str) -> str:
    match part:
        case Subspace(rows=rows):
            pair = (rows, rows)
        case Projection(written=written, read=read):
            pair = (read, written)
        case _:
            raise AssertionError(part)
    both = (f"torch.tensor({[list(row) for row in rows]}{options})" for rows in pair)
    return f"({', '.join(both)})"


def inner(edit: Edit) -> Edit:
    """What an edit does, wherever it is confined to."""
    return edit.edit if isinstance(edit, Within) else edit


def _vector(spot: Spot) -> tuple[float, ...] | None:
    """The vector of a site's edit, if it has one."""
    match inner(spot.edit):
        case Steer(vector=tuple() as vector) | Clamp(value=tuple() as vector):
            return vector
    return None


def looking(spots: Sequence[Spot], how: Readings, source: str, lm: LM) -> list[list[str]]:
    """The functions that say what sites are; none where nothing is taken from anywhere."""
    if not source:
        return []
    look = [
        f"def look(prompt{', fed' if how.forced else ''}):",
        '    """What the sites are on a prompt."""',
        _trace(how, lm),
        *(f"        {line}" for line in _looks_inside(spots)),
        "        values = [",
        *(f"            {spot.text}.clone(),  # {spot.label}" for spot in spots if _takes(spot)),
        "        ].save()",
        "    return values",
    ]
    if not source.startswith("mean"):
        return [look]
    mean = [
        "def mean(prompts):",
        '    """What the sites are in the mean over prompts."""',
        "    return [torch.stack(values).mean(0) for values in zip(*map(look, prompts))]",
    ]
    return [look, mean]


def running(spots: Sequence[Spot], how: Readings, source: str, lm: LM) -> list[str]:
    """The function that gives the logits of a run, edited or not."""
    given = ", given=None" if how.forced and source else ", new=None" if source else ""
    given = given or (", edited=False" if spots else "")
    words = "" if not spots else "; `new` is what the sites are set to" if source else "; edited"
    if how.forced and source:
        words = "; the sites are set to what they are on the prompt `given`"
    where = "" if how.forced else f"{-1 if how.at is None else how.at}"
    which = "at every position" if how.forced else "after the prompt"
    if how.at is not None:
        which = f"after position {how.at}"
    lines = [
        f"def run(prompt{', fed' if how.forced else ''}{given}):",
        f'    """Logits {which}{words}."""',
        *(["    new = look(given, fed) if given else None"] if how.forced and source else []),
        _trace(how, lm),
    ]
    if spots:
        lines += [
            "        if new is not None:" if source else "        if edited:",
            *(f"            {line}" for line in _looks_inside(spots)),
            *_writes(spots),
        ]
    part = f"[0, {where}]" if where else "[0]"
    return [
        *lines,
        f"        logits = model.output.logits{part}.double().save()",
        "    return logits",
    ]


def _trace(how: Readings, lm: LM) -> str:
    ids = 'tokenizer(prompt, return_tensors="pt").input_ids'
    if how.forced:
        ids = "torch.tensor([tokenizer(prompt).input_ids + fed])"
    ids += "" if lm.device.type == "cpu" else ".to(hf.device)"
    return f"    with model.trace(input_ids={ids}):"


def _looks_inside(spots: Sequence[Spot]) -> list[str]:
    """A line for each attention that is looked into after a map of its own, as its queries are.

    A trace takes the first look inside a module only before that begins.
    """
    inside = dict.fromkeys(spot.place.partition(".source.")[0] for spot in spots if spot.inside)
    maps = [spot.place for spot in spots if not spot.inside]
    return [
        f"{module}.source  # what is inside is looked for before it runs"
        for module in inside
        if any(place.startswith(f"{module}.") for place in maps)
    ]


def _writes(spots: Sequence[Spot]) -> list[str]:
    """A line for each spot, in the order of a forward pass: a trace takes no other."""
    new, vectors, parts = count(), count(), count()
    lines = []
    for spot in spots:
        does = _does(spot, inner(spot.edit), new, vectors)
        if isinstance(spot.edit, Within):
            k = next(parts)
            does = f"+= {_change(spot, does)} @ parts[{k}][0].T @ parts[{k}][1]"
        lines.append(f"            {spot.text} {does}  # {spot.label}")
    return lines


def _does(spot: Spot, edit: Edit, new: Iterator[int], vectors: Iterator[int]) -> str:
    """An assignment to a spot, without the spot: "= ...", "+= ..." or "*= ..."."""
    match edit:
        case Patch(alpha=1.0) | Mean():
            does = f"= new[{next(new)}]"
        case Patch(alpha=alpha):
            does = f"+= {alpha!r} * (new[{next(new)}] - {spot.text})"
        case Scale(factor):
            does = f"*= {factor!r}"
        case Steer(scale=scale):
            does = f"+= {scale!r} * vectors[{next(vectors)}]"
        case Clamp(value=tuple()):
            does = f"= vectors[{next(vectors)}]"
        case Clamp(value=value):
            does = f"= {value!r}"
        case Knockout():
            does = "= -torch.inf"
        case _:
            does = "= 0"
    return does


def _change(spot: Spot, does: str) -> str:
    """By how much an assignment changes a spot, in brackets."""
    sign, value = does.split(" ", 1)
    changes = {"=": f"{value} - {spot.text}", "+=": value, "*=": f"({value} - 1) * {spot.text}"}
    return f"({changes[sign]})"


def _takes(spot: Spot) -> bool:
    return isinstance(inner(spot.edit), Patch | Mean)


def results(how: Readings, source: str, *, corners: bool, edited: bool) -> list[str]:
    """The loop over pairs, and what is printed: means over pairs."""
    given = ["", "", *(_given(source, how) if edited else ())]
    bases = ["clean", "corrupt", "clean", "corrupt"][: len(given)]
    names = ["y11", "y00", "y10", "y01"][: len(given)]
    runs = [_run(base, one, how) for base, one in zip(bases, given, strict=True)]
    row = ["    rows.append([", *(f"        {run}," for run in runs), "    ])"]
    if not how.forced:
        row = [f"    runs = {', '.join(runs)}"]
        row += ["    rows.append([metric(logits, right, wrong) for logits in runs])"]
    shown = ['"Y11": y11, "Y00": y00, "TE": y11 - y00']
    if edited and corners:
        shown += ['"Y10": y10, "Y01": y01, "PIE": y01 - y00, "TIE": y11 - y10']
        shown += ['"INT": y11 - y10 - y01 + y00']
    elif edited:
        shown += ['"clean": y11 - y10, "corrupt": y00 - y01']
        shown += ['"difference": y11 - y10 - y00 + y01']
    return [
        *_means(source),
        "rows = []",
        "for clean, corrupt, right, wrong in pairs:",
        *row,
        f"{', '.join(names)} = torch.tensor(rows, dtype=torch.float64).mean(0).tolist()",
        "for name, value in {",
        *(f"    {some}," for some in shown),
        "}.items():",
        '    print(f"{name:10} {value:+.6f}")',
    ]


def _run(base: str, given: str, how: Readings) -> str:
    more = f", {given}" if given else ""
    if how.forced:
        return f"metric({base}, right, wrong{more})"
    return f"run({base}{more})"


def _given(source: str, how: Readings) -> tuple[str, str]:
    """What a run on the clean prompt gets, and what one on the corrupt prompt."""
    if not source:
        return "True", "True"
    if source.startswith("mean"):
        one = source.removeprefix("mean").strip()
        return f"mean_{one or 'clean'}", f"mean_{one or 'corrupt'}"
    prompts = ("corrupt", "clean") if source == "other" else (source, source)
    if how.forced:
        return prompts
    return f"look({prompts[0]})", f"look({prompts[1]})"


def _means(source: str) -> list[str]:
    if not source.startswith("mean"):
        return []
    one = source.removeprefix("mean").strip()
    lines = {
        "clean": "mean_clean = mean([clean for clean, *_ in pairs])",
        "corrupt": "mean_corrupt = mean([corrupt for _, corrupt, *_ in pairs])",
    }
    return [line for base, line in lines.items() if one in ("", base)]
