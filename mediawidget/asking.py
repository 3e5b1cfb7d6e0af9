"""Cells of any axes as runs, and from what the runs came to an effect that was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import Edits, check_runs, proofs, read_by, with_checks
from .edits import Edit
from .effects import Effect
from .engine import Engine
from .metrics import Metric
from .outcomes import Outcomes
from .prompts import Contrast
from .results import Axes, assemble, facts
from .runs import Freeze, Run, both_directions
from .statistics import clusters_of, groups_of


@dataclass(frozen=True)
class Asked:
    """What is asked of the pairs of a study: a joint edit of some sites in every cell.

    Attributes:
        axes: of the effect.
        labels: a name per cell, in row-major order.
        cells: what each possible cell sets.
        freezes: what each of them holds at its base.
        edit: which decides what quantities the effect has.
        possible: per cell whether there is anything to run; None: all of them.
        facts: what a reader must know of the runs.
    """

    axes: Axes
    labels: tuple[str, ...]
    cells: Sequence[Edits]
    freezes: Sequence[Freeze]
    edit: Edit
    possible: NDArray[np.bool_] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> list[Run]:
        """Every possible cell on the corrupt base and on the clean one, neighbours."""
        both = zip(self.cells, self.freezes, strict=True)
        return [run for cell, freeze in both for run in both_directions([cell], freeze)]

    def checks(self, engine: Engine) -> list[Run]:
        """Runs whose outcome is known, to stand behind ``runs``."""
        return check_runs(engine.lm, self.cells, engine.equal) if self.cells else []

    def effect(
        self, engine: Engine, contrast: Contrast, metric: Metric, outcomes: Outcomes
    ) -> Effect:
        """What ``runs`` and ``checks`` came to; no numbers where a check failed."""
        effect = self.unproven(engine, contrast, metric, outcomes)
        proven = proofs(engine, effect, outcomes, self.cells, self.freezes)
        return with_checks(effect, outcomes, proven, read_by(engine.lm))

    def unproven(
        self, engine: Engine, contrast: Contrast, metric: Metric, outcomes: Outcomes
    ) -> Effect:
        """What ``runs`` came to, before anything is checked."""
        effect = assemble(outcomes, self.axes, self.edit, metric, self.possible)
        found = facts(engine.lm, contrast, outcomes) | dict(self.facts)
        return replace(
            effect,
            labels=self.labels,
            facts=found,
            clusters=clusters_of(contrast),
            groups=groups_of(contrast),
        )
