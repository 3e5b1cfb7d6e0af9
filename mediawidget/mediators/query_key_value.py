"""Queries, keys and values as their projections write them: before any rotation.

A norm over one head comes later too; one over all heads together (OLMo 2) before. For patches that
makes no difference, since rotation is the same for both prompts at one position. Keys and values
come per key-value head, which several heads may read.
"""

from .base import Mediator, Point, Shape


def _query(shape: Shape, head: int) -> tuple[Point, int, int]:
    n, kv = shape.n_heads, shape.kv_heads
    if shape.qkv == "separate":
        return "query", n, head
    if shape.qkv == "thirds":
        return "qkv", n + 2 * kv, head
    group = n // kv
    return "qkv", n + 2 * kv, head // group * (group + 2) + head % group


def _key(shape: Shape, head: int) -> tuple[Point, int, int]:
    n, kv = shape.n_heads, shape.kv_heads
    if shape.qkv == "separate":
        return "key", kv, head
    at = n + head if shape.qkv == "thirds" else head * (n // kv + 2) + n // kv
    return "qkv", n + 2 * kv, at


def _value(shape: Shape, head: int) -> tuple[Point, int, int]:
    n, kv = shape.n_heads, shape.kv_heads
    if shape.qkv == "separate":
        return "value", kv, head
    at = n + kv + head if shape.qkv == "thirds" else head * (n // kv + 2) + n // kv + 1
    return "qkv", n + 2 * kv, at


QUERY = Mediator(
    "query",
    "Query",
    "query",
    index="head",
    units=lambda shape: shape.n_heads,
    cut=_query,
    mixes="attention",
)
KEY = Mediator(
    "key",
    "Key",
    "key",
    index="head",
    units=lambda shape: shape.kv_heads,
    cut=_key,
    mixes="attention",
)
VALUE = Mediator(
    "value",
    "Value",
    "value",
    index="head",
    units=lambda shape: shape.kv_heads,
    cut=_value,
    mixes="attention",
)
