"""Runs causal traces: corrupted runs, and the same with states restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from .checks import agreement
from .edits import Edit, Noise, Patch
from .errors import MediationError, require
from .mediators import mediator_named
from .mediators.base import positions_of
from .outcomes import Outcomes
from .plain import plain_run
from .precision import tolerance
from .questions import Question
from .runs import Run
from .sites import Position, Site
from .study import Study, refuse_no_study
from .sweeps import Sweep
from .tracing import Tracing
from .validity import Check

Corruption = Literal["noise", "replacement"]
Edits = Mapping[Site, Edit]

KINDS = ("residual", "mlp_out", "attn_out")
"""The states that Meng et al. restore: hidden states, MLPs and attention."""


def causal_tracing(  # noqa: PLR0913 - all but the first are named
    study: Study,
    *,
    corruption: Corruption | Noise = "replacement",
    subject: Position = "subject",
    kinds: Sequence[str] = KINDS,
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
        kinds: which states: "residual", "mlp_out", "attn_out", or any other mediator.
        by: "position", or "role" for pairs whose words lie at other positions.
        window: layers that are restored together; default 1 for states and a fifth of the layers
            for the others (10 of 48 in Meng et al.). A window is a joint effect, not a layer's.
        severed: "mlp_out" or "attn_out": behind a restored state these are held at their
            corrupted value at its position, so that what is lost went through them.
        progress: whether to show a bar.

    Raises:
        MediationError: no such role, prompts of several lengths by position, and what runs raise.

    Example:
        >>> tracing = mw.causal_tracing(study, corruption="noise")
        >>> tracing.indirect("mlp_out").shape
        (6, 10)
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
    """

    study: Study
    name: str
    base: Literal["clean", "corrupt"]
    corruptions: tuple[Edits, ...]
    questions: Mapping[str, Question]
    severed: str | None

    @classmethod
    def of(
        cls,
        study: Study,
        corruption: object,
        subject: Position,
        kinds: Sequence[str],
        by: str,
        window: object,
        severed: str | None,
    ) -> _Asked:
        _refuse_no_trace(corruption, kinds, by, severed)
        sizes = _windows(study.lm.n_layers, kinds, window)
        questions = {
            kind: Question(
                Sweep(kind, Patch("clean"), by, window=sizes[kind]), study.engine, study.roles
            )
            for kind in kinds
        }
        if corruption == "replacement":
            return cls(study, "replacement", "corrupt", ({},), questions, severed)
        noise = corruption if isinstance(corruption, Noise) else Noise(sigma=3.0, samples=10)
        _refuse_no_subject(study, subject)
        site = Site("embedding", 0, position=subject)
        draws = tuple({site: noise.sample(i)} for i in range(noise.samples))
        return cls(study, "noise", "clean", draws, questions, severed)

    # --- runs ----------------------------------------------------------------------------------

    def runs(self) -> tuple[list[Run], list[Run]]:
        """Per draw the corrupted run and then the restored ones, kind by kind; then checks."""
        runs = []
        for corruption in self.corruptions:
            runs.append(Run(self.base, corruption))
            runs += [self._restored(corruption, cell) for cell in self._cells]
        middle = self.study.lm.n_layers // 2
        everything = {Site("residual", middle): Patch("clean")}
        return runs, [Run(self.base, {**self.corruptions[0], **everything})]

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
        if self.severed and next(iter(cell)).mediator.startswith("residual"):
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
        checks = self._checks(outcomes, n_runs)
        if any(check.ok is False for check in checks):
            by_draw = np.full_like(by_draw, np.nan)
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
            subject=self._subject,
            windows={kind: question.sweep.window for kind, question in self.questions.items()},
            severed=self.severed,
            clean_kept=outcomes.bases[:, 0],
            corrupted_kept=by_draw[:, 0],
            restored_kept=restored,
            checks=checks,
            metric=self.study.metric,
        )

    @property
    def _tokens(self) -> tuple[str, ...]:
        question = next(iter(self.questions.values()))
        by_role = question.sweep.by == "role"
        return tuple(self.study.roles) if by_role else self.study.position_names

    @property
    def _subject(self) -> tuple[int, ...]:
        """The columns of the grid that are corrupted in every pair."""
        engine, question = self.study.engine, next(iter(self.questions.values()))
        names = self.study.roles if question.sweep.by == "role" else range(len(self._tokens))
        found = set(range(len(names)))
        for index, (pair, roles) in enumerate(zip(engine.pairs, engine.roles, strict=True)):
            own = self._corrupted_in(index)
            at = [set(positions_of(name, len(pair), roles)) for name in names]
            found &= {column for column, some in enumerate(at) if some <= own}
        return tuple(sorted(found))

    @property
    def _noised(self) -> Position:
        return next(iter(self.corruptions[0])).position if self.corruptions[0] else None

    def _corrupted_in(self, index: int) -> set[int]:
        pair = self.study.token_pairs[index]
        if self.name == "replacement":
            return set(np.flatnonzero(pair.clean != pair.corrupt).tolist())
        return set(positions_of(self._noised, len(pair), self.study.engine.roles[index]))

    def _checks(self, outcomes: Outcomes, n_runs: int) -> tuple[Check, ...]:
        """Restoring all states brings the clean run back, and one run is that of plain hooks."""
        lm, runs = self.study.lm, self.runs()[0]
        full, clean = outcomes.kept[n_runs], outcomes.bases[:, 0]
        done = outcomes.ran[n_runs]
        gap = float(np.abs(full[done] - clean[done]).max())
        whole = agreement(
            "full restoration",
            f"Restoring the whole residual stream before layer {lm.n_layers // 2}",
            "the clean run's logits",
            gap,
            tolerance(lm, clean),
        )
        moved = np.abs(outcomes.kept[:n_runs, 0] - outcomes.kept[0, 0]).sum(axis=-1)
        strongest = int(np.argmax(np.nan_to_num(moved)))
        slow = plain_run(self.study.engine, runs[strongest])
        apart = float(np.abs(outcomes.kept[strongest, 0] - slow).max())
        plain = agreement(
            "plain forward",
            "The strongest restoration run alone by a plain forward pass",
            "the same logits",
            apart,
            tolerance(lm, slow),
        )
        return whole, plain


