"""Sweeps: one edit tried at every site of a kind, as named axes of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from .edits import Edit, Knockout, Patch, as_edit
from .errors import MediationError, require
from .mediators import Shape, mediator_named
from .plan.frame import Frame
from .runs import Freeze, as_freeze
from .sites import Position, Site

Cell = dict[Site, Edit]
Groups = tuple[tuple[str, Position], ...]


@dataclass(frozen=True)
class Sweep:
    """One edit tried at every site of a kind: an axis per coordinate.

    Args:
        mediator: which kind.
        edit: what each site is set to.
        by: "position" adds a position axis, "role" one of the roles that all pairs have, a
            mapping {name: positions} one of these groups; None edits all positions at once.
        window: how many neighbouring layers are edited together, the named one in the middle;
            at the ends fewer, as in Meng et al. 2022.
        layers: only these; default all.
        freeze: what every run holds at its base.

    An edit of several samples adds the axis "sample". Attention edges come by position and key:
    ``by`` None tries every token with every token, "role" or a mapping every group with every
    group, all edges from the one to the other together. Where there is no edge there is no cell to
    run: to later tokens alone, or where a knockout would leave a token nothing to attend to.

    A sweep of n cells is 2n runs: each cell on the corrupt base and on the clean base, in
    row-major order of the axes.

    Raises:
        MediationError: no such mediator, no edit, a ``by`` that it cannot have, a window or layers
            that are none, or a ``freeze`` that names no kind of mediator.
    """

    mediator: str
    edit: Edit = field(default_factory=Patch)
    by: str | Groups | None = None
    window: int = 1
    layers: tuple[int, ...] | None = None
    freeze: tuple[str | Site, ...] = ()

    def __init__(
        self,
        mediator: str,
        edit: Edit | None = None,
        by: str | Mapping[str, Position] | Groups | None = None,
        *,
        window: int = 1,
        layers: Sequence[int] | int | None = None,
        freeze: Freeze = (),
    ) -> None:
        mediator_named(mediator)
        by, chosen = _as_groups(mediator, by), _as_layers(mediator, layers)
        groups = tuple(by.items()) if isinstance(by, Mapping) else by
        _refuse_no_way(mediator, by)
        _refuse_no_window(mediator, window)
        _refuse_no_axis(mediator, by, groups, layers, chosen)
        object.__setattr__(self, "mediator", mediator)
        object.__setattr__(self, "edit", as_edit(Patch() if edit is None else edit))
        object.__setattr__(self, "by", groups)
        object.__setattr__(self, "window", window)
        object.__setattr__(self, "layers", None if chosen is None else tuple(chosen))
        object.__setattr__(self, "freeze", as_freeze(freeze))

    @property
    def key(self) -> str:
        """Its name among a study's grids: ``head``, ``residual@position``, ``mlp_out~3``."""
        name = self.mediator
        if isinstance(self.by, str):
            name += f"@{self.by}"
        elif self.by:
            name += "@" + "|".join(f"{label}={place}" for label, place in self.by)
        name += f"~{self.window}" if self.window > 1 else ""
        name += f":{','.join(map(str, self.layers))}" if self.layers is not None else ""
        held = [h if isinstance(h, str) else h.label() for h in self.freeze]
        return name + (f" frozen {'+'.join(held)}" if held else "")

    def facts(self) -> dict[str, Any]:
        """What a reader must know of its runs beside their edit."""
        held = [h if isinstance(h, str) else h.label() for h in self.freeze]
        following = "frozen: " + ", ".join(held) if held else "recomputed"
        return {"downstream": following, "window": self.window}

    @property
    def positional(self) -> bool:
        """Whether its positions are counted, so that prompts must be of one length."""
        return self.by == "position" or (self.by is None and mediator_named(self.mediator).keyed)

    def axes(
        self, shape: Shape, n_positions: int, roles: Sequence[str] = ()
    ) -> dict[str, tuple[int | str, ...]]:
        """Axis names to coordinates, in row-major order.

        Args:
            shape: of the network.
            n_positions: of the prompts.
            roles: the names that all pairs have.

        Raises:
            MediationError: a layer that there is not, or by role no role that all pairs have.
        """
        mediator = mediator_named(self.mediator)
        axes: dict[str, tuple[int | str, ...]] = {"layer": self._layers(shape)}
        if mediator.index:
            axes[mediator.index] = tuple(range(mediator.units(shape)))
        if self.positional:
            axes["position"] = tuple(range(n_positions))
        elif self.by == "role":
            axes["position"] = _some_roles(roles)
        elif isinstance(self.by, tuple):
            axes["position"] = tuple(name for name, _ in self.by)
        if mediator.keyed:
            axes["key"] = axes["position"]
        if self.edit.samples > 1:
            axes["sample"] = tuple(range(self.edit.samples))
        return axes

    def cells(self, shape: Shape, n_positions: int, roles: Sequence[str] = ()) -> list[Cell | None]:
        """What each cell sets, in row-major order of the axes; None where nothing could be.

        Whether there is an edge between roles depends on the pairs: a ``Question`` knows.

        Args:
            shape: of the network.
            n_positions: of the prompts.
            roles: the names that all pairs have.

        Raises:
            MediationError: a layer that there is not, or by role no role that all pairs have.
        """
        axes = self.axes(shape, n_positions, roles)
        edits = [self.edit.sample(index) for index in range(self.edit.samples)]
        stop = mediator_named(self.mediator).n_layers(shape)
        counted, frame = self.positional and "key" in axes, Frame(shape, n_positions, 0)
        found: list[Cell | None] = []
        for coordinates in product(*axes.values()):
            at: dict[str, Any] = dict(zip(axes, coordinates, strict=True))
            edit = edits[at.pop("sample", 0)]
            at = self._placed(at)
            window = self._window(at.pop("layer"), stop)
            sites = [Site(self.mediator, layer, **at) for layer in window]
            possible = not counted or self.has_edge(sites[0], frame)
            found.append(dict.fromkeys(sites, edit) if possible else None)
        return found

    def sites(
        self, shape: Shape, n_positions: int, roles: Sequence[str] = (), *, named: bool = False
    ) -> list[Site]:
        """The site that names each cell: of a window its middle, of samples the same again.

        Args:
            shape: of the network.
            n_positions: of the prompts.
            roles: the names that all pairs have.
            named: of groups by their names, as for labels, instead of by their positions.

        Raises:
            MediationError: a layer that there is not, or by role no role that all pairs have.
        """
        axes = self.axes(shape, n_positions, roles)
        sites = []
        for coordinates in product(*axes.values()):
            at: dict[str, Any] = dict(zip(axes, coordinates, strict=True))
            at.pop("sample", None)
            sites.append(Site(self.mediator, **(at if named else self._placed(at))))
        return sites

    def has_edge(self, site: Site, frame: Frame) -> bool:
        """Whether tokens attend to others there, and could be cut off from them by this edit.

        Args:
            site: its ``position`` attends to its ``key``.
            frame: of the prompts.
        """
        queries, keys = frame.positions(site.position), frame.positions(site.key)
        seen = {q: sum(frame.shape.sees(q, key) for key in keys) for q in queries}
        if not isinstance(self.edit, Knockout):
            return any(seen.values())
        causal, n = frame.shape.causal, frame.n_positions
        return any(seen.values()) and all(cut < (q + 1 if causal else n) for q, cut in seen.items())

    def _placed(self, at: dict[str, Any]) -> dict[str, Any]:
        """A cell's coordinates with the positions that the names of groups stand for."""
        places = dict(self.by) if isinstance(self.by, tuple) else {}
        named = {name: places.get(at[name], at[name]) for name in ("position", "key") if name in at}
        return at | named

    def _layers(self, shape: Shape) -> tuple[int, ...]:
        n_layers = mediator_named(self.mediator).n_layers(shape)
        asked: Sequence[object] = self.layers or ()
        for layer in asked:
            if isinstance(layer, bool) or not isinstance(layer, int) or not 0 <= layer < n_layers:
                raise MediationError(
                    "There is no such layer.",
                    value=f"layers={self.layers}",
                    expected=f"whole numbers from 0 to {n_layers - 1}",
                    fix=f"study.sweep({self.mediator!r}, layers=[0])",
                )
        twice = [layer for layer in asked if asked.count(layer) > 1]
        if twice:
            raise MediationError(
                "A layer is asked for twice.",
                value=f"layers={self.layers}",
                expected="every layer once",
                fix=f"study.sweep({self.mediator!r}, layers={list(dict.fromkeys(asked))})",
            )
        return tuple(range(n_layers)) if self.layers is None else self.layers

    def _window(self, layer: int, stop: int) -> range:
        """The layers that cell edits: Meng et al. centre an even window one to the left."""
        first = layer - self.window // 2
        return range(max(0, first), min(stop, first + self.window))


