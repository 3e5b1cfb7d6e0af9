"""The logit lens over layers and positions, on both prompts and on what was made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..edits.base import BASES, Base
from ..lens import Lens, logit_lens
from ..runs import Run
from ._parts import Part
from .panels import LONGEST_TOKEN, Panel, panel_payload
from .payload import SHORT_TOKEN

if TYPE_CHECKING:
    from ..study import Study
    from ._base import View

EDITED: dict[str, Base] = {"restored": "corrupt", "broken": "clean"}
"""What an edited run is called, and the prompt that it reads."""


class LensPart(Part):
    """What the model would say next after each layer; a click patches the residual stream there.

    Layers are those of the mediator "residual". Numbers are of one pair, the shown one or the
    first.
    """

    NAME = "lens"
    FOLLOWS = ("prompts", "result", "pair", "grid:residual@position")

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._seen: tuple[object, dict[str, Lens]] | None = None
        self._edited: tuple[object, dict[str, Lens]] | None = None

    @property
    def cells(self) -> Panel | None:
        """The residual stream by position, where the prompts of all pairs are of one length."""
        alike = self.study.engine.equal and bool(self.study.position_names)
        return Panel("lens", "residual", "position") if alike else None

    def payload(self) -> dict[str, Any]:
        study, pair = self.study, self.view.pair or 0
        shown = study.token_pairs[pair]
        lenses = {**self._bases(pair), **self._runs(pair)}
        ids = sorted({int(i) for lens in lenses.values() for i in lens.tokens.flat})
        place = {token: i for i, token in enumerate(ids)}
        tokens = {"clean": shown.clean_tokens, "corrupt": shown.corrupt_tokens}
        cells = self.cells
        return {
            "pair": pair,
            "answer": shown.answer_token,
            "wrong": shown.wrong_token,
            "layers": [str(i) for i in range(study.lm.n_layers)] + ["out"],
            "words": [study.lm.encoder.token(i)[:SHORT_TOKEN] for i in ids],
            "runs": [
                {
                    "name": name,
                    "tokens": [t[:LONGEST_TOKEN] for t in tokens[EDITED.get(name, name)]],
                    **_bytes(lens, place),
                }
                for name, lens in lenses.items()
            ],
            "label": " + ".join(study.labels(study.selection)) if len(lenses) > 2 else "",
            **({"panel": panel_payload(study, cells, self.view.pair, None)} if cells else {}),
        }

    def _bases(self, pair: int) -> dict[str, Lens]:
        """The lens on both prompts, one pass each, kept."""
        study = self.study
        question = self._question(pair)
        if self._seen is None or self._seen[0] != question:
            found = {base: logit_lens(study.engine, pair, Run(base)) for base in BASES}
            self._seen = (question, {str(base): lens for base, lens in found.items()})
        return self._seen[1]

    def _runs(self, pair: int) -> dict[str, Lens]:
        """The lens on the runs of the present intervention, kept while it is."""
        question = (*self._question(pair), self.study.history.current)
        if self._edited is None or self._edited[0] != question:
            self._edited = (question, edited_lenses(self.study, pair))
        return self._edited[1]

    def _question(self, pair: int) -> tuple[object, ...]:
        study = self.study
        return study.engine, study.revision, study.lm.version(), pair


def edited_lenses(study: Study, pair: int) -> dict[str, Lens]:
    """The lens on the runs of the present intervention; none where nothing is selected."""
    entry = study.history.current
    if entry is None:
        return {}
    runs = {name: Run(base, entry.edits, entry.freeze) for name, base in EDITED.items()}
    return {name: logit_lens(study.engine, pair, run) for name, run in runs.items()}


def _bytes(lens: Lens, place: Mapping[int, int]) -> dict[str, Any]:
    """Probabilities as float32, tokens as places in the list of words (int32, likeliest first)."""
    words = np.array([place[int(i)] for i in lens.tokens.flat], dtype="<i4")
    return {
        "top": words.tobytes(),
        "p": lens.p.astype("<f4").tobytes(),
        "of_answer": lens.answer.astype("<f4").tobytes(),
        "of_wrong": lens.wrong.astype("<f4").tobytes(),
        "k": lens.p.shape[-1],
    }
