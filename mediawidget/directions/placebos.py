"""Random subspaces whose patch moves a site as far as the true one's does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..edits import Patch, Subspace, Values
from ..edits.base import BASES
from ..effects import Effect
from ..errors import require
from ..results import assemble, facts
from ..runs import Run
from ..sites import Site
from ..statistics import clusters_of, groups_of, mean_interval, refuse_no_seed
from ..statistics.resampling import whole
from ..study import Study
from ..token_pairs import refuse_several_tokens
from .comparing import KEYS
from .found import Array, Direction
from .samples import Samples, refuse_no_subspace, samples

TRUE = "true"
MOST = 10_000


@dataclass(frozen=True, eq=False)
class Placebos:
    """A subspace's patch against random ones of the same size and the same displacement.

    Attributes:
        site: where.
        label: its name on these prompts.
        k: dimensions of each.
        effect: on an axis ``subspace``: "true", then the placebos. Each run moves the site toward
            its value on the pair's other prompt, as far as the true subspace has it.
        displacement: (pair,) how far that is, the mean over positions, in the activation's unit.
        seed: of the draw.
    """

    site: Site
    label: str
    k: int
    effect: Effect
    displacement: Array
    seed: int

    @property
    def n(self) -> int:
        """How many placebos."""
        return len(self.effect.axes["subspace"]) - 1

    def percentile(self, key: str = "PIE") -> float:
        """The share of placebos with a smaller mean effect, in size, than the true one: 0 to 1."""
        means = np.abs(self.effect[key])
        return float((means[1:] < means[0]).mean())

    def p_value(self, key: str = "PIE") -> float:
        """The chance of a placebo as large as this, in size: (1 + as large) / (1 + n)."""
        means = np.abs(self.effect[key])
        return float((1 + (means[1:] >= means[0]).sum()) / (1 + self.n))

    def per_unit(self, key: str = "PIE") -> Array:
        """(subspace,) mean effect over mean displacement, the true one first."""
        mean: Array = self.effect[key] / self.displacement.mean()
        return mean

    def to_dataframe(self) -> pd.DataFrame:
        """A row per subspace: PIE and TIE with intervals over pairs, and per displacement."""
        names = self.effect.axes["subspace"]
        columns: dict[str, object] = {"subspace": names, "k": self.k, "n": self.effect.n_pairs}
        columns["displacement"] = self.displacement.mean()
        for key in KEYS:
            low, high = mean_interval(self.effect.pairs(key), self.effect.clusters, 0.95)
            columns |= {key: self.effect[key], f"{key} low": low, f"{key} high": high}
            columns[f"{key} per unit"] = self.per_unit(key)
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        pie, unit = self.effect["PIE"], self.effect.metric.unit
        return (
            f"Placebos({self.label}, k={self.k}: PIE {pie[0]:+.3f} {unit}, in size above "
            f"{self.percentile():.0%} of {self.n} random subspaces of the same displacement "
            f"({self.displacement.mean():.3g}), which have {pie[1:].mean():+.3f} in the mean; "
            f"n={self.effect.n_pairs})"
        )

    def _repr_html_(self) -> str:
        return self.to_dataframe().to_html(float_format="{:.3f}".format, index=False)


def placebo(
    study: Study, site: Site, subspace: Subspace | Direction, n: int = 20, seed: int = 0
) -> Placebos:
    """Patch random subspaces, each stretched to move every pair as far as the true one does.

    A random subspace of k of d dimensions holds about sqrt(k / d) of the way between the two
    prompts, so that its patch does little whatever it is. Here what it holds is scaled, pair by
    pair and position by position, to the length of what the true one holds, so that effects of
    equal displacement are compared. It may leave the values that a network knows.

    Args:
        study: of the pairs that test.
        site: where.
        subspace: the true one, or a direction.
        n: how many random ones.
        seed: of the draw.

    Raises:
        MediationError: a subspace of another width, no count; a site that is the same on both
            prompts.
    """
    refuse_no_seed(seed)
    count: object = n
    require(
        whole(count, 1) and n <= MOST,
        "Placebos are counted.",
        value=n,
        expected=f"an int from 1 to {MOST}",
        fix="n=20",
    )
    given = subspace.subspace if isinstance(subspace, Direction) else subspace
    refuse_no_subspace(given)
    here = samples(study, site)
    here.refuse_flat()
    if site.position is None:
        refuse_several_tokens(
            study.token_pairs,
            "All positions of a prompt are moved, and a fed answer has more.",
            "a site at positions or at a role: mw.Site('residual', 3, position='END')",
        )
    here.direction(given, TRUE, 0)  # of this width
    width = given.width
    drawn = np.random.default_rng(seed).integers(2**31, size=n)
    randoms = [Subspace.random(given.k, width, int(one)) for one in drawn]
    true = _held(here.differences, given)
    lengths = np.linalg.norm(true, axis=1, keepdims=True)
    changes = [true, *(_stretched(_held(here.differences, one), lengths) for one in randoms)]
    names = (TRUE, *(f"placebo {i}" for i in range(n)))
    effect = _effect(study, here, dict(zip(names, changes, strict=True)))
    displacement = lengths.reshape(here.n_pairs, -1).mean(1)
    return Placebos(site, here.label, given.k, effect, displacement, int(seed))


def _held(differences: Array, subspace: Subspace) -> Array:
    return differences @ subspace.basis.T @ subspace.basis


def _stretched(change: Array, lengths: Array) -> Array:
    own = np.linalg.norm(change, axis=1, keepdims=True)
    return np.where(own > 0, change * lengths / np.where(own > 0, own, 1.0), 0.0)


def _effect(study: Study, here: Samples, changes: Mapping[str, Array]) -> Effect:
    """Each base moved toward the other by each change (clean - corrupt), a cell per change."""
    shape = (here.n_pairs, -1, here.clean.shape[1])
    runs = []
    for change in changes.values():
        for base in reversed(BASES):
            own, sign = (here.clean, -1) if base == "clean" else (here.corrupt, 1)
            values = Values(here.site, (own + sign * change).reshape(shape), "a placebo")
            runs.append(Run(base, {here.site: Patch(values)}))
    outcomes = study.engine.evaluate(runs)
    effect = assemble(outcomes, {"subspace": tuple(changes)}, Patch(), study.metric)
    return replace(
        effect,
        labels=tuple(changes),
        facts=facts(study.lm, study.contrast, outcomes),
        clusters=clusters_of(study.contrast),
        groups=groups_of(study.contrast),
    )
