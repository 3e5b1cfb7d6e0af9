"""What an edit sets a site to, in words: by them pages and pictures know one edit from another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from functools import lru_cache
from typing import Any

import xxhash

from ..edits import (
    Clamp,
    Edit,
    Features,
    Knockout,
    Mean,
    Noise,
    Patch,
    Resample,
    Scale,
    Steer,
    Within,
    Zero,
)

EDITS: dict[str, Edit] = {"patch": Patch(), "zero": Zero(), "mean": Mean()}
"""What a page offers."""


def edit_payload(edits: Iterable[Edit], held: str = "") -> dict[str, Any]:
    """What sites are set to: ``kind``, whether there are corners, and ``goal`` in words.

    ``kind`` is "mixed" for several different edits, and "source" for one with settings of its own.
    ``part`` names the part of the site's value that alone is set, "1 direction of "; else it is "".

    Args:
        edits: of the sites.
        held: what was frozen meanwhile, as an effect's facts say it; it is another quantity.
    """
    several = set(edits)
    rest = f", {held}" if held else ""
    if len(several) > 1:
        corners = all(edit.corners for edit in several)
        part = "parts of " if any(isinstance(edit, Within) for edit in several) else ""
        return {"kind": "mixed", "corners": corners, "goal": f"as asked{rest}", "part": part}
    (edit,) = several
    part = f"{edit.part.words} of " if isinstance(edit, Within) else ""
    goal = goal_of(edit) + rest
    return {"kind": kind_of(edit), "corners": edit.corners, "goal": goal, "part": part}


def kind_of(edit: Edit) -> str:
    """Its name among those that the page offers; "source" where it has settings of its own."""
    return edit.kind if edit == EDITS.get(edit.kind) else "source"


@lru_cache(maxsize=256)
def goal_of(edit: Edit) -> str:
    """What a site is set to. No two edits share the words."""
    match edit:
        case Patch(source, alpha):
            way = "" if alpha == 1.0 else f"{alpha:g} of the way "
            goal = f"{way}to its value {_where(edit, source)}"
        case Mean(base):
            goal = f"to its mean over the {base} prompts" if base else "to its mean"
        case Resample(seed, base):
            which = f" ({base} prompt)" if base else ""
            goal = f"to its value on another pair{which}, seed {seed}"
        case Noise(sigma, samples, seed, first):
            draws = f"draw {first}" if samples == 1 else f"draws {first} to {first + samples - 1}"
            goal = f"to itself plus noise of sigma {sigma:g}, seed {seed}, {draws}"
        case Steer() | Clamp():
            goal = _constant_goal(edit)
        case Scale(factor):
            goal = f"to {factor:g} times itself"
        case Within(Features() as features) if features.codes is not None:
            goal = f"to {features.goal} in {features.words} ({_mark(edit)})"
        case Within(part, inner):
            goal = f"{goal_of(inner)}, within {part.words} ({_mark(edit)})"
        case Knockout():
            goal = "to no attention"
        case _:
            goal = f"to {edit!r}" if fields(edit) else f"to {edit.kind}"
    return goal


def _constant_goal(edit: Steer | Clamp) -> str:
    if isinstance(edit, Steer):
        return f"to itself plus {edit.scale:g} times the vector {_mark(edit)}"
    single = isinstance(edit.value, float)
    return f"to {edit.value:g}" if single else f"to the vector {_mark(edit)}"


def _where(edit: Edit, source: object) -> str:
    if source is None or isinstance(source, str):
        return f"on the {source or 'other'} prompt"
    return f"elsewhere ({type(source).__name__} {_mark(edit)})"


def _mark(edit: Edit) -> str:
    """A few letters that stand for numbers too many to read."""
    return xxhash.xxh32_hexdigest(json.dumps(edit.to_json(), sort_keys=True).encode())[:6]
