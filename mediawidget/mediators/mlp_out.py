"""What an MLP adds to the residual stream, whole or one coordinate at a time."""

from .base import Mediator

MLP_OUT = Mediator("mlp_out", "MLP output", "mlp_out")

MLP_UNIT = Mediator(
    "mlp_unit", "MLP output unit", "mlp_out", index="unit", units=lambda shape: shape.d_model
)
"""The "neurons" of Vig et al. 2020: coordinates of the MLP's output."""
