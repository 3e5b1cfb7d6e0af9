"""Which tokens a feature fires on, in their contexts: how people name it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..edits.sparse import SAE, refuse_no_sae
from ..errors import require
from ..lm import LM
from ..mediators import mediator_named
from ..networks.network import refuse_network
from ..plain_hooks import at_point
from ..remote_traces import act_at, only_seen, passed
from .cells import refuse_other_model

BEFORE, AFTER = 5, 2
"""Tokens of a context on either side."""


@dataclass(frozen=True)
class Context:
    """Where a feature fires.

    Attributes:
        before: the text up to the token.
        token: the token that it fires on.
        after: the text behind it.
        code: the feature's code there.
    """

    before: str
    token: str
    after: str
    code: float


def contexts(lm: LM, sae: SAE, texts: Any, k: Any = 5) -> tuple[tuple[Context, ...], ...]:
    """Per feature the ``k`` texts in which it fires most, each where it fires most.

    Args:
        lm: the model.
        sae: of one of its sites.
        texts: prompts; each is one pass, on a server all of one length are.
        k: how many a feature.

    Raises:
        MediationError: no texts, or what is no count.

    Example:
        >>> prompts = [pair.clean for pair in study.contrast]
        >>> mw.features.contexts(lm, sae, prompts)[343][0].token
        ' to'
    """
    _refuse_no_model(lm)
    refuse_no_sae(sae)
    refuse_other_model(lm, sae)
    require(
        isinstance(texts, Sequence)
        and not isinstance(texts, str)
        and len(texts) > 0
        and all(isinstance(text, str) for text in texts),
        "Contexts are taken from texts.",
        value=texts,
        expected="a list of prompts",
        fix="mw.features.contexts(lm, sae, [pair.clean for pair in contrast])",
    )
    require(
        isinstance(k, int) and not isinstance(k, bool) and k > 0,
        "Contexts are counted.",
        value=k,
        expected="an int, at least 1",
        fix="mw.features.contexts(lm, sae, texts, k=5)",
    )
    several = list(dict.fromkeys(texts))
    tokens = [lm.encoder.tokens(text) for text in several]
    values = _values_there(lm, sae, several) if lm.backend is not None else None
    codes = [
        sae.encode(_values(lm, sae, text) if values is None else values[text]) for text in several
    ]
    largest = np.array([one.max(axis=0) for one in codes])
    where = np.array([one.argmax(axis=0) for one in codes])
    order = np.argsort(-largest, axis=0, kind="stable")[:k]
    return tuple(
        tuple(
            _context(tokens[i], int(where[i, unit]), float(largest[i, unit]))
            for i in order[:, unit].tolist()
            if largest[i, unit] > 0
        )
        for unit in range(sae.n_features)
    )


def _refuse_no_model(lm: object) -> None:
    refuse_network(lm, "The text in which features fire")
    require(
        isinstance(lm, LM),
        "Contexts are those of a model.",
        value=lm,
        expected="an LM",
        fix="mw.features.contexts(study.lm, sae, texts)",
    )


def _values(lm: LM, sae: SAE, text: str) -> NDArray[np.float64]:
    """The site's value in a text: (position, width)."""
    place = mediator_named(sae.site.mediator).place(sae.site, lm.shape)
    ids = torch.tensor([lm.encoder.ids(text)], device=lm.device)
    seen: list[torch.Tensor] = []
    with lm.lock, torch.no_grad(), at_point(lm, place.stage, place.point, seen.append):
        lm.logits_at(ids, [-1])
    columns = slice(place.unit * sae.width, (place.unit + 1) * sae.width)
    return seen[0][:, columns].double().cpu().numpy()


def _values_there(lm: LM, sae: SAE, texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """The same of all texts on a server: a request for those of one length."""
    place = mediator_named(sae.site.mediator).place(sae.site, lm.shape)
    columns = slice(place.unit * sae.width, (place.unit + 1) * sae.width)
    alike: dict[int, dict[str, list[int]]] = {}
    for text in texts:
        ids = lm.encoder.ids(text)
        alike.setdefault(len(ids), {})[text] = ids
    found = {}
    for some in alike.values():
        rows = range(len(some))
        act = act_at(lm, place.stage, place.point, len(some), look=tuple(rows))
        seen = passed(lm, torch.tensor(list(some.values())), [-1], only_seen, (), [act])
        for text, value in zip(some, seen, strict=True):
            found[text] = value[0][:, columns].double().cpu().numpy()
    return found


def _context(tokens: Sequence[str], at: int, code: float) -> Context:
    before, after = tokens[max(0, at - BEFORE) : at], tokens[at + 1 : at + 1 + AFTER]
    return Context("".join(before), tokens[at], "".join(after), code)
