"""What an MLP adds to the residual stream."""

from .base import Mediator

MLP_OUT = Mediator("mlp_out", "MLP output", "mlp_out")
