"""Evaluates runs on pairs: groups of equal length, chunks within a memory budget."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import chunks
from .banks import fill_bank, observed
from .chunks import Chunk, cut, in_halves
from .constants import Bank
from .edits import Edit, Knockout, Values, Zero
from .encoding import TokenPair
from .engine_inputs import refuse_no_activation, refuse_no_question, refuse_other_than_runs
from .errors import MediationError, require
from .filing import Filing, weights_changed
from .groups import Group, make_groups, refuse_lonely, spans
from .heap import fit_allocator
from .jobs import Job
from .lm import LM
from .mediators import mediator_named
from .mediators.base import no_role, positions_of
from .memory import budget_bytes, out_of_memory
from .outcomes import Outcomes
from .plan import Template, make_template, with_lenders
from .plan.frame import Ints
from .products import products_within
from .readouts import BASE_COLUMNS, joined
from .runner import Batch, Result
from .runs import Run, roles_named
from .sites import Site
from .sources import Sources, fit_to_keep, sources_of
from .validity import Check

Axes = Mapping[str, tuple[int | str, ...]]
"""Names of axes -> their coordinates, in order."""


@dataclass(frozen=True)
class _Work:
    """A group's own runs.

    Attributes:
        index: which of all runs they are.
        n_once: how many of them, the last ones, are checks.
    """

    group: Group
    template: Template
    index: Ints
    n_once: int


class Engine:
    """Evaluates runs of one model on some pairs.

    Args:
        lm: the model.
        pairs: as token ids; grouped by length, so nothing is ever padded.
        budget: bytes a chunk may take; None asks the machine each time.
        roles: per pair the names of its positions.
        columns: what is kept of every run (``readouts.joined``).

    Attributes:
        proves: whether a model's server is put to the proof before the first number.

    Raises:
        MediationError: no ``LM``, no pairs, a budget that is no number of bytes, or roles that are
            not of these pairs.
    """

    proves = True

    def __init__(
        self,
        lm: LM,
        pairs: Sequence[TokenPair],
        budget: int | None = None,
        *,
        roles: Sequence[Mapping[str, Any]] = (),
        columns: tuple[str, ...] = BASE_COLUMNS,
    ) -> None:
        refuse_no_question(lm, pairs, budget, roles)
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
        """``evaluate`` as a job, which runs in chunks.

        Args:
            runs: the base runs come along and need not be asked for.
            once: further runs, on the first pairs only: checks.
            top: how many of the likeliest next tokens to keep per run.

        Raises:
            MediationError: what ``evaluate`` raises.
        """
        refuse_other_than_runs([*runs, *once] if isinstance(runs, list | tuple) else runs, top)
        everything = [*runs, *once]
        self._refuse_impossible(everything)
        outcomes = Outcomes.empty(len(everything), len(self.pairs), self.columns)
        groups = self.groups_of(roles_named(everything))
        work = [self._work(group, everything, len(runs), outcomes) for group in groups]
        done = self._chunks(work, Filing(self.lm, outcomes, top))
        return Job(done, len(runs) * len(self.pairs), lambda: outcomes, self.lm.worker)

    def recall(self, runs: Sequence[Run], *, top: int = 0) -> Outcomes:
        """The same as ``evaluate``, for few runs asked one after another: a click.

        What the prompts themselves compute is kept between calls, as long as the weights are the
        same to the last bit and nobody's hooks are on the model, so that only the runs' own rows
        are computed, from the first block that they change.

        Args:
            runs: the base runs come along and need not be asked for.
            top: how many of the likeliest next tokens to keep per run.

        Raises:
            MediationError: what ``evaluate`` raises.
        """
        refuse_other_than_runs(runs, top)
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
        if any(not _recallable(one) for one in work):
            return self.evaluate(runs, top=top)
        try:
            with products_within(self.budget):
                self._recall(work, Filing(self.lm, outcomes, top), (top, known))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        else:
            return outcomes
        self._kept.clear()
        return self.evaluate(runs, top=top)

    def _recall(self, work: list[_Work], filing: Filing, mark: Any) -> None:
        outcomes, top = filing.outcomes, filing.top
        began = time.perf_counter()
        for one in work:
            group, everyone = one.group, np.arange(len(one.group.members))
            bank = fill_bank(self.lm, one.template, group, outcomes, self.budget)
            batch = Batch(self.lm, group, one.template, bank, everyone)
            result = batch.run_from(self._sources(group, top, mark), top)
            filing.add(group, one.index, everyone, np.arange(len(one.index)), result)
        outcomes.seconds += time.perf_counter() - began

    def _sources(self, group: Group, top: int, mark: Any) -> Sources:
        kept = self._kept.get(id(group))
        if kept is None or kept.mark != mark:
            kept = self._kept[id(group)] = sources_of(self.lm, group, top, mark)
        return kept

    def values(self, site: Site, run: Run) -> Values:
        """What a site is in a run, on every pair: (pair, position, width).

        Args:
            site: where; without a position, at all of them.
            run: in which run; ``Run("clean")`` edits nothing.

        Raises:
            MediationError: what ``evaluate`` raises, and pairs in which the site has different
                numbers of positions.
        """
        return self.values_of([site], run)[0]

    def values_of(self, sites: Sequence[Site], run: Run) -> list[Values]:
        """The same of several sites of one kind and width, in one pass.

        Args:
            sites: of one kind, which have as many positions as each other.
            run: in which run.

        Raises:
            MediationError: what ``values`` raises.
        """
        given: object = sites
        require(
            isinstance(given, Sequence) and len(given) > 0,
            "Activations are those of some sites.",
            value=given,
            expected="a list of Site, at least one",
            fix="engine.values_of([Site('head', layer=3, head=1)], Run('clean'))",
        )
        for site in sites:
            refuse_no_activation(site, run)
        site = sites[0]
        mediator = mediator_named(site.mediator)
        touching = [run, *(Run(run.base, {one: Zero()}) for one in sites)]
        self._refuse_impossible(touching)
        self.prove()
        found: dict[int, NDArray[Any]] = {}
        for group in self.groups_of(roles_named(touching)):
            if run.base in group.frame.bases and group.gives != "wrong":
                frame = group.frame
                for one in sites:
                    mediator.check(one, frame.shape, frame.n_named, frame.roles)
                with products_within(self.budget):
                    part = observed(self.lm, group, sites, run, self.budget)
                found |= dict(zip(group.members.tolist(), part.swapaxes(0, 1), strict=True))
        shapes = {part.shape[1:] for part in found.values()}
        if len(shapes) > 1:
            raise MediationError(
                "The pairs have different numbers of positions there.",
                value=f"{site!r}: {sorted(shape[0] for shape in shapes)} positions",
                expected="as many in every pair",
                fix="name the position, or a role that every pair has",
            )
        arrays = np.stack([found[i] for i in range(len(self.pairs))], axis=1)
        origin = run.base if not run.edits else repr(run)
        return [Values(one, array, origin) for one, array in zip(sites, arrays, strict=True)]

    # --- chunks -----------------------------------------------------------------------------

    def _work(
        self, group: Group, runs: Sequence[Run], n_asked: int, outcomes: Outcomes | None
    ) -> _Work:
        """A group's part of the runs; what it will bring is counted in ``outcomes``."""
        which = [i for i, run in enumerate(runs) if run.base in group.frame.bases]
        template = make_template([runs[i] for i in which], group.frame)
        index = np.array(which, dtype=np.int64)
        if outcomes is not None:
            rows = index[:, None]
            np.add.at(outcomes.left, (rows, group.members), 1)
            outcomes.implied[rows, group.members] &= template.implied[: len(which), None]
        return _Work(group, template, index, int((index >= n_asked).sum()))

    def _chunks(self, work: list[_Work], filing: Filing) -> Iterator[int]:
        """Do one chunk a step; yield how many (run, pair) it finished."""
        self.prove()
        version, outcomes = self.lm.version(), filing.outcomes
        if self.lm.device.type == "cpu":
            fit_allocator(budget_bytes(self.lm.device) if self.budget is None else self.budget)
        for one in work:
            began = time.perf_counter()
            with products_within(self.budget):
                bank = fill_bank(self.lm, one.template, one.group, outcomes, self.budget)
            outcomes.seconds += time.perf_counter() - began
            for chunk in self._cut(one):
                began = time.perf_counter()
                with products_within(self.budget):
                    self._do(one, chunk, bank, filing)
                outcomes.seconds += time.perf_counter() - began
                yield _finished(one, chunk)
                if self.lm.version() != version:
                    raise weights_changed(self.lm)

    def _cut(self, one: _Work) -> Iterator[Chunk]:
        n = len(one.group.members)
        return iter(cut(self.lm, one.template, n, n_once=one.n_once, budget=self.budget))

    def _do(self, one: _Work, chunk: Chunk, bank: Bank, filing: Filing) -> None:
        def do(part: Chunk) -> Result:
            batch = Batch(self.lm, one.group, one.template, bank, part.pairs)
            return batch.run(part, filing.top)

        n_positions = one.group.frame.n_positions
        for part, result in in_halves([chunk], do, Chunk.halves, n_positions):
            runs = np.concatenate([part.runs, part.idle])
            filing.add(one.group, one.index, part.pairs, runs, result)

    # --- parts ------------------------------------------------------------------------------

    def prove(self) -> list[Check]:
        """Before the first number of a server: see that it computes what it is asked.

        Returns:
            What was compared; nothing of a model that is here.

        Raises:
            MediationError: it does not.
        """
        if not self.proves or self.lm.backend is None:
            return []
        from .remote.proving import first_contact

        return first_contact(self)

    def cost(self, runs: Sequence[Run], once: Sequence[Run] = ()) -> tuple[int, int]:
        """How many runs on how many passes a job would be, as it would be cut.

        Args:
            runs: as in ``job``.
            once: as in ``job``; they count as passes alone.

        Returns:
            Runs, each on each pair, that are not implied by others; and passes.

        Raises:
            MediationError: what ``job`` raises.
        """
        everything = [*runs, *once]
        self._refuse_impossible(everything)
        groups = self.groups_of(roles_named(everything))
        work = [self._work(group, everything, len(runs), None) for group in groups]
        live = passes = 0
        for one in work:
            parts = list(self._cut(one))
            passes += len(parts)
            live += sum(len(part.pairs) * len(part.runs) for part in parts)
            live -= len(parts[0].pairs) * one.n_once
        return live, passes

    def max_rows(self, template: Template) -> int:
        """How many rows fit the budget at the positions this template computes."""
        return chunks.max_rows(self.lm, template, self.budget)

    def groups_of(self, roles: frozenset[str]) -> list[Group]:
        """The pairs in groups of one length, in which these roles lie alike.

        Raises:
            MediationError: a role that not every pair has.
        """
        if roles not in self._groups:
            shared = [n for n in self.roles[0] if all(n in named for named in self.roles)]
            for name in sorted(roles - {*shared}):
                raise no_role(name, shared)
            some = [{n: at for n, at in named.items() if n in roles} for named in self.roles]
            self._groups[roles] = make_groups(self.lm, self.pairs, some, self.columns)
        return self._groups[roles]

    def refuse_unknown(self, *kinds: object) -> None:
        """Raise where a kind of mediator is none of the network's; a ``Sweep`` knows the models'.

        Args:
            kinds: what was given as names of kinds.

        Raises:
            MediationError: of networks that are no language model, a kind that they have not.
        """

    def swept(self, mediator: str, *, positional: bool) -> int:
        """How many positions a sweep has an axis for, where it is by position.

        Args:
            mediator: the kind of component, for the message.
            positional: whether the sweep edits one position at a time; else prompts may differ in
                length, and the number is that of the longest.

        Raises:
            MediationError: prompts of several lengths, which have no positions in common.
        """
        lengths = sorted({len(pair) for pair in self.pairs})
        if positional and len(lengths) > 1:
            raise MediationError(
                "A sweep by position needs prompts of one length.",
                value=f"lengths {lengths}",
                expected="pairs of equal token length",
                fix=f"study.sweep({mediator!r}), or a contrast of pairs of one length",
            )
        return lengths[-1]

    def absent(self, cell: Mapping[Site, Edit]) -> bool:
        """Whether a cell is at a position that a pair's other prompt has nothing for."""
        named = [at for site in cell for at in (site.position, site.key) if at is not None]
        return any(
            _stands_alone(pair, roles, named)
            for pair, roles in zip(self.pairs, self.roles, strict=True)
        )

    def named(self, mediator: str, axes: Axes) -> Axes:  # noqa: ARG002
        """A sweep's axes as they are shown: layers are counted.

        Args:
            mediator: the kind of component that is swept.
            axes: the axes as they are counted.
        """
        return axes

    def facts(self, mediator: str) -> dict[str, Any]:  # noqa: ARG002
        """What a reader of a sweep must know of its places."""
        return {}

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
        """Raise where these pairs cannot give the edit its value.

        Raises:
            MediationError: a mean or a resampled value where a pair is the only one of its length.
        """
        refuse_lonely(self.groups, edit)


