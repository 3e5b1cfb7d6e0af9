"""What a whole attention layer adds to the residual stream."""

from .base import Mediator

ATTN_OUT = Mediator("attn_out", "Attention output", "attn_out", mixes="attention")
