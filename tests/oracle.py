"""The oracle: plain PyTorch hooks, one prompt and one forward pass per number.

It shares no code with the package. An edit is a (site, how) pair. The site is anything with
``mediator``, ``layer``, ``head``, ``position`` and, where it matters, ``unit`` and ``key``. How is

- ``"clean"`` or ``"corrupt"``: the value of that prompt; ``("patch", base, alpha)``: a part of
  the way there;
- ``"zero"``; ``("scale", f)``; ``("add", vector)``; ``("value", tensor)``;
- ``"mean:clean"`` or ``"mean:corrupt"``: the mean over the prompts of that name of all pairs of
  the same length, position by position;
- ``("knockout",)`` for attention edges: cut before the softmax. Any other edit of an edge is of
  its probability.

``freeze`` names kinds of mediator, or holds sites, that stay at the unedited base's values wherever
no edit is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tests.anatomy import Key, anatomy, modules_of
from tests.hooks import Change, attending, between, rewriting

__all__ = ["Kept", "Key", "Oracle", "key_of", "logit_diff", "modules_of"]

Kept = np.ndarray
How = str | tuple[Any, ...]
Edits = Iterable[tuple[Any, How]]

#: In this order a block computes them, and hooks that meet at one module must act.
ORDER = (
    *("embedding", "residual", "query", "key", "value", "pattern", "head", "attn_out"),
    *("cross_head", "cross_out", "mixer_channel", "mixer_out"),
    *("residual_mid", "neuron", "mlp_out", "residual_post"),
)
#: Mediators that are a part of another one's value.
PART_OF = {
    "embedding_unit": "embedding",
    "mlp_unit": "mlp_out",
    "edge": "pattern",
    "neurons": "neuron",  # the whole of it
}


class Place(Protocol):
    """What the oracle reads of a site."""

    @property
    def mediator(self) -> str: ...
    @property
    def layer(self) -> int: ...
    @property
    def head(self) -> int | None: ...
    @property
    def position(self) -> Any: ...


class Pair(Protocol):
    """What the oracle reads of a prompt pair."""

    @property
    def clean(self) -> str: ...
    @property
    def corrupt(self) -> str: ...
    @property
    def answer(self) -> Any: ...
    @property
    def wrong(self) -> Any: ...


@dataclass
class Oracle:
    """Numbers for one model and the pairs of one contrast."""

    model: nn.Module
    tokenizer: Any
    pairs: Sequence[Pair]
    forwards: int = 0
    _captured: dict[tuple[int, ...], dict[Key, Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begun = {
            self.ids(text): (
                0,
                *self.tokenizer(getattr(pair, "decoder", ""), add_special_tokens=False)[
                    "input_ids"
                ],
            )
            for pair in self.pairs
            for text in (pair.clean, pair.corrupt)
            if getattr(self.model.config, "is_encoder_decoder", False)
        }
        self.body = anatomy(self.model)
        self.places = modules_of(self.model)
        self.n_heads = self.body.n_heads
        self.n_kv_heads = self.body.n_kv_heads
        self.n_layers = len(self.body.blocks)
        layers = range(self.n_layers)
        self.keys = list(self.places)
        self.keys += [("pattern", i) for i in layers if self.body.blocks[i].softmax]
        self.keys += [("residual_mid", i) for i in layers if self.body.blocks[i].mid]
        self.keys.sort(key=_order)

    # --- prompts ----------------------------------------------------------------------------

    def ids(self, text: str) -> tuple[int, ...]:
        """The prompt's tokens, special ones included."""
        return tuple(self.tokenizer(text)["input_ids"])

    def token(self, word: str) -> int:
        """The one token of an answer; of a classifier the index of a label."""
        if self.classifies:
            return int(self.model.config.label2id[word])  # type: ignore[union-attr,index]
        (token,) = self.tokenizer(word, add_special_tokens=False)["input_ids"]
        return int(token)

    def read_at(self, ids: tuple[int, ...]) -> int:
        """Where a prompt is read: at its mask, or its last token."""
        mask = self.tokenizer.mask_token_id
        return ids.index(mask) if mask is not None else -1

    @property
    def classifies(self) -> bool:
        """Whether the logits are of labels."""
        return type(self.model).__name__.endswith("ForSequenceClassification")

    def length(self, index: int = 0) -> int:
        """Tokens of a pair's prompts; beside an encoder, of what the decoder reads."""
        ids = self.ids(self.pairs[index].clean)
        return len(self.begun.get(ids, ids))

    def first_difference(self, index: int = 0) -> int:
        """The first position at which the two prompts of a pair differ."""
        clean, corrupt = self.ids(self.pairs[index].clean), self.ids(self.pairs[index].corrupt)
        return next(i for i, token in enumerate(clean) if token != corrupt[i])

    # --- runs -------------------------------------------------------------------------------

    def values(self, text: str) -> dict[Key, Tensor]:
        """Every value of one unedited run: (position, width), patterns (head, query, key)."""
        ids = self.ids(text)
        if ids not in self._captured:
            self._captured[ids] = self._capture(ids, {})
        return self._captured[ids]

    def values_in(
        self, base: str, edits: Edits, index: int = 0, freeze: Sequence[Any] = ()
    ) -> dict[Key, Tensor]:
        """Every value of an edited run, as it is after the edits."""
        changes = self._changes(base, list(edits), index, freeze)
        return self._capture(self.ids(getattr(self.pairs[index], base)), changes)

    def logits(
        self, base: str, edits: Edits = (), index: int = 0, freeze: Sequence[Any] = ()
    ) -> Tensor:
        """The logits of a run at every position, (position, vocabulary)."""
        # All values first: a hook that is already on would edit the runs they are taken from.
        changes = self._changes(base, list(edits), index, freeze)
        return self._forward(self.ids(getattr(self.pairs[index], base)), changes)

    def run(self, base: str, edits: Edits = (), index: int = 0, freeze: Sequence[Any] = ()) -> Kept:
        """Answer logit, wrong logit and logsumexp where the prompt is read, float64."""
        pair = self.pairs[index]
        at = self.read_at(self.ids(getattr(pair, base)))
        logits = self.logits(base, edits, index, freeze)[at].double()
        return np.array(
            [
                logits[self.token(pair.answer)].item(),
                logits[self.token(pair.wrong)].item(),
                logits.logsumexp(-1).item(),
            ]
        )

    def corners(self, sites: Any, index: int = 0) -> dict[str, Kept]:
        """The four corners of a joint patch, as kept numbers."""
        joint: Sequence[Any] = sites if isinstance(sites, Sequence) else [sites]
        return {
            "Y11": self.run("clean", index=index),
            "Y00": self.run("corrupt", index=index),
            "Y10": self.run("clean", [(site, "corrupt") for site in joint], index),
            "Y01": self.run("corrupt", [(site, "clean") for site in joint], index),
        }

    def edited(
        self, base: str, edits: Mapping[Any, How], index: int = 0, freeze: Sequence[Any] = ()
    ) -> Kept:
        """``run`` with edits given as a mapping."""
        return self.run(base, list(edits.items()), index, freeze)

    # --- inside -----------------------------------------------------------------------------

    def new_value(self, key: Key, how: str, index: int) -> Tensor | None:
        """The whole value an edit takes its numbers from; None for zero."""
        if how == "zero":
            return None
        if how.startswith("mean:"):
            name = how.removeprefix("mean:")
            same = [i for i in range(len(self.pairs)) if self.length(i) == self.length(index)]
            prompts = [self.values(getattr(self.pairs[i], name))[key] for i in same]
            return torch.stack(prompts).mean(0)
        return self.values(getattr(self.pairs[index], how))[key]

    def _changes(
        self, base: str, edits: list[tuple[Any, How]], index: int, freeze: Sequence[Any]
    ) -> dict[Key, Change]:
        """What happens to each value, knockouts under ``("scores", layer)``."""
        writes: dict[Key, list[Callable[[Tensor, Tensor], None]]] = {}
        held = self.values(getattr(self.pairs[index], base)) if freeze else {}
        for frozen in freeze:
            for key in self.keys:
                if isinstance(frozen, str) and key[0] == frozen:
                    writes.setdefault(key, []).append(_hold(held[key], None))
                elif not isinstance(frozen, str) and key == key_of(frozen):
                    writes.setdefault(key, []).append(_hold(held[key], self._cells_of(frozen)))
        for site, how in edits:
            key = key_of(site)
            if how == ("knockout",):
                key = ("scores", site.layer)
            writes.setdefault(key, []).append(self._writer(site, how, index))
        return {key: _all_of(several) for key, several in writes.items()}

    def _writer(self, site: Place, how: How, index: int) -> Callable[[Tensor, Tensor], None]:
        key, cells_of = key_of(site), self._cells_of(site)
        source: Tensor | None = None
        if isinstance(how, str):
            source = self.new_value(key, how, index)
        elif how[0] == "patch":
            source = self.new_value(key, how[1], index)
        elif how[0] == "within":
            return self._writer_within(site, (how[1], how[1]), how[2], index)
        elif how[0] == "along":
            return self._writer_within(site, (how[1][0], how[1][1]), how[2], index)

        def write(own: Tensor, new: Tensor) -> None:
            for cells in cells_of(own):
                taken = None if source is None else source[cells]
                new[cells] = _edited(own[cells], how, taken)

        return write

    def _writer_within(
        self, site: Place, directions: tuple[Tensor, Tensor], how: How, index: int
    ) -> Callable[[Tensor, Tensor], None]:
        """Direction by direction, what the inner edit would have made of each."""
        inner, cells_of = self._writer(site, how, index), self._cells_of(site)

        def write(own: Tensor, new: Tensor) -> None:
            whole = new.clone()
            inner(own, whole)
            for cells in cells_of(own):
                for written, read in zip(*directions, strict=True):
                    moved = ((whole[cells] - own[cells]) * read).sum(-1, keepdim=True)
                    new[cells] = new[cells] + moved * written

        return write

    def _cells_of(self, site: Any) -> Callable[[Tensor], list[tuple[Any, ...]]]:
        """Which numbers of a value are the site's, as indices."""

        def cells(x: Tensor) -> list[tuple[Any, ...]]:
            rows = _some(site.position, x.shape[-2])[:, None]
            if key_of(site)[0] == "pattern":
                columns = _some(getattr(site, "key", None), x.shape[-1])[None]
                heads = range(self.n_heads) if site.head is None else [site.head]
                return [(head, rows, columns) for head in heads]
            unit, n_units = getattr(site, "unit", None), x.shape[-1]
            if site.head is not None:
                keyed = site.mediator in ("key", "value")
                unit, n_units = site.head, self.n_kv_heads if keyed else self.n_heads
            width = x.shape[-1] // n_units
            first, last = (0, x.shape[-1]) if unit is None else (unit * width, (unit + 1) * width)
            return [(rows, torch.arange(first, last)[None])]

        return cells

    def _capture(self, ids: tuple[int, ...], changes: Mapping[Key, Change]) -> dict[Key, Tensor]:
        store: dict[Key, Tensor] = {}

        def keeping(key: Key) -> Change:
            change = changes.get(key)

            def keep(x: Tensor) -> Tensor:
                after = x if change is None else change(x)
                store[key] = after.clone()
                return after

            return keep

        scores = {key: change for key, change in changes.items() if key[0] == "scores"}
        self._forward(ids, {key: keeping(key) for key in self.keys} | scores)
        return store

    def _forward(self, ids: tuple[int, ...], changes: Mapping[Key, Change]) -> Tensor:
        self.forwards += 1
        with ExitStack() as stack:
            for key in sorted(changes, key=_order):
                stack.enter_context(self._applying(key, changes[key]))
            with torch.no_grad():
                model: Any = self.model
                more: dict[str, Any] = {}
                if ids in self.begun:
                    more["decoder_input_ids"] = torch.tensor([self.begun[ids]])
                logits: Tensor = model(
                    input_ids=torch.tensor([ids]), use_cache=False, **more
                ).logits
                logits = logits if self.classifies else logits[0]
        return logits

    def _applying(self, key: Key, change: Change) -> AbstractContextManager[None]:
        name, layer = key
        if name in ("pattern", "scores"):
            return attending(self.body.blocks[layer].attention, name, change)
        if name == "residual_mid" and key not in self.places:
            block = self.body.blocks[layer]
            return between(block.block, block.attn_added, change)
        module, side = self.places[key]
        return rewriting(module, side, change, self.body.columns.get(name))


