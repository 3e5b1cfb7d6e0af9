"""What carries information between positions in a block without attention (Gu & Dao 2023).

A state space model scans the prompt from left to right. It has no heads and no pattern; its
channels are what its map back to the residual stream reads, each one number a position.
"""

from .base import Mediator

MIXER_OUT = Mediator("mixer_out", "Mixer output", "attn_out", mixes="scan")
"""What a block's scan adds to the residual stream, whole."""

MIXER_CHANNEL = Mediator(
    "mixer_channel",
    "Mixer channel",
    "attn_z",
    index="unit",
    units=lambda shape: shape.d_mixer,
    mixes="scan",
)
"""One channel of the scan, after its gate."""
