"""One pass over three tokens, which holds what somebody said of a model against what it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from .calls import forward_arguments
from .errors import MediationError
from .paths import ModulePaths, follow
from .two_texts import MARK, n_positions

if TYPE_CHECKING:
    from .lm import LM

_N_TOKENS = 3


class Place(NamedTuple):
    """A module of a field, and what it should read or make there."""

    field: str
    module: Any
    side: str
    shape: tuple[int, ...] | None
    block: int | None = None


class Seen(NamedTuple):
    """What a module read first, and what it made."""

    input: Any
    output: Any
    several: bool


def refuse_other_passes(lm: LM) -> None:
    """Raise unless a forward pass goes through the modules as ``lm.paths`` says.

    Raises:
        MediationError: names the field, the block, and what was met there.
    """
    config: Any = lm.hf.config
    limit = getattr(config, "max_position_embeddings", None) or _N_TOKENS
    filler = getattr(config, "pad_token_id", None)
    own = [i for i in range(min(_N_TOKENS + 1, lm.vocabulary)) if i != filler]
    own = own[: min(_N_TOKENS, limit)]
    ids = torch.tensor([[0, MARK, *own] if lm.encodes else own], device=lm.device)
    n = n_positions(lm, ids)
    places = list(_places(lm, n))
    arguments = forward_arguments(lm, ids, 0, n)
    with _watched([place.module for place in places]) as seen:
        logits = _logits(lm, arguments)
    _refuse_other_width(lm, seen)
    for place in places:
        _refuse_other_shape(lm.paths, place, seen)
    _refuse_other_head(lm, seen, logits)
    sums = lm.paths.plain and lm.paths.norm_before_mlp and lm.paths.mlp and not lm.paths.flat_mlp
    for index, block in enumerate(follow(lm.hf, lm.paths.blocks)):
        _refuse_whole_stream(lm.paths, index, block, seen)
        if sums:
            _refuse_other_sums(lm, index, block, seen)
    if not lm.encodes:
        _refuse_other_masks(lm, logits, _logits(lm, {"input_ids": ids, "use_cache": False}))


def _places(lm: LM, n: int) -> Iterator[Place]:
    """What is known of every field's module, from the embedding to the logits."""
    paths = lm.paths
    stream = (1, n, lm.d_model)
    if paths.embed is not None:
        yield Place("embed", follow(lm.hf, paths.embed), "output", stream)
    for index, block in enumerate(follow(lm.hf, paths.blocks)):
        yield Place("blocks", block, "input", stream, index)
        yield Place("blocks", block, "output", stream, index)
        for field, side, shape in _in_block(lm, n):
            path = getattr(paths, field)
            if path is not None:
                yield Place(field, follow(block, path), side, shape, index)
    yield Place("final_norm", follow(lm.hf, paths.final_norm), "input", stream)
    if paths.head is not None:
        yield Place("head", follow(lm.hf, paths.head), "output", None)


def _in_block(lm: LM, n: int) -> list[tuple[str, str, tuple[int, ...] | None]]:
    """Of every field of a block: a side, and the shape there; None where any will do."""
    stream, many = (1, n, lm.d_model), (n,) if lm.paths.flat_mlp else (1, n)
    heads, keys = lm.n_heads * lm.d_head, lm.n_kv_heads * lm.d_head
    fused = lm.paths.qkv != "separate"
    z, mlp = (1, n, heads or lm.d_mixer), (*many, lm.d_model)
    query, key = (heads + 2 * keys,) * 2 if fused else (heads, keys)
    return [
        ("attention", "output", None),
        ("query", "output", (1, n, query)),
        ("key", "output", (1, n, key)),
        ("value", "output", (1, n, key)),
        ("attn_proj", "input", z),
        ("attn_proj", "output", stream),
        ("attn_out", "output", stream),
        ("cross", "output", None),
        ("cross_proj", "input", z),
        ("cross_proj", "output", stream),
        ("norm_before_mlp", "input", mlp),
        ("mlp_in", "input", mlp),
        ("activation", "output", None),
        ("neurons", "input", (*many, lm.d_mlp)),
        ("mlp", "output", mlp),
    ]


