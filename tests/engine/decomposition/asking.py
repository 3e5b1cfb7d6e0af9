"""What the tests of contextual decomposition ask, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

import mediawidget as mw
from mediawidget.decomposition.forward import Rules
from mediawidget.decomposition.grid import Contributions, Decomposition
from tests.engine.cases import random_pair
from tests.small_models import random_model, tokenizer_of

KEEP = Rules(opposites="keep")
KINDS = ("gpt2", "llama")
Source = tuple[mw.Site, ...]


@lru_cache
def lm_of(kind: str, dtype: torch.dtype = torch.float64) -> Any:
    """Of these tests alone: what is loaded under their arithmetic keeps it."""
    return mw.load(random_model(kind, dtype), tokenizer=tokenizer_of(kind))


def study_of(kind: str, n: int = 3, length: int = 6, metric: mw.Metric | None = None) -> mw.Study:
    pairs = [random_pair(kind, seed, length, first=2, changes=2) for seed in range(n)]
    return mw.Study(lm_of(kind), pairs, metric=metric)


def heads(lm: Any, position: Any = None) -> list[Source]:
    return [
        (mw.Site("head", layer, head=head, position=position),)
        for layer in range(lm.n_layers)
        for head in range(lm.n_heads)
    ]


def asked(study: mw.Study, sources: Sequence[Source], **more: Any) -> Contributions:
    return Decomposition(study.engine, sources, **{"metric": study.metric} | more).contributions()


SOURCES: dict[str, Source] = {
    "a head": (mw.Site("head", 1, head=2),),
    "a head at a position": (mw.Site("head", 0, head=1, position=3),),
    "an MLP": (mw.Site("mlp_out", 1),),
    "the embedding at a position": (mw.Site("embedding", 0, position=2),),
    "several": (
        *(mw.Site("head", 0, head=0), mw.Site("mlp_out", 2, position=4)),
        mw.Site("head", 2, head=1, position=5),
    ),
}
TARGETS = (
    *(mw.Site("query", 3, head=1), mw.Site("key", 2, head=2, position=3)),
    *(mw.Site("value", 4, head=0), mw.Site("head", 4, head=2), mw.Site("mlp_out", 3, position=4)),
)
RULES = (Rules(), Rules("whole"), KEEP)