def key_of(site: Place) -> Key:
    """The value that a site is a part of."""
    name = PART_OF.get(site.mediator, site.mediator)
    return name, 0 if name == "embedding" else site.layer


def logit_diff(kept: Kept) -> float:
    """Answer minus wrong, from kept numbers."""
    return float(kept[..., 0] - kept[..., 1])


def _order(key: Key) -> tuple[int, int]:
    name, layer = key
    return layer, ORDER.index("pattern" if name == "scores" else name)


def _some(positions: Any, length: int) -> Tensor:
    return torch.arange(length) if positions is None else torch.tensor(positions).reshape(-1)


def _hold(
    value: Tensor, cells_of: Callable[[Tensor], list[tuple[Any, ...]]] | None
) -> Callable[[Tensor, Tensor], None]:
    def write(own: Tensor, new: Tensor) -> None:
        for cells in [(...,)] if cells_of is None else cells_of(own):
            new[cells] = value[cells]

    return write


def _all_of(writes: list[Callable[[Tensor, Tensor], None]]) -> Change:
    """One after the other; each reads what was there before all of them."""

    def change(own: Tensor) -> Tensor:
        new = own.clone()
        for write in writes:
            write(own, new)
        return new

    return change


def _edited(own: Tensor, how: How, taken: Tensor | None) -> Any:
    if isinstance(how, str):
        return 0.0 if taken is None else taken
    kind, *rest = how
    if kind == "patch":
        assert taken is not None
        return own + rest[1] * (taken - own)
    if kind == "scale":
        return own * rest[0]
    if kind == "add":
        return own + torch.as_tensor(rest[0], dtype=own.dtype)
    if kind == "value":
        return torch.as_tensor(rest[0], dtype=own.dtype).expand(own.shape)
    assert kind == "knockout", how
    return float("-inf")
