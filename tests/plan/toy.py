"""A transformer of a few numbers, in numpy: run by run by hand, and as a program lays it out.

Both roads share the blocks alone. By hand every run is a pass of its own, in which every site is
set where the table below says that it lies; a program is followed row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mediawidget as mw
from mediawidget.edits.base import BASES, Donor, Vector
from mediawidget.mediators import Shape
from mediawidget.plan import Frame, Program, Template

Array = NDArray[np.float64]
At = Callable[[int, str, list[Array]], list[Array]]
"""(stage, point, arrays) -> the same arrays, (row, position, width) each, the point's own first."""

N_LAYERS, N_HEADS, D_HEAD, D_MLP, LENGTH, N_PAIRS = 2, 2, 2, 3, 5, 2
D = N_HEADS * D_HEAD
WIDTHS = {"embedding": D, "residual": D, "residual_mid": D, "residual_post": D}
WIDTHS |= {"query": D_HEAD, "key": D_HEAD, "value": D_HEAD, "head": D_HEAD, "attn_out": D}
WIDTHS |= {"neuron": 1, "neurons": D_MLP, "mlp_out": D, "mlp_unit": 1, "embedding_unit": 1}
WIDTHS |= {"pattern": LENGTH, "edge": 1}
POINT = {"embedding": "embed", "embedding_unit": "embed", "residual": "block_in"}
POINT |= {"residual_post": "block_in", "residual_mid": "mid", "head": "attn_z"}
POINT |= {"neuron": "neurons", "mlp_unit": "mlp_out", "edge": "pattern"}


