"""Contrasts with known questions, for any tokenizer that has their words."""

from __future__ import annotations

from .induction import induction
from .ioi import ioi

__all__ = ["induction", "ioi"]
