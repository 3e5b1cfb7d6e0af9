"""A decoder's attention to what an encoder made of the source, whole or one head at a time."""

from .base import Mediator

CROSS_OUT = Mediator("cross_out", "Cross-attention output", "cross_out", mixes="attention")

CROSS_HEAD = Mediator(
    "cross_head",
    "Cross-attention head",
    "cross_z",
    index="head",
    units=lambda shape: shape.n_heads,
    mixes="attention",
)
"""As its mix of values z before the output projection; the values are the encoder's."""
