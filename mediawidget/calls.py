"""How a model is called so that its batch may grow from block to block.

What a model derives from its arguments once, before the first block, must hold for every row of a
batch that is larger later on. So masks and positions are made here with one row, which broadcasts
(prompts are never padded, so all rows have the same), and what an architecture makes by itself
with a row for each row of the first batch is fitted to the rows there are.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .errors import MediationError
from .paths import follow
from .two_texts import encoded, halves

if TYPE_CHECKING:
    from .lm import LM

_LAYER_TYPES = ("full_attention", "sliding_attention")


def forward_arguments(lm: LM, ids: Tensor, start: int, stop: int) -> dict[str, Any]:
    """The keywords of the model's forward for positions ``start`` to ``stop`` of ``ids``.

    Positions before ``start`` are left to ``past_key_values``, which the caller adds. A model that
    makes its own masks asks it for ``get_mask_sizes``.

    Args:
        lm: the model.
        ids: (row, position) token ids, at least ``stop`` positions; of an encoder-decoder rows as
            ``two_texts`` makes them.
        start: the first position to compute.
        stop: the position after the last.

    Raises:
        MediationError: the model's attention is not causal, or of a kind that is not known.
    """
    sources, ids = halves(lm, ids)
    if sources is not None:
        states, mask = encoded(lm, sources)
        return {
            "encoder_outputs": (states,),
            "attention_mask": mask,
            "decoder_input_ids": ids[:, start:stop],
            "decoder_attention_mask": _masks(lm, start, stop),
            "use_cache": False,
        }
    call: dict[str, Any] = {
        "input_ids": ids[:, start:stop],
        "attention_mask": _masks(lm, start, stop),
        "position_ids": torch.arange(start, stop, device=lm.device)[None],
        "use_cache": False,
    }
    if getattr(getattr(lm.hf, "config", None), "type_vocab_size", 0):
        # A text is one segment, in every row there will be.
        call["token_type_ids"] = torch.zeros_like(call["position_ids"])
    return call


def causal_mask(lm: LM, start: int, stop: int, window: int | None = None) -> Tensor:
    """Additive, (1, 1, stop - start, stop): 0 where a query sees a key, else the least number.

    A query sees itself and the keys before it; with a ``window`` the last ``window`` of these.
    """
    hidden = torch.finfo(lm.dtype).min
    shape = (stop - start, stop)
    mask = torch.full(shape, hidden, dtype=lm.dtype, device=lm.device).triu(start + 1)
    if window is not None and window < stop:
        past = torch.ones(shape, dtype=torch.bool, device=lm.device).tril(start - window)
        mask.masked_fill_(past, hidden)
    return mask[None, None]


def fit_arguments(
    kwargs: Mapping[str, Any], n_rows: int, n_heads: int, paths: Any
) -> dict[str, Any]:
    """The keywords of an attention module (or its block) for a batch of ``n_rows`` rows.

    Args:
        kwargs: as the model passed them, for the batch that it began with.
        n_rows: of the batch as it is now.
        n_heads: query heads.
        paths: whose ``batched`` says what must be fitted; the rest is handed back as it is.
    """
    fitted = dict(kwargs)
    for name, per_row in paths.batched:
        value = fitted.get(name)
        if value is None:
            continue
        if per_row == "row":
            fitted[name] = value[:1].expand(n_rows, *value.shape[1:])
        else:
            fitted[name] = value[:n_heads].repeat(n_rows, *(1,) * (value.ndim - 1))
    return fitted


@contextmanager
def attention(lm: LM, implementation: str) -> Iterator[None]:
    """Compute attention by ``implementation`` ("eager", say) inside, as before afterwards.

    Only eager attention has an attention pattern. In half precision it rounds otherwise, so
    what is compared belongs under one implementation. In double precision its softmax is taken
    in double precision too, which the models themselves take in single.
    """
    config: Any = getattr(lm.hf, "config", None)
    before = getattr(config, "_attn_implementation", None)
    if before is None or before == implementation:
        yield
        return
    # The model's own method refuses those that look the implementation up in the config
    # themselves (falcon), and every module of a decoder shares this config.
    parts = [getattr(config, name, None) for name in getattr(config, "sub_configs", ())]
    if lm.encodes:
        # Its two stacks have copies of the config.
        model: Any = lm.hf
        parts += [stack.config for stack in (model.get_encoder(), model.get_decoder())]
    own = [(part, part._attn_implementation) for part in parts if part is not None]  # noqa: SLF001
    double = implementation == "eager" and lm.dtype == torch.float64
    for part in (config, *(parts if lm.encodes else ())):
        part._attn_implementation = implementation  # noqa: SLF001
    try:
        with DoubleSoftmax() if double else nullcontext():
            yield
    finally:
        config._attn_implementation = before  # noqa: SLF001
        for part, value in own:
            part._attn_implementation = value  # noqa: SLF001


def adds_alibi_twice(lm: LM) -> bool:
    """Whether eager attention is another model's: Falcon's adds alibi, which its mask has too.

    An edge is cut there in the mask, which every implementation of its attention adds.
    """
    config: Any = getattr(lm.hf, "config", None)
    return getattr(config, "model_type", None) == "falcon" and bool(config.alibi)


class DoubleSoftmax(TorchFunctionMode):
    """Takes a softmax of double precision numbers in double precision."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = kwargs or {}
        if func is torch.nn.functional.softmax and args and args[0].dtype == torch.float64:
            options = {**options, "dtype": None}
        return func(*args, **options)


def _masks(lm: LM, start: int, stop: int) -> Tensor | dict[str, Tensor] | None:
    """What the model takes as its ``attention_mask``."""
    config: Any = getattr(lm.hf, "config", None)
    if not lm.causal:
        # Nothing is hidden; but where it is one of ours, edges may be hidden in it.
        return torch.zeros(1, 1, stop - start, stop, dtype=lm.dtype, device=lm.device)
    if getattr(config, "use_bidirectional_attention", False) or not getattr(
        config, "is_causal", True
    ):
        raise MediationError(
            "This model's attention is not causal.",
            value=type(lm.hf).__name__,
            expected="a model whose tokens see the tokens before them only",
            fix="load a causal language model",
        )
    if lm.paths.masks == "own":
        return None
    if lm.paths.masks == "one":
        return causal_mask(lm, start, stop, _window(lm))
    types = dict.fromkeys(config.layer_types)
    if not set(types) <= set(_LAYER_TYPES):
        raise MediationError(
            "This kind of attention is not known.",
            value=", ".join(types),
            expected=" or ".join(_LAYER_TYPES),
            fix="load a model whose layers have no other attention",
        )
    return {
        kind: causal_mask(
            lm, start, stop, config.sliding_window if kind == "sliding_attention" else None
        )
        for kind in types
    }


def _window(lm: LM) -> int | None:
    """The attention window of a model whose blocks share one."""
    config = getattr(lm.hf, "config", None)
    found = getattr(config, "sliding_window", None) or None
    if found is None or not getattr(config, "use_sliding_window", True):
        return None
    block: Any = follow(lm.hf, lm.paths.blocks)[0]
    codes = (type(part).__module__ for part in (lm.hf, block))
    return found if any(map(reads_windows, codes)) else None


@lru_cache
def reads_windows(code: str) -> bool:
    """Whether a model's code has windows: Llama's has none, whatever a config converted to it says.

    Code that cannot be read is believed to do what its config says.
    """
    try:
        return "sliding_window" in inspect.getsource(sys.modules[code])
    except (KeyError, OSError, TypeError):
        return True
