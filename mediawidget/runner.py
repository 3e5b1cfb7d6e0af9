"""One chunk of runs, from plan to numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .chunks import Chunk
from .constants import Bank, places_of
from .groups import Group, drawn_prompts
from .lm import LM
from .plan import Program, Template, make_program
from .plan.frame import Ints, OtherPrompt
from .prefix import KeysValues, first_positions, keys_values
from .reading import Reading
from .readouts import BASE_COLUMNS, KL_CLEAN, KL_CORRUPT
from .sources import Sources
from .trace import Call, Kept, run_program
from .two_texts import n_positions


@dataclass(frozen=True)
class Result:
    """What a chunk came to.

    Attributes:
        bases: (pair, base, K) of the prompts themselves.
        kept: (run, pair, K) of all runs of the template; NaN of those that are not in the chunk.
        fired: (run, pair) the largest change that a run's edits made.
        rows: rows of the batch at its largest.
        base_rows, end: (base, pair) and (run, pair), the rows that ``top_...`` speak of.
        top_ids, top_logprobs: (row, k) the likeliest next tokens.
    """

    bases: NDArray[np.float64]
    kept: NDArray[np.float64]
    fired: NDArray[np.float64]
    rows: int
    base_rows: Ints
    end: Ints
    top_ids: NDArray[np.int64]
    top_logprobs: NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """Runs made ready for some pairs of a group."""

    lm: LM
    group: Group
    template: Template
    bank: Bank
    pairs: Ints

    def run(self, chunk: Chunk, top: int = 0) -> Result:
        """Evaluate a chunk in one traced pass (and one over its prefix, if it has one)."""
        prefix = chunk.prefix if self.lm.lends_prefix else 0
        n_pairs, late = len(self.pairs), self.lm.late_stages
        program = make_program(self.template, chunk.runs, n_pairs, prefix, late=late)
        result = run_program(self.lm, program, self._call(program, top))
        return _result(self.template, program, result)

    def run_from(self, sources: Sources, top: int = 0) -> Result:
        """Evaluate all runs, with what is known of the prompts themselves left out.

        Only for templates that begin after the embedding and take nothing from other pairs.
        """
        template, n_pairs = self.template, len(self.pairs)
        runs = np.flatnonzero(~template.implied)
        rows = np.arange(len(template.frame.bases) * n_pairs).reshape(-1, n_pairs)
        kept = np.tile(np.nan, (len(template.base), n_pairs, sources.kept.shape[2]))
        kept[:] = sources.kept[:, template.base].swapaxes(0, 1)
        known = Result(
            sources.kept, kept, np.zeros(kept.shape[:2]), 0, rows, rows[template.base], *sources.top
        )
        if not len(runs):
            return known
        program = make_program(
            template,
            runs,
            n_pairs,
            template.shared if sources.prefix is not None else 0,
            keep_bases=False,
            begin=int(template.start.min()),
            late=self.lm.late_stages,
        )
        done = run_program(self.lm, program, self._call_from(sources, program, top))
        return _after(known, _result(template, program, done), runs)

    def _call_from(self, sources: Sources, program: Program, top: int) -> Call:
        call = self._call(program, top, lend=False)
        given = sources.given[program.begin - 1][:, :, program.prefix :].flatten(0, 1)
        prefix = None
        if program.prefix and sources.prefix is not None:
            layers = first_positions(sources.prefix, program.prefix)
            blocks = range(1, self.lm.n_layers + 1)
            prefix = (layers, [self._continued(program, stage) for stage in blocks])
        return replace(
            call,
            ids=call.ids[:1],
            given=given,
            prefix=prefix,
            references=sources.logits,
        )

    def _continued(self, program: Program, stage: int) -> Tensor:
        """Which prompt's keys and values each row of a stage continues."""
        bases = program.base_of_row[max(stage - program.begin, 0)]
        pair = np.tile(np.arange(program.n_pairs), len(bases) // program.n_pairs)
        return torch.from_numpy(bases * program.n_pairs + pair).to(self.lm.device)

    def observe(self, places: list[tuple[int, str]]) -> dict[tuple[int, str], Tensor]:
        """Whole activations in the first run: (stage, point) -> (pair, position, columns)."""
        program = make_program(self.template, np.array([0]), len(self.pairs))
        captures = {place: program.rows_of(0, place[0]) for place in places}
        call = replace(self._call(program), captures=captures)
        return dict(run_program(self.lm, program, call).captured)

    def _call(self, program: Program, top: int = 0, *, lend: bool = True) -> Call:
        captured = _captured(self.lm, self.group, self.template, self.pairs)
        bank = replace(self.bank, prefix=program.prefix)
        prompts = _prompts(self.group, self.template, self.pairs)
        index = torch.from_numpy(self.pairs).to(self.lm.device)
        return Call(
            ids=prompts.flatten(0, 1),
            reads=self.group.frame.read_at,
            reading=self.group.reading.of(index),
            constants=[bank.of_step(step, self.pairs, captured) for step in program.steps],
            within=[bank.parts(step) for step in program.steps],
            prefix=_prefix(self.lm, self.template, program, prompts) if lend else None,
            references=references(self.lm, self.group, index),
            top=top,
        )


def observe(lm: LM, ids: Tensor, places: list[tuple[int, str]]) -> dict[tuple[int, str], Tensor]:
    """Whole activations of prompts as they are: (stage, point) -> (row, position, columns)."""
    rows = np.arange(len(ids))
    program = Program.of_rows(len(ids), lm.n_layers + 2)
    zero = torch.zeros(len(ids), 2, 1, dtype=torch.int64, device=lm.device)
    member = torch.ones_like(zero, dtype=torch.bool)
    reading = Reading(zero, member, mean=False, tokens=zero.flatten()[:0], columns=BASE_COLUMNS)
    call = Call(ids, (n_positions(lm, ids) - 1,), reading, [], captures=dict.fromkeys(places, rows))
    return dict(run_program(lm, program, call).captured)


def references(lm: LM, group: Group, index: Tensor) -> tuple[Tensor, Tensor] | None:
    """Logits of both prompts, where the batch holds one of them alone and KL is asked for."""
    if group.others is None or not {KL_CLEAN, KL_CORRUPT} & set(group.reading.columns):
        return None
    own = lm.logits_at(group.ids[0, index], group.frame.read_at[:1])[:, 0]
    read = group.frame.partners[group.frame.read_at[0]]
    other = lm.logits_at(group.others[index], [read])[:, 0]
    return (own, other) if group.frame.bases == ("clean",) else (other, own)


# --- inside ---------------------------------------------------------------------------------


def _prompts(group: Group, template: Template, pairs: Ints) -> Tensor:
    """(base, pair, position) ids of the bases: the pair's own prompts, then the donors'."""
    index = torch.from_numpy(pairs).to(group.ids.device)
    prompts = [group.ids[:, index]]
    for donor in template.donors:
        drawn = torch.from_numpy(drawn_prompts(group, donor.base, donor.seed)[pairs])
        prompts.append(group.pools[donor.base].ids[drawn.to(group.ids.device)][None])
    return torch.cat(prompts)


def _prefix(
    lm: LM, template: Template, program: Program, prompts: Tensor
) -> tuple[KeysValues, list[Tensor]] | None:
    """Keys and values before the program's positions, and who continues which."""
    if not program.prefix:
        return None
    n_pairs = program.n_pairs
    alike = program.prefix <= template.frame.first_difference and not template.donors
    ids = prompts[:1] if alike else prompts
    # Of no more positions at once than the batch itself, but for a single prompt's.
    most = program.rows * (template.frame.n_positions - program.prefix)
    layers = keys_values(lm, ids[..., : program.prefix].flatten(0, 1), most)
    rows = []
    for bases in program.base_of_row[1:-1]:
        pair = np.tile(np.arange(n_pairs), len(bases) // n_pairs)
        rows.append(torch.from_numpy(pair if alike else bases * n_pairs + pair).to(lm.device))
    return layers, rows


def _captured(
    lm: LM, group: Group, template: Template, pairs: Ints
) -> dict[tuple[int, str, str], Tensor]:
    """Values of the other prompts, where these have another length."""
    asked = places_of(template, OtherPrompt)
    if not asked or group.others is None:
        return {}
    places = list(dict.fromkeys(place for _, _, place in asked))
    base = asked[0][1].base
    found = observe(lm, group.others[torch.from_numpy(pairs).to(lm.device)], places)
    return {(*place, base): value for place, value in found.items()}


def _result(template: Template, program: Program, kept: Kept) -> Result:
    numbers = np.vstack([kept.kept, np.full((1, kept.kept.shape[1]), np.nan)])
    return Result(
        bases=numbers[program.bases].swapaxes(0, 1),
        kept=numbers[program.end],
        fired=_fired(template, program, kept.moved),
        rows=program.rows,
        base_rows=program.bases,
        end=program.end,
        top_ids=kept.top_ids,
        top_logprobs=kept.top_logprobs,
    )


def _after(known: Result, done: Result, runs: Ints) -> Result:
    """What is known of the prompts, and what was done of the runs."""
    kept, fired, end = known.kept.copy(), done.fired, known.end.copy()
    kept[runs] = done.kept[runs]
    # The likeliest tokens of the runs stand after those of the prompts.
    end[runs] = done.end[runs] + len(known.top_ids)
    return replace(
        known,
        kept=kept,
        fired=fired,
        rows=done.rows,
        end=end,
        top_ids=np.vstack([known.top_ids, done.top_ids]),
        top_logprobs=np.vstack([known.top_logprobs, done.top_logprobs]),
    )


def _fired(template: Template, program: Program, moved: Any) -> NDArray[np.float64]:
    """(run, pair) the largest change by any edit of a run, those it shares with others too."""
    by_node = np.zeros((len(program.parents), program.n_pairs))
    if len(moved):
        np.maximum.at(by_node, program.node_of_entry, moved.reshape(-1, program.n_pairs))
    for node, parent in enumerate(program.parents):
        if parent >= 0:  # parents come before their children
            np.maximum(by_node[node], by_node[parent], out=by_node[node])
    fired = np.zeros((len(template.base), program.n_pairs))
    for run, node in program.node_of_run.items():
        fired[run] = by_node[node]
    return fired
