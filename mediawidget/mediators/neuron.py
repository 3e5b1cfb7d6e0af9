"""MLP neurons: activations, the input of the map back to the residual stream, one or all."""

from .base import Mediator

NEURON = Mediator("neuron", "MLP neuron", "neurons", index="unit", units=lambda shape: shape.d_mlp)

NEURONS = Mediator("neurons", "MLP neurons", "neurons")
"""All of a layer as one vector, d_mlp wide: where a direction among them is a mediator."""
