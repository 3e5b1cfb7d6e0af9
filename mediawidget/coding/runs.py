"""The parts of a script that run the model: what sites are, runs in which they are set, results."""

from __future__ import annotations

from collections.abc import Sequence

from ..edits import Clamp, Knockout, Mean, Patch, Scale, Steer
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


def _vector(spot: Spot) -> tuple[float, ...] | None:
    """The vector of a site's edit, if it has one."""
    match spot.edit:
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


def _writes(spots: Sequence[Spot]) -> list[str]:
    """A line for each spot, in the order of a forward pass: a trace takes no other."""
    lines, taken, given = [], 0, 0
    for spot in spots:
        match spot.edit:
            case Patch(alpha=1.0) | Mean():
                does = f"= new[{taken}]"
            case Patch(alpha=alpha):
                does = f"+= {alpha!r} * (new[{taken}] - {spot.text})"
            case Scale(factor):
                does = f"*= {factor!r}"
            case Steer(scale=scale):
                does = f"+= {scale!r} * vectors[{given}]"
                given += 1
            case Clamp(value=tuple()):
                does = f"= vectors[{given}]"
                given += 1
            case Clamp(value=value):
                does = f"= {value!r}"
            case Knockout():
                does = "= -torch.inf"
            case _:
                does = "= 0"
        taken += _takes(spot)
        lines.append(f"            {spot.text} {does}  # {spot.label}")
    return lines


def _takes(spot: Spot) -> bool:
    return isinstance(spot.edit, Patch | Mean)


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
