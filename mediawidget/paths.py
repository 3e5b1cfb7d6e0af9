"""Where a model keeps what is intervened on, and what its blocks are like."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from .errors import MediationError, require


@dataclass(frozen=True)
class ModulePaths:
    """Dotted module paths. None: the model has no such module, or nobody has said where.

    ``blocks``, ``final_norm``, ``embed`` and ``head`` are relative to the model, the others to a
    block. Those that are given to ``load`` are held against the modules and against a forward pass
    of three tokens; ``pattern``, ``mid`` and the name of the mask at their first use.

    Args:
        blocks: the list of blocks.
        attn_proj: the linear map after attention. Its input is the heads' z side by side, shape
            (row, position, n_heads * d_head). Where ``mixes`` is "scan", the map after that, whose
            input are the mixer's channels.
        mlp: the module whose output (row, position, d_model) the MLP adds to the residual stream:
            the norm after the MLP where there is one. None for a network without MLPs.
        norm_before_mlp: the module whose input is the residual between attention and MLP; None if
            the MLP reads something else.
        final_norm: what reads the residual stream after the last block.
        caches: attention takes the keys and values of earlier positions from
            ``past_key_values``, so that a prefix shared by two prompts is computed once.
        activation: the MLP's activation function. Where there is one that torch has as a single
            kernel, that computes it.
        embed: the token embedding; its output is (row, position, d_model).
        head: the map to the logits.
        attention: the module that takes ``attention_mask`` as a keyword and calls the softmax.
        query: the module whose output holds the queries, before any rotation; the same path as
            ``key`` and ``value`` where they are one map.
        key: of the keys.
        value: of the values.
        qkv: how a fused output is divided. "thirds": all queries, all keys, all values (widths
            may differ); "grouped": for each key-value head its queries, its key, its value.
        attn_out: the module whose output attention adds to the residual stream, where that is
            not ``attn_proj``: the norm after attention.
        mlp_in: the module whose input is what the MLP reads, where that is not the residual
            between attention and MLP because the two branches are parallel.
        neurons: the module whose input are the activations of the MLP's neurons.
        flat_mlp: what the MLP's modules read and return is (row * position, width).
        tuple_output: a block returns a tuple whose first entry is the residual stream.
        pattern: the ``.source`` names that lead from ``attention`` to the softmax's output (row,
            head, query, key) under eager attention.
        mid: the ``.source`` name, in a block's forward, of the residual between attention and MLP.
        masks: what the model takes as ``attention_mask``: "one" additive mask for all blocks, a
            dict of them by the "types" of ``config.layer_types``, or none but its "own".
        batched: the keywords of ``attention`` that are as long as the batch the forward pass
            began with, each with the number of entries that belong to a row: "row" (one) or
            "heads" (one for each head).
        plain: a block's output is its input, plus what ``attn_proj`` returns, plus what ``mlp``
            returns for the norm of that, and nothing else.
        cross: a decoder's attention to the states of an encoder.
        cross_proj: the linear map after that, whose input are its heads' z.
        from_prompt: the keywords of ``cross`` that have a row for each prompt.
        mask: the keyword of ``attention`` that is its additive mask.
        causal: a token sees itself and the tokens before it. What is known without a run, or
            computed once for several, because nothing flows back, asks for this.
        mixes: what carries information from one position to another: "attention", of heads, or
            the "scan" of a state space model, which has none.

    Raises:
        MediationError: a field has a value of another kind; it names the field.
    """

    blocks: str
    attn_proj: str
    mlp: str | None
    norm_before_mlp: str | None
    final_norm: str
    caches: bool = True
    activation: str | None = None
    embed: str | None = None
    head: str | None = None
    attention: str | None = None
    query: str | None = None
    key: str | None = None
    value: str | None = None
    qkv: Literal["separate", "thirds", "grouped"] = "separate"
    attn_out: str | None = None
    mlp_in: str | None = None
    neurons: str | None = None
    flat_mlp: bool = False
    tuple_output: bool = False
    pattern: tuple[str, ...] | None = None
    mid: str | None = None
    masks: Literal["one", "types", "own"] = "one"
    batched: tuple[tuple[str, Literal["row", "heads"]], ...] = ()
    plain: bool = False
    cross: str | None = None
    cross_proj: str | None = None
    from_prompt: tuple[str, ...] = ()
    mask: str = "attention_mask"
    causal: bool = True
    mixes: Literal["attention", "scan"] = "attention"

    def __post_init__(self) -> None:
        kinds = get_type_hints(type(self))
        for field in fields(self):
            _refuse_other_kind(field.name, getattr(self, field.name), kinds[field.name])

    @property
    def adds_in_turn(self) -> bool:
        """Whether runs may be born inside a block: what they add is known at every point of it."""
        parts = self.plain and self.norm_before_mlp is not None and self.mlp is not None
        return parts and self.attn_out is None and not self.flat_mlp

    @property
    def last_mlp_in(self) -> str | None:
        """Where the last block may drop positions before its MLP; None where it may not."""
        return None if self.flat_mlp else self.norm_before_mlp or self.mlp_in


def _refuse_other_kind(name: str, value: object, kind: Any) -> None:
    """Raise unless a field has a value of its kind, which only the fields of ``ModulePaths`` have.

    Raises:
        MediationError: names the field.
    """
    if name in ("qkv", "masks", "mixes"):
        words = get_args(kind)
        ok, expected = value in words if isinstance(value, str) else False, _either(words)
    elif kind is bool:
        ok, expected = isinstance(value, bool), "True or False"
    elif name == "batched":
        ok = isinstance(value, tuple) and all(map(_per_row, value))
        expected = "pairs of a keyword and 'row' or 'heads', in a tuple"
    elif name in ("pattern", "from_prompt"):
        ok, expected = _names(value), "names in a tuple"
        if name == "pattern":
            ok, expected = value is None or (ok and value != ()), f"{expected}, or None"
    else:
        ok, expected = isinstance(value, str), "a dotted path, as print(model) shows it"
        if type(None) in get_args(kind):
            ok, expected = ok or value is None, f"{expected}, or None"
    require(
        ok,
        f"ModulePaths has no such {name}.",
        value=value,
        expected=expected,
        fix=f"ModulePaths({name}={_EXAMPLES.get(name, repr(_default(name)))}, ...)",
    )


_EXAMPLES = {
    "blocks": "'model.layers'",
    "attn_proj": "'self_attn.o_proj'",
    "mlp": "'mlp'",
    "norm_before_mlp": "None",
    "final_norm": "'model.norm'",
    "pattern": "('attention_interface_1', 'nn_functional_softmax_0')",
    "batched": "(('attention_mask', 'row'),)",
}


def _default(name: str) -> object:
    return getattr(ModulePaths, name, None)


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(map(repr, words))


def _names(value: object) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(name, str) and name.isidentifier() for name in value
    )


def _per_row(entry: object) -> bool:
    return (
        isinstance(entry, tuple)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and entry[1] in ("row", "heads")
    )


def follow(root: Any, path: str) -> Any:
    """The module (or its traced twin) at a dotted path.

    Args:
        root: the module that the path begins at.
        path: names with dots between them, numbers for the entries of a list.

    Raises:
        MediationError: names the step that leads nowhere.
    """
    require(
        isinstance(path, str),
        "A module path is text.",
        value=path,
        expected="names with dots between them, as print(model) shows them",
        fix="ModulePaths(blocks='model.layers', ...)",
    )
    here = root
    for step in path.split("."):
        below = _below(here, step)
        if below is None:
            named: Any = getattr(here, "named_children", list)
            raise MediationError(
                "A module path leads nowhere.",
                value=f"{path!r}: {type(here).__name__} has no {step!r}",
                expected="one of " + ", ".join(name for name, _ in named()),
                fix="print(model) shows the names of its modules",
            )
        here = below
    return here


def _below(here: Any, step: str) -> Any:
    # A traced module named as something that nnsight serves goes by another name there.
    known: Any = getattr(here, "_child_map", {})
    return known[step] if step in known else getattr(here, step, None)
