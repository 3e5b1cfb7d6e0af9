"""The autoencoders that come with the package, of the teaching model."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..edits.sparse import SAE
from ..errors import require
from ..statistics.resampling import whole
from .files import load

FOLDER = Path(__file__).parent / "teaching"
LAYERS = (3, 4)


def teaching(layer: int = 3) -> SAE:
    """Features of the teaching model's residual stream, trained by training/train_sae.py.

    384 TopK features of which 16 are active at a token, on either side of the name movers of
    layer 3; teaching/README.md has the figures.

    Args:
        layer: before which block: 3 or 4.

    Raises:
        MediationError: another layer.

    Example:
        >>> mw.features.teaching(4)
        SAE(teaching L4: 384 features of L4, topk, k=16)
    """
    require(
        whole(layer, 0) and layer in LAYERS,
        "There is no autoencoder of that layer.",
        value=layer,
        expected=" or ".join(map(str, LAYERS)),
        fix="mw.features.teaching(3)",
    )
    return _loaded(int(layer))


@cache
def _loaded(layer: int) -> SAE:
    return load(FOLDER / f"L{layer}", name=f"teaching L{layer}")
