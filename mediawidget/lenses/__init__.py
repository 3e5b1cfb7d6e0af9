"""Lenses: the metric read off an intermediate layer, as if the model stopped there.

``logit_lens`` reads the residual stream through the model's own final norm and unembedding; with a
``tuned_lens`` an affine map per layer, learned to foretell the model's own output, goes before.
A lens shows what can be read off a layer. That the model reads it there is another question.

Sources: nostalgebraist 2020 (logit lens); Belrose et al. 2023 (tuned lens).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .read_out import LensReading, logit_lens
    from .training import kl_to_final, tuned_lens
    from .tuned import TunedLens

_HOMES = {
    "logit_lens": "read_out",
    "LensReading": "read_out",
    "tuned_lens": "training",
    "kl_to_final": "training",
    "TunedLens": "tuned",
}
"""Where each name is; torch is imported with the first one used."""

__all__ = ["LensReading", "TunedLens", "kl_to_final", "logit_lens", "tuned_lens"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
