"""Whether a direction's patch works through a part that prompts do not move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..asking import Asked
from ..edits import Mixed
from ..effects import Effect
from ..errors import is_one_of, require
from ..evaluation.shares import ratio_interval
from ..statistics import mean_interval
from ..study import Study
from .comparing import KEYS
from .found import Array, Direction
from .row_spaces import RowSpace
from .samples import samples
from .splitting import Split, split

LEAST = 0.5
"""Of the whole direction's effect, what its row-space part must carry not to be flagged."""

SLIGHT = 0.01
"""Of TE: an effect of the whole direction below this share is none to be fooled by."""


@dataclass(frozen=True, eq=False)
class Dormancy:
    """A direction against its row-space part.

    Attributes:
        split: the direction and its parts.
        effect: of patches on an axis ``part``: whole, and row space and null where there are any.
        moved: part -> the mean distance between the two prompts of a pair along it, in the
            activation's unit.
        key: PIE or TIE, by which it is judged.
        least: the share below which it is flagged.
    """

    split: Split
    effect: Effect
    moved: dict[str, float]
    key: str
    least: float

    @property
    def carried(self) -> float:
        """What the row-space part carries of the whole's effect, a ratio of means over pairs."""
        whole = self._pairs("whole").mean()
        return float(self._pairs("row space").mean() / whole) if whole else float("nan")

    @property
    def interval(self) -> Array:
        """(2,) of ``carried``, over pairs, 95%; NaN for fewer than three."""
        return ratio_interval(self._pairs("row space"), self._pairs("whole"), self.effect.clusters)

    @property
    def dormant(self) -> bool:
        """Whether the whole has an effect, and too little of it is its row-space part's."""
        return not self.slight and self.carried < self.least

    @property
    def slight(self) -> bool:
        """Whether the whole has no effect to speak of.

        It is below 1% of TE, or its interval holds 0. ``carried`` then means nothing.
        """
        whole = self._pairs("whole")
        total = self.effect.pairs("TE").mean()
        low, high = mean_interval(whole, self.effect.clusters, 0.95)
        return bool(low <= 0 <= high or abs(whole.mean()) <= SLIGHT * abs(total))

    def to_dataframe(self) -> pd.DataFrame:
        """A row per part: its dimensions, how far prompts move it, PIE and TIE with intervals."""
        parts = self.split.parts
        columns: dict[str, object] = {"part": list(parts), "k": [p.k for p in parts.values()]}
        columns |= {"n": self.effect.n_pairs, "moved": [self.moved[name] for name in parts]}
        for key in KEYS:
            low, high = mean_interval(self.effect.pairs(key), self.effect.clusters, 0.95)
            columns |= {key: self.effect[key], f"{key} low": low, f"{key} high": high}
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        whole, unit = float(self._pairs("whole").mean()), self.effect.metric.unit
        named = f"Dormancy({self.split.whole.label}, {self.split.whole.made}"
        if self.slight:
            said = f"{self.key} {whole:+.3g} {unit} is no effect to speak of"
            return f"{named}: not dormant; {said}; n={self.effect.n_pairs})"
        said = "dormant" if self.dormant else "not dormant"
        low, high = self.interval
        ends = "" if np.isnan(low) else f" ({low:.0%} to {high:.0%})"
        how = "" if self.split.reads.exact else "; to first order"
        return (
            f"{named}: {said}; of "
            f"{self.key} {whole:+.3f} {unit} the row-space part carries {self.carried:.0%}{ends}; "
            f"n={self.effect.n_pairs}{how})"
        )

    def _repr_html_(self) -> str:
        return self.to_dataframe().to_html(float_format="{:.3f}".format, index=False)

    def _pairs(self, part: str) -> Array:
        """(pair,) the effect of a part; 0 of one that there is not."""
        names = self.effect.axes["part"]
        found = self.effect.pairs(self.key)
        return found[:, names.index(part)] if part in names else np.zeros(len(found))


def check_dormant(
    study: Study,
    found: Direction,
    *,
    key: str = "PIE",
    least: float = LEAST,
    reads: RowSpace | None = None,
) -> Dormancy:
    """Patch a direction in full, its row-space part alone and its null part alone.

    A direction can be put together of a null part, which goes with the input and is read by
    nothing, and a row-space part, which is read and which no prompt moves. A patch of it then
    takes the distance from the one and writes it along the other, a change that the network
    never makes itself. Of a direction that the network uses, the row-space part alone does as
    much. A low share is a warning and not a proof: the paper's authors discuss what it misses.

    Args:
        study: of the pairs that test; better others than those that made the direction.
        found: the direction.
        key: "PIE" or "TIE".
        least: flagged below this share of the whole's effect.
        reads: the row space; default, ``row_space(study, found.site)``.

    Raises:
        MediationError: what ``split`` raises; another quantity, a share that is none.

    Source: Makelov, Lange and Nanda 2023 (is this the subspace you are looking for?).
    """
    given: object = least
    number = isinstance(given, int | float) and not isinstance(given, bool)
    require(
        is_one_of(key, KEYS) and number and 0 < least <= 1,
        "A dormant direction is judged by a share of an indirect effect.",
        value=(key, least),
        expected="'PIE' or 'TIE', and a share above 0 up to 1",
        fix="mw.directions.check_dormant(study, found, key='PIE', least=0.5)",
    )
    halves = split(study, found, reads)
    parts, site = halves.parts, found.site
    edits = {name: one.within() for name, one in parts.items()}
    label = study.labels([site])[0]
    asked = Asked(
        axes={"part": tuple(parts)},
        labels=tuple(f"{label}, {name}" for name in parts),
        cells=[{site: edit} for edit in edits.values()],
        freezes=[()] * len(parts),
        edit=Mixed(tuple(edits.values())),
        facts={"downstream": "recomputed"},
    )
    effect = study.ask(asked).result(progress=False)
    differences = samples(study, site).differences
    moved = {
        name: float(np.linalg.norm(differences @ one.subspace.basis.T, axis=1).mean())
        for name, one in parts.items()
    }
    return Dormancy(halves, effect, moved, key, float(least))
