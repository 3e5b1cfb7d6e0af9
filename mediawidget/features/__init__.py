"""Sparse autoencoder features as mediators: loaded, set, swept, attributed, and put into circuits.

Names are imported when they are first used: an autoencoder in memory needs no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import lazy_loader as lazy

if TYPE_CHECKING:
    from ..edits.sparse import SAE

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)


def save(sae: SAE, path: str | Path, half: bool = False) -> Path:
    """Write an autoencoder as SAELens does: a folder with cfg.json and sae_weights.safetensors.

    A function of this module itself: nnsight gives every object a ``save`` of its own, modules too,
    which would be found before a name that is imported when it is first used.

    Args:
        sae: the autoencoder.
        path: of the folder, which is made if there is none.
        half: in float16, which takes half the room and keeps three digits.

    Returns:
        The folder.

    Raises:
        MediationError: no autoencoder, no path, or a place that cannot be written to.
    """
    from .files import save as written

    return written(sae, path, half)
