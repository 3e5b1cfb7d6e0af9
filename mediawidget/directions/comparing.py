"""Kinds of direction side by side: made on some pairs, and what they carry on others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from ..asking import Asked
from ..edits import Mixed, Patch
from ..effects import Effect
from ..errors import MediationError, require
from ..sites import Site
from ..statistics import mean_interval
from ..statistics.resampling import whole
from ..study import Study
from .found import Array, Direction
from .makers import components, difference_of_means, principal, random
from .samples import samples
from .studies import fit_and_test

Maker = Callable[[Study, Site], Direction]

WHOLE = "whole site"
KEYS = ("PIE", "TIE")
SIZES = (1, 2, 4, 8)


def standard(sizes: Sequence[int] = SIZES) -> dict[str, Maker]:
    """What needs nothing but numpy: means, principal components and chance, by size.

    Raises:
        MediationError: sizes that are no list of ints from 1.
    """
    given: object = sizes
    require(
        isinstance(given, Iterable)
        and getattr(given, "ndim", 1) > 0
        and all(whole(k, 1) for k in sizes),
        "The sizes of subspaces are counted.",
        value=sizes,
        expected="a list of ints from 1",
        fix="mw.directions.standard((1, 2, 4))",
    )
    makers: dict[str, Maker] = {"difference of means": difference_of_means}
    for k in sizes:
        makers[f"principal differences, k={k}"] = partial(principal, k=k)
        makers[f"principal values, k={k}"] = partial(principal, k=k, of="values")
        makers[f"chance, k={k}"] = partial(random, k=k)
    return makers


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a patch of each direction carries of what a patch of the whole site does.

    Attributes:
        site: where.
        found: name -> direction.
        effect: of patches on the pairs that test, on an axis ``direction``: the whole site, then
            each direction.
        n_fit: pairs that the directions were made on.
        held_out: whether none of these is among the pairs that test.
    """

    site: Site
    found: Mapping[str, Direction]
    effect: Effect
    n_fit: int
    held_out: bool

    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame:
        """A row for the whole site and for each direction.

        Returns:
            ``direction``, ``made``, ``k`` and ``n`` pairs; of PIE and TIE the mean over pairs in
            the metric's unit with ``low`` and ``high``, and the ``share`` of TE, a ratio of means,
            with its own; ``accuracy`` of probes. NaN where there are too few pairs for an
            interval, or no TE to share.

        Raises:
            MediationError: a level that is not between 0 and 1.
        """
        found = list(self.found.values())
        columns: dict[str, object] = {
            "direction": self.effect.axes["direction"],
            "made": [WHOLE, *(one.made for one in found)],
            "k": [None, *(one.k for one in found)],
            "n": self.effect.n_pairs,
        }
        for key in KEYS:
            low, high = mean_interval(self.effect.pairs(key), self.effect.clusters, level)
            columns |= {key: self.effect[key], f"{key} low": low, f"{key} high": high}
            share, low, high = shares(self.effect, key, level)
            columns[f"{key} share"] = share
            columns |= {f"{key} share low": low, f"{key} share high": high}
        columns["accuracy"] = [None, *(one.accuracy for one in found)]
        return pd.DataFrame(columns).astype({"k": "Int64", "accuracy": "float64"})

    def __repr__(self) -> str:
        pie = self.effect["PIE"]
        unit = self.effect.metric.unit
        best = int(np.argmax(np.abs(pie[1:]))) + 1
        name = self.effect.axes["direction"][best]
        label = next(iter(self.found.values())).label
        where = "other pairs" if self.held_out else "pairs that may have made it"
        return (
            f"Comparison({label}: of PIE {pie[0]:+.3f} {unit} of the whole site, "
            f"{name} has {pie[best]:+.3f}, the most of {len(self.found)} directions; made on "
            f"{self.n_fit} pairs, n={self.effect.n_pairs} {where})"
        )

    def _repr_html_(self) -> str:
        return self.to_dataframe().to_html(float_format="{:.3f}".format, index=False)


def compare(
    study: Study,
    site: Site,
    makers: Mapping[str, Maker] | None = None,
    *,
    test: Study | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Comparison:
    """Make directions on some pairs and patch each on others.

    Args:
        study: of the pairs that make them.
        site: where.
        makers: by name: functions of a study and a site; default ``standard()``, of the sizes
            that the pairs have.
        test: of the pairs that test; None tests on a random half of ``study``'s, and makes on the
            others.
        seed: of the halves.
        progress: whether to show a bar.

    Raises:
        MediationError: no makers, what they raise; a single pair and no ``test``.

    Example:
        >>> made = {"means": mw.directions.difference_of_means, "probe": mw.directions.probe}
        >>> mw.directions.compare(study, mw.Site("residual", 3, position="END"), made)
    """
    fit, tested = fit_and_test(study, test, seed)
    found = _made(standard(_sizes(fit, site)) if makers is None else makers, fit, site)
    edits = [Patch(), *(one.within() for one in found.values())]
    cells = [{site: edit} for edit in edits]
    names = (WHOLE, *found)
    where = tested.labels([site])[0]
    asked = Asked(
        axes={"direction": names},
        labels=tuple(f"{where}, {name}" for name in names),
        cells=cells,
        freezes=[()] * len(cells),
        edit=Mixed(tuple(dict.fromkeys(edits))),
        facts={"downstream": "recomputed"},
    )
    effect = tested.ask(asked).result(progress=progress)
    alone = not set(fit.contrast) & set(tested.contrast)
    return Comparison(site, found, effect, len(fit.contrast), alone)


def shares(effect: Effect, key: str, level: float = 0.95) -> tuple[Array, Array, Array]:
    """A quantity as a share of TE, lower and upper end; NaN where there is none to share."""
    nothing = np.full(effect.shape, np.nan)
    share, ends = nothing, np.stack([nothing] * 2)
    with suppress(MediationError):
        share = np.asarray(effect.normalized(key))
        ends = effect.normalized_ci(key, level)
    return share, ends[0], ends[1]


def _sizes(fit: Study, site: Site) -> list[int]:
    """The standard sizes, as far as the pairs differ in as many directions."""
    most = len(components(samples(fit, site).differences))
    return [k for k in SIZES if k <= most]


def _made(makers: Mapping[str, Maker], fit: Study, site: Site) -> dict[str, Direction]:
    given: object = makers
    named = isinstance(given, Mapping) and all(isinstance(name, str) for name in given)
    require(
        named and len(makers) > 0 and WHOLE not in makers and all(map(callable, makers.values())),
        "Directions are compared by name.",
        value=makers,
        expected="{'means': mw.directions.difference_of_means, ...}",
        fix="mw.directions.compare(study, site) compares the standard ones",
    )
    found = {name: maker(fit, site) for name, maker in makers.items()}
    for name, one in found.items():
        made: object = one
        require(
            isinstance(made, Direction) and made.site == site,
            "A maker gives a direction of the site that it is asked for.",
            value=(name, one),
            expected="a Direction",
            fix="lambda study, site: mw.directions.given(study, site, vectors)",
        )
    return found
