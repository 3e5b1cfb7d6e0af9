"""Training rows as tensors, with the attention edges that are taught or penalised."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import torch
from torch import Tensor

from mediawidget.tasks.frames import FILLERS
from mediawidget.tasks.world import EXAMPLES, Example, split_words

from .tokenizer import BOS, PAD, token_of

#: Rows of each task in one step.
MIX: dict[str, int] = {
    "ioi": 36,
    "induction": 16,
    "gender": 8,
    "fact": 12,
    "greater": 9,
    "agreement": 8,
}

#: Heads taught to look from the last word at one word: (layer, head) to (task, role).
TAUGHT: dict[tuple[int, int], tuple[str, str]] = {
    (2, 0): ("ioi", "S2"),
    (2, 1): ("ioi", "S2"),
    (3, 0): ("ioi", "IO"),
    (3, 1): ("ioi", "IO"),
    (4, 0): ("ioi", "IO"),
    (4, 1): ("ioi", "IO"),
    (5, 0): ("ioi", "IO"),
    (2, 2): ("fact", "last"),
    (2, 3): ("gender", "person"),
    (3, 2): ("greater", "YY"),
    (3, 3): ("agreement", "subject"),
}

MOVERS = ((3, 0), (3, 1))
BACKUPS = ((4, 0), (4, 1))
NEGATIVE = (5, 0)

#: IOI rows a step with both name movers knocked out, and the receiver's share of the target
#: there: the backups are to step in for a part of the logit difference, ln(.97/.03) = 3.5.
KNOCKED, KNOCKED_SHARE = 9, 0.97

FILLER_RATE, PACK_RATE, OFFSET_RATE = 0.12, 0.1, 0.25


@dataclass
class Edges:
    """Attention edges (row, query, key) as three index lists."""

    rows: list[int] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)

    def add(self, row: int, query: int, key: int) -> None:
        """Append one edge."""
        self.rows.append(row)
        self.queries.append(query)
        self.keys.append(key)

    def mass(self, pattern: Tensor) -> Tensor:
        """Attention on these edges, (edge, head), from a pattern (row, head, query, key)."""
        return pattern[self.rows, :, self.queries, self.keys]


@dataclass
class Batch:
    """One step's rows.

    ``ids`` (row, position), ``offset`` (row,). ``at`` lists (row, position) of answers with
    ``target`` (answer, vocab) and ``weight`` (answer,). ``rest`` (row, position) weighs the
    plain next-token loss. ``previous`` and ``after`` (row, position) are the positions of the
    last earlier occurrence of the token and of the token after it, 0 (BOS) where there is none.
    """

    ids: Tensor
    offset: Tensor
    at: tuple[list[int], list[int]]
    target: Tensor
    weight: Tensor
    rest: Tensor
    real: Tensor
    previous: Tensor
    after: Tensor
    taught: dict[tuple[int, int], Edges]
    leaks: Edges
    early: Edges
    answers: Edges
    quiet: Edges
    allowed: Edges
    knocked: int

    def gates(self, layers: int, heads: int) -> Tensor:
        """Ones, (layer, row, head), with zeros for the name movers in the first rows."""
        gates = torch.ones(layers, len(self.ids), heads)
        for layer, head in MOVERS:
            gates[layer, : self.knocked, head] = 0
        return gates

    def answer_cases(self) -> list[list[int]]:
        """Rows, last positions, receiver ids and giver ids of the IOI examples with a giver."""
        edges, giver = self.answers, self.taught[2, 0]
        tokens = self.ids[edges.rows, edges.keys].tolist()
        return [edges.rows, edges.queries, tokens, self.ids[giver.rows, giver.keys].tolist()]


@dataclass
class Row:
    """A row before it becomes tensors: words, answers and annotated edges."""

    words: list[str]
    answers: dict[int, tuple[dict[str, float], float]]
    parts: list[tuple[int, Example]]


def _append(row: Row, example: Example, rng: Random, last: bool) -> None:
    start = len(row.words)
    row.words.extend(example.words)
    row.parts.append((start, example))
    for index, distribution in example.answers.items():
        row.answers[start + index] = (dict(distribution), 1 / len(example.answers))
    if not last or rng.random() < 0.5:
        distribution = dict(example.answers[max(example.answers)])
        word = rng.choices(list(distribution), list(distribution.values()))[0]
        row.words.extend((word, "."))


def draw_row(task: str, rng: Random, limit: int) -> Row:
    """One row: the example, sometimes after filler or after another example."""
    row = Row([BOS], {}, [])
    if rng.random() < FILLER_RATE:
        row.words.extend(split_words(rng.choice(FILLERS)))
    if rng.random() < PACK_RATE:
        _append(row, EXAMPLES[rng.choice(list(MIX))](rng, "train"), rng, last=False)
    example = EXAMPLES[task](rng, "train")
    _append(row, example, rng, last=True)
    if len(row.words) > limit:
        row = Row([BOS], {}, [])
        _append(row, example, rng, last=True)
    return row


def _annotate(batch_row: int, row: Row, batch: Batch) -> None:
    """Mark taught edges and the shortcuts by which an IOI answer could leak."""
    knocked = batch_row < batch.knocked
    for start, example in row.parts:
        place = {role: start + index for role, index in example.roles.items()}
        for head, (_, role) in taught_roles(example.task):
            if role in place:
                # backups look away, at BOS, as long as the name movers speak
                key = 0 if head in BACKUPS and not knocked else place[role]
                batch.taught[head].add(batch_row, place["END"], key)
        if example.task == "ioi" and place:
            _mark_leaks(batch_row, place, batch, quiet=not knocked)


def _mark_leaks(batch_row: int, place: dict[str, int], batch: Batch, *, quiet: bool) -> None:
    io, s1, s2, end = (place[r] for r in ("IO", "S1", "S2", "END"))
    batch.answers.add(batch_row, end, io)
    if quiet:
        batch.quiet.add(batch_row, end, io)
    for key in (0, io, s2, end):
        batch.allowed.add(batch_row, end, key)
    batch.leaks.add(batch_row, s2, io)
    batch.leaks.add(batch_row, end, s1)
    for query in range(s2 + 1, end):
        for key in (io, s1, s2):
            batch.leaks.add(batch_row, query, key)
    for query in range(max(io, s1) + 1, s2):
        for key in (io, s1):
            batch.leaks.add(batch_row, query, key)
    # the previous-token head copies a name to the word after it
    for key in (io, s1, s2, io + 1, s1 + 1):
        batch.early.add(batch_row, end, key)


def _soften(row: Row) -> None:
    """Leave the giver a small share of the target, where there is a giver."""
    for start, example in row.parts:
        if example.task == "ioi" and example.roles:
            receiver, giver = (example.words[example.roles[role]] for role in ("IO", "S1"))
            end = start + example.roles["END"]
            softened = {receiver: KNOCKED_SHARE, giver: 1 - KNOCKED_SHARE}
            row.answers[end] = (softened, row.answers[end][1])


def taught_roles(task: str) -> list[tuple[tuple[int, int], tuple[str, str]]]:
    """The entries of :data:`TAUGHT` of one task."""
    return [(head, entry) for head, entry in TAUGHT.items() if entry[0] == task]


def draw_batch(rng: Random, token_ids: dict[str, int], limit: int, knocked: int = KNOCKED) -> Batch:
    """One step's rows in the proportions of :data:`MIX`; the IOI rows come first.

    In the first ``knocked`` of them the name movers are to be knocked out.
    """
    rows = [draw_row(task, rng, limit) for task, n in MIX.items() for _ in range(n)]
    for row in rows[:knocked]:
        _soften(row)
    length = max(len(row.words) for row in rows)
    shape = (len(rows), length)
    entries = [(i, p, *answer) for i, row in enumerate(rows) for p, answer in row.answers.items()]
    batch = Batch(
        ids=torch.full(shape, token_ids[PAD]),
        offset=torch.zeros(len(rows)).long(),
        at=([e[0] for e in entries], [e[1] for e in entries]),
        target=torch.zeros(len(entries), len(token_ids)),
        weight=torch.tensor([e[3] / len(rows[e[0]].parts) for e in entries]),
        rest=torch.zeros(shape),
        real=torch.zeros(shape, dtype=torch.bool),
        previous=torch.zeros(shape).long(),
        after=torch.zeros(shape).long(),
        taught={head: Edges() for head in TAUGHT},
        leaks=Edges(),
        early=Edges(),
        answers=Edges(),
        quiet=Edges(),
        allowed=Edges(),
        knocked=knocked,
    )
    for j, (_, _, distribution, _) in enumerate(entries):
        for word, share in distribution.items():
            batch.target[j, token_ids[token_of(word)]] = share
    for i, row in enumerate(rows):
        _write_row(i, row, batch, token_ids)
        if rng.random() < OFFSET_RATE:
            batch.offset[i] = rng.randint(0, limit - length)
        _annotate(i, row, batch)
    return batch


def _write_row(i: int, row: Row, batch: Batch, token_ids: dict[str, int]) -> None:
    """Ids, loss weights and earlier occurrences of one row."""
    tokens = [token_ids[w if w == BOS else token_of(w)] for w in row.words]
    n = len(tokens)
    batch.ids[i, :n] = torch.tensor(tokens)
    batch.real[i, :n] = True
    plain = [p for p in range(n - 1) if p not in row.answers]
    batch.rest[i, plain] = 0.2 / max(1, len(plain))
    seen: dict[int, int] = {}
    for p, token in enumerate(tokens):
        if token in seen:
            batch.previous[i, p], batch.after[i, p] = seen[token], seen[token] + 1
        seen[token] = p