@contextmanager
def _watched(modules: Sequence[nn.Module]) -> Iterator[Mapping[int, Seen]]:
    """What the modules read and make, by their ids."""
    seen: dict[int, Seen] = {}

    def keep(module: nn.Module, args: Any, keywords: Any, made: Any) -> None:
        read = next((x for x in (*args, *keywords.values()) if isinstance(x, Tensor)), None)
        several = isinstance(made, tuple)
        first = made[0] if several and made else made
        # Copies: what is read may be written into on the way.
        kept = [x.detach().clone() if isinstance(x, Tensor) else x for x in (read, first)]
        seen[id(module)] = Seen(kept[0], kept[1], several)

    unique = {id(module): module for module in modules}.values()
    handles = [each.register_forward_hook(keep, with_kwargs=True) for each in unique]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _logits(lm: LM, arguments: Mapping[str, Any]) -> Tensor:
    try:
        with torch.no_grad():
            out: Any = lm.hf(**arguments)
            logits: Tensor = out.logits
    except torch.OutOfMemoryError:
        raise
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise MediationError(
            "The model does not run as its paths say.",
            value=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}",
            expected=f"a forward that takes {', '.join(arguments)} and returns logits",
            fix="look at masks, causal and caches of ModulePaths(...), and at model(input_ids=...)",
        ) from error
    return logits


def _refuse_other_width(lm: LM, seen: Mapping[int, Seen]) -> None:
    """Raise unless the map after attention is as wide as what the blocks read.

    Every other shape is held against that width.
    """
    met = seen.get(id(follow(lm.hf, lm.paths.blocks)[0]))
    width = getattr(getattr(met, "input", None), "shape", (lm.d_model,))[-1]
    if width != lm.d_model:
        raise MediationError(
            "This module is not what it is said to be.",
            value=f"attn_proj={lm.paths.attn_proj!r} makes {lm.d_model} numbers of a position",
            expected=f"{width}, as many as a block reads",
            fix="ModulePaths(attn_proj=...): the linear map after attention",
        )


def _refuse_other_shape(paths: ModulePaths, place: Place, seen: Mapping[int, Seen]) -> None:
    """Raise unless the module took part, and read or made what it should."""
    where = "" if place.block is None else f" in block {place.block}"
    said = f"{place.field}={getattr(paths, place.field)!r}{where}"
    met = seen.get(id(place.module))
    if met is None:
        raise MediationError(
            "A forward pass does not go through this module.",
            value=f"{said}: {type(place.module).__name__} is not called",
            expected="a module that is called in every pass",
            fix=f"ModulePaths({place.field}=...), or without it where None will do",
        )
    if place.field == "blocks" and place.side == "output" and met.several != paths.tuple_output:
        raise MediationError(
            "A block returns a tuple, or its residual stream alone.",
            value=f"tuple_output={paths.tuple_output}{where}, "
            f"which returns {'a tuple' if met.several else 'a tensor'}",
            expected=f"tuple_output={met.several}",
            fix=f"ModulePaths(tuple_output={met.several}, ...)",
        )
    if place.field == "mlp" and met.several:
        raise MediationError(
            "An MLP makes one tensor.",
            value=f"{said}, which returns a tuple",
            expected="a module that returns what is added to the residual stream, and that alone",
            fix="ModulePaths(mlp=...): a module within it, or mlp=None",
        )
    value = getattr(met, place.side)
    shape = tuple(value.shape) if isinstance(value, Tensor) else None
    if place.shape not in (None, shape):
        raise MediationError(
            "This module is not what it is said to be.",
            value=f"{said}: its {place.side} is "
            f"{type(value).__name__ if shape is None else f'of shape {shape}'}",
            expected=f"shape {place.shape}, of one row of {_N_TOKENS} tokens or fewer",
            fix=f"ModulePaths({place.field}=...): print(model) shows the names; qkv says how "
            "queries, keys and values are divided, flat_mlp whether rows come in one",
        )