@dataclass(frozen=True)
class Toy:
    """Weights and prompts, drawn once; pairs are alike before ``first``."""

    causal: bool = True
    first: int = 1
    reads: tuple[int, ...] = ()
    known: dict[Any, Any] = field(default_factory=dict, hash=False, compare=False)

    @property
    def frame(self) -> Frame:
        shape = Shape(N_LAYERS, N_HEADS, d_model=D, d_mlp=D_MLP, causal=self.causal)
        return Frame(shape, LENGTH, self.first, self.reads)

    @property
    def read_at(self) -> list[int]:
        return list(self.reads) or [LENGTH - 1]

    @cached_property
    def weights(self) -> list[dict[str, Array]]:
        rng = np.random.default_rng(0)
        sizes = dict.fromkeys(("query", "key", "value", "out"), (D, D))
        sizes |= {"in": (D, D_MLP), "back": (D_MLP, D)}
        return [{n: rng.normal(size=size) for n, size in sizes.items()} for _ in range(N_LAYERS)]

    @cached_property
    def prompts(self) -> dict[str, Array]:
        """base -> (pair, position, D)."""
        rng = np.random.default_rng(1)
        clean, corrupt = rng.normal(size=(2, N_PAIRS, LENGTH, D))
        corrupt[:, : self.first] = clean[:, : self.first]
        return {"clean": clean, "corrupt": corrupt}

    def forward(self, x: Array, at: At, begin: int = 0) -> Array:
        """The stream after the last block, of rows that enter stage ``begin`` as ``x``."""
        if begin == 0:
            (x,) = at(0, "embed", [x])
        for layer in range(max(begin - 1, 0), N_LAYERS):
            x = self._block(layer + 1, x, at)
        return at(N_LAYERS + 1, "block_in", [x])[0]

    def _block(self, stage: int, x: Array, at: At) -> Array:
        w = self.weights[stage - 1]
        (x,) = at(stage, "block_in", [x])
        (mask,) = at(stage, "mask", [np.zeros((len(x), LENGTH, N_HEADS * LENGTH))])
        normed = np.tanh(x)
        q, k, v = (at(stage, n, [normed @ w[n]])[0] for n in ("query", "key", "value"))
        q, k, v = (a.reshape(len(x), LENGTH, N_HEADS, D_HEAD) for a in (q, k, v))
        scores = np.einsum("rqhd,rkhd->rqhk", q, k) + mask.reshape(len(x), LENGTH, N_HEADS, LENGTH)
        if self.causal:
            later = np.triu(np.ones((LENGTH, LENGTH), dtype=bool), 1)
            scores = np.where(later[:, None], -np.inf, scores)
        p = np.exp(scores - scores.max(axis=-1, keepdims=True))
        p = (p / p.sum(axis=-1, keepdims=True)).reshape(len(x), LENGTH, -1)
        (p,) = at(stage, "pattern", [p])
        z = np.einsum("rqhk,rkhd->rqhd", p.reshape(len(x), LENGTH, N_HEADS, LENGTH), v)
        z, x = at(stage, "attn_z", [z.reshape(len(x), LENGTH, D), x])
        out, x = at(stage, "attn_out", [z @ w["out"], x])
        (x,) = at(stage, "mid", [x + out])
        acts, x = at(stage, "neurons", [np.tanh(x @ w["in"]), x])
        out, x = at(stage, "mlp_out", [acts @ w["back"], x])
        return x + out

    # --- by hand ----------------------------------------------------------------------------

    def values(self, run: mw.Run, pair: int) -> dict[tuple[int, str], Array]:
        """(stage, point) -> (position, width) in a run, everything recomputed."""
        key = (run, pair)
        if key not in self.known:
            kept: dict[tuple[int, str], Array] = {}
            base = self.values(mw.Run(run.base), pair) if run.edits else {}

            def at(stage: int, point: str, arrays: list[Array]) -> list[Array]:
                old = arrays[0][0]
                new = old.copy()
                if run.edits:
                    for place, cells in self._held(run):
                        if place == (stage, point):
                            new[cells] = base[stage, point][cells]
                for site, edit in run.edits:
                    for place, cells in cells_of(site, knockout=isinstance(edit, mw.Knockout)):
                        if place == (stage, point):
                            new[cells] = self._edited(run, edit, old, place, cells, pair)
                kept[stage, point] = new
                return [new[None], *arrays[1:]]

            self.forward(self.prompts[run.base][pair : pair + 1], at)
            self.known[key] = kept
        found: dict[tuple[int, str], Array] = self.known[key]
        return found

    def read(self, run: mw.Run, pair: int) -> Array:
        """What is read of a run: (read, D)."""
        return self.values(run, pair)[N_LAYERS + 1, "block_in"][self.read_at]

    def _held(self, run: mw.Run) -> Iterator[tuple[tuple[int, str], Any]]:
        for held in run.freeze:
            sites = [held] if isinstance(held, mw.Site) else all_sites(held)
            for site in sites:
                yield from cells_of(site)

    def _edited(self, run: mw.Run, edit: Any, old: Array, place: Any, cells: Any, pair: int) -> Any:
        """What the edit by itself makes of a site's own value."""
        own = old[cells]
        found: Any = np.zeros_like(own)
        match edit:
            case mw.Patch(source=source, alpha=alpha):
                lent: Any = source or other(run.base)
                lender = lent if isinstance(lent, mw.Run) else mw.Run(lent)
                found = own + alpha * (self.values(lender, pair)[place][cells] - own)
            case mw.Resample(seed=seed, base=base):
                lender = mw.Run(base or run.base)
                found = self.values(lender, donor(pair, seed))[place][cells]
            case mw.Knockout():
                found = np.full_like(own, -np.inf)
            case mw.Scale(factor=factor):
                found = factor * own
            case mw.Steer(vector=vector, scale=scale):
                found = own + scale * np.array(vector)
            case mw.Clamp(value=value):
                found = np.broadcast_to(value, own.shape)
            case mw.Within(part=mw.Subspace() as part, edit=inner):
                moved = self._edited(run, inner, old, place, cells, pair) - own
                found = own + moved @ part.basis.T @ part.basis
            case _:
                assert isinstance(edit, mw.Zero)
        return found

    # --- by a program -----------------------------------------------------------------------

    def follow(self, template: Template, program: Program) -> Array:
        """(row, read, D) of the rows there are at last."""
        x = np.concatenate([self.prompts[base] for base in template.frame.bases])
        for one in template.donors:
            x = np.concatenate([x, self.prompts[one.base][donors(one)]])
        if program.begin:
            x = self._entering(x, program.begin)
        base_of_row = np.arange(template.n_bases).repeat(N_PAIRS)

        def at(stage: int, point: str, arrays: list[Array]) -> list[Array]:
            nonlocal base_of_row
            index = stage - program.begin
            if point == ("block_in" if stage else "embed"):
                rows = program.grow[index]
                if rows is not None:
                    arrays = [a[rows] for a in arrays]
                    base_of_row = base_of_row[rows]
                np.testing.assert_array_equal(program.base_of_row[index], base_of_row)
            for born, rows in program.late[index]:
                if born == point:
                    arrays = [np.concatenate([a, a[rows]]) for a in arrays]
                    base_of_row = np.concatenate([base_of_row, base_of_row[rows]])
            value = arrays[0].copy()
            for step in program.steps:
                if (step.stage, step.point) == (stage, point):
                    self._apply(template, program, step, value)
            return [value, *arrays[1:]]

        return self.forward(x, at, program.begin)[:, self.read_at]

    def _entering(self, x: Array, begin: int) -> Array:
        kept: list[Array] = []

        def at(stage: int, point: str, arrays: list[Array]) -> list[Array]:
            if (stage, point) == (begin, "block_in"):
                kept.append(arrays[0])
            return arrays

        self.forward(x, at)
        return kept[0]

    def _apply(self, template: Template, program: Program, step: Any, value: Array) -> None:
        size = value.shape[-1] // step.n_units
        columns = step.unit[:, None] * size + np.arange(size)
        positions = (step.position + program.prefix)[:, None]
        here, there = (
            (step.row[:, None], positions, columns),
            (step.source[:, None], positions, columns),
        )
        np.testing.assert_array_equal(step.pair, step.row % N_PAIRS)
        if step.point == "mask":
            value[here] = -np.inf
            return
        own = value[here]
        new = step.keep[:, None] * own + step.take[:, None] * value[there]
        for i, index in enumerate(step.constant.tolist()):
            if index >= 0:
                constant = template.constants[index]
                assert isinstance(constant, Vector)
                new[i] += step.add[i] * np.array(constant.numbers)
        for i, index in enumerate(step.within.tolist()):
            if index >= 0:
                basis = template.parts[index].basis
                new[i] = own[i] + (new[i] - own[i]) @ basis.T @ basis
        value[here] = new


