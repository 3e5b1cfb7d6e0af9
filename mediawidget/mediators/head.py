"""One attention head, as its mix of values z before the output projection."""

from .base import Mediator

HEAD = Mediator(
    "head",
    "Attention head",
    "attn_z",
    index="head",
    units=lambda shape: shape.n_heads,
    mixes="attention",
)