def _windows(n_layers: int, kinds: Sequence[str], window: object) -> dict[str, int]:
    """Layers restored together, per kind."""
    fifth = max(1, round(0.2 * n_layers))
    default = {kind: 1 if kind.startswith("residual") else fifth for kind in kinds}
    if window is None:
        return default
    given = window if isinstance(window, Mapping) else dict.fromkeys(kinds, window)
    require(
        set(given) <= set(kinds),
        "A window is of a kind that is traced.",
        value=window,
        expected="a number of layers, or {kind: layers} with some of " + ", ".join(kinds),
        fix="mw.causal_tracing(study, window={'mlp_out': 10})",
    )
    return default | dict(given)


def _refuse_no_trace(corruption: object, kinds: object, by: object, severed: object) -> None:
    require(
        isinstance(corruption, Noise)
        or (isinstance(corruption, str) and corruption in get_args(Corruption)),
        "There is no such corruption.",
        value=corruption,
        expected="'replacement', 'noise', or mw.Noise(...)",
        fix="mw.causal_tracing(study, corruption='noise')",
    )
    several = isinstance(kinds, Sequence) and not isinstance(kinds, str) and len(kinds) > 0
    require(
        several,
        "A trace restores kinds of states.",
        value=kinds,
        expected="names of mediators in a tuple",
        fix=f"mw.causal_tracing(study, kinds={KINDS!r})",
    )
    for kind in kinds:  # type: ignore[attr-defined]
        mediator = mediator_named(kind)
        require(
            mediator.index is None and not mediator.keyed and not mediator.one_layer,
            "A trace restores whole states.",
            value=kind,
            expected="a mediator of one unit a layer, such as 'residual', 'mlp_out', 'attn_out'",
            fix=f"study.sweep({kind!r}, by='position')",
        )
    require(
        isinstance(by, str) and by in ("position", "role"),
        "A trace goes by position.",
        value=by,
        expected="'position' or 'role'",
        fix="mw.causal_tracing(study, by='role')",
    )
    require(
        severed is None or (isinstance(severed, str) and severed in ("mlp_out", "attn_out")),
        "MLPs or attention can be severed.",
        value=severed,
        expected="None, 'mlp_out' or 'attn_out'",
        fix="mw.causal_tracing(study, severed='mlp_out')",
    )


def _refuse_no_subject(study: Study, subject: Position) -> None:
    several = subject if isinstance(subject, tuple) else (subject,)
    unknown = [one for one in several if isinstance(one, str) and one not in study.roles]
    if unknown or subject is None:
        raise MediationError(
            "Noise needs to know where the subject is.",
            value=f"subject={subject!r}",
            expected="positions, or one of the roles: " + (", ".join(study.roles) or "none"),
            fix="causal_tracing(study, subject=(2, 3)), or PromptPair(..., roles={'subject': ...})",
        )


__all__ = ["KINDS", "Corruption", "causal_tracing"]
