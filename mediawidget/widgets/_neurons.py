"""The strongest neurons of one layer, each to be run for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..asking import Asked
from ..edits import Edit
from ..edits.base import BASES
from ..effects import SHOWN, Effect, Status
from ..errors import MediationError, require
from ..jobs import Job
from ..looking import look
from ..mediators import mediator_named
from ..results import frozen_facts
from ..runs import Run
from ..sites import Site
from ..sweeps import Sweep
from ._goals import edit_payload
from ._parts import Action, Part, Request, is_below

if TYPE_CHECKING:
    from ..study import Study
    from ._base import View

STRONGEST = 20

Sizes = NDArray[np.float64]

Order = tuple[Sizes, str, Effect | None]
"""A size per neuron, by what it was measured, and the estimate if it was that."""

Place = tuple[int, int]
"""A layer and a pair."""


@dataclass(frozen=True)
class NeuronCells:
    """Some neurons of a layer as cells, in the order in which they are shown."""

    layer: int
    units: tuple[int, ...]
    key: str = "neurons"

    def sites(self, study: Study) -> Sequence[Site]:  # noqa: ARG002
        """The site of every cell."""
        return [Site("neuron", self.layer, unit=unit) for unit in self.units]

    def index(self, study: Study, site: Site) -> int | None:
        """The cell of a site; None where it is not shown."""
        sites = self.sites(study)
        return sites.index(site) if site in sites else None

    def edit(self, study: Study) -> Edit:
        """What a click sets a cell to."""
        return study.edit


class Neurons(Part):
    """The strongest neurons of a layer: estimated until they are run.

    Which layer: that of the selection's last site, or the one that the page chose after it. They
    are in order of the exact effect where all of the layer were run, else of its estimate, else
    of the difference between their activations on the two prompts.
    """

    NAME = "neurons"
    FOLLOWS = ("prompts", "result", "pair", "grid:neuron")

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._chosen: int | None = None
        self._drawn: NeuronCells | None = None
        self._wanted: tuple[int, ...] = ()
        self._runs: dict[tuple[Site, Edit], Effect] = {}
        self._known: tuple[object, dict[int, Effect | None], dict[Place, Sizes]] = (None, {}, {})
        self._busy = False

    @property
    def layer(self) -> int:
        """Whose neurons are shown."""
        if self._chosen is not None:
            return self._chosen
        selection = self.study.selection
        return min(selection[-1].layer, self.study.lm.n_layers - 1) if selection else 0

    @property
    def cells(self) -> NeuronCells | None:
        """The neurons that were drawn last, for a click is on what the page shows."""
        return self._drawn

    def actions(self) -> Mapping[str, Action]:
        return {"neurons": self._choose, "neurons_run": self._run}

    def follow(self, event: str) -> None:
        if event == "prompts":
            self._runs.clear()
        if event == "result" and self.study.selection:
            layer = min(self.study.selection[-1].layer, self.study.lm.n_layers - 1)
            if layer != self.layer:
                self._wanted = ()
            self._chosen = layer
        # An estimate that is asked for while this is drawn is news too.
        if not self._busy:
            super().follow(event)

    def draw(self) -> None:
        self._busy = True
        try:
            super().draw()
        finally:
            self._busy = False

    def payload(self) -> dict[str, Any]:
        study = self.study
        self._drawn = None
        study.lm.refuse_missing(mediator_named("neuron"))
        size, by, estimate = self._order()
        best = np.argsort(-np.nan_to_num(size), kind="stable")[:STRONGEST].tolist()
        cells = NeuronCells(self.layer, tuple(dict.fromkeys([*self._wanted, *best])))
        self._drawn = cells
        return {
            "layer": cells.layer,
            "n_layers": study.lm.n_layers,
            "n_units": _n_units(study),
            "units": list(cells.units),
            "by": by,
            "panel": self._panel(cells, estimate),
        }

    # --- actions -----------------------------------------------------------------------------

    def _choose(self, request: Request) -> None:
        """Another layer, or a neuron beside the strongest."""
        layer, unit = request.get("layer"), request.get("unit")
        n_layers, n_units = self.study.lm.n_layers, _n_units(self.study)
        require(
            is_below(layer, n_layers) and (unit is None or is_below(unit, n_units)),
            "There is no such neuron.",
            value=f"layer {layer!r}, neuron {unit!r}",
            expected=f"layer 0 to {n_layers - 1}, neuron 0 to {n_units - 1}",
            fix="type a number from this range",
        )
        assert isinstance(layer, int)
        before = self._wanted if layer == self.layer else ()
        self._wanted = (unit, *before) if isinstance(unit, int) else before
        self._chosen = layer
        self.draw()

    def _run(self, _request: Request) -> Job[Effect]:
        """All that are shown, exactly, in one job."""
        study, cells = self.study, self.cells
        require(
            cells is not None,
            "There are no neurons to run.",
            value=study.lm.name,
            expected="a model whose neurons are known",
            fix="paths=ModulePaths(neurons='mlp.down_proj') to load",
        )
        assert cells is not None
        sites, edit, revision = cells.sites(study), study.edit.sample(0), study.revision
        asked = Asked(
            {"unit": cells.units},
            study.labels(list(sites)),
            [{site: edit} for site in sites],
            [()] * len(sites),
            edit,
            facts=frozen_facts(()),
        )

        def keep(effect: Effect) -> Effect:
            if study.revision == revision and not np.isnan(effect.bases).any():
                study.admit(effect.bases)  # other weights drop what was run before
                for i, site in enumerate(sites):
                    if effect.status[i] != Status.NOT_RUN:
                        self._runs[site, edit] = _cell(effect, (i,))
                self.draw()
            return effect

        return study.ask(asked).then(keep)

    # --- numbers -----------------------------------------------------------------------------

    def _order(self) -> Order:
        """How large each neuron of the layer is, and by what."""
        study, layer = self.study, self.layer
        exact = _exact_layer(study, layer)
        if exact is not None:
            return exact, "exact effect, the larger of both directions", None
        kept, sizes = self._kept()
        if layer not in kept:
            kept[layer] = self._estimated(layer)
        estimate, pair = kept[layer], self.view.pair or 0
        if estimate is not None:
            by = "estimated effect, the larger of both directions"
            return _size(estimate)[0], by, estimate
        if (layer, pair) not in sizes:
            sizes[layer, pair] = difference(study, pair, layer)
        return sizes[layer, pair], "difference between their activations on the two prompts", None

    def _kept(self) -> tuple[dict[int, Effect | None], dict[Place, Sizes]]:
        """What the layers were estimated to, and differences of pairs, under this question."""
        study = self.study
        # The weights' version: a changed model is another question.
        question = (study.engine, study.revision, study.metric, study.lm.version())
        if self._known[0] != question:
            self._known = (question, {}, {})
        return self._known[1:]

    def _estimated(self, layer: int) -> Effect | None:
        """The estimate of a layer, None where there is none."""
        study = self.study
        busy, self._busy = self._busy, True
        try:
            return study.estimate("neuron", layers=[layer], edit=study.edit.sample(0))
        except MediationError:
            return None
        finally:
            self._busy = busy

    def _panel(self, cells: NeuronCells, estimate: Effect | None) -> dict[str, Any]:
        study, n = self.study, len(cells.units)
        y01, y10 = np.full((2, n), np.nan, dtype="<f4")
        status = np.full(n, Status.NOT_RUN, dtype=np.uint8)
        for i, site in enumerate(cells.sites(study)):
            found = self._exact(site) or (estimate and _cell(estimate, (0, cells.units[i])))
            if found:
                one = found if self.view.pair is None else found.pair(self.view.pair)
                y10[i], y01[i] = one.scores(one.edited).mean(axis=0)
                status[i] = int(one.status)
        return {
            "key": cells.key,
            "mediator": "neuron",
            "title": f"Neurons of layer {cells.layer}",
            "axes": [
                {"name": "layer", "labels": [str(cells.layer)]},
                {"name": "unit", "labels": [str(unit) for unit in cells.units]},
            ],
            "shape": [1, n],
            "y01": y01.tobytes(),
            "y10": y10.tobytes(),
            "status": status.tobytes(),
            "labels": list(study.labels(list(cells.sites(study)))),
            "cost": {"runs": 2 * n, "passes": 1, "seconds": 0.0},
            "edit": edit_payload([study.edit]),
        }

    def _exact(self, site: Site) -> Effect | None:
        """What running a neuron came to, here or anywhere else in the study."""
        grid = self.study.grids.get("neuron")
        if grid is not None:
            cell = _cell(grid, (site.layer, int(site.unit or 0)))
            if int(cell.status) != Status.NOT_RUN:
                return cell
        return self._runs.get((site, self.study.edit.sample(0)))


def _cell(effect: Effect, index: tuple[int, ...]) -> Effect:
    """One cell by its place on the axes, as an effect without axes."""
    place: tuple[Any, ...] = (slice(None), slice(None), *index)
    edited = effect.edited[place]
    status = np.asarray(effect.status[index])
    return replace(effect, axes={}, edited=edited, status=status, labels=())


def difference(study: Study, pair: int, layer: int) -> NDArray[np.float64]:
    """(neuron,) how far its activations on the two prompts are apart, at most over positions.

    Over the positions that both prompts have, counted from the end.
    """
    sites = [Site("neuron", layer, unit=unit) for unit in range(_n_units(study))]
    seen = [look(study.engine, pair, Run(base), sites) for base in BASES]
    both = [np.stack([one[:, 0].double().cpu().numpy() for one in some]) for some in seen]
    n = min(values.shape[1] for values in both)
    apart: NDArray[np.float64] = np.abs(both[0][:, -n:] - both[1][:, -n:]).max(axis=1)
    return apart


def _n_units(study: Study) -> int:
    return mediator_named("neuron").units(study.lm.shape)


def _size(effect: Effect) -> NDArray[np.float64]:
    """(layer, neuron) the larger of both directions."""
    keys = ("PIE", "TIE") if effect.edit.corners else ("corrupt", "clean")
    size: NDArray[np.float64] = np.maximum(*(np.abs(effect[key]) for key in keys))
    return size


def _exact_layer(study: Study, layer: int) -> NDArray[np.float64] | None:
    """The exact sizes of a layer's neurons, None unless all of them were run."""
    whole, alone = study.grids.get("neuron"), Sweep("neuron", study.edit, layers=[layer]).key
    for grid, row in ((whole, layer), (study.grids.get(alone), 0)):
        if grid is not None and np.isin(grid.status[row], [int(s) for s in SHOWN]).all():
            size: NDArray[np.float64] = _size(grid)[row]
            return size
    return None
