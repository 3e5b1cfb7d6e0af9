"""FeatureGrid: the features of a site by token, each to be patched, ablated or steered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..edits import Patch, Zero
from ..edits.sparse import SAE
from ..effects import Effect
from ..errors import MediationError, require
from ..features.cells import Cells
from ..features.shipped import teaching
from ..features.sweeping import job
from ..jobs import Job
from ..pictures import colours, grid_html
from ._base import View
from ._desk import Desk
from ._features import AMOUNT, WAYS, Rows
from ._page import front_end
from ._parts import Request, Written, is_below

if TYPE_CHECKING:
    from ..history import Intervention
    from ..study import Study

TEACHING = "teaching model"
TASKS = ("ioi", "facts", "induction", "agreement", "gender", "greater_than")
EACH = 12
"""Prompts a task that contexts are taken from, of the teaching model."""


class FeatureDesk(Desk):
    """Takes clicks on features, and what the page asks of the grid."""

    _view: FeatureGrid

    def __init__(self, view: FeatureGrid) -> None:
        super().__init__(view)
        self._actions |= {
            "features_way": self._way,
            "features_order": self._order,
            "features_show": self._show,
            "features_run": self._run_all,
        }

    def _intervene(self, request: Request) -> None:
        """One cell: a feature, or the error, at a token or everywhere."""
        self._same_question(request)
        cells, view = request.get("cells"), self._view
        cell = cells[0] if isinstance(cells, list) and len(cells) == 1 else None
        rows, n = view.rows, len(view.rows.spots)
        index = cell.get("index") if isinstance(cell, Mapping) else None
        labels = view.features["labels"]
        require(
            is_below(index, len(labels)) and isinstance(cell, Mapping),
            "The page sent a cell that there is not.",
            value=cells,
            expected=f"one cell, with an index from 0 to {len(labels) - 1}",
            fix="run the cell again",
        )
        assert isinstance(index, int)
        assert isinstance(cell, Mapping)
        unit, spot = view.drawn[index // n], rows.spots[index % n]
        require(
            cell.get("label") in (None, labels[index]) and cell.get("way") in (None, rows.way),
            "The picture changed while this was on its way.",
            value=cell.get("label"),
            expected=labels[index],
            fix="do it again on the new picture",
        )
        view.study.intervene({rows.cells.site(spot): rows.edit(unit)})

    def _way(self, request: Request) -> None:
        way, amount = request.get("way"), request.get("amount", AMOUNT)
        number = isinstance(amount, int | float) and not isinstance(amount, bool)
        require(
            way in WAYS and number and bool(np.isfinite(amount)),
            "Features are patched, ablated or steered.",
            value=(way, amount),
            expected=f"one of {', '.join(WAYS)}, and a finite amount",
            fix="choose again",
        )
        rows = self._view.rows
        rows.way, rows.amount = str(way), float(amount)
        self._view.draw()

    def _order(self, request: Request) -> None:
        by = request.get("by")
        require(
            by in ("activation", "effect"),
            "Features are in order of one of two sizes.",
            value=by,
            expected="'activation' or 'effect'",
            fix="choose again",
        )
        self._view.rows.by = str(by)
        self._view.draw()

    def _show(self, request: Request) -> None:
        unit, rows = request.get("unit"), self._view.rows
        n = rows.sae.n_features
        require(
            is_below(unit, n),
            "There is no such feature.",
            value=unit,
            expected=f"0 to {n - 1}",
            fix="type a number from this range",
        )
        assert isinstance(unit, int)
        rows.wanted = tuple(dict.fromkeys([unit, *rows.wanted]))[: rows.most]
        self._view.draw()

    def _run_all(self, request: Request) -> Job[Effect]:
        """Every cell that is shown, in one job of the engine."""
        self._same_question(request)
        return self._view.start()


class FeatureGrid(View):
    """Features by tokens: how active each is, and what setting it comes to.

    A row is a feature that is active on the prompts, with the tokens that it fires on most; the
    last one is what the autoencoder leaves out. A bar in a cell is its code on either prompt; a
    click sets that feature there, and the result fills the cell. Everything else at the site stays
    the run's own.

    Args:
        study: pairs of one length.
        sae: of a site of its model; default that of layer 3 of the teaching model.
        texts: what the tokens of a row are taken from; default the prompts of the study, and of
            the teaching model some of every task.
        most: rows that are shown.
        direction: "restore", "break" or "difference".

    Raises:
        MediationError: another model's autoencoder, pairs of several lengths, no texts.

    Example:
        >>> mw.FeatureGrid(study, mw.features.teaching(3))
    """

    _esm, _css = front_end("feature_grid")
    PANELS: ClassVar[tuple[str, ...]] = ()
    DESK: ClassVar[type[Desk]] = FeatureDesk

    features = Written().tag(sync=True)

    def __init__(
        self,
        study: Study,
        sae: SAE | None = None,
        *,
        texts: Sequence[str] | None = None,
        most: Any = 12,
        direction: str = "restore",
    ) -> None:
        chosen = teaching() if sae is None else sae
        require(
            isinstance(most, int) and not isinstance(most, bool) and most > 0,
            "Rows are counted.",
            value=most,
            expected="an int, at least 1",
            fix="mw.FeatureGrid(study, most=12)",
        )
        own = _texts(study) if texts is None else list(texts)
        self.rows = Rows(Cells(study, chosen), own, most)
        self.drawn = self.rows.units
        self._question = self._asked(study)
        self._quiet = False
        self._sent: dict[str, Any] = {}
        super().__init__(study, direction=direction)

    def run(self, *, progress: bool = True) -> Effect:
        """Set every feature that is shown, and the error, at every token, and draw it.

        Raises:
            MediationError: what ``start`` raises.

        Example:
            >>> grid = mw.FeatureGrid(study, sae)
            >>> grid.run().top(3)
        """
        return self.start().result(progress)

    def start(self) -> Job[Effect]:
        """The same without blocking: every cell that is shown, in one job of the engine.

        Raises:
            MediationError: the cells are to be steered.
        """
        rows, study = self.rows, self.study
        if rows.way == "steer":
            raise MediationError(
                "A whole grid is patched or ablated.",
                value="steer",
                expected="patch or ablate",
                fix="click the cells that are to be steered",
            )
        edit = Zero() if rows.way == "zero" else Patch()
        revision, way = study.revision, rows.way
        units = [unit for unit in self.drawn if unit is not None]

        def keep(effect: Effect) -> Effect:
            if study.revision == revision and rows.way == way:
                study.admit(effect.bases)
                rows.keep_sweep(effect)
                self.draw()
            return effect

        return job(study, rows.sae, units, rows.columns, edit).then(keep)

    def draw(self) -> None:
        """Write the grid anew, and which of its cells the present intervention is now."""
        self._draw_rows()
        if "feature" in self.result:
            self._refresh_result()

    # --- inside ------------------------------------------------------------------------------

    def _draw_rows(self) -> None:
        self.drawn = self.rows.units
        self.write("features", self.rows.payload(self._pair) | self._of())

    def _of(self) -> dict[str, Any]:
        return {"revision": self.study.revision, "pair": -1 if self._pair is None else self._pair}

    def _asked(self, study: Study) -> object:
        return study.engine, study.revision, study.lm.version(), study.metric

    def _refresh_view(self) -> None:
        super()._refresh_view()
        question = self._asked(self.study)
        if question != self._question:
            # Other prompts, weights or another metric: what was run is of another question.
            old, self._question = self.rows, question
            cells = Cells(self.study, old.sae)
            self.rows = Rows(cells, old.texts, old.most, old.way, old.amount, old.by, old.wanted)
        self._draw_rows()  # whoever calls this writes the result too

    def told_beside(self, entry: Intervention) -> dict[str, Any]:
        """Which cell an intervention was, and Python's copy brought up to date with it."""
        if len(entry.edits) != 1 or entry.freeze:
            return {"feature": None}
        ((site, edit),) = entry.edits.items()
        place = self.rows.place(site, edit, self.drawn)
        if place is None:
            return {"feature": None}
        self.rows.keep(site, edit, entry.effect)
        self._quiet = True
        try:
            # The page puts the answer into its own copy, so the answer to a click stays small.
            self.write("features", {**self.features, **self._numbers()})
        finally:
            self._quiet = False
        return {"feature": place[0] * len(self.rows.spots) + place[1], "way": self.rows.way}

    def _numbers(self) -> dict[str, Any]:
        y01, y10, status = self.rows.numbers(self.drawn, self._pair)
        return {"y01": y01.tobytes(), "y10": y10.tobytes(), "status": status.tobytes()}

    def _should_send_property(self, key: str, value: object) -> bool:
        if key == "features" and self._quiet:
            return False
        return super()._should_send_property(key, value)

    def _html(self) -> str:
        rows, data = self.rows, self.features
        y01, _, status = rows.numbers(self.drawn, self._pair)
        total = self.study.known_total
        base = float(total["Y00"] if self._pair is None else total.pair(self._pair)["Y00"])
        names = [f"{row['label']} {_tops(row)}".strip() for row in data["rows"]]
        effect = y01.astype(float) - base
        grid = grid_html(effect, status, names, list(data["columns"]), float(total["TE"]))
        title = f"{data['name']}: {data['edit']['goal']}, in the corrupt run"
        return f"<p>{escape(title)}</p>{grid}<p>{escape(colours([Patch()]))}</p>"


def _tops(row: Mapping[str, Any]) -> str:
    """The tokens that a feature fires on most, each once."""
    return " ".join(dict.fromkeys(top["token"].strip() for top in row["tops"]))


def _texts(study: Study) -> list[str]:
    """The prompts of the study; of the teaching model some of every task."""
    own = [text for pair in study.contrast for text in (pair.clean, pair.corrupt)]
    if study.lm.name != TEACHING:
        return own
    from .. import tasks

    drawn = [getattr(tasks, name)(study.lm, n=EACH, seed=0) for name in TASKS]
    return own + [text for contrast in drawn for pair in contrast for text in (pair.clean,)]
