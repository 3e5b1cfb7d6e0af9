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
    (2, 2): ("fact", "last"),
    (2, 3): ("gender", "person"),
    (3, 2): ("greater", "YY"),
    (3, 3): ("agreement", "subject"),
}

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


def _annotate(
    batch_row: int, row: Row, taught: dict[tuple[int, int], Edges], leaks: Edges, early: Edges
) -> None:
    """Mark taught edges and the shortcuts by which an IOI answer could leak."""
    for start, example in row.parts:
        place = {role: start + index for role, index in example.roles.items()}
        for head, (_, role) in taught_roles(example.task):
            if role in place:
                taught[head].add(batch_row, place["END"], place[role])
        if example.task != "ioi" or not place:
            continue
        io, s1, s2, end = (place[r] for r in ("IO", "S1", "S2", "END"))
        leaks.add(batch_row, s2, io)
        leaks.add(batch_row, end, s1)
        for query in range(s2 + 1, end):
            for key in (io, s1, s2):
                leaks.add(batch_row, query, key)
        for query in range(max(io, s1) + 1, s2):
            for key in (io, s1):
                leaks.add(batch_row, query, key)
        for key in (io, s1, s2):
            early.add(batch_row, end, key)


def taught_roles(task: str) -> list[tuple[tuple[int, int], tuple[str, str]]]:
    """The entries of :data:`TAUGHT` of one task."""
    return [(head, entry) for head, entry in TAUGHT.items() if entry[0] == task]


def draw_batch(rng: Random, token_ids: dict[str, int], limit: int) -> Batch:
    """One step's rows in the proportions of :data:`MIX`."""
    rows = [draw_row(task, rng, limit) for task, n in MIX.items() for _ in range(n)]
    length = max(len(row.words) for row in rows)
    shape = (len(rows), length)
    pad = token_ids[PAD]
    ids = torch.full(shape, pad)
    rest, previous, after = torch.zeros(shape), torch.zeros(shape).long(), torch.zeros(shape).long()
    at: tuple[list[int], list[int]] = ([], [])
    targets: list[dict[int, float]] = []
    weights: list[float] = []
    taught: dict[tuple[int, int], Edges] = {head: Edges() for head in TAUGHT}
    leaks, early = Edges(), Edges()
    offset = torch.zeros(len(rows)).long()
    for i, row in enumerate(rows):
        tokens = [token_ids.get(token_of(w), token_ids.get(w, -1)) for w in row.words]
        n = len(tokens)
        ids[i, :n] = torch.tensor(tokens)
        if rng.random() < OFFSET_RATE:
            offset[i] = rng.randint(0, limit - length)
        plain = [p for p in range(n - 1) if p not in row.answers]
        rest[i, plain] = 0.2 / max(1, len(plain))
        seen: dict[int, int] = {}
        for p, token in enumerate(tokens):
            if token in seen:
                previous[i, p], after[i, p] = seen[token], seen[token] + 1
            seen[token] = p
        for p, (distribution, weight) in row.answers.items():
            at[0].append(i)
            at[1].append(p)
            targets.append({token_ids[token_of(w)]: x for w, x in distribution.items()})
            weights.append(weight / len(row.parts))
        _annotate(i, row, taught, leaks, early)
    target = torch.zeros(len(targets), len(token_ids))
    for j, distribution_ids in enumerate(targets):
        target[j, list(distribution_ids)] = torch.tensor(list(distribution_ids.values()))
    return Batch(
        ids,
        offset,
        at,
        target,
        torch.tensor(weights),
        rest,
        ids != pad,
        previous,
        after,
        taught,
        leaks,
        early,
    )
