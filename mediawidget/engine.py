"""Evaluates runs on pairs: groups of equal length, chunks within a memory budget."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import chunks
from .banks import fill_bank, observed
from .chunks import Chunk, cut, in_halves
from .constants import Bank
from .edits import Edit, Knockout, Values, Zero
from .edits.base import BASES
from .encoding import TokenPair
from .errors import MediationError, require
from .groups import Group, make_groups, refuse_lonely, spans
from .heap import fit_allocator
from .jobs import Job
from .lm import LM
from .mediators import mediator_named
from .memory import budget_bytes, out_of_memory
from .outcomes import Outcomes, filed
from .plan import Template, make_template, with_lenders
from .plan.frame import Ints
from .precision import tolerance
from .readouts import BASE_COLUMNS, joined
from .runner import Batch, Result
from .runs import Run, roles_named
from .sites import Site
from .sources import Sources, fit_to_keep, sources_of


class Engine:
    """Evaluates runs of one model on some pairs.

    Args:
        lm: the model.
        pairs: as token ids; grouped by length, so nothing is ever padded.
        budget: bytes a chunk may take; None asks the machine each time.
        roles: per pair the names of its positions.
        columns: what is kept of every run (``readouts.joined``).
    """

    def __init__(
        self,
        lm: LM,
        pairs: Sequence[TokenPair],
        budget: int | None = None,
        *,
        roles: Sequence[Mapping[str, Any]] = (),
        columns: tuple[str, ...] = BASE_COLUMNS,
    ) -> None:
        _refuse_no_question(lm, pairs, budget, roles)
        self.lm = lm
        self.pairs = tuple(pairs)
        self.budget = budget
        self.columns = joined(columns)
        self.roles = [spans(named) for named in roles] or [{} for _ in self.pairs]
        self._groups: dict[frozenset[str], list[Group]] = {}
        self._kept: dict[int, Sources] = {}
        self.groups = self.groups_of(frozenset())

    @property
    def equal(self) -> bool:
        """Whether the prompts of every pair are of one length."""
        return all(len(pair.clean) == len(pair.corrupt) for pair in self.pairs)

    def evaluate(self, runs: Sequence[Run], *, top: int = 0) -> Outcomes:
        """Evaluate runs on every pair, here and now.

        Args:
            runs: the base runs come along and need not be asked for.
            top: how many of the likeliest next tokens to keep per run.

        Raises:
            MediationError: a site out of range, a module the model lacks, a mean of one pair.
        """
        return self.job(runs, top=top).result()

    def job(self, runs: Sequence[Run], *, once: Sequence[Run] = (), top: int = 0) -> Job[Outcomes]:
        """The same in chunks. ``once``: further runs, on the first pairs only (checks)."""
        _refuse_other_than_runs([*runs, *once] if isinstance(runs, list | tuple) else runs, top)
        everything = [*runs, *once]
        self._refuse_impossible(everything)
        outcomes = Outcomes.empty(len(everything), len(self.pairs), self.columns)
        groups = self.groups_of(roles_named(everything))
        work = [self._work(group, everything, len(runs), outcomes) for group in groups]
        done = self._chunks(work, outcomes, top)
        return Job(done, len(runs) * len(self.pairs), lambda: outcomes)

    def recall(self, runs: Sequence[Run], *, top: int = 0) -> Outcomes:
        """The same as ``evaluate``, for few runs asked one after another: a click.

        What the prompts themselves compute is kept between calls, as long as the weights are the
        same to the last bit and nobody's hooks are on the model, so that only the runs' own rows
        are computed, from the first block that they change.
        """
        _refuse_other_than_runs(runs, top)
        if not runs:
            return self.evaluate(runs, top=top)
        self._refuse_impossible(runs)
        groups = self.groups_of(roles_named(runs))
        known = self.lm.fingerprint()
        fit = all(id(group) in self._kept or fit_to_keep(self.lm, group) for group in groups)
        if known is None or not fit:
            return self.evaluate(runs, top=top)
        outcomes = Outcomes.empty(len(runs), len(self.pairs), self.columns)
        work = [self._work(group, runs, len(runs), outcomes) for group in groups]
        if any(not _recallable(group, template) for group, template, _, _ in work):
            return self.evaluate(runs, top=top)
        try:
            self._recall(work, outcomes, top, (top, known))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        else:
            return outcomes
        self._kept.clear()
        return self.evaluate(runs, top=top)

    def _recall(
        self,
        work: list[tuple[Group, Template, Ints, int]],
        outcomes: Outcomes,
        top: int,
        mark: Any,
    ) -> None:
        began = time.perf_counter()
        for group, template, index, _ in work:
            everyone = np.arange(len(group.members))
            bank = fill_bank(self.lm, template, group, outcomes, self.budget)
            batch = Batch(self.lm, group, template, bank, everyone)
            result = batch.run_from(self._sources(group, top, mark), top)
            self._file(group, index, everyone, np.arange(len(index)), result, outcomes, top)
        outcomes.seconds += time.perf_counter() - began

    def _sources(self, group: Group, top: int, mark: Any) -> Sources:
        kept = self._kept.get(id(group))
        if kept is None or kept.mark != mark:
            kept = self._kept[id(group)] = sources_of(self.lm, group, top, mark)
        return kept

    def values(self, site: Site, run: Run) -> Values:
        """What a site is in a run, on every pair: (pair, position, width).

        Raises:
            MediationError: what ``evaluate`` raises, and pairs on which the site is of several
                widths in positions.
        """
        given: tuple[object, object] = (site, run)
        require(
            isinstance(given[0], Site) and isinstance(given[1], Run),
            "Activations are those of a site in a run.",
            value=(site, run),
            expected="a Site, and a Run or one of the two prompts",
            fix="study.activations(Site('head', layer=3, head=1), 'clean')",
        )
        mediator = mediator_named(site.mediator)
        if mediator.keyed:
            raise MediationError(
                "Attention edges are read as whole rows of a pattern.",
                value=repr(site),
                expected="a site of the mediator 'pattern'",
                fix=f"Site('pattern', layer={site.layer}, head=0, position=7)",
            )
        self._refuse_impossible([run, Run(run.base, {site: Zero()})])
        found: dict[int, NDArray[Any]] = {}
        for group in self.groups_of(roles_named([run, Run(run.base, {site: Zero()})])):
            if run.base in group.frame.bases and group.gives != "wrong":
                mediator.check(site, group.frame.shape, group.frame.n_named, group.frame.roles)
                part = observed(self.lm, group, site, run, self.budget)
                found |= dict(zip(group.members.tolist(), part, strict=True))
        shapes = {part.shape for part in found.values()}
        if len(shapes) > 1:
            raise MediationError(
                "The pairs have different numbers of positions there.",
                value=f"{site!r}: {sorted(shape[0] for shape in shapes)} positions",
                expected="as many in every pair",
                fix="name the position, or a role that every pair has",
            )
        array = np.stack([found[i] for i in range(len(self.pairs))])
        return Values(site, array, run.base if not run.edits else repr(run))

    # --- chunks -----------------------------------------------------------------------------

    def _work(
        self, group: Group, runs: Sequence[Run], n_asked: int, outcomes: Outcomes | None
    ) -> tuple[Group, Template, Ints, int]:
        """A group's own runs as a template, which of all runs they are, and how many are checks."""
        which = [i for i, run in enumerate(runs) if run.base in group.frame.bases]
        template = make_template([runs[i] for i in which], group.frame)
        index = np.array(which, dtype=np.int64)
        n_once = int((index >= n_asked).sum())
        if outcomes is None:
            return group, template, index, n_once
        rows = index[:, None]
        np.add.at(outcomes.left, (rows, group.members), 1)
        implied = template.implied[: len(which), None]
        outcomes.implied[rows, group.members] &= implied
        return group, template, index, n_once

    def _chunks(
        self, work: list[tuple[Group, Template, Ints, int]], outcomes: Outcomes, top: int
    ) -> Iterator[int]:
        """Do one chunk a step; yield how many (run, pair) it finished."""
        version = self.lm.version()
        if self.lm.device.type == "cpu":
            fit_allocator(budget_bytes(self.lm.device) if self.budget is None else self.budget)
        for group, template, index, n_once in work:
            began = time.perf_counter()
            bank = fill_bank(self.lm, template, group, outcomes, self.budget)
            outcomes.seconds += time.perf_counter() - began
            share = len(group.frame.bases) / 2 / (1 if group.gives == "both" else 2)
            n = len(group.members)
            for chunk in cut(self.lm, template, n, n_once=n_once, budget=self.budget):
                began = time.perf_counter()
                self._do(group, template, index, chunk, bank, outcomes, top)
                outcomes.seconds += time.perf_counter() - began
                asked = int((chunk.runs < len(index) - n_once).sum()) + len(chunk.idle)
                yield round(asked * len(chunk.pairs) * share)
                self._refuse_changed(version)

    def _do(
        self,
        group: Group,
        template: Template,
        index: Ints,
        chunk: Chunk,
        bank: Bank,
        outcomes: Outcomes,
        top: int,
    ) -> None:
        def do(part: Chunk) -> Result:
            return Batch(self.lm, group, template, bank, part.pairs).run(part, top)

        for part, result in in_halves([chunk], do, Chunk.halves, group.frame.n_positions):
            runs = np.concatenate([part.runs, part.idle])
            self._file(group, index, part.pairs, runs, result, outcomes, top)

    def _file(
        self,
        group: Group,
        index: Ints,
        pairs: Ints,
        runs: Ints,
        result: Result,
        outcomes: Outcomes,
        top: int,
    ) -> None:
        """Put what some runs of a group came to on some pairs where it belongs."""
        here, there = filed(group.gives, len(self.columns))
        columns = np.arange(len(self.columns))[here]
        members = group.members[pairs]
        bases = result.bases[..., there]
        at = (members[:, None, None], group.bases[None, :, None], columns)
        self._refuse_moved(outcomes.bases[at], bases)
        outcomes.bases[at] = bases
        rows = index[runs][:, None]
        outcomes.kept[rows[..., None], members[:, None], columns] = result.kept[runs][..., there]
        outcomes.left[rows, members] -= 1
        fired = np.nan_to_num(outcomes.fired[rows, members])
        outcomes.fired[rows, members] = np.maximum(fired, result.fired[runs])
        outcomes.passes += 1
        outcomes.rows += result.rows
        if top and group.gives != "wrong":
            _keep_top(outcomes, result, group, index, runs, members)

    def _refuse_changed(self, version: object) -> None:
        """One result is of one set of weights."""
        if self.lm.version() != version:
            raise _changed(self.lm)

    def _refuse_moved(self, before: NDArray[np.float64], now: NDArray[np.float64]) -> None:
        """The same for weights written behind the version counter: the base runs show it."""
        known = ~np.isnan(before)
        if known.any() and not np.abs(before - now)[known].max() <= tolerance(self.lm, now):
            raise _changed(self.lm)

    # --- parts ------------------------------------------------------------------------------

    def cost(self, runs: Sequence[Run], once: Sequence[Run] = ()) -> tuple[int, int]:
        """How many runs on how many passes a job would be, as it would be cut.

        Raises:
            MediationError: what ``job`` raises.
        """
        everything = [*runs, *once]
        self._refuse_impossible(everything)
        groups = self.groups_of(roles_named(everything))
        work = [self._work(group, everything, len(runs), None) for group in groups]
        live = passes = 0
        for group, template, _, n_once in work:
            n = len(group.members)
            parts = list(cut(self.lm, template, n, n_once=n_once, budget=self.budget))
            passes += len(parts)
            live += sum(len(part.pairs) * len(part.runs) for part in parts)
            live -= len(parts[0].pairs) * n_once
        return live, passes

    def max_rows(self, template: Template) -> int:
        """How many rows fit the budget at the positions this template computes."""
        return chunks.max_rows(self.lm, template, self.budget)

    def groups_of(self, roles: frozenset[str]) -> list[Group]:
        """The pairs in groups of one length, in which these roles lie alike."""
        if roles not in self._groups:
            some = [{n: at for n, at in named.items() if n in roles} for named in self.roles]
            self._groups[roles] = make_groups(self.lm, self.pairs, some, self.columns)
        return self._groups[roles]

    def _refuse_impossible(self, runs: Sequence[Run]) -> None:
        """Refuse what the pairs or this model cannot answer, of runs that only lend too."""
        runs = with_lenders(runs)
        kinds = {
            (site.mediator, "mask" if isinstance(edit, Knockout) else None)
            for run in runs
            for site, edit in run.edits
        }
        held = {h if isinstance(h, str) else h.mediator for run in runs for h in run.freeze}
        for kind, point in kinds | {(kind, None) for kind in held}:
            self.lm.refuse_missing(mediator_named(kind), point)  # type: ignore[arg-type]
        for edit in {edit for run in runs for _, edit in run.edits}:
            self.refuse_edit(edit)

    def refuse_edit(self, edit: Edit) -> None:
        """Raise where these pairs cannot give the edit its value."""
        refuse_lonely(self.groups, edit)


