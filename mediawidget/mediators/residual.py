"""The residual stream, before each block and after the last."""

from .base import Mediator

RESIDUAL = Mediator("residual", "Residual stream", "block_in", after_last=True)
