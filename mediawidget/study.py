"""A study: one model, one contrast, one metric, and everything that was run on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .checks import base_checks, check_runs, engine_checks, fired_check, plain_check
from .edits import Edit, Patch
from .edits.base import BASES
from .effects import Check, Effect, Status
from .engine import Engine, Outcomes
from .errors import MediationError
from .history import History, Intervention, NextTokens
from .jobs import Job
from .lm import LM
from .metrics import LogitDiff, Metric
from .plain import plain_run
from .prompts import Contrast, PromptPair
from .results import assemble, empty_grid, grid_key, with_cell
from .runs import Run, Sweep, both_directions
from .sites import Site

Sites = Site | Sequence[Site] | Mapping[Site, Edit]

TOP = 5
"""How many of the likeliest next tokens an intervention keeps."""


class Study:
    """The state behind every view: what is asked, what was run, what is selected.

    Args:
        lm: the model.
        pairs: a prompt pair, several, or a contrast.
        metric: one number per pair; a change of it runs nothing.
        edit: what sweeps and clicks set sites to.

    Attributes:
        contrast: the pairs. token_pairs: the same as the model reads them.
        engine: evaluates runs on these pairs.
        history: the interventions under the present prompts and edit; ``undo`` and ``redo``
            walk it.
        revision: goes up whenever earlier grids stop being answers to the present question.

    Raises:
        MediationError: prompts of different token length, unknown answers, and so on; each names
            the value, what was expected and the fix.

    Example:
        >>> study = Study(lm, pair)
        >>> study.sweep("head")["PIE"].shape
        (5, 4)
    """

    def __init__(
        self,
        lm: LM,
        pairs: PromptPair | Sequence[PromptPair],
        metric: Metric | None = None,
        edit: Edit | None = None,
    ) -> None:
        self.lm = lm
        self.revision = 0
        self._metric = metric or LogitDiff()
        self._edit = edit or Patch()
        self._watchers: list[Callable[[str], None]] = []
        self._grids: dict[tuple[Edit, str], Effect] = {}
        self._total: Effect | None = None
        self._last: Effect | None = None
        self._set_contrast(_as_contrast(pairs))

    # --- the question -----------------------------------------------------------------------

    @property
    def metric(self) -> Metric:
        """One number per pair. Setting it reads every result anew and runs nothing."""
        return self._metric

    @metric.setter
    def metric(self, metric: Metric) -> None:
        self._metric = metric
        self._grids = {key: effect.rescore(metric) for key, effect in self._grids.items()}
        self._total = self._total.rescore(metric) if self._total else None
        self._last = self._last.rescore(metric) if self._last else None
        self.history.change(
            [e and replace(e, effect=e.effect.rescore(metric)) for e in self.history]
        )
        self._tell("prompts")

    @property
    def edit(self) -> Edit:
        """What sweeps and clicks set sites to. Results under other edits are kept."""
        return self._edit

    @edit.setter
    def edit(self, edit: Edit) -> None:
        self.engine.refuse_edit(edit)
        self._edit = edit
        self.revision += 1
        self.history = History()
        self._last = None
        self._tell("prompts")

    def swap(self) -> None:
        """Exchange the prompts and the answers: what was corrupt becomes clean."""
        self._set_contrast(self.contrast.swapped())
        self._tell("prompts")

    # --- results ------------------------------------------------------------------------------

    @property
    def total(self) -> Effect:
        """The base runs alone, an effect without axes: Y11, Y00, TE.

        They are run anew whenever they are asked for, one pass of two rows a pair, for no cheaper
        way sees every change of a weight.
        """
        self._admit(self.engine.evaluate([]).bases)
        return self.known_total

    @property
    def known_total(self) -> Effect:
        """The base runs as they were in whatever ran last; they are run if nothing has."""
        if self._total is None:
            return self.total
        return self._total

    @property
    def position_names(self) -> tuple[str, ...]:
        """A name per position: the token, the role where pairs differ, or the bare number."""
        if self._lengths_differ():
            return ()
        return tuple(self._position_name(i) for i in range(len(self.token_pairs[0])))

    @property
    def grids(self) -> Mapping[str, Effect]:
        """What was swept or clicked under the present edit: ``head``, ``residual@position``..."""
        return {key: effect for (edit, key), effect in self._grids.items() if edit == self._edit}

    @property
    def last(self) -> Effect | None:
        """The result that came last or that undo went back to."""
        return self._last

    @property
    def selection(self) -> tuple[Site, ...]:
        """The sites of the intervention that views show."""
        current = self.history.current
        return current.sites if current else ()

    def sweep(
        self,
        mediator: str,
        by: str | None = None,
        edit: Edit | None = None,
        *,
        progress: bool = True,
    ) -> Effect:
        """Edit every site of a kind, one at a time, on both bases.

        Args:
            mediator: "head", "residual", "attn_out" or "mlp_out".
            by: "position" edits one position at a time; None all at once.
            edit: default, the study's.
            progress: show a bar.

        Returns:
            Axes (layer,), (layer, head), (layer, position) or (layer, head, position).
        """
        return self.job(mediator, by, edit).result(progress=progress)

    def start(self, mediator: str, by: str | None = None, edit: Edit | None = None) -> Job[Effect]:
        """The same without waiting: ``job.progress``, ``job.cancel()``, ``job.result()``."""
        return self.job(mediator, by, edit).start()

    def job(self, mediator: str, by: str | None = None, edit: Edit | None = None) -> Job[Effect]:
        """The same, not yet started: every ``job.step()`` runs one chunk."""
        sweep = Sweep(mediator, self._edit if edit is None else edit, by)
        n_positions = self._n_positions(sweep)
        sites = sweep.sites(self.lm.shape, n_positions)
        runs = both_directions([{site: sweep.edit} for site in sites])
        known = check_runs(self.lm, replace(sites[len(sites) // 2], position=None))
        axes = sweep.axes(self.lm.shape, n_positions)
        revision = self.revision

        def finish(outcomes: Outcomes) -> Effect:
            effect = assemble(outcomes, len(runs), axes, sweep.edit, self._metric)
            effect = replace(effect, labels=self._labels(sites))
            effect = self._checked(effect, outcomes, sites, known, len(runs))
            if self.revision == revision and not np.isnan(outcomes.bases).any():
                self._admit(outcomes.bases)
                self._grids[(sweep.edit, sweep.key)] = effect
                self._last = effect
                self._tell(f"grid:{sweep.key}")
            return effect

        return self.engine.job(runs, once=known).then(finish)

    def intervene(self, sites: Sites) -> Effect:
        """Edit sites jointly, on both bases; every view of the study shows it.

        Args:
            sites: one site, several (set by the study's edit), or ``{site: edit}``.

        Returns:
            An effect without axes.
        """
        edits = self._as_edits(sites)
        runs = both_directions([edits])
        outcomes = self.engine.evaluate(runs, top=TOP)
        self._admit(outcomes.bases)
        effect = assemble(outcomes, len(runs), {}, _common(edits), self._metric)
        label = " + ".join(self._labels(tuple(edits)))
        effect = replace(effect, labels=(label,))
        fired = fired_check(outcomes.fired, outcomes.implied)
        effect = replace(effect, checks=(*base_checks(effect.bases, self._metric), fired))
        effect = replace(effect, facts=self._facts(outcomes))
        entry = Intervention(edits, effect, _next_tokens(self.lm, outcomes))
        self.history.add(entry)
        self._last = effect
        self._fill_cell(entry)
        self._tell("result")
        return effect

    # --- history ------------------------------------------------------------------------------

    def undo(self) -> bool:
        """Show the intervention before; False if there is none."""
        return self._walk(-1)

    def redo(self) -> bool:
        """Show the intervention that was undone; False if there is none."""
        return self._walk(1)

    def clear(self) -> None:
        """Select nothing. Can be undone."""
        self.history.add(None)
        self._last = None
        self._tell("result")

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Be told of changes: "prompts", "grid:<key>", "result". Returns how to stop it."""
        self._watchers.append(callback)

        def stop() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)

        return stop

    def __repr__(self) -> str:
        name = f" {self.contrast.name}" if self.contrast.name else ""
        pairs = "1 pair" if len(self.contrast) == 1 else f"{len(self.contrast)} pairs"
        run = ", ".join(self.grids) or "nothing"
        return f"Study({self.lm.name},{name} {pairs}, {self._metric.name}; run: {run})"

    # --- inside -------------------------------------------------------------------------------

    def _set_contrast(self, contrast: Contrast) -> None:
        token_pairs = self.lm.encode(contrast)
        engine = Engine(self.lm, token_pairs)
        engine.refuse_edit(self._edit)
        self.contrast, self.token_pairs, self.engine = contrast, token_pairs, engine
        self.history = History()
        self._forget()

    def _forget(self) -> None:
        self._grids.clear()
        self._total = self._last = None
        self._version = self.lm.version()
        self.revision += 1

    def _admit(self, bases: Any) -> None:
        """Take new base runs as the present truth; if they moved, nothing older is shown."""
        version = self.lm.version()
        known = self._total
        moved = known is not None and not np.allclose(known.bases, bases, rtol=1e-4, atol=1e-4)
        if moved or version != self._version:
            self._forget()
            known = None
            self._tell("prompts")
        if known is None:
            self._total = Effect(
                axes={},
                bases=bases,
                edited=np.full_like(bases, np.nan),
                status=np.array(Status.NOT_RUN, dtype=np.uint8),
                metric=self._metric,
                checks=tuple(base_checks(bases, self._metric)),
            )

    def _checked(
        self, effect: Effect, outcomes: Outcomes, sites: list[Site], known: list[Run], n: int
    ) -> Effect:
        """The effect with its checks; without its numbers where a check of the engine failed."""
        checks: list[Check] = base_checks(effect.bases, self._metric)
        checks.append(fired_check(outcomes.fired[:n], outcomes.implied[:n]))
        engine = engine_checks(self.lm, next(iter(known[0].edits))[0], outcomes, n)
        engine += self._plain(effect, sites)
        effect = replace(effect, checks=(*checks, *engine), facts=self._facts(outcomes))
        if any(check.ok is False for check in engine):
            failed = np.where(effect.status == Status.NOT_RUN, effect.status, Status.FAILED)
            nothing = np.full_like(effect.edited, np.nan)
            return replace(effect, edited=nothing, status=failed.astype(np.uint8))
        return effect

    def _plain(self, effect: Effect, sites: list[Site]) -> list[Check]:
        """The strongest cell of the first pair once more, by a plain forward pass."""
        ran = (effect.status == Status.EXACT).reshape(-1)
        if not ran.any() or effect.edit.source_kind == "mean":
            return []
        moved = effect.metric(effect.edited[0, 1]).reshape(-1) - effect.metric(effect.bases[0, 1])
        cell = int(np.nanargmax(np.where(ran, np.abs(moved), -1.0)))
        run = Run("corrupt", {sites[cell]: effect.edit})
        fast = effect.edited[0, 1].reshape(-1, 3)[cell]
        slow = plain_run(self.lm, self.token_pairs[0], run)
        return [plain_check(self.lm, self._labels([sites[cell]])[0], fast, slow)]

    def _facts(self, outcomes: Outcomes) -> dict[str, Any]:
        return {
            "model": self.lm.name,
            "contrast": self.contrast.name,
            "pairs": len(self.contrast),
            "clean": self.contrast[0].clean,
            "corrupt": self.contrast[0].corrupt,
            "answer": self.contrast[0].answer,
            "wrong": self.contrast[0].wrong,
            "passes": outcomes.passes,
            "rows": outcomes.rows,
            "seconds": round(outcomes.seconds, 4),
        }

    def _labels(self, sites: Sequence[Site]) -> tuple[str, ...]:
        names = self.position_names
        return tuple(site.label(names) for site in sites)

    def _position_name(self, position: int) -> str:
        tokens = {pair.clean_tokens[position] for pair in self.token_pairs}
        if len(tokens) == 1:
            return tokens.pop()
        roles = [{r for r, at in pair.roles.items() if at == position} for pair in self.contrast]
        return next(iter(sorted(set.intersection(*roles))), str(position))

    def _as_edits(self, sites: Sites) -> dict[Site, Edit]:
        if isinstance(sites, Mapping):
            edits = dict(sites)
        else:
            listed = [sites] if isinstance(sites, Site) else list(sites)
            edits = dict.fromkeys(listed, self._edit)
        if not edits:
            raise MediationError(
                "An intervention needs a site.",
                value="none",
                expected="at least one Site",
                fix="study.intervene(Site('head', layer=3, head=1)); study.clear() selects nothing",
            )
        return edits

    def _n_positions(self, sweep: Sweep) -> int:
        lengths = sorted({len(pair) for pair in self.token_pairs})
        if sweep.by == "position" and len(lengths) > 1:
            raise MediationError(
                "A sweep by position needs prompts of one length.",
                value=f"lengths {lengths}",
                expected="pairs of equal token length",
                fix=f"study.sweep({sweep.mediator!r}), or a contrast of pairs of one length",
            )
        return lengths[-1]

    def _fill_cell(self, entry: Intervention) -> None:
        """A click on one site is that cell of its grid, whether or not the grid was swept."""
        if len(entry.edits) != 1:
            return
        ((site, edit),) = entry.edits.items()
        sweep = Sweep(site.mediator, edit, grid_key(site))
        if isinstance(site.position, tuple) or (sweep.by and self._lengths_differ()):
            return
        grid = self._grids.get((edit, sweep.key))
        if grid is None:
            n_positions = len(self.token_pairs[0])
            axes = sweep.axes(self.lm.shape, n_positions)
            labels = self._labels(sweep.sites(self.lm.shape, n_positions))
            grid = empty_grid(axes, entry.effect, labels)
        self._grids[(edit, sweep.key)] = with_cell(grid, site, entry.effect)

    def _lengths_differ(self) -> bool:
        return len({len(pair) for pair in self.token_pairs}) > 1

    def _walk(self, by: int) -> bool:
        moved = self.history.move(by)
        if moved:
            self._last = self.history.current.effect if self.history.current else None
            self._tell("result")
        return moved

    def _tell(self, event: str) -> None:
        for callback in list(self._watchers):
            callback(event)


def _as_contrast(pairs: PromptPair | Sequence[PromptPair]) -> Contrast:
    if isinstance(pairs, Contrast):
        return pairs
    return Contrast([pairs] if isinstance(pairs, PromptPair) else pairs)


def _common(edits: Mapping[Site, Edit]) -> Edit:
    """The edit whose quantities exist for the whole set: corners only if all edits have them."""
    return next((edit for edit in edits.values() if not edit.corners), next(iter(edits.values())))


def _next_tokens(lm: LM, outcomes: Outcomes) -> tuple[NextTokens, ...]:
    # Of the two runs the first is on the corrupt base, the second on the clean one.
    names: dict[str, int | str] = {
        **{base: base for base in BASES},
        "restored": 0,
        "broken": 1,
    }
    return tuple(
        {
            name: [(lm.encoder.token(i), p) for i, p in outcomes.top[(key, pair)]]
            for name, key in names.items()
        }
        for pair in range(len(outcomes.bases))
    )
