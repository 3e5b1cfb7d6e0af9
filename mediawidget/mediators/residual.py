"""The residual stream: before each block and after the last, between attention and MLP, after."""

from .base import Mediator

RESIDUAL = Mediator("residual", "Residual stream", "block_in", after_last=True)

RESIDUAL_MID = Mediator("residual_mid", "Residual stream before the MLP", "mid")

RESIDUAL_POST = Mediator("residual_post", "Residual stream after the block", "block_in", shift=1)
