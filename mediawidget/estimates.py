"""What a study estimates instead of running it, kept apart from what it ran."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .attribution import estimated, refuse_no_estimate
from .edits import Edit
from .effects import Effect
from .grids import Grids
from .metrics import Metric
from .questions import Question
from .sweeps import Sweep
from .watchers import Watchers

if TYPE_CHECKING:
    from .engine import Engine
    from .prompts import Contrast
    from .sites import Site


class Estimates(ABC):
    """The estimates of a study: two gradients stand for all runs of a sweep.

    An estimate is an answer to the question as it was: new prompts, another metric and other
    weights drop it, and another edit hides it.
    """

    engine: Engine
    contrast: Contrast
    _edit: Edit
    _metric: Metric
    _watchers: Watchers
    _estimates: Grids

    @property
    def estimates(self) -> Mapping[str, Effect]:
        """What was estimated under the present edit, by the names that sweeps have in ``grids``."""
        return self._estimates.under(self._edit)

    def estimate(
        self,
        mediator: str,
        by: Any = None,
        layers: Sequence[int] | int | None = None,
        edit: Edit | None = None,
    ) -> Effect:
        """What a sweep would come to, to first order: every site at once.

        PIE from the gradient on the corrupt prompt, TIE from the one on the clean prompt, each
        times the change of the site's value (attribution patching: Nanda 2023; Syed et al. 2023;
        Kramar et al. 2024). It is exact where the metric is linear between the two values, and
        misses what saturates: run what matters.

        However many sites there are, it takes the base runs, one forward and one backward pass
        over both prompts, and for its check one plain run a prompt of the first pair.

        Args:
            mediator: as in ``sweep``, but for attention patterns and edges.
            by: as in ``sweep``.
            layers: as in ``sweep``.
            edit: default, the study's: ``Patch()`` between the prompts, also part of the way,
                ``Zero()``, ``Mean()``, ``Steer(...)`` or ``Scale(...)``.

        Returns:
            The axes, labels and cells of ``sweep``, of status ``ESTIMATE``; its check "estimate"
            says how far off the strongest cell is on the first pair. It is of the study's metric
            alone, so ``rescore`` to another is refused.

        Raises:
            MediationError: what has no gradient of this kind (patterns, noise, ``Rank``, a remote
                model), and what ``sweep`` raises.

        Example:
            >>> study.estimate("head")["PIE"].shape
            (6, 4)
        """
        sweep = Sweep(mediator, self._edit if edit is None else edit, by, layers=layers)
        question = Question(sweep, self.engine, self.roles)
        refuse_no_estimate(question, self._metric)
        outcomes = self.engine.evaluate([])
        self.admit(outcomes.bases)
        labels = self.labels(question.sites)
        effect = estimated(question, self._metric, self.contrast, outcomes, labels)
        self._estimates.add(sweep, effect)
        self._watchers.tell(f"grid:{sweep.key}")
        return effect

    @property
    @abstractmethod
    def roles(self) -> tuple[str, ...]:
        """The names of positions that every pair has."""

    @abstractmethod
    def labels(self, sites: Sequence[Site]) -> tuple[str, ...]:
        """The sites' names on these prompts."""

    @abstractmethod
    def admit(self, bases: Any) -> bool:
        """Take new base runs as the present truth."""
