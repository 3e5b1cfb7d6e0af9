"""What sets features, at its place among all edits; here to be found with the rest of features."""

from __future__ import annotations

from ..edits.features import Features, clamp, error, steer
from ..edits.sparse import SAE

__all__ = ["SAE", "Features", "clamp", "error", "steer"]
