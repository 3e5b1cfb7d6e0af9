"""Runs of the package in the oracle's words: any edit, any source, one forward pass a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mediawidget as mw
from mediawidget.constants import noise_draw
from mediawidget.edits.base import NoiseOf
from tests.engine.cases import OTHER, Case, case, lm_of, random_pair
from tests.oracle import PART_OF, Kept, Key, Oracle, key_of
from tests.small_models import SINGLE_PRECISION_ATTENTION, random_model, tokenizer_of

SINGLE = 2e-5
EXACT = 1e-9


@lru_cache
def _model(kind: str) -> torch.nn.Module:
    return random_model(kind)


class Judge(Oracle):
    """An oracle whose patches may come from runs, captured values and other pairs."""

    def new_value(self, key: Key, how: Any, index: int) -> Tensor | None:
        if isinstance(how, mw.Run):
            return self.values_in(how.base, self.edits(how, index), index, self.held(how, index))[
                key
            ]
        if isinstance(how, mw.Values):
            whole = self.values(self.pairs[index].clean)[key]
            full = torch.full_like(whole, torch.nan)
            part = torch.from_numpy(how.array[index])
            for cells in self._cells_of(how.site)(full):
                full[cells] = part
            return full
        if isinstance(how, tuple):
            base, donor = how
            return self.values(getattr(self.pairs[donor], base))[key]
        return super().new_value(key, how, index)

    def edits(self, run: mw.Run, index: int) -> list[tuple[Any, Any]]:
        """A run's edits as the oracle takes them."""
        return [
            (self.at(site, index), self.how(run, site, edit, index)) for site, edit in run.edits
        ]

    def at(self, site: mw.Site, index: int) -> mw.Site:
        """The site with its roles looked up."""
        roles = getattr(self.pairs[index], "roles", {})

        def looked_up(place: Any) -> Any:
            if isinstance(place, str):
                return roles[place]
            if isinstance(place, tuple):
                return tuple(roles[one] if isinstance(one, str) else one for one in place)
            return place

        return replace(site, position=looked_up(site.position), key=looked_up(site.key))

    def how(self, run: mw.Run, site: mw.Site, edit: Any, index: int) -> Any:
        """One edit in the oracle's words."""
        match edit:
            case mw.Patch(source=source, alpha=alpha):
                lent: Any = source or OTHER[run.base]
                whole = alpha == 1 and isinstance(lent, str)
                found: Any = lent if whole else ("patch", lent, alpha)
            case mw.Mean(base=base):
                found = f"mean:{base or run.base}"
            case mw.Noise():
                found = ("add", self.noise(run.base, site, edit, index))
            case mw.Steer(vector=vector, scale=scale):
                found = ("add", scale * torch.tensor(vector, dtype=torch.float64))
            case mw.Clamp(value=value):
                found = ("value", torch.tensor(value, dtype=torch.float64))
            case mw.Scale(factor=factor):
                found = ("scale", factor)
            case mw.Within(part=mw.Subspace() as subspace, edit=inner):
                basis = torch.tensor(subspace.rows, dtype=torch.float64)
                found = ("within", basis, self.how(run, site, inner, index))
            case mw.Within(part=mw.Projection() as projection, edit=inner):
                both = torch.tensor([projection.written, projection.read], dtype=torch.float64)
                found = ("along", both, self.how(run, site, inner, index))
            case mw.Knockout():
                found = ("knockout",)
            case _:
                assert isinstance(edit, mw.Zero), edit
                found = "zero"
        return found

    def noise(self, base: str, site: mw.Site, edit: mw.Noise, index: int) -> Tensor:
        """sigma standard deviations of the site's own numbers times the package's draw."""
        own = self.values(getattr(self.pairs[index], base))[key_of(site)]
        place = self.at(site, index)
        (cells,) = self._cells_of(place)(own)
        part = own[cells]
        spread = float(np.std(part.numpy()))
        positions = range(own.shape[-2]) if place.position is None else place.position
        rows = np.array(positions).reshape(-1)
        drawn = noise_draw(NoiseOf(base, site, edit.seed, edit.first), rows, part.shape[1])  # type: ignore[arg-type]
        return edit.sigma * spread * drawn

    def judged(self, run: mw.Run, index: int = 0) -> Kept:
        """What the run keeps of a pair: answer, wrong, logsumexp."""
        return self.run(run.base, self.edits(run, index), index, self.held(run, index))

    def held(self, run: mw.Run, index: int) -> list[Any]:
        """What a run freezes; a kind that is a part of another is, all of it, the other."""
        return [
            self.at(h, index) if isinstance(h, mw.Site) else PART_OF.get(h, h) for h in run.freeze
        ]


def judge(kind: str, pairs: Sequence[mw.PromptPair]) -> tuple[Case, Judge]:
    """A study and an oracle of its own, on the same pairs."""
    made = case(kind, pairs)
    return made, Judge(_model(kind), tokenizer_of(kind), made.pairs)


def tolerance_of(kind: str, runs: Sequence[mw.Run] = ()) -> float:
    """Within which the engine agrees with the oracle on these runs."""
    single = kind in SINGLE_PRECISION_ATTENTION
    # Gemma 2 comes with eager attention, whose patterns are single precision.
    eager = lm_of(kind).hf.config._attn_implementation == "eager"
    return SINGLE if single or (eager and any(map(_of_patterns, runs))) else EXACT


def _of_patterns(run: mw.Run) -> bool:
    kinds = [site.mediator for site, edit in run.edits if not isinstance(edit, mw.Knockout)]
    kinds += [held if isinstance(held, str) else held.mediator for held in run.freeze]
    sources: list[Any] = [getattr(edit, "source", None) for _, edit in run.edits]
    lent = any(_of_patterns(source) for source in sources if isinstance(source, mw.Run))
    return lent or bool({"pattern", "edge"} & set(kinds))


def compare(
    made: Case,
    oracle: Judge,
    runs: Sequence[mw.Run],
    *,
    recall: bool = False,
    some: Sequence[int] | None = None,
) -> Any:
    """Assert that the engine agrees with the oracle on every run, of all pairs or ``some``."""
    engine = made.study.engine
    outcomes = engine.recall(runs) if recall else engine.evaluate(runs)
    for i, run in enumerate(runs):
        for index in range(len(made.pairs)) if some is None else some:
            np.testing.assert_allclose(
                outcomes.kept[i, index],
                oracle.judged(run, index),
                atol=tolerance_of(made.kind, runs),
                rtol=0,
                err_msg=f"{made.kind}, pair {index}: {run}",
            )
    return outcomes


def pairs_of(kind: str, n: int, length: int = 7, **more: Any) -> list[mw.PromptPair]:
    """``n`` pairs of one length, which differ first at token 3."""
    return [random_pair(kind, 40 + i, length=length, first=3, changes=2, **more) for i in range(n)]