def _some_roles(roles: Sequence[str]) -> tuple[str, ...]:
    if not roles:
        raise MediationError(
            "The pairs have no role in common.",
            value="by='role'",
            expected="roles of one name in every pair",
            fix="PromptPair(..., roles={'subject': 1, 'END': 7}), or by={'subject': 1, 'END': 7}",
        )
    return tuple(roles)


def _as_groups(mediator: str, by: Any) -> Any:
    """How a sweep goes by position, refused where it is nothing of the kind."""
    pairs = isinstance(by, tuple) and all(isinstance(p, tuple) and len(p) == 2 for p in by)
    named = by.items() if isinstance(by, Mapping) else by if pairs else ()
    require(
        (by is None or isinstance(by, str | Mapping) or pairs)
        and all(isinstance(name, str) for name, _ in named),
        "A sweep is over whole components or by position.",
        value=by,
        expected=f"{_ways(mediator)}, or {{name: positions}}",
        fix=f"study.sweep({mediator!r}, by={{'subject': (1, 2)}})",
    )
    for _, place in named:
        Site(mediator, 0, position=place)
    return by


def _refuse_no_way(mediator: str, by: object) -> None:
    if isinstance(by, str) and by not in ("position", "role"):
        raise MediationError(
            "A sweep is over whole components or by position.",
            value=f"by={by!r}",
            expected=f"{_ways(mediator)}, or {{name: positions}}",
            fix=f"study.sweep({mediator!r}, by='role')",
        )