def widened(engine: Engine) -> Engine | None:
    """The same engine on a copy of its model in float32; None if that does not fit."""
    lm = engine.lm
    needed = 4 * sum(parameter.numel() for parameter in lm.hf.parameters())
    if needed > budget_bytes(lm.device):
        return None
    copied = LM(copy.deepcopy(lm.hf).float(), lm.tokenizer, name=lm.name, paths=lm.paths)
    return Engine(copied, engine.pairs, roles=engine.roles, columns=engine.columns)


def _recallable(group: Group, template: Template) -> bool:
    """Whether runs can start from what is kept: after the embedding, from their own prompts."""
    return not template.donors and group.others is None and int(template.start.min()) > 0


def _changed(lm: LM) -> MediationError:
    return MediationError(
        "The model's weights changed while this was running.",
        value=lm.name,
        expected="weights that stay as they are until the result is there",
        fix="run it again",
    )


def _refuse_no_question(lm: object, pairs: object, budget: object, roles: object) -> None:
    require(
        isinstance(lm, LM),
        "An engine runs a model.",
        value=lm,
        expected="an LM",
        fix="lm = mw.load(); mw.Study(lm, pair)",
    )
    listed = isinstance(pairs, Sequence) and len(pairs) > 0
    require(
        listed and all(isinstance(pair, TokenPair) for pair in pairs),  # type: ignore[attr-defined]
        "An engine runs pairs of prompts as token ids.",
        value=pairs,
        expected="a list of TokenPair",
        fix="Engine(lm, lm.encode([pair]))",
    )
    require(
        isinstance(roles, Sequence) and (not roles or (listed and len(roles) == len(pairs))),  # type: ignore[arg-type]
        "Roles are named for every pair, or for none.",
        value=roles,
        expected="a list of {name: positions}, as long as the pairs",
        fix="Engine(lm, lm.encode(contrast), roles=[pair.roles for pair in contrast])",
    )
    whole = isinstance(budget, int) and not isinstance(budget, bool)
    require(
        budget is None or (whole and budget >= 0),  # type: ignore[operator]
        "A budget is memory.",
        value=budget,
        expected="a number of bytes, or None to ask the machine",
        fix="Engine(lm, pairs, budget=2**30)",
    )


