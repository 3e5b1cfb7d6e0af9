"""Where a traced model is read and written: the envoy behind every point of every stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .architectures import follow
from .errors import MediationError
from .mediators import Point
from .paths import ModulePaths


@dataclass(frozen=True)
class Tap:
    """One place in a traced model.

    Attributes:
        envoy: of the module.
        side: the module's "input" or "output"; its keyword "arguments"; or the value at the end
            of ``source`` inside its forward, (row, head, query, key); or what is "assigned" there.
        in_place: the value is also read by others who hold the same tensor, so it is written into.
        flat: the value comes as (row * position, width).
    """

    envoy: Any
    side: str
    in_place: bool = False
    flat: bool = False
    source: tuple[str, ...] = ()


_PATH: dict[Point, str] = {
    "mask": "attention",
    "query": "query",
    "key": "key",
    "value": "value",
    "qkv": "query",
    "pattern": "attention",
    "attn_z": "attn_proj",
    "attn_out": "attn_proj",
    "cross": "cross",
    "cross_z": "cross_proj",
    "cross_out": "cross_proj",
    "mid": "norm_before_mlp",
    "neurons": "neurons",
    "mlp_out": "mlp",
}
_INPUTS = ("attn_z", "cross_z", "mid", "neurons")


def module_path(paths: ModulePaths, stage: int, n_layers: int, point: Point) -> str | None:
    """The path of the module behind a point, relative to its block (or the model); None: none."""
    if point == "embed":
        return paths.embed
    if point == "block_in":
        return paths.final_norm if stage > n_layers else ""
    if point == "attn_out" and paths.attn_out is not None:
        return paths.attn_out
    if point == "pattern" and paths.pattern is None:
        return None
    path: str | None = getattr(paths, _PATH[point])
    return path


def tap(traced: Any, paths: ModulePaths, stage: int, n_layers: int, point: Point) -> Tap:
    """The place behind a point.

    Raises:
        MediationError: the model has no such module, or nobody has said where.
    """
    path = module_path(paths, stage, n_layers, point)
    if path is None:
        raise no_module(point)
    if point == "embed" or stage > n_layers:
        envoy = follow(traced, path)
        return Tap(envoy, "output" if point == "embed" else "input")
    block = follow(traced, paths.blocks)[stage - 1]
    envoy = follow(block, path) if path else block
    if point in ("mask", "cross"):
        return Tap(envoy, "arguments")
    if point == "pattern":
        return Tap(envoy, "source", source=paths.pattern or ())
    side = "input" if point in _INPUTS or point == "block_in" else "output"
    flat = paths.flat_mlp and point in ("mid", "neurons", "mlp_out")
    return Tap(envoy, side, in_place=point == "mid", flat=flat)


def elsewhere(place: Tap, traced: Any, paths: ModulePaths, stage: int) -> Tap:
    """The same place where values are copies, so that who writes in place writes for one reader.

    Raises:
        MediationError: nobody has said where all readers' common value is.
    """
    if not place.in_place:
        return place
    if paths.mid is None:
        raise MediationError(
            "On a server this model's residual_mid cannot be edited.",
            value="paths.mid is None",
            expected="the name of the sum of residual and attention in the block's forward",
            fix="run it here, or pass paths=ModulePaths(mid='hidden_states_1') to load",
        )
    block = follow(traced, paths.blocks)[stage - 1]
    return Tap(block, "assigned", flat=place.flat, source=(paths.mid,))


_FIELDS: dict[Point, str] = {
    "embed": "embed='transformer.wte'",
    "mask": "attention='self_attn'",
    "query": "query='self_attn.q_proj'",
    "key": "key='self_attn.k_proj'",
    "value": "value='self_attn.v_proj'",
    "qkv": "query='attn.c_attn'",
    "pattern": "attention='self_attn', pattern=(...)",
    "cross_z": "cross='...', cross_proj='...'",
    "cross_out": "cross='...', cross_proj='...'",
    "mid": "norm_before_mlp='post_attention_layernorm'",
    "neurons": "neurons='mlp.down_proj'",
    "mlp_out": "mlp='mlp'",
}


def no_module(point: Point, mediator: str = "", model: str = "") -> MediationError:
    """What to say where a model has nothing at a point."""
    return MediationError(
        f"This model has no module for the mediator {mediator!r}.",
        value=model or point,
        expected="a mediator that the model has: head, attn_out, residual",
        fix="sweep another mediator, or pass "
        f"paths=ModulePaths({_FIELDS.get(point, '...')}) to load",
    )