def _ways(mediator: str) -> str:
    return "None, 'role'" if mediator_named(mediator).keyed else "None, 'position', 'role'"


def _refuse_no_window(mediator: str, window: object) -> None:
    if isinstance(window, bool) or not isinstance(window, int) or window < 1:
        raise MediationError(
            "A window is a number of layers.",
            value=f"window={window!r}",
            expected="an int, at least 1",
            fix=f"study.sweep({mediator!r}, window=3)",
        )


def _refuse_no_axis(mediator: str, by: Any, groups: Any, layers: Any, chosen: Any) -> None:
    """Raise where there is nothing on an axis, or where edges are asked by what they are by."""
    if groups == () or (chosen is not None and not len(chosen)):
        raise MediationError(
            "A sweep needs something to sweep over.",
            value=f"by={by!r}, layers={layers!r}",
            expected="at least one layer, and at least one group of positions",
            fix=f"study.sweep({mediator!r}) sweeps all layers",
        )
    if by == "position" and mediator_named(mediator).keyed:
        raise MediationError(
            "A sweep over edges is by position and key already.",
            value=f"by={by!r}",
            expected="None, 'role', or {name: positions}",
            fix=f"study.sweep({mediator!r})",
        )


def _as_layers(mediator: str, layers: Any) -> tuple[int, ...] | None:
    """Layers as a tuple; that they exist is checked where the model is known."""
    if layers is None:
        return None
    if isinstance(layers, int) and not isinstance(layers, bool):
        return (layers,)
    require(
        isinstance(layers, Iterable)
        and getattr(layers, "ndim", 1) == 1
        and not isinstance(layers, str | bytes | Mapping),
        "Layers are counted.",
        value=layers,
        expected="None for all, an int, or a list of ints",
        fix=f"study.sweep({mediator!r}, layers=[2, 3])",
    )
    return tuple(layers.tolist() if hasattr(layers, "tolist") else layers)
