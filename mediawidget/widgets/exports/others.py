"""Pictures and rows of the views that show no effects: a gate's runs, a pair of prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...drafts import Draft, read_draft
from ...estimands import estimand
from ..drawing.gates import Gate, draw_gate
from ..drawing.pair import draw_pair
from ..drawing.text import raw
from .facts import VERSION, edit_words, study_facts
from .snapshot import Snapshot

if TYPE_CHECKING:
    import pandas as pd

    from ..drawing.reading import Sheet
    from ..gate_playground import GatePlayground
    from ..prompt_editor import PromptEditor

CORNERS = ("y11", "y10", "y01", "y00")
EFFECTS = ("PIE", "TIE", "INT", "TE")


# --- gates ---------------------------------------------------------------------------------------


def gate_picture(page: GatePlayground, palette: str) -> Snapshot:
    """The gate that is shown; what nobody has predicted stays hidden, as on the page."""
    gate = next(one for one in page.gates if one["name"] == page.gate)
    guesses = _guesses(page, gate)
    right = frozenset(key for key, guess in guesses.items() if gate["corners"][key] == guess)
    score, asked = page.score
    facts = {
        "model": f"gate {gate['name']}",
        "metric": "what the gate puts out",
        "edit": "M set to its value on the other input",
        "shows": f"{score} of {asked} predictions right",
        "n": 1,
        "version": VERSION,
    }
    effects = _effects(gate) if len(guesses) == len(CORNERS) else {}
    drawn = Gate(gate["name"], gate["words"], gate["corners"], guesses, right, effects)
    return Snapshot(draw_gate(drawn, facts, palette), facts)


def gate_rows(page: GatePlayground) -> pd.DataFrame:
    """A row per gate: its four runs, what was predicted of each, and what they come to."""
    import pandas as pd

    rows = []
    for gate in page.gates:
        guesses = _guesses(page, gate)
        row = {"panel": "gates", "gate": gate["name"], "words": gate["words"]}
        row |= {key.upper(): gate["corners"][key] for key in CORNERS}
        row |= {f"predicted {key.upper()}": guesses.get(key, np.nan) for key in CORNERS}
        rows.append(row | _effects(gate))
    return pd.DataFrame(rows)


def _guesses(page: GatePlayground, gate: Mapping[str, Any]) -> dict[str, float]:
    """What was predicted of the runs of a gate; what is none of its runs is left out."""
    given = page.guesses.get(gate["name"], {})
    return {key: float(given[key]) for key in CORNERS if key in given}


def _effects(gate: Mapping[str, Any]) -> dict[str, float]:
    corners = {key.upper(): np.array(gate["corners"][key]) for key in CORNERS}
    return {key: float(estimand(key, corners)) for key in EFFECTS}


# --- prompts -------------------------------------------------------------------------------------


def pair_picture(page: PromptEditor, sheet: Sheet) -> Snapshot:
    """The pair that is edited, as it is in the study."""
    study, index = page.study, page.pair or 0
    facts = study_facts(study, index)
    facts |= {"edit": edit_words(sheet.edit), "shows": "prompts and answers"}
    pair = study.contrast[index]
    draft = Draft.of(pair)
    notes = read_draft(study.lm, draft, pair, study.readout).notes
    total = study.known_total.pair(index)
    scores = f"clean {raw(float(total['Y11']))}, corrupt {raw(float(total['Y00']))}"
    told = [
        ("answer", _with(draft.answer, notes.get("answer"))),
        ("wrong", _with(draft.wrong, notes.get("wrong"))),
        (
            study.metric.name,
            f"{scores}, total effect {raw(float(total['TE']))} {study.metric.unit}",
        ),
        *((name, notes[name]) for name in ("clean", "corrupt") if name in notes),
    ]
    return Snapshot(draw_pair(sheet, facts, told), facts)


def pair_rows(page: PromptEditor) -> pd.DataFrame:
    """A row per pair of the study: its texts, and the metric on both prompts."""
    import pandas as pd

    study = page.study
    total = study.known_total
    drafts = [Draft.of(pair) for pair in study.contrast]
    clean, corrupt = total.scores(total.bases).T
    return pd.DataFrame(
        {
            "panel": "pairs",
            "pair": range(len(drafts)),
            "shown": [i == (page.pair or 0) for i in range(len(drafts))],
            **{
                name: [getattr(d, name) for d in drafts]
                for name in ("clean", "corrupt", "answer", "wrong")
            },
            "Y11": clean,
            "Y00": corrupt,
            "TE": clean - corrupt,
            "unit": study.metric.unit,
        }
    )


def _with(text: str, note: str | None) -> str:
    return f"{text} ({note})" if note else text