def _refuse_other_than_runs(runs: object, top: object = 0) -> None:
    whole = isinstance(top, int) and not isinstance(top, bool)
    require(
        whole and top >= 0,  # type: ignore[operator]
        "The likeliest tokens are counted.",
        value=top,
        expected="an int from 0",
        fix="engine.evaluate(runs, top=5)",
    )
    if not isinstance(runs, Sequence) or not all(isinstance(run, Run) for run in runs):
        raise MediationError(
            "The engine evaluates runs.",
            value=repr(runs)[:200],
            expected="a list of Run",
            fix="engine.evaluate([Run('corrupt', {Site('head', layer=3, head=1): Patch()})])",
        )


def _keep_top(
    outcomes: Outcomes, result: Any, group: Group, index: Ints, runs: Ints, members: Ints
) -> None:
    """File the likeliest tokens of the bases and of each run under its pair."""
    for column, member in enumerate(members.tolist()):
        named = [
            (BASES[b], int(rows[column]))
            for b, rows in zip(group.bases, result.base_rows, strict=True)
        ]
        named += [(int(index[run]), int(result.end[run, column])) for run in runs]  # type: ignore[misc]
        for name, row in named:
            both = zip(
                result.top_ids[row].tolist(), np.exp(result.top_logprobs[row]).tolist(), strict=True
            )
            outcomes.top[(name, member)] = list(both)
