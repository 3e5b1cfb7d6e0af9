"""What a study runs: every site of a kind, one at a time, or some of them jointly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .asking import Asked
from .checks import proofs, read_by, with_checks
from .edits import Edit, Values
from .edits.base import Base
from .effects import Effect, Status
from .engine import Engine
from .errors import require
from .grids import Grids
from .history import History, Intervention
from .jobs import Job
from .lm import LM
from .metrics import Metric
from .outcomes import Outcomes
from .prompts import Contrast
from .questions import Question
from .results import frozen_facts, next_tokens
from .runs import Freeze, Run, Sites, as_edits, as_freeze, common_edit
from .sites import Site
from .sweeps import Sweep
from .validity import Check
from .watchers import Watchers

TOP = 5
"""How many of the likeliest next tokens an intervention keeps."""

OPTIONS = ("window", "layers", "freeze")
"""What a sweep is given by name beside its edit and how it goes by position."""


class Experiments(ABC):
    """The runs of a study, whose results it keeps and its views show."""

    lm: LM
    engine: Engine
    contrast: Contrast
    history: History
    revision: int
    _edit: Edit
    _metric: Metric
    _grids: Grids
    _proven: dict[Any, list[Check]]
    _last: Effect | None
    _watchers: Watchers

    @property
    @abstractmethod
    def roles(self) -> tuple[str, ...]:
        """The names of positions that every pair has."""

    @property
    @abstractmethod
    def position_names(self) -> tuple[str, ...]:
        """A name per position."""

    @abstractmethod
    def labels(self, sites: Sequence[Site]) -> tuple[str, ...]:
        """The sites' names on these prompts."""

    @abstractmethod
    def admit(self, bases: Any) -> bool:
        """Take new base runs as the present truth."""

    @abstractmethod
    def unmoved(self) -> AbstractContextManager[None]:
        """For what is run in it: nobody asks this study something else meanwhile."""

    def sweep(self, mediator: str, by: Any = None, edit: Edit | None = None, **more: Any) -> Effect:
        """Edit every site of a kind, one at a time, on both bases.

        Args:
            mediator: "head", "residual", "attn_out", "mlp_out", "query", "neuron" and so on
                (``mediawidget.mediators``).
            by: "position" edits one position at a time, "role" one role of the pairs, a mapping
                {name: positions} one of these groups; None all positions at once.
            edit: default, the study's.
            more: ``window``, ``layers``, ``freeze`` as in ``Sweep``; ``progress=False`` shows no
                bar.

        Returns:
            Axes layer, then head, unit or nothing, then position (and key), then sample.

        Raises:
            MediationError: no such kind of component in this model, a ``by`` or an edit that it
                cannot have, an option that there is not, and what ``Sweep`` raises.
        """
        progress = more.pop("progress", True)
        return self.job(mediator, by, edit, **more).result(progress=progress)

    def start(
        self, mediator: str, by: Any = None, edit: Edit | None = None, **more: Any
    ) -> Job[Effect]:
        """``sweep`` without waiting: ``job.progress``, ``job.cancel()``, ``job.result()``.

        Arguments and errors as for ``sweep``, but for ``progress``.
        """
        return self.job(mediator, by, edit, **more).start()

    def job(
        self, mediator: str, by: Any = None, edit: Edit | None = None, **more: Any
    ) -> Job[Effect]:
        """``sweep``, not yet started: every ``job.step()`` runs one chunk.

        Arguments and errors as for ``sweep``, but for ``progress``.
        """
        _refuse_no_option(mediator, more)
        self.engine.refuse_unknown(mediator, *_kinds(more.get("freeze", ())))
        sweep = Sweep(mediator, self._edit if edit is None else edit, by, **more)
        question, revision = Question(sweep, self.engine, self.roles), self.revision
        asked = question.asked(self.labels(question.named_sites))

        def finish(effect: Effect) -> Effect:
            if self.revision == revision and not np.isnan(effect.bases).any():
                self.admit(effect.bases)
                self._grids.add(sweep, effect)
                self._last = effect
                self._watchers.tell(f"grid:{sweep.key}")
            return effect

        return self.ask(asked).then(finish)

    def ask(self, asked: Asked) -> Job[Effect]:
        """A job of any cells, not yet started: what comes of it is checked as a sweep is.

        No view shows it.

        Args:
            asked: ``mediawidget.asking.Asked``: the axes, and what each cell sets and holds.

        Raises:
            MediationError: what ``Engine.job`` raises.
        """
        engine, contrast, metric = self.engine, self.contrast, self._metric

        def effect(outcomes: Outcomes) -> Effect:
            kept = set(self._metric.columns) <= set(engine.columns)
            return asked.effect(engine, contrast, self._metric if kept else metric, outcomes)

        return engine.job(asked.runs, once=asked.checks(engine)).then(effect)

    def intervene(self, sites: Sites, freeze: Freeze = ()) -> Effect:
        """Edit sites jointly, on both bases; every view of the study shows it.

        The first intervention of a kind proves the engine on these prompts and weights; the next
        ones carry its checks along. On a server the first contact of all does.

        Args:
            sites: one site, several (set by the study's edit), or ``{site: edit}``.
            freeze: what is held at the base instead of being recomputed, as in ``Run``.

        Returns:
            An effect without axes: ``effect["PIE"]`` is a number.

        Raises:
            MediationError: no sites, a site that the model does not have or an edit that it cannot
                have there, an edit of several draws, and pairs that cannot give the edit its value.
        """
        self.engine.refuse_unknown(*_kinds(freeze))
        edits, held = as_edits(sites, self._edit), as_freeze(freeze)
        kinds = (frozenset((site.mediator, edit) for site, edit in edits.items()), held)
        with self.unmoved():
            # A server was put to the proof at first contact: a click costs no further requests.
            proven = self._proven.get(kinds) or self.engine.prove()
        name, edit = " + ".join(self.labels(tuple(edits))), common_edit(edits)
        asked = Asked({}, (name,), [edits], [held], edit, facts=frozen_facts(held))
        with self.unmoved():
            if proven:
                outcomes = self.engine.recall(asked.runs, top=TOP)
            else:
                once = asked.checks(self.engine)
                outcomes = self.engine.job(asked.runs, once=once, top=TOP).result()
        if self.admit(outcomes.bases) and proven:
            return self.intervene(edits, held)  # what was proven is of weights that are no more
        effect = asked.unproven(self.engine, self.contrast, self._metric, outcomes)
        if not proven:
            with self.unmoved():
                proven = proofs(self.engine, effect, outcomes, [edits], [held])
            # Only what was really compared, and held, goes for the next ones too.
            if int(effect.status) == Status.EXACT and all(
                check.ok is not False or check.name == "precision" for check in proven
            ):
                self._proven[kinds] = proven
        effect = with_checks(effect, outcomes, proven, read_by(self.lm))
        entry = Intervention(edits, effect, next_tokens(self.lm, outcomes), held)
        self.history.add(entry)
        self._last = effect
        if len(edits) == 1 and not held:
            ((site, edit),) = edits.items()
            self._grids.fill_cell(site, edit, effect, self.lm.shape, self.position_names)
        self._watchers.tell("result")
        return effect

    def activations(self, site: Site, base: Base | Run = "clean") -> Values:
        """What a site is on every pair: to look at, or as the source of ``Patch(values)``.

        Args:
            site: where.
            base: on which prompt, or in which run.

        Returns:
            ``Values`` of shape (pair, position, width), one entry per position of the site.

        Raises:
            MediationError: pairs of several lengths where the site names no position, and what
                ``Run`` raises.
        """
        run = base if isinstance(base, Run) else Run(base)
        return self.engine.values(site, run)


def _refuse_no_option(mediator: str, more: Mapping[str, Any]) -> None:
    unknown = [name for name in more if name not in OPTIONS]
    require(
        not unknown,
        "There is no such option.",
        value=", ".join(unknown),
        expected="one of by, edit, " + ", ".join(OPTIONS),
        fix=f"study.sweep({mediator!r}, layers=[2, 3])",
    )


def _kinds(freeze: object) -> list[str]:
    """The kinds of mediator that are named as frozen; what names none is refused elsewhere."""
    several = freeze if isinstance(freeze, list | tuple) else [freeze]
    named = [held.mediator if isinstance(held, Site) else held for held in several]
    return [name for name in named if isinstance(name, str)]