def _refuse_other_head(lm: LM, seen: Mapping[int, Seen], logits: Tensor) -> None:
    if lm.paths.head is None:
        return
    made = seen[id(follow(lm.hf, lm.paths.head))].output
    if not isinstance(made, Tensor) or made.shape[-1] != logits.shape[-1]:
        raise MediationError(
            "The head does not make the logits.",
            value=f"head={lm.paths.head!r} makes "
            f"{getattr(made, 'shape', [type(made).__name__])[-1]} of a position",
            expected=f"{logits.shape[-1]}, one for each logit",
            fix="ModulePaths(head='lm_head', ...), or head=None",
        )


def _refuse_whole_stream(
    paths: ModulePaths, index: int, block: nn.Module, seen: Mapping[int, Seen]
) -> None:
    """Raise where what is said to be added to the residual stream is the stream itself."""
    if paths.mlp is None:
        return
    whole, made = seen[id(block)].output, seen[id(follow(block, paths.mlp))].output
    if isinstance(whole, Tensor) and whole.shape == made.shape and torch.equal(whole, made):
        raise MediationError(
            "This module is not what it is said to be.",
            value=f"mlp={paths.mlp!r} in block {index} makes what the block makes: the residual "
            "stream with the MLP's output in it",
            expected="a module that makes what is added to the residual stream",
            fix="ModulePaths(mlp=...): the last map within it, as 'ffn.down_proj'",
        )


def _refuse_other_sums(lm: LM, index: int, block: nn.Module, seen: Mapping[int, Seen]) -> None:
    """Raise unless a block adds what its parts make, as runs that are born inside it rely on."""
    paths = lm.paths
    met = seen[id(block)]
    adds = "attn_proj" if paths.attn_out is None else "attn_out"
    added = seen[id(follow(block, getattr(paths, adds)))].output
    middle = seen[id(follow(block, str(paths.norm_before_mlp)))].input
    last = seen[id(follow(block, str(paths.mlp)))].output
    size = max(float(part.abs().max()) for part in (met.input, added, last))
    sums = {
        (adds, "norm_before_mlp"): (met.input + added, middle),
        ("mlp", "norm_before_mlp"): (middle + last, met.output),
    }
    for names, (expected, found) in sums.items():
        wrong = float((found - expected).abs().max())
        if wrong > _tolerance(lm) * size:
            raise MediationError(
                "The blocks of this model are not plain sums.",
                value=f"plain=True, {', '.join(f'{n}={getattr(paths, n)!r}' for n in names)}: "
                f"in block {index} the residual stream is {wrong:.2g} away from the sum",
                expected=f"its input, plus what {adds} makes (norm_before_mlp reads that), plus "
                "what mlp makes",
                fix="ModulePaths(plain=False, ...), or the paths of the modules that are added",
            )


def _refuse_other_masks(lm: LM, made: Tensor, own: Tensor) -> None:
    """Raise unless the model makes the same logits of the same tokens when it is left alone."""
    wrong = float((made - own).abs().max())
    if not wrong <= _tolerance(lm) * max(1.0, float(own.abs().max())):
        raise MediationError(
            "With masks as its paths say the model makes other logits than by itself.",
            value=f"masks={lm.paths.masks!r}, causal={lm.paths.causal}: logits up to {wrong:.2g} "
            "away",
            expected="the logits of model(input_ids=...)",
            fix="ModulePaths(masks='own', ...) for a model that makes its masks by itself, "
            "causal=False for one whose tokens see later tokens",
        )


def _tolerance(lm: LM) -> float:
    """A share of the largest number, which rounding does not reach."""
    return 0.05 if torch.finfo(lm.dtype).eps > 1e-4 else 1e-3
