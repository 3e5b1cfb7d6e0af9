"""Attribution beside intervention: what a relevance says of tokens, and what patching them does.

A relevance divides one run's output among its tokens. It asks what the run looked at, not what
would follow if a token were another, so none of it is called causal here: it stands beside TIE
and PIE of the same tokens.

Source: Chefer, Gur and Wolf 2021, "Transformer interpretability beyond attention visualization".
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .beside import BesideTIE, beside_tie
    from .token_relevance import Relevance, relevance

_HOMES = {
    "beside_tie": "beside",
    "BesideTIE": "beside",
    "relevance": "token_relevance",
    "Relevance": "token_relevance",
}
"""Where each name is; torch is imported with the first one used."""

__all__ = ["BesideTIE", "Relevance", "beside_tie", "relevance"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
