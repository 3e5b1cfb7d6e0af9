"""An intervention as a short script of nnsight that runs without this package."""

from .script import script

__all__ = ["script"]
