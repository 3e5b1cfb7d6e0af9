"""Whether the paths that somebody gave lead to modules of the kind that they are said to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import Parameter, signature
from typing import Any

from torch import nn

from .errors import MediationError
from .paths import ModulePaths, follow

IN_MODEL = ("final_norm", "embed", "head")
IN_BLOCK = (
    *("attn_proj", "mlp", "norm_before_mlp", "attention", "query", "key", "value"),
    *("attn_out", "mlp_in", "neurons", "cross", "cross_proj"),
)
_MAPS = ("attn_proj", "cross_proj", "neurons", "query", "key", "value")


def refuse_no_modules(module: nn.Module, paths: ModulePaths) -> None:
    """Raise unless every path leads to a module, in every block.

    Raises:
        MediationError: names the field, the step that leads nowhere, and what is there instead.
    """
    blocks = _found(module, "blocks", paths.blocks, nn.Module)
    if not isinstance(blocks, nn.ModuleList | nn.Sequential) or not len(blocks):
        raise _no_such("blocks", paths.blocks, blocks, "a torch.nn.ModuleList of blocks")
    for root, names in ((module, IN_MODEL), *((block, IN_BLOCK) for block in blocks)):
        for name in names:
            path = getattr(paths, name)
            if path is None:
                continue
            found = _found(root, name, path, nn.Module)
            if name in _MAPS and not _has_widths(found):
                raise _no_such(name, path, found, "a map with a weight, such as a Linear")


def refuse_other_modules(module: nn.Module, paths: ModulePaths) -> None:
    """Raise where the rest of what somebody said of a model is not so, as far as it shows at rest.

    Raises:
        MediationError: names the field.
    """
    fused = len({paths.query, paths.key, paths.value}) == 1
    if paths.query is not None and fused != (paths.qkv != "separate"):
        raise MediationError(
            "One map makes queries, keys and values, or three maps do.",
            value=f"qkv={paths.qkv!r}, query={paths.query!r}, key={paths.key!r}, "
            f"value={paths.value!r}",
            expected="one path and 'thirds' or 'grouped', or three paths and 'separate'",
            fix="ModulePaths(qkv='thirds', ...) for GPT-2's map, 'grouped' for GPT-NeoX's",
        )
    if paths.masks == "types" and not getattr(getattr(module, "config", None), "layer_types", ()):
        raise MediationError(
            "This model's blocks have no types to make masks by.",
            value="masks='types', and its config has no layer_types",
            expected="masks='one' or 'own', or a config with layer_types",
            fix="ModulePaths(masks='one', ...)",
        )
    for block in follow(module, paths.blocks):
        if paths.activation is not None:
            _found(block, "activation", paths.activation, nn.Module)
        _refuse_no_keywords(block, paths)


def refuse_no_keyword(module: nn.Module, field: str, name: str) -> None:
    """Raise unless a module's forward names this keyword.

    Raises:
        MediationError: names the field of ``ModulePaths`` that says so.
    """
    known = list(_keywords(module))
    if known and name not in known:
        raise MediationError(
            "A module takes no such keyword.",
            value=f"{field} names {name!r}: {type(module).__name__}.forward has none",
            expected="one of " + ", ".join(known),
            fix=f"ModulePaths({field}=...) with the name that its forward has",
        )


def widths(module: nn.Module) -> tuple[int, int]:
    """What a linear map reads and returns; a norm reads what it returns."""
    # A quantised map says so itself, for its weight may be packed.
    named = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if named[0] and named[1]:
        return int(named[0]), int(named[1])
    shape = tuple(module.weight.shape)  # type: ignore[arg-type]
    if len(shape) == 1:
        return shape[0], shape[0]
    # GPT-2's Conv1D keeps (in, out), a Linear (out, in).
    first, second = shape
    return (first, second) if type(module).__name__ == "Conv1D" else (second, first)


def _has_widths(module: nn.Module) -> bool:
    if getattr(module, "in_features", None) and getattr(module, "out_features", None):
        return True
    weight: Any = getattr(module, "weight", None)
    return weight is not None and weight.ndim in (1, 2)


def _refuse_no_keywords(block: nn.Module, paths: ModulePaths) -> None:
    if paths.attention is not None:
        attention = follow(block, paths.attention)
        if paths.mask != ModulePaths.mask:
            refuse_no_keyword(attention, "mask", paths.mask)
        for name, _ in paths.batched:
            refuse_no_keyword(attention, "batched", name)
    elif paths.batched:
        raise _alone("batched", "attention", paths.batched)
    if paths.cross is not None:
        for name in paths.from_prompt:
            refuse_no_keyword(follow(block, paths.cross), "from_prompt", name)
    for name, other in (("cross_proj", "cross"), ("from_prompt", "cross")):
        if getattr(paths, name) and getattr(paths, other) is None:
            raise _alone(name, other, getattr(paths, name))
    if paths.pattern is not None and paths.attention is None:
        raise _alone("pattern", "attention", paths.pattern)


def _keywords(module: nn.Module) -> Iterator[str]:
    """The names of a forward's arguments; none where it is wrapped by what names none."""
    # nnsight puts its own into the instance.
    for each in list(signature(type(module).forward).parameters.values())[1:]:
        if each.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY):
            yield each.name


def _found(root: nn.Module, name: str, path: str, kind: type) -> Any:
    """What is at a path, said by its field where it is nothing of this kind."""
    try:
        found = follow(root, path)
    except MediationError as error:
        raise MediationError(
            error.message, value=f"{name}={error.value}", expected=error.expected, fix=error.fix
        ) from error
    if not isinstance(found, kind):
        raise _no_such(name, path, found, "a module")
    return found


def _no_such(name: str, path: str, found: object, expected: str) -> MediationError:
    return MediationError(
        "A module path leads to something else.",
        value=f"{name}={path!r}: {type(found).__name__}",
        expected=expected,
        fix="print(model) shows the names of its modules",
    )


def _alone(name: str, other: str, value: Sequence[object] | str) -> MediationError:
    return MediationError(
        f"ModulePaths has {name} and no {other}.",
        value=f"{name}={value!r}, {other}=None",
        expected=f"the path of {other}",
        fix=f"ModulePaths({other}=..., {name}=...), or without {name}",
    )
