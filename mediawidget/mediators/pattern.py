"""The attention pattern of a head, whole query rows of it or single edges."""

from .base import Mediator

PATTERN = Mediator(
    "pattern",
    "Attention pattern",
    "pattern",
    index="head",
    units=lambda shape: shape.n_heads,
    mixes="attention",
)
"""Probabilities after the softmax. A position is one that attends; its value is its row."""

EDGE = Mediator(
    "edge",
    "Attention edge",
    "pattern",
    index="head",
    units=lambda shape: shape.n_heads,
    keyed=True,
    mixes="attention",
)
"""One head's attention from ``position`` to ``key``; ``head=None`` is all heads of the layer."""