def other(base: str) -> Any:
    return BASES[1 - BASES.index(base)]


def donor(pair: int, seed: int) -> int:
    """Which pair lends to a pair; with two of them the other one, or for odd seeds itself."""
    return (pair + 1 + seed) % N_PAIRS


def donors(one: Donor) -> list[int]:
    return [donor(pair, one.seed) for pair in range(N_PAIRS)]


def cells_of(site: mw.Site, knockout: bool = False) -> list[tuple[tuple[int, str], Any]]:
    """Where a site lies: (stage, point), and its cells there, each position with its columns."""
    point = "mask" if knockout else POINT.get(site.mediator, site.mediator)
    stage = site.layer + 1 + (site.mediator == "residual_post")
    stage = 0 if point == "embed" else stage
    positions = np.array(many(site.position))
    if site.mediator == "edge":
        heads = range(N_HEADS) if site.head is None else [site.head]
        keys = many(site.key)
        return [
            ((stage, point), (np.array([[q]]), np.array([[head * LENGTH + key]])))
            for head in heads
            for q in positions.tolist()
            for key in keys
        ]
    width, unit = WIDTHS[site.mediator], site.head if site.unit is None else site.unit
    columns = np.arange(width) + width * (unit or 0)
    return [((stage, point), (positions[:, None], columns[None]))]


def many(position: Any) -> list[int]:
    if position is None:
        return list(range(LENGTH))
    return list(position) if isinstance(position, tuple) else [position]


def all_sites(mediator: str) -> list[mw.Site]:
    """Every site of a kind."""
    layers = range(1 if mediator.startswith("embedding") else N_LAYERS + (mediator == "residual"))
    if mediator in ("head", "query", "key", "value", "pattern"):
        return [mw.Site(mediator, at, head=h) for at in layers for h in range(N_HEADS)]
    if mediator in ("neuron", "mlp_unit", "embedding_unit"):
        n = D_MLP if mediator == "neuron" else D
        return [mw.Site(mediator, at, unit=u) for at in layers for u in range(n)]
    return [mw.Site(mediator, at) for at in layers]
