"""What a study estimates instead of running it, kept apart from what it ran, and how far off."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .asking import Asked
from .attribution import Attribution, estimated, refuse_no_estimate, refuse_no_language_model
from .edits import Edit
from .effects import Effect
from .errors import is_one_of, require
from .first_order import Method
from .grids import Grids
from .jobs import Job
from .metrics import Metric
from .questions import Question
from .search.atp_star import AtPStar
from .search.integrated import Integrated, IntegratedInputs
from .search.judged import Judged, asked_of, chosen, judged, refuse_no_check
from .search.relevance import Relevance
from .sweeps import Sweep
from .watchers import Watchers

if TYPE_CHECKING:
    from .engine import Engine
    from .prompts import Contrast
    from .sites import Site

METHODS: Mapping[str, Callable[..., Method]] = {
    "attribution": Attribution,
    "atp*": AtPStar,
    "ig": Integrated,
    "ig-inputs": IntegratedInputs,
    "relp": Relevance,
    "relp-ah": partial(Relevance, heads=True),
}
"""The gradient methods by which an effect can be estimated, by name."""

_OPTIONS = {"ig": ("steps", "most"), "ig-inputs": ("steps",)}


def method_named(name: object, options: Mapping[str, Any]) -> Method:
    """A method by its name, with the options that were given, None for the method's own.

    Raises:
        MediationError: no such method, an option that it does not have, or one out of range.
    """
    require(
        is_one_of(name, METHODS),
        "Unknown method of estimating.",
        value=name,
        expected="one of " + ", ".join(METHODS),
        fix="study.estimate('head', method='atp*')",
    )
    given = {key: value for key, value in options.items() if value is not None}
    for key, value in given.items():
        has = [method for method, keys in _OPTIONS.items() if key in keys]
        require(
            name in has,
            f"The method {name!r} has no {key}.",
            value=f"{key}={value!r}",
            expected=f"{key} for {' or '.join(map(repr, has))} alone",
            fix=f"study.estimate('head', method={has[0]!r}, {key}=...)",
        )
        require(
            isinstance(value, int) and not isinstance(value, bool) and value >= 1,
            f"{key.capitalize()} are counted.",
            value=f"{key}={value!r}",
            expected="an int, at least 1",
            fix=f"study.estimate('head', method={name!r}, {key}=20)",
        )
    return METHODS[str(name)](**given)


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
        method: str = "attribution",
        *,
        steps: int | None = None,
        most: int | None = None,
    ) -> Effect:
        """What a sweep would come to, from gradients: every site at once, or nearly so.

        PIE from gradients on the corrupt prompt, TIE from those on the clean one:

        - "attribution": the gradient times the change of the site's value (attribution patching:
          Nanda 2023; Syed et al. 2023). Exact where the metric is linear between the two values;
          it misses what saturates. One forward and one backward pass over both prompts.
        - "atp*": for queries and keys the softmax is recomputed, and sizes are averaged over
          passes without one layer each (AtP*: Kramar et al. 2024). Layers + 1 backward passes.
        - "ig": the gradient averaged on the way from the site's own value to the new one, which
          converges to what a run gives (integrated gradients). ``steps`` passes a CELL.
        - "ig-inputs": the gradient averaged over inputs between the two prompts (EAP-IG: Hanna et
          al. 2024). ``steps`` passes.
        - "relp": propagation rules of LRP in place of the gradient (RelP: Rezaei Jafari et al.
          2025); "relp-ah" holds attention patterns too. One forward and one backward pass.

        The rules, signs and sources of each are in ``mediawidget.search``: ``AtPStar``,
        ``Integrated``, ``IntegratedInputs``, ``Relevance``. All take the base runs, and for a
        check one plain run a prompt of the first pair; ``check_estimate`` checks more.

        Args:
            mediator: as in ``sweep``, but for attention patterns and edges.
            by: as in ``sweep``.
            layers: as in ``sweep``.
            edit: default, the study's: ``Patch()`` between the prompts, also part of the way,
                ``Zero()``, ``Mean()``, ``Steer(...)`` or ``Scale(...)``; "ig-inputs" takes
                ``Patch()`` alone.
            method: one of these.
            steps: points of a path, for "ig" (default 20) and "ig-inputs" (30).
            most: passes a prompt that "ig" may take (default 5000).

        Returns:
            The axes, labels and cells of ``sweep``, of status ``ESTIMATE``; its check "estimate"
            says how far off the strongest cell is on the first pair. It is of the study's metric
            alone, so ``rescore`` to another is refused. ``estimates`` keeps it by the sweep's
            name, of other methods than "attribution" with the method: ``head [ig 20]``.

        Raises:
            MediationError: what has no gradient of this kind (patterns, noise, ``Rank``, ``KL``
                unless by "ig" or "ig-inputs", a remote model, a network that is no language model),
                what the method is not defined for, and what ``sweep`` raises.

        Example:
            >>> study.estimate("head")["PIE"].shape
            (6, 4)
        """
        how = method_named(method, {"steps": steps, "most": most})
        refuse_no_language_model(self.engine.lm)
        sweep = Sweep(mediator, self._edit if edit is None else edit, by, layers=layers)
        question = Question(sweep, self.engine, self.roles)
        refuse_no_estimate(question, self._metric, how)
        outcomes = self.engine.evaluate([])
        self.admit(outcomes.bases)
        labels = self.labels(question.named_sites)
        effect = estimated(question, self._metric, self.contrast, outcomes, labels, how)
        key = f"{sweep.key} [{how.key}]" if how.key else sweep.key
        self._estimates.add(sweep, effect, key)
        self._watchers.tell(f"grid:{key}")
        return effect

    def check_estimate(
        self,
        mediator: str,
        by: Any = None,
        k: int = 10,
        sample: int = 10,
        seed: int = 0,
        quantity: str | None = None,
        **how: Any,
    ) -> Judged:
        """How far off an estimate is: the sites that it ranks first, and some of the rest, run.

        The sites of the ``k`` largest estimates are what a screen would keep; the random sample
        of the rest shows what it would miss. All of them are run in one call of the engine.

        Args:
            mediator: as in ``estimate``.
            by: as in ``estimate``.
            k: how many of the largest.
            sample: how many of the rest, drawn at random.
            seed: of the draw.
            quantity: what is ranked and compared; default PIE, or the effect on the clean prompt
                where the edit is no patch between the prompts.
            how: ``method``, ``steps``, ``most``, ``layers``, ``edit`` as in ``estimate``;
                ``progress=False`` shows no bar.

        Raises:
            MediationError: what ``estimate`` raises, and counts that are none.

        Source: Kramar et al. 2024, for a sample of what an estimate ranks low.

        Example:
            >>> study.check_estimate("head", method="atp*").table
        """
        progress = how.pop("progress", True)
        refuse_no_check(k, sample, seed)
        estimate = self.estimate(mediator, by, **how)
        kept = chosen(estimate, k, sample, seed, quantity)
        sweep = Sweep(mediator, estimate.edit, by, layers=how.get("layers"))
        question = Question(sweep, self.engine, self.roles)
        asked = asked_of(question, estimate, kept)
        return judged(estimate, self.ask(asked).result(progress=progress), kept)

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

    @abstractmethod
    def ask(self, asked: Asked) -> Job[Effect]:
        """Any cells at all, not yet started."""
