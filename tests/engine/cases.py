"""What the engine's tests share: a random model, pairs of prompts and the oracle beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import torch

import mediawidget as mw
from tests.oracle import Kept, Oracle
from tests.small_models import MASK, WORDS, random_model, tokenizer_of

BASES = ("clean", "corrupt")
OTHER = {"clean": "corrupt", "corrupt": "clean"}


@lru_cache
def lm_of(kind: str, dtype: torch.dtype = torch.float64) -> Any:
    """The random model of that kind, loaded once: no test may change its weights."""
    return mw.load(random_model(kind, dtype), tokenizer=tokenizer_of(kind))


@dataclass(frozen=True)
class Case:
    """One model, one contrast, the study under test and the oracle on its own copy."""

    kind: str
    contrast: mw.Contrast
    lm: Any
    study: mw.Study
    oracle: Oracle
    tolerance: float

    @property
    def pairs(self) -> Sequence[mw.PromptPair]:
        return self.contrast.pairs


def case(kind: str, pairs: Sequence[mw.PromptPair], dtype: torch.dtype = torch.float64) -> Case:
    """A new study and a new oracle; the model is loaded once."""
    contrast = mw.Contrast(list(pairs))
    lm = lm_of(kind, dtype)
    oracle = Oracle(_oracle_model(kind, dtype), tokenizer_of(kind), contrast.pairs)
    return Case(kind, contrast, lm, mw.Study(lm, contrast), oracle, tolerance(dtype))


@lru_cache
def _oracle_model(kind: str, dtype: torch.dtype) -> torch.nn.Module:
    return random_model(kind, dtype)


def tolerance(dtype: torch.dtype) -> float:
    """How far the engine may be from one forward pass a cell, in logits."""
    return 1e-9 if dtype == torch.float64 else 1e-4


def random_pair(
    kind: str, seed: int, length: int = 8, first: int = 3, changes: int = 1
) -> mw.PromptPair:
    """Prompts of ``length`` tokens that differ first at token ``first``, in ``changes`` tokens.

    BERT's are asked for their token 1, before that; of its classifier the answers are labels.
    """
    rng = np.random.default_rng([seed, length, first])
    start = 1 if kind == "llama" else 0
    if not start <= first < length:
        raise ValueError(f"no pair of {length} tokens of {kind} differs first at {first}")
    words = [str(word) for word in rng.choice(WORDS, size=length - start)]
    later = rng.permutation(np.arange(first + 1, length))[: changes - 1]
    other = list(words)
    for position in (first, *later):
        index = int(position) - start
        other[index] = str(rng.choice([word for word in WORDS if word != words[index]]))
    answer, wrong = (str(word) for word in rng.choice(WORDS, size=2, replace=False))
    if kind == "t5":
        # The encoder's texts are longer than the decoder's, which begins with a token of its own.
        begun = " ".join(str(word) for word in rng.choice(WORDS, size=length - 1))
        text, changed = (" ".join([*some, "toad", "seal"]) for some in (words, other))
        return mw.PromptPair(text, changed, answer, wrong, decoder=begun)
    if kind == "bert":
        words[1] = other[1] = MASK
    if kind == "bert_classifier":
        answer, wrong = "LABEL_0", "LABEL_2"
    return mw.PromptPair(" ".join(words), " ".join(other), answer, wrong)


def cells(case_: Case, mediator: str, by: str | None, length: int) -> Iterator[tuple[Any, mw.Site]]:
    """Every cell of a sweep: its index on the axes and its site, as the contract names them."""
    n_layers = case_.oracle.n_layers + (mediator == "residual")
    heads: Sequence[int | None] = range(case_.oracle.n_heads) if mediator == "head" else [None]
    positions: Sequence[int | None] = range(length) if by == "position" else [None]
    for layer, head, position in product(range(n_layers), heads, positions):
        index = tuple(i for i in (layer, head, position) if i is not None)
        yield index, mw.Site(mediator, layer, head=head, position=position)


def expected_status(case_: Case, mediator: str, length: int, first: int) -> np.ndarray:
    """1 where a run is needed; 3 where a site cannot reach the logits that are read.

    It cannot before ``first`` (0 for edits that are no patches), nor away from the last position
    once attention has mixed the positions for the last time.
    """
    found: dict[Any, int] = {}
    for cell, site in cells(case_, mediator, "position", length):
        last_mixing = case_.oracle.n_layers - (mediator != "residual")
        late = site.layer >= last_mixing and site.position != length - 1
        found[cell] = 3 if site.position < first or late else 1  # type: ignore[operator]
    shape = tuple(1 + max(cell[axis] for cell in found) for axis in range(len(next(iter(found)))))
    return np.array(list(found.values())).reshape(shape)


def oracle_edited(
    case_: Case, mediator: str, by: str | None = None, how: str = "patch", index: int = 0
) -> Kept:
    """What ``Effect.edited`` should hold for one pair: (2, *axes, 3), clean base first."""
    length = case_.oracle.length(index)
    found: dict[Any, list[Kept]] = {}
    for cell, site in cells(case_, mediator, by, length):
        found[cell] = [case_.oracle.run(base, [(site, how_on(how, base))], index) for base in BASES]
    shape = tuple(1 + max(cell[axis] for cell in found) for axis in range(len(next(iter(found)))))
    grid = np.full((2, *shape, 3), np.nan)
    for cell, values in found.items():
        grid[(slice(None), *cell)] = values
    return grid


def how_on(how: str, base: str) -> str:
    """The oracle's word for an edit in a run on ``base``."""
    return {"patch": OTHER[base], "zero": "zero", "mean": f"mean:{base}"}[how]


def edit_of(how: str) -> mw.Edit:
    """The package's object for the same edit."""
    edits: dict[str, mw.Edit] = {"patch": mw.Patch(), "zero": mw.Zero(), "mean": mw.Mean()}
    return edits[how]


def several(kind: str) -> list[mw.PromptPair]:
    """Two lengths, two pairs of each."""
    lengths = [(7, 3), (8, 4), (7, 2), (8, 4)]
    return [
        random_pair(kind, 370 + i, length=length, first=first, changes=1 + i % 2)
        for i, (length, first) in enumerate(lengths)
    ]