def _stands_alone(
    pair: TokenPair, roles: Mapping[str, tuple[int, ...]], named: Sequence[object]
) -> bool:
    alone = set(pair.lonely("clean"))
    return bool(alone) and any(
        alone & set(positions_of(at, len(pair), roles))  # type: ignore[arg-type]
        for at in named
    )


def widened(engine: Engine) -> Engine | None:
    """The same engine on a copy of its model in float32; None if that does not fit."""
    lm = engine.lm
    needed = 4 * sum(parameter.numel() for parameter in lm.hf.parameters())
    if needed > budget_bytes(lm.device):
        return None
    copied = LM(copy.deepcopy(lm.hf).float(), lm.tokenizer, name=lm.name, paths=lm.paths)
    return Engine(copied, engine.pairs, roles=engine.roles, columns=engine.columns)


def _recallable(one: _Work) -> bool:
    """Whether runs can start from what is kept: after the embedding, from their own prompts."""
    template = one.template
    alone = not template.donors and one.group.others is None
    # With a source later blocks read what earlier ones hand on beside the stream.
    return alone and not template.frame.source and int(template.start.min()) > 0


def _finished(one: _Work, chunk: Chunk) -> int:
    """How many (run, pair) that were asked for a chunk is; one base or strand alone is a part."""
    share = len(one.group.frame.bases) / 2 / (1 if one.group.gives == "both" else 2)
    asked = int((chunk.runs < len(one.index) - one.n_once).sum()) + len(chunk.idle)
    return round(asked * len(chunk.pairs) * share)
