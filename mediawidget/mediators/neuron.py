"""One MLP neuron: its activation, the input of the map back to the residual stream."""

from .base import Mediator

NEURON = Mediator("neuron", "MLP neuron", "neurons", index="unit", units=lambda shape: shape.d_mlp)
