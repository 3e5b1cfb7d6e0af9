"""The attention pattern of one head, and its edges to be knocked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from ..edits import Edit, Knockout
from ..edits.base import BASES
from ..effects import Effect, Status
from ..errors import require
from ..looking import look
from ..mediators import mediator_named
from ..runs import Run
from ..sites import Site
from ._goals import edit_payload
from ._parts import Action, Part, Request, is_below
from .panels import LONGEST_TOKEN

if TYPE_CHECKING:
    from ..study import Study
    from ._base import View

WEIGHTS = "attention_weights"
"""The trait in which the weights travel: they are large, and a click changes none of them."""

EDIT = Knockout()
PER_HEAD = ("head", "query", "pattern", "edge")
PER_KEY_HEAD = ("key", "value")

Head = tuple[int, int]
"""A layer and one of its query heads."""

Patterns = dict[str, NDArray[np.float32]]
"""Per base (head, query, key)."""


class EdgeSites(Sequence[Site]):
    """Every edge of a head, row-major by query and key, each made when it is asked for."""

    def __init__(self, layer: int, head: int, n_positions: int) -> None:
        self._layer, self._head, self._n = layer, head, n_positions

    def __len__(self) -> int:
        return self._n**2

    @overload
    def __getitem__(self, index: int) -> Site: ...
    @overload
    def __getitem__(self, index: slice) -> list[Site]: ...
    def __getitem__(self, index: int | slice) -> Site | list[Site]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        query, key = divmod(range(len(self))[index], self._n)
        return Site("edge", self._layer, head=self._head, position=query, key=key)


@dataclass(frozen=True)
class Edges:
    """The edges of one head as cells, query by key."""

    layer: int
    head: int
    key: str = "attention"

    def sites(self, study: Study) -> Sequence[Site]:
        """The site of every cell, row-major."""
        return EdgeSites(self.layer, self.head, len(study.token_pairs[0]))

    def index(self, study: Study, site: Site) -> int | None:
        """The cell of a site; None where it is no single edge of this head."""
        single = isinstance(site.position, int) and isinstance(site.key, int)
        if site.mediator != "edge" or not single or (site.layer, site.head) != self.of:
            return None
        assert isinstance(site.position, int)
        assert isinstance(site.key, int)
        return site.position * len(study.token_pairs[0]) + site.key

    def edit(self, study: Study) -> Edit:  # noqa: ARG002
        """What a click sets a cell to."""
        return EDIT

    @property
    def of(self) -> Head:
        """Whose edges they are."""
        return self.layer, self.head


class Attention(Part):
    """The pattern of one head on both prompts of a pair; a click knocks an edge out.

    Which head: the last one of the selection, or the one that the page chose after it; else the
    strongest of what was swept; else the first.
    """

    NAME = "attention"
    FOLLOWS = ("prompts", "result", "pair", "grid:head")

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._chosen: Head | None = None
        self._drawn: Head | None = None
        self._runs: dict[Site, Effect] = {}
        self._seen: tuple[object, Patterns] | None = None

    @property
    def head(self) -> Head:
        """Whose pattern is shown."""
        return self._chosen or head_of(self.study.selection, self.study) or strongest(self.study)

    @property
    def cells(self) -> Edges | None:
        """The edges of the head that was drawn last, for a click is on what the page shows.

        None where a position is not the same one in all prompts, or cannot be cut off.
        """
        alike = self.study.engine.equal and bool(self.study.position_names)
        cut = self.study.lm.has(mediator_named("edge"), "mask")
        return Edges(*self._drawn) if self._drawn and alike and cut else None

    def actions(self) -> Mapping[str, Action]:
        return {"attention": self._choose}

    def follow(self, event: str) -> None:
        if event in ("prompts", "result"):
            self._keep(anew=event == "prompts")
        if event == "result":
            self._chosen = head_of(self.study.selection, self.study) or self._chosen
        super().follow(event)

    def show(self) -> None:
        self._keep(anew=False)
        super().show()

    def payload(self) -> dict[str, Any]:
        study, pair = self.study, self.view.pair or 0
        study.lm.refuse_missing(mediator_named("pattern"))
        layer, head = self._drawn = self.head
        seen = self._patterns(layer, pair)
        shown = study.token_pairs[pair]
        tokens = {"clean": shown.clean_tokens, "corrupt": shown.corrupt_tokens}
        weights = {base: seen[base][head].tobytes() for base in BASES}
        # The same weights again are not sent again.
        self.view.write(WEIGHTS, {"weights": weights})
        return {
            "layer": layer,
            "head": head,
            "n_layers": study.lm.n_layers,
            "n_heads": study.lm.n_heads,
            "selected": head_of(study.selection, study) == (layer, head),
            "pair": pair,
            "tokens": {base: [t[:LONGEST_TOKEN] for t in tokens[base]] for base in BASES},
            "weights": weights,
            **({"panel": self._panel(self.cells)} if self.cells else {}),
        }

    # --- inside ------------------------------------------------------------------------------

    def _choose(self, request: Request) -> None:
        n_layers, n_heads = self.study.lm.n_layers, self.study.lm.n_heads
        layer, head = request.get("layer"), request.get("head")
        require(
            is_below(layer, n_layers) and is_below(head, n_heads),
            "There is no such head.",
            value=f"layer {layer!r}, head {head!r}",
            expected=f"layer 0 to {n_layers - 1}, head 0 to {n_heads - 1}",
            fix="choose another on the page",
        )
        self._chosen = int(str(layer)), int(str(head))
        self.draw()

    def _keep(self, *, anew: bool) -> None:
        """Remember what knocking edges out came to: history forgets what was undone."""
        if anew:
            self._runs.clear()
        for entry in self.study.history:
            if entry is not None and list(entry.edits.values()) == [EDIT]:
                (site,) = entry.sites
                self._runs[site] = entry.effect

    def _patterns(self, layer: int, pair: int) -> Patterns:
        """Probabilities (head, query, key) of a layer on both prompts; one pass each, kept."""
        study = self.study
        question = (study.engine, study.revision, study.lm.version(), layer, pair)
        if self._seen is None or self._seen[0] != question:
            sites = [Site("pattern", layer, head=head) for head in range(study.lm.n_heads)]
            found: Patterns = {}
            for base in BASES:
                heads = look(study.engine, pair, Run(base), sites)
                found[base] = np.stack([head.float().cpu().numpy() for head in heads])
            self._seen = (question, found)
        return self._seen[1]

    def _panel(self, edges: Edges) -> dict[str, Any]:
        """The cells as the page reads them; their labels follow from the head and the axes."""
        study = self.study
        names = study.position_names
        n = len(names)
        y01, y10 = np.full((2, n * n), np.nan, dtype="<f4")
        status = np.where(np.tri(n, dtype=bool), Status.NOT_RUN, Status.IMPOSSIBLE)
        status[0, 0] = Status.IMPOSSIBLE  # what attends to itself alone has nothing else to attend
        flat = status.astype(np.uint8).reshape(-1)
        for site, effect in self._runs.items():
            at = edges.index(study, site)
            if at is not None:
                one = effect if self.view.pair is None else effect.pair(self.view.pair)
                y10[at], y01[at] = one.scores(one.edited).mean(axis=0)
                flat[at] = int(one.status)
        positions = [_position(names, i) for i in range(n)]
        return {
            "key": edges.key,
            "mediator": "edge",
            "title": "Attention edges",
            "axes": [{"name": name, "labels": positions} for name in ("query", "key")],
            "shape": [n, n],
            "y01": y01.tobytes(),
            "y10": y10.tobytes(),
            "status": flat.tobytes(),
            "edges_of": Site("edge", edges.layer, head=edges.head).label(),
            "cost": {"runs": 2, "passes": 1, "seconds": 0.0},
            "edit": edit_payload([EDIT]),
        }


def as_sent(payload: dict[str, Any], _view: object = None) -> dict[str, Any]:
    """What travels of the payload: the rest of ``WEIGHTS``, and of the cells those that were run.

    ``panel.at`` says which these are; the others are not run, or impossible where a key comes
    after its query and for the first token.
    """
    sent = {name: value for name, value in payload.items() if name != "weights"}
    if "panel" in sent:
        panel = sent["panel"]
        status = np.frombuffer(panel["status"], np.uint8)
        at = np.flatnonzero(~np.isin(status, (Status.NOT_RUN, Status.IMPOSSIBLE)))
        numbers = {name: np.frombuffer(panel[name], "<f4")[at].tobytes() for name in ("y01", "y10")}
        sent["panel"] = panel | numbers | {"status": status[at].tobytes(), "at": at.tolist()}
    return sent


def head_of(sites: Sequence[Site], study: Study) -> Head | None:
    """The last site's head among those that have one; of keys and values the first that reads."""
    for site in reversed(sites):
        if site.head is not None and site.mediator in PER_HEAD:
            return site.layer, site.head
        if site.head is not None and site.mediator in PER_KEY_HEAD:
            return site.layer, site.head * (study.lm.n_heads // study.lm.shape.kv_heads)
    return None


def strongest(study: Study) -> Head:
    """The head of the largest effect in either direction; the first where none was run."""
    grid = study.grids.get("head")
    if grid is None:
        return 0, 0
    keys = ("PIE", "TIE") if grid.edit.corners else ("corrupt", "clean")
    size = np.nan_to_num(np.maximum(*(np.abs(grid[key]) for key in keys)))
    size = size.reshape(*size.shape[:2], -1).max(axis=-1)
    layer, head = np.unravel_index(int(size.argmax()), size.shape)
    return int(layer), int(head)


def _position(names: Sequence[str], position: int) -> str:
    """A position as labels of sites have it."""
    return Site("residual", 0, position=position).label(names).partition(" @ ")[2]
