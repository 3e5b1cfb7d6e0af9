"""Runs causal traces: corrupted runs, and the same with states restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .edits import Edit, Noise, Patch
from .encoding import TokenPair
from .mediators.base import positions_of
from .outcomes import Outcomes
from .questions import Question
from .runs import Run
from .sites import Position, Site
from .statistics import clusters_of
from .study import Study, refuse_no_study
from .sweeps import Sweep
from .trace_checks import broken, everything, full_restoration, plain_forward
from .trace_options import (
    KINDS,
    STATES,
    Corruption,
    refuse_no_kinds,
    refuse_no_subject,
    refuse_no_trace,
    refuse_not_severed,
    windows,
)
from .tracing import Tracing, premises_of
from .validity import Check, fired

Array = NDArray[np.float64]
Edits = Mapping[Site, Edit]


def causal_tracing(  # noqa: PLR0913 - all but the first are named
    study: Study,
    *,
    corruption: Corruption | Noise = "replacement",
    subject: Position = "subject",
    kinds: Sequence[str] | None = None,
    by: str = "position",
    window: int | Mapping[str, int] | None = None,
    severed: str | None = None,
    progress: bool = True,
) -> Tracing:
    """Corrupt the subject, restore one state at a time, and see how much comes back.

    Args:
        study: its pairs and metric; Meng et al. read the probability of the answer, ``mw.Prob()``.
        corruption: "replacement" runs the pairs' corrupt prompts, another subject of the same
            length, which stays within what the model has seen (Zhang & Nanda 2024). "noise" adds
            three standard deviations of Gaussian noise to the subject's embeddings, ten draws
            (Meng et al. 2022); ``mw.Noise(sigma=..., samples=..., seed=...)`` other noise.
        subject: a role, or positions; a replacement needs none, its subject is where prompts
            differ.
        kinds: which states: "residual", "mlp_out", "attn_out", or any other mediator; default
            these three, or with ``severed`` the residual stream alone.
        by: "position", or "role" for pairs whose words lie at other positions.
        window: layers that are restored together; default 1 for states and a fifth of the layers
            for the others (10 of 48 in Meng et al.). A window is a joint effect, not a layer's.
        severed: "mlp_out" or "attn_out": behind a restored state of the residual stream these
            are held at their corrupted value at its position, so that what is lost went through
            them. Behind a restored module nothing can be severed.
        progress: whether to show a bar.

    Raises:
        MediationError: no such role, prompts of several lengths by position, something severed
            behind modules, and what runs raise.

    Example:
        >>> tracing = mw.causal_tracing(study, corruption="noise", subject="S2")
        >>> tracing.indirect("mlp_out").shape
        (6, 15)
    """
    refuse_no_study(study)
    asked = _Asked.of(study, corruption, subject, kinds, by, window, severed)
    runs, once = asked.runs()
    outcomes = study.engine.job(runs, once=once).result(progress=progress)
    return asked.tracing(outcomes)


@dataclass(frozen=True)
class _Asked:
    """A trace to be run.

    Attributes:
        base: the prompt of all runs. corruptions: per draw what is set in it.
        questions: per kind the sweep whose cells are restored.
        subject: the columns of the grid that are corrupted in any pair.
    """

    study: Study
    name: str
    base: Literal["clean", "corrupt"]
    corruptions: tuple[Edits, ...]
    questions: Mapping[str, Question]
    severed: str | None
    subject: tuple[int, ...]

    @classmethod
    def of(
        cls,
        study: Study,
        corruption: object,
        subject: Position,
        kinds: Sequence[str] | None,
        by: str,
        window: object,
        severed: str | None,
    ) -> _Asked:
        refuse_no_trace(corruption, by)
        if kinds is None:
            kinds = KINDS if severed is None else STATES
        refuse_no_kinds(kinds)
        refuse_not_severed(severed, kinds)
        sizes = windows(study.lm.n_layers, kinds, window)
        # Under noise every run is of the clean prompt, whatever the other one is.
        alone = corruption != "replacement"
        questions = {
            kind: Question(
                Sweep(kind, Patch("clean"), by, window=sizes[kind]),
                study.engine,
                study.roles,
                alone=alone,
            )
            for kind in kinds
        }
        if corruption == "replacement":
            columns = _subject(questions[kinds[0]], None)
            return cls(study, "replacement", "corrupt", ({},), questions, severed, columns)
        noise = corruption if isinstance(corruption, Noise) else Noise(sigma=3.0, samples=10)
        refuse_no_subject(study, subject)
        site = Site("embedding", 0, position=subject)
        columns = _subject(questions[kinds[0]], site.position)
        draws = tuple({site: noise.sample(i)} for i in range(noise.samples))
        return cls(study, "noise", "clean", draws, questions, severed, columns)

    # --- runs ----------------------------------------------------------------------------------

    def runs(self) -> tuple[list[Run], list[Run]]:
        """Per draw the corrupted run and then the restored ones, kind by kind; then checks."""
        runs = []
        for corruption in self.corruptions:
            runs += [Run(self.base, corruption), *self._restorations(corruption)]
        whole = everything(self.study.engine)
        return runs, [Run(self.base, {**self.corruptions[0], **whole})]

    def _restorations(self, corruption: Edits) -> list[Run]:
        return [self._restored(corruption, cell) for cell in self._cells]

    @property
    def _cells(self) -> list[Edits]:
        return [
            cell
            for kind, question in self.questions.items()
            for cell in question.asked(("",) * len(question.sites)).cells
        ]

    def _restored(self, corruption: Edits, cell: Edits) -> Run:
        """A corrupted run with a cell's sites as they are in the clean one."""
        held: dict[Site, Edit] = {}
        if self.severed:
            corrupted = Run(self.base, corruption)
            last = max(cell, key=lambda site: site.layer)
            behind = range(last.layer, self.study.lm.n_layers)
            sites = [Site(self.severed, layer, position=last.position) for layer in behind]
            held = dict.fromkeys(sites, Patch(corrupted))
        return Run(self.base, {**corruption, **cell, **held})

    # --- results -------------------------------------------------------------------------------

    def tracing(self, outcomes: Outcomes) -> Tracing:
        """What the runs came to, or nothing where a check failed."""
        n_cells = len(self._cells)
        n_draws, each = len(self.corruptions), outcomes.kept.shape[1:]
        n_runs = n_draws * (1 + n_cells)
        by_draw = outcomes.kept[:n_runs].reshape(n_draws, 1 + n_cells, *each)
        proven = self._proofs(outcomes, n_runs)
        checks = (*self._checks(outcomes, by_draw), *proven)
        # What overflowed is no number, and without proof of the engine none is.
        sound = np.isfinite(by_draw).all(axis=-1, keepdims=True)
        if any(check.ok is False for check in proven):
            sound = np.zeros_like(sound)
        by_draw = np.where(sound, by_draw, np.nan)
        restored, start = {}, 1
        for kind, question in self.questions.items():
            asked = question.asked(("",) * len(question.sites))
            shape = tuple(len(labels) for labels in asked.axes.values())
            grid = np.full((len(by_draw), int(np.prod(shape)), *each), np.nan)
            grid[:, asked.possible] = by_draw[:, start : start + len(asked.cells)]
            restored[kind] = grid.reshape(len(by_draw), *shape, *each)
            start += len(asked.cells)
        return Tracing(
            study=self.study,
            corruption=self.name,
            tokens=self._tokens,
            subject=self.subject,
            windows={kind: question.sweep.window for kind, question in self.questions.items()},
            severed=self.severed,
            clean_kept=outcomes.bases[:, 0],
            corrupted_kept=by_draw[:, 0],
            restored_kept=restored,
            checks=checks,
            metric=self.study.metric,
            columns=outcomes.columns,
            clusters=clusters_of(self.study.contrast),
            answers=self._answers,
        )

    @property
    def _tokens(self) -> tuple[str, ...]:
        question = next(iter(self.questions.values()))
        by_role = question.sweep.by == "role"
        return tuple(self.study.roles) if by_role else self.study.position_names

    @property
    def _answers(self) -> tuple[str, str]:
        first, *others = self.study.token_pairs
        if others:
            return "answer", "wrong"
        return first.answer_token.strip(), first.wrong_token.strip()

    def _checks(self, outcomes: Outcomes, by_draw: Array) -> list[Check]:
        """Of the question: what it takes for granted, and that something happened in its runs."""
        n_draws, each = by_draw.shape[:2]
        # Noise must change the embeddings; a replacement sets nothing but what it restores.
        corrupted = np.arange(n_draws * each) % each == 0
        acting = np.flatnonzero(corrupted == (self.name == "noise"))
        metric = self.study.metric.over(outcomes.columns)
        return [
            *premises_of(outcomes.bases[:, 0], by_draw[:, 0], metric),
            fired(outcomes.fired[acting], outcomes.implied[acting]),
            *broken(outcomes, n_draws * each),
        ]

    def _proofs(self, outcomes: Outcomes, n_runs: int) -> list[Check]:
        """Of the engine: restoring all states gives the clean run, plain hooks the same run."""
        engine, first = self.study.engine, self._restorations(self.corruptions[0])
        return [
            full_restoration(engine, outcomes, n_runs),
            plain_forward(engine, self.study.metric, outcomes, first),
        ]


def _subject(question: Question, noised: Position) -> tuple[int, ...]:
    """The columns of a grid that are corrupted, all of what they name, in any pair.

    In any, for two subjects may share a token. ``noised``: where; None for a replacement.
    """
    engine, by_role = question.engine, question.sweep.by == "role"
    names = question.roles if by_role else range(len(question.axes["position"]))
    found: set[int] = set()
    for pair, roles in zip(engine.pairs, engine.roles, strict=True):
        own = _replaced(pair) if noised is None else {*positions_of(noised, len(pair), roles)}
        at = [set(positions_of(name, len(pair), roles)) for name in names]
        found |= {column for column, some in enumerate(at) if some <= own}
    return tuple(sorted(found))


def _replaced(pair: TokenPair) -> set[int]:
    """The clean positions whose token is another in the corrupt prompt, or has no partner there."""
    other = {i for i, j in pair.alignment if pair.clean[i] != pair.corrupt[j]}
    return other | set(pair.lonely("clean"))


__all__ = ["KINDS", "Corruption", "causal_tracing"]
