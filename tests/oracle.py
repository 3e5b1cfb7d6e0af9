"""The oracle: plain PyTorch hooks, one prompt and one forward pass per number.

It shares no code with the package. An edit is a (site, how) pair: the site is anything with
``mediator``, ``layer``, ``head`` and ``position``; how is ``"clean"`` or ``"corrupt"`` (take the
value of that prompt), ``"zero"``, ``"mean:clean"`` or ``"mean:corrupt"`` (mean over the prompts of
that name of all pairs of the same length, position by position).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

Kept = np.ndarray
Key = tuple[str, int]


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
    def answer(self) -> str: ...
    @property
    def wrong(self) -> str: ...


def modules_of(model: nn.Module) -> dict[Key, tuple[nn.Module, str]]:
    """Where each value lives: the module, and whether it is its input or its output."""
    core: Any = getattr(model, "transformer", None) or getattr(model, "model", None)
    gpt2 = hasattr(core, "h")
    blocks = list(core.h if gpt2 else core.layers)
    found: dict[Key, tuple[nn.Module, str]] = {}
    for layer, block in enumerate(blocks):
        projection = block.attn.c_proj if gpt2 else block.self_attn.o_proj
        found["residual", layer] = (block, "input")
        found["head", layer] = (projection, "input")
        found["attn_out", layer] = (projection, "output")
        if hasattr(block, "mlp"):
            found["mlp_out", layer] = (block.mlp, "output")
    found["residual", len(blocks)] = (core.ln_f if gpt2 else core.norm, "input")
    return found


@contextmanager
def rewriting(module: nn.Module, side: str, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Pass what enters or leaves ``module`` through ``change``."""

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": change(kwargs["hidden_states"])}

    def after(_: nn.Module, __: Any, output: Any) -> Any:
        assert isinstance(output, Tensor), f"{type(output)} is no plain tensor"
        return change(output)

    if side == "input":
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = module.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


@dataclass
class Oracle:
    """Numbers for one model and the pairs of one contrast."""

    model: nn.Module
    tokenizer: Any
    pairs: Sequence[Pair]
    forwards: int = 0
    _captured: dict[tuple[int, ...], dict[Key, Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config: Any = self.model.config
        self.places = modules_of(self.model)
        self.n_heads = int(config.num_attention_heads)
        self.n_layers = int(config.num_hidden_layers)

    def ids(self, text: str) -> tuple[int, ...]:
        """The prompt's tokens, special ones included."""
        return tuple(self.tokenizer(text)["input_ids"])

    def token(self, word: str) -> int:
        """The one token of an answer."""
        (token,) = self.tokenizer(word, add_special_tokens=False)["input_ids"]
        return int(token)

    def length(self, index: int = 0) -> int:
        """Tokens of a pair's prompts."""
        return len(self.ids(self.pairs[index].clean))

    def first_difference(self, index: int = 0) -> int:
        """The first position at which the two prompts of a pair differ."""
        clean, corrupt = self.ids(self.pairs[index].clean), self.ids(self.pairs[index].corrupt)
        return next(i for i, token in enumerate(clean) if token != corrupt[i])

    def values(self, text: str) -> dict[Key, Tensor]:
        """Every value of one unedited run, each (position, width)."""
        ids = self.ids(text)
        if ids not in self._captured:
            store: dict[Key, Tensor] = {}

            def keep(key: Key) -> Callable[[Tensor], Tensor]:
                def change(x: Tensor) -> Tensor:
                    store[key] = x[0].clone()
                    return x

                return change

            with ExitStack() as stack:
                for key, (module, side) in self.places.items():
                    stack.enter_context(rewriting(module, side, keep(key)))
                self._forward(ids)
            self._captured[ids] = store
        return self._captured[ids]

    def _forward(self, ids: tuple[int, ...]) -> Tensor:
        self.forwards += 1
        with torch.no_grad():
            output: Any = self.model(input_ids=torch.tensor([list(ids)]), use_cache=False)
        logits: Tensor = output.logits[0, -1]
        return logits

    def new_value(self, key: Key, how: str, index: int) -> Tensor | None:
        """The (position, width) value an edit writes; None for zero."""
        if how == "zero":
            return None
        if how.startswith("mean:"):
            name = how.removeprefix("mean:")
            same = [i for i in range(len(self.pairs)) if self.length(i) == self.length(index)]
            prompts = [self.values(getattr(self.pairs[i], name))[key] for i in same]
            return torch.stack(prompts).mean(0)
        return self.values(getattr(self.pairs[index], how))[key]

    def run(self, base: str, edits: Iterable[tuple[Place, str]] = (), index: int = 0) -> Kept:
        """Answer logit, wrong logit and logsumexp at the last position, float64."""
        pair = self.pairs[index]
        # All values first: a hook that is already on would edit the runs they are taken from.
        planned = [
            (site, self.new_value((site.mediator, site.layer), how, index)) for site, how in edits
        ]
        with ExitStack() as stack:
            for site, new in planned:
                module, side = self.places[site.mediator, site.layer]
                stack.enter_context(rewriting(module, side, self._writer(site, new)))
            logits = self._forward(self.ids(getattr(pair, base))).double()
        return np.array(
            [
                logits[self.token(pair.answer)].item(),
                logits[self.token(pair.wrong)].item(),
                logits.logsumexp(-1).item(),
            ]
        )

    def _writer(self, site: Place, new: Tensor | None) -> Callable[[Tensor], Tensor]:
        def change(x: Tensor) -> Tensor:
            assert x.shape[0] == 1
            x = x.clone()
            columns = slice(None)
            if site.mediator == "head":
                assert site.head is not None
                width = x.shape[-1] // self.n_heads
                columns = slice(site.head * width, (site.head + 1) * width)
            where = site.position
            every = range(x.shape[1]) if where is None else np.atleast_1d(where)
            for position in every:
                x[0, position, columns] = 0 if new is None else new[position, columns]
            return x

        return change

    def corners(self, sites: Place | Sequence[Place], index: int = 0) -> dict[str, Kept]:
        """The four corners of a joint patch, as kept numbers."""
        joint: Sequence[Any] = sites if isinstance(sites, Sequence) else [sites]
        return {
            "Y11": self.run("clean", index=index),
            "Y00": self.run("corrupt", index=index),
            "Y10": self.run("clean", [(site, "corrupt") for site in joint], index),
            "Y01": self.run("corrupt", [(site, "clean") for site in joint], index),
        }

    def edited(self, base: str, edits: Mapping[Any, str], index: int = 0) -> Kept:
        """``run`` with edits given as a mapping."""
        return self.run(base, list(edits.items()), index)


def logit_diff(kept: Kept) -> float:
    """Answer minus wrong, from kept numbers."""
    return float(kept[..., 0] - kept[..., 1])
