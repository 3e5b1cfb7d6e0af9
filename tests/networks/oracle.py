"""What a run must come to, one plain pass a run: every edit as its documentation states it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mediawidget as mw
from mediawidget.constants import noise_draw
from mediawidget.edits.base import NoiseOf
from mediawidget.networks import NetworkEngine, Point
from tests.networks.nets import Change, Made, made

OTHER = {"clean": "corrupt", "corrupt": "clean"}
EXACT = 1e-9


def positions(site: mw.Site, n: int) -> list[int]:
    """The positions that a site names, of n."""
    if site.position is None:
        return list(range(n))
    several = site.position if isinstance(site.position, tuple) else (site.position,)
    return [int(p) for p in several]


@dataclass(frozen=True)
class Oracle:
    """Runs on pairs, by hooks."""

    made: Made
    pairs: tuple[mw.InputPair, ...]

    def input(self, base: str, pair: int) -> Tensor:
        return torch.tensor(getattr(self.pairs[pair], base))

    def name(self, site: mw.Site) -> str:
        return self.made.kinds[site.mediator][site.layer]

    def output(self, run: mw.Run, pair: int) -> Tensor:
        return self.made.run(self.input(run.base, pair), self.changes(run, pair))[0]

    def value(self, site: mw.Site, run: mw.Run, pair: int, of: int | None = None) -> Tensor:
        """A site's whole point in a run on a pair: (position, width), its unit alone."""
        x = self.input(run.base, pair if of is None else of)
        seen = self.made.run(x, self.changes(run, pair))[1][self.name(site)]
        return seen if site.unit is None else seen[:, [site.unit]]

    def changes(self, run: mw.Run, pair: int) -> dict[str, Change]:
        """Per point what the run makes of it."""
        steps: dict[str, list[Callable[[Tensor, Tensor, int], None]]] = {}
        for held in run.freeze if run.edits else ():
            for site in self._held(held):
                own = self.value(site, mw.Run(run.base), pair)
                steps.setdefault(self.name(site), []).append(self._setter(site, own, None))
        for site, edit in run.edits:
            made = self._edited(site, edit, run, pair)
            steps.setdefault(self.name(site), []).append(self._setter(site, None, made))
        return {name: _one_after_another(some) for name, some in steps.items()}

    def _held(self, held: str | mw.Site) -> list[mw.Site]:
        if isinstance(held, mw.Site):
            return [held]
        whole = {"channel": "layer", "unit": "layer"}.get(held, held)
        names = self.made.kinds[held]
        return [mw.Site(whole, self.made.kinds[whole].index(name)) for name in names]

    def _setter(self, site: mw.Site, value: Tensor | None, make: Any) -> Any:
        def set_it(old: Tensor, new: Tensor, first: int) -> None:
            # A state comes a time step at a time, everything else at once.
            n = first + len(old)
            for p in positions(site, n):
                if first <= p < n:
                    unit = slice(None) if site.unit is None else slice(site.unit, site.unit + 1)
                    own = old[p - first, unit]
                    new[p - first, unit] = value[p] if value is not None else make(own, p)

        return set_it

    def _edited(  # noqa: PLR0911 - one for each kind of edit
        self, site: mw.Site, edit: mw.Edit, run: mw.Run, pair: int
    ) -> Callable[[Tensor, int], Tensor]:
        """(the run's own value, position) -> the new value."""
        if isinstance(edit, mw.Within):
            inner = self._edited(site, edit.edit, run, pair)
            basis = torch.tensor(edit.part.basis)  # type: ignore[attr-defined]
            return lambda own, p: own + (inner(own, p) - own) @ basis.T @ basis
        if isinstance(edit, mw.Patch):
            source = self._source(site, edit, run, pair)
            return lambda own, p: edit.alpha * source[p] + (1 - edit.alpha) * own
        if isinstance(edit, mw.Zero):
            return lambda own, p: torch.zeros_like(own)  # noqa: ARG005
        if isinstance(edit, mw.Scale):
            return lambda own, p: edit.factor * own  # noqa: ARG005
        if isinstance(edit, mw.Steer):
            return lambda own, p: own + edit.scale * torch.tensor(edit.vector).double()  # noqa: ARG005
        if isinstance(edit, mw.Mean):
            base: Any = mw.Run(edit.base or run.base)
            every = [self.value(site, base, pair, of) for of in range(len(self.pairs))]
            return lambda own, p: torch.stack(every).mean(0)[p]  # noqa: ARG005
        if isinstance(edit, mw.Resample):
            base = mw.Run(edit.base or run.base)
            at = int(np.random.default_rng([edit.seed, pair]).integers(len(self.pairs) - 1))
            lent = self.value(site, base, pair, at + (at >= pair))
            return lambda own, p: lent[p]  # noqa: ARG005
        assert isinstance(edit, mw.Noise)
        return self._noisy(site, edit, run, pair)

    def _source(self, site: mw.Site, edit: mw.Patch, run: mw.Run, pair: int) -> Tensor:
        source: Any = edit.source or OTHER[run.base]
        if isinstance(source, mw.Values):
            array = torch.tensor(source.array[pair])
            whole = torch.zeros(40, array.shape[1]).double()
            whole[positions(source.site, len(array))] = array
            return whole
        return self.value(site, source if isinstance(source, mw.Run) else mw.Run(source), pair)

    def _noisy(
        self, site: mw.Site, edit: mw.Noise, run: mw.Run, pair: int
    ) -> Callable[[Tensor, int], Tensor]:
        own = self.value(site, mw.Run(run.base), pair)
        spread = own[positions(site, len(own))].std(correction=0)
        constant = NoiseOf(run.base, site, edit.seed, edit.first)
        drawn = noise_draw(constant, np.arange(len(own)), own.shape[1])
        return lambda value, p: value + edit.sigma * spread * drawn[p]


def _one_after_another(steps: list[Any]) -> Change:
    def change(old: Tensor, first: int) -> Tensor:
        new = old.clone()
        for step in steps:
            step(old, new, first)
        return new

    return change


@lru_cache
def asked(kind: str, n: int = 3) -> tuple[mw.Study, Oracle]:
    """A study of a small network of a kind, and the oracle on its pairs."""
    here = made(kind)
    draw = np.random.default_rng(7)
    pairs = tuple(
        mw.InputPair(draw.standard_normal(here.shape), draw.standard_normal(here.shape), 2, i % 2)
        for i in range(n)
    )
    points = {
        name: Point(path, "maps") if (kind, name) == ("mixer", "over") else path
        for name, path in here.points.items()
    }
    study = mw.Study(mw.load(here.net, points=points), pairs)
    return study, Oracle(here, pairs)


def engine_of(study: mw.Study) -> NetworkEngine:
    """The study's engine, by its own type."""
    assert isinstance(study.engine, NetworkEngine)
    return study.engine


def off_by(study: mw.Study, oracle: Oracle, runs: list[mw.Run]) -> float:
    """The largest distance of any kept number of any run on any pair from the oracle's."""
    kept = study.engine.evaluate(runs).kept
    wanted = np.empty_like(kept)
    for i, run in enumerate(runs):
        for j, pair in enumerate(oracle.pairs):
            out = oracle.output(run, j)
            wanted[i, j] = out[pair.answer], out[pair.wrong], out.logsumexp(0)
    return float(np.abs(kept - wanted).max())
