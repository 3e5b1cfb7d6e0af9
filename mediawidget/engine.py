"""Evaluates runs on pairs: groups of equal length, chunks within a memory budget."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from .edits import Edit
from .encoding import TokenPair
from .errors import MediationError
from .jobs import Job
from .lm import LM
from .mediators import mediator_named
from .memory import budget_bytes
from .metrics import Metric
from .plan import Frame, Ints, Template, make_program, make_template
from .precision import tolerance
from .runs import Run
from .trace import Means, capture, run_program

CPU_TOKENS = 8192
"""Positions a chunk has on a CPU, where matrix products gain nothing from more."""

PREFIX_PAYS = 256
"""Positions that a prefix must save to be worth a forward pass of its own."""


@dataclass(frozen=True)
class Group:
    """Pairs of one length. ``ids`` is (pair, 2, position), ``answers`` (pair, 2)."""

    members: Ints
    ids: torch.Tensor
    answers: torch.Tensor
    frame: Frame


@dataclass
class Outcomes:
    """What runs came to. NaN where not run.

    Attributes:
        bases: (pair, 2, 3) what the clean and the corrupt prompt kept.
        kept: (run, pair, 3) what each run kept: answer logit, wrong logit, logsumexp.
        fired: (run, pair) the largest change its edits made to any value; 0 changed nothing.
        ran: (run, pair) the run has its outcome, be it by construction or NaN.
        implied: (run, pair) the run equals its base by construction, and nothing was run.
        top: (run or base, pair) -> likeliest next tokens, where they were asked for.
        passes, rows, seconds: what it cost: traced passes and the rows of their batches; the pass
            over a shared prefix, one row a pair, is in the seconds alone.
    """

    bases: NDArray[np.float64]
    kept: NDArray[np.float64]
    fired: NDArray[np.float64]
    ran: NDArray[np.bool_]
    implied: NDArray[np.bool_]
    top: dict[tuple[int | str, int], list[tuple[int, float]]] = field(default_factory=dict)
    passes: int = 0
    rows: int = 0
    seconds: float = 0.0

    def values(self, metric: Metric) -> NDArray[np.float64]:
        """The metric of every run: (run, pair)."""
        return metric(self.kept)


class Engine:
    """Evaluates runs of one model on some pairs.

    Args:
        lm: the model.
        pairs: as token ids; grouped by length, so nothing is ever padded.
        budget: bytes a chunk may take; None asks the machine each time.
    """

    def __init__(self, lm: LM, pairs: Sequence[TokenPair], budget: int | None = None) -> None:
        self.lm = lm
        self.pairs = tuple(pairs)
        self.budget = budget
        lengths = np.array([len(pair) for pair in self.pairs])
        self.groups = [self._group(np.flatnonzero(lengths == n)) for n in np.unique(lengths)]

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
        _refuse_other_than_runs(runs)
        everything = [*runs, *once]
        templates = [make_template(everything, self._checked(everything, g)) for g in self.groups]
        n = len(self.pairs)
        outcomes = Outcomes(
            bases=np.full((n, 2, 3), np.nan),
            kept=np.full((len(everything), n, 3), np.nan),
            fired=np.full((len(everything), n), np.nan),
            ran=np.zeros((len(everything), n), dtype=bool),
            implied=np.zeros((len(everything), n), dtype=bool),
        )
        chunks = self._chunks(templates, len(runs), outcomes, top)
        return Job(chunks, len(runs) * n, lambda: outcomes)

    # --- chunks -----------------------------------------------------------------------------

    def _chunks(
        self, templates: list[Template], n_runs: int, outcomes: Outcomes, top: int
    ) -> Iterator[int]:
        """Do one chunk a step; yield how many (run, pair) it finished."""
        first, version = True, self.lm.version()
        for group, template in zip(self.groups, templates, strict=True):
            began = time.perf_counter()
            means = self._means(template, group, outcomes)
            outcomes.implied[:, group.members] = template.implied[:, None]
            outcomes.seconds += time.perf_counter() - began
            for pairs, runs in self.cut(template, n_runs, len(group.members)):
                extra = np.arange(n_runs, len(template.base)) if first else runs[:0]
                first = False
                began = time.perf_counter()
                chunk = np.concatenate([runs, extra])
                self._do_chunk(group, template, pairs, chunk, means, outcomes, top)
                outcomes.seconds += time.perf_counter() - began
                yield len(runs) * len(pairs)
                self._refuse_changed(version)

    def _refuse_changed(self, version: object) -> None:
        """One result is of one set of weights."""
        if self.lm.version() != version:
            raise _changed(self.lm)

    def _refuse_moved(self, before: NDArray[np.float64], now: NDArray[np.float64]) -> None:
        """The same for weights written behind the version counter: the base runs show it."""
        known = ~np.isnan(before)
        if known.any() and not np.abs(before - now)[known].max() <= tolerance(self.lm, now):
            raise _changed(self.lm)

    def _do_chunk(
        self,
        group: Group,
        template: Template,
        pairs: Ints,
        runs: Ints,
        means: Means,
        outcomes: Outcomes,
        top: int,
    ) -> None:
        prefix = self._prefix(template, runs, len(pairs))
        program = make_program(template, runs, len(pairs), prefix)
        result = run_program(
            self.lm,
            program,
            group.ids[pairs].flatten(0, 1),
            answers=group.answers[pairs],
            means=means,
            top=top,
        )
        members = group.members[pairs]
        bases = result.kept[: 2 * len(pairs)].reshape(-1, 2, 3)
        self._refuse_moved(outcomes.bases[members], bases)
        outcomes.bases[members] = bases
        outcomes.ran[runs[:, None], members] = True
        rows = program.row_of_run[runs]
        outcomes.kept[runs[:, None], members] = result.kept[rows]
        outcomes.fired[runs[:, None], members] = 0.0
        where = (program.entry_run, members[program.entry_pair])
        np.maximum.at(outcomes.fired, where, result.moved)
        outcomes.passes += 1
        outcomes.rows += program.rows_at[-1]
        if top:
            _keep_top(outcomes, result.top_ids, result.top_logprobs, rows, runs, members)

    def cut(self, template: Template, n_runs: int, n_pairs: int) -> Iterator[tuple[Ints, Ints]]:
        """Chunks of pairs, or of runs where those of one pair are too many, of equal size.

        Runs that are what they are by construction cost nothing and go with the first chunk.
        """
        order = np.argsort(template.start[:n_runs], kind="stable")
        idle = template.implied[order]
        live = order[~idle]
        # Both base runs of a pair come along, and in the first chunk the checks' runs.
        n_once = len(template.base) - n_runs
        room = max(1, self.max_rows(template) - 2 - n_once)
        pairs_at_once = max(1, min(n_pairs, (room + 2 + n_once) // (len(live) + 2 + n_once)))
        parts = max(1, -(-len(live) // room)) if pairs_at_once == 1 else 1
        for pairs in np.array_split(np.arange(n_pairs), -(-n_pairs // pairs_at_once)):
            for part, some in enumerate(np.array_split(live, parts)):
                yield pairs, np.concatenate([some, order[idle]]) if part == 0 else some

    def _prefix(self, template: Template, runs: Ints, n_pairs: int) -> int:
        """How many positions to compute once per pair instead of once per row."""
        saved = template.shared * (len(runs) + 1) * n_pairs
        return template.shared if self.lm.lends_prefix and saved >= PREFIX_PAYS else 0

    def max_rows(self, template: Template) -> int:
        """How many rows fit the budget at the positions this template computes."""
        lm, positions = self.lm, template.frame.n_positions
        computed = positions - (template.shared if lm.lends_prefix else 0)
        size = torch.empty((), dtype=lm.dtype).element_size()
        # The widest moment is inside an MLP or its activation, beside keys, values and residual.
        per_position = 4 * lm.d_mlp + 6 * lm.d_model
        cached = 2 * lm.n_kv_heads * lm.d_head * positions
        per_row = size * (computed * per_position + cached + 3 * lm.vocabulary)
        budget = budget_bytes(lm.device) if self.budget is None else self.budget
        limit = budget // per_row
        if lm.device.type == "cpu":
            limit = min(limit, CPU_TOKENS // computed)
        return max(3, int(limit))

    # --- parts ------------------------------------------------------------------------------

    def _group(self, members: Ints) -> Group:
        pairs = [self.pairs[i] for i in members]
        ids = np.stack([np.stack([pair.clean, pair.corrupt]) for pair in pairs])
        answers = np.array([[pair.answer, pair.wrong] for pair in pairs])
        frame = Frame(
            shape=self.lm.shape,
            n_positions=ids.shape[2],
            first_difference=min(pair.first_difference for pair in pairs),
        )
        device = self.lm.device
        return Group(
            members,
            torch.from_numpy(ids).to(device),
            torch.from_numpy(answers).to(device),
            frame,
        )

    def _checked(self, runs: Sequence[Run], group: Group) -> Frame:
        """The group's frame, after refusing what its pairs or this model cannot answer."""
        for run in runs:
            for site, edit in run.edits:
                self.lm.refuse_missing(mediator_named(site.mediator))
                self.refuse_edit(edit)
        return group.frame

    def refuse_edit(self, edit: Edit) -> None:
        """Raise where these pairs cannot give the edit its value."""
        for group in self.groups:
            if edit.source_kind == "mean" and len(group.members) < 2:
                raise MediationError(
                    "A mean over prompts needs several prompts of one length.",
                    value=f"{len(group.members)} pair of {group.frame.n_positions} tokens",
                    expected="at least two pairs of every length in the contrast",
                    fix="use Contrast([...]) with more pairs, or another edit",
                )

    def _means(self, template: Template, group: Group, outcomes: Outcomes) -> Means:
        """The means that the template's edits ask for, over all pairs of the group."""
        places = template.means()
        if not places:
            return {}
        n_pairs = len(group.members)
        at_once = max(1, self.max_rows(template) // 2)
        sums: Means = {}
        for pairs in np.array_split(np.arange(n_pairs), -(-n_pairs // at_once)):
            part = capture(self.lm, places, group.ids[pairs].flatten(0, 1))
            sums = {place: value + sums.get(place, 0) for place, value in part.items()}
            outcomes.passes += 1
            outcomes.rows += 2 * len(pairs)
        return {place: (value / n_pairs).to(self.lm.dtype) for place, value in sums.items()}


def _changed(lm: LM) -> MediationError:
    return MediationError(
        "The model's weights changed while this was running.",
        value=lm.name,
        expected="weights that stay as they are until the result is there",
        fix="run it again",
    )


def _refuse_other_than_runs(runs: object) -> None:
    if not isinstance(runs, Sequence) or not all(isinstance(run, Run) for run in runs):
        raise MediationError(
            "The engine evaluates runs.",
            value=repr(runs)[:200],
            expected="a list of Run",
            fix="engine.evaluate([Run('corrupt', {Site('head', layer=3, head=1): Patch()})])",
        )


def _keep_top(
    outcomes: Outcomes,
    ids: NDArray[np.int64],
    logprobs: NDArray[np.float64],
    rows: Ints,
    runs: Ints,
    members: Ints,
) -> None:
    """File the likeliest tokens of the base rows and of each run under its pair."""
    for column, member in enumerate(members):
        named = [("clean", 2 * column), ("corrupt", 2 * column + 1)]
        named += [(int(run), int(rows[i, column])) for i, run in enumerate(runs)]  # type: ignore[misc]
        for name, row in named:
            both = zip(ids[row].tolist(), np.exp(logprobs[row]).tolist(), strict=True)
            outcomes.top[(name, int(member))] = list(both)
