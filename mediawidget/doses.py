"""How an effect and its interaction grow as a mediator goes from clean to corrupt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .asking import Asked
from .checks import Edits
from .edits import Patch
from .edits.base import Base
from .effects import Effect
from .errors import require
from .networks import as_network
from .networks.recording import checked_spot, positions_at
from .runs import Run, as_edits
from .sites import Site
from .statistics import mean_interval
from .study import Study, refuse_no_study

Array = NDArray[np.float64]

DOSES = tuple(np.linspace(0.125, 1.0, 8).tolist())

_STATES = ("hidden", "hidden_unit", "cell", "cell_unit")
"""The kinds of component that come one time step after another."""

QUANTITIES = ("TIE", "PIE", "INT")


@dataclass(frozen=True, eq=False)
class DoseCurve:
    """Effects of moving a mediator a part of the way between its two values.

    ``curve["PIE"]`` is (alpha,) the mean of a quantity over pairs.

    Attributes:
        sites: what is moved, jointly.
        alphas: the parts of the way, ascending, from above 0 to 1.
        effect: on an axis ``alpha``: each base with its mediator moved so far toward the other.
    """

    sites: tuple[Site, ...]
    alphas: tuple[float, ...]
    effect: Effect

    def pairs(self, key: str) -> Array:
        """(pair, alpha) a quantity at each dose, in the metric's unit.

        With m(a) = m1 + a (m0 - m1), the mediator moved from its clean value toward the corrupt:
        TIE(a) = Y(1, m1) - Y(1, m(a)), PIE(a) = Y(0, m(1 - a)) - Y(0, m0), and
        INT(a) = Y(1, m1) - Y(1, m(a)) - Y(0, m1) + Y(0, m(a)), the interaction of the input with
        a mediator that moves so far. At 1 they are TIE, PIE and INT. Where the metric is linear in
        the mediator INT is proportional to the dose, by the difference of its two slopes.

        Raises:
            MediationError: another quantity.
        """
        require(
            key in QUANTITIES,
            "A dose curve is of an indirect effect or of the interaction.",
            value=key,
            expected=" or ".join(QUANTITIES),
            fix="curve.pairs('INT')",
        )
        y11, y00 = self.effect.scores(self.effect.bases).T[..., None]
        broken, restored = self.effect.scores(self.effect.edited).swapaxes(0, 1)
        n = len(self.alphas)
        tie, pie = y11 - broken[:, :n], restored[:, :n] - y00
        if key == "TIE":
            return np.asarray(tie)
        if key == "PIE":
            return np.asarray(pie)
        # On the corrupt base the mediator is a from clean where it went 1 - a of its own way.
        whole, rest = restored[:, n - 1 : n], restored[:, n:]
        return np.asarray(tie - whole + rest)

    def __getitem__(self, key: str) -> Array:
        """(alpha,) the mean over pairs.

        Raises:
            MediationError: another quantity.
        """
        return np.asarray(self.pairs(key).mean(axis=0))

    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame:
        """A row per dose and quantity: mean over pairs and its interval (NaN below 3 pairs).

        Raises:
            MediationError: a level that is not between 0 and 1.
        """
        frames = []
        for key in QUANTITIES:
            low, high = mean_interval(self.pairs(key), self.effect.clusters, level)
            columns = {"alpha": self.alphas, "quantity": key, "mean": self[key]}
            frames.append(pd.DataFrame(columns | {"low": low, "high": high}))
        return pd.concat(frames, ignore_index=True)

    def __repr__(self) -> str:
        where = " + ".join(self.effect.labels[len(self.alphas) - 1 : len(self.alphas)])
        unit = self.effect.metric.unit
        return f"DoseCurve({where}; INT {self['INT'][-1]:+.3f} {unit} at the whole way)"

    def _repr_html_(self) -> str:
        return self.to_dataframe().to_html(float_format="{:+.3f}".format, index=False)


def dose_curve(
    study: Study,
    sites: Site | Sequence[Site],
    alphas: Sequence[float] | Array = DOSES,
    *,
    progress: bool = True,
) -> DoseCurve:
    """Move a mediator from clean toward corrupt in steps and read the interaction at each.

    Args:
        study: its pairs and metric.
        sites: one, or several that are moved jointly. Each is set to the mixture of its values on
            the two prompts as they are, also where it reads another of them. This takes a further
            run per dose for each site, and for each time step of a recurrent state.
        alphas: (dose,) parts of the way, above 0 up to 1; 1 is added if it is not among them.
        progress: whether to show a bar.

    Raises:
        MediationError: doses that are none, no sites.

    Example:
        >>> curve = mw.dose_curve(study, mw.Site("head", 3, head=1), [0.25, 0.5, 1.0])
        >>> curve["INT"].shape
        (3,)
    """
    refuse_no_study(study)
    doses = _as_doses(alphas)
    require(
        not isinstance(sites, Mapping),
        "A dose is a part of the way between a mediator's two values.",
        value=sites,
        expected="a site or a list of sites, without edits",
        fix="mw.dose_curve(study, Site('head', 3, head=1))",
    )
    edits = as_edits(sites, Patch())
    parts = [part for site in edits for part in _steps_of(study, site)]
    # Beside each dose what is left of the way, for the same mediator value on the other base.
    steps = [*doses, *(1 - dose for dose in doses)]
    name = " + ".join(study.labels(tuple(edits)))
    effect = study.ask(
        _Moves(
            axes={"alpha": (*map(str, doses), *(f"1-{dose}" for dose in doses))},
            labels=tuple(f"{name} moved by {step:g}" for step in steps),
            cells=[_moved(parts, "corrupt", step) for step in steps],
            on_clean=[_moved(parts, "clean", step) for step in steps],
            freezes=[()] * len(steps),
            edit=Patch(alpha=0.5),
            facts={"downstream": "recomputed"},
        )
    ).result(progress=progress)
    return DoseCurve(tuple(edits), doses, effect)


@dataclass(frozen=True)
class _Moves(Asked):
    """Cells whose runs on the two prompts take values from runs of their own.

    Attributes:
        on_clean: what each cell sets on the clean prompt; ``cells`` say it of the corrupt one.
    """

    on_clean: Sequence[Edits] = ()

    @property
    def runs(self) -> list[Run]:
        both = zip(self.cells, self.on_clean, strict=True)
        return [run for cell, own in both for run in (Run("corrupt", cell), Run("clean", own))]


def _moved(sites: Sequence[Site], base: Base, step: float) -> Edits:
    """Sites that go a part of the way from their value on ``base`` to that on the other prompt.

    A patch goes from what the site is in its run, which a site that is set before it has moved
    already. So where they may read one another each value comes from a run that moves it alone.
    """
    patch = Patch(alpha=step)
    if not 0 < step < 1 or not _read_another(sites):
        return dict.fromkeys(sites, patch)
    return {site: Patch(Run(base, {site: patch})) for site in sites}


def _read_another(sites: Sequence[Site]) -> bool:
    """Whether some site may lie behind another one."""
    places = {(site.mediator, site.layer) for site in sites}
    return len(places) > 1 or (len(sites) > 1 and sites[0].mediator in _STATES)


def _steps_of(study: Study, site: Site) -> list[Site]:
    """The site, or of a recurrent state its time steps, each of which reads those before it."""
    if as_network(study.lm) is None or site.mediator not in _STATES:
        return [site]
    engine: Any = study.engine
    spot = checked_spot(site, engine.anatomy, engine.common_roles)
    return [replace(site, position=p) for p in positions_at(site, spot, engine.common_roles)]


def _as_doses(alphas: object) -> tuple[float, ...]:
    given = np.ravel(alphas).tolist() if isinstance(alphas, np.ndarray) else alphas
    given = given if isinstance(given, Sequence) else []
    numbers = all(isinstance(a, float | int) and not isinstance(a, bool) for a in given)
    require(
        bool(given) and numbers and all(0 < a <= 1 for a in given) and not isinstance(alphas, str),
        "Doses are parts of the way from clean to corrupt.",
        value=alphas,
        expected="numbers above 0 up to 1",
        fix="mw.dose_curve(study, site, [0.25, 0.5, 1.0])",
    )
    return tuple(sorted({float(a) for a in given} | {1.0}))
