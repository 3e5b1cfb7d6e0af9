"""The tokens' embeddings, before positions are added, whole or one coordinate at a time."""

from .base import Mediator

EMBEDDING = Mediator("embedding", "Embedding", "embed", one_layer=True)

EMBEDDING_UNIT = Mediator(
    "embedding_unit",
    "Embedding unit",
    "embed",
    index="unit",
    units=lambda shape: shape.d_model,
    one_layer=True,
)
"""The first layer of the neurons of Vig et al. 2020."""
