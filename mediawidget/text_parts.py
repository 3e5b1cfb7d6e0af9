"""The language model inside one that reads images too, as a model of its own.

Such a model's sizes and blocks stand one level deeper, but what it does with text alone is what its
language model does. Under the class for text it is an architecture like any other.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .errors import MediationError
from .identity import untouched

WITH_IMAGES = {"gemma3": ("Gemma3ForConditionalGeneration", "Gemma3ForCausalLM")}
"""``model_type`` to the class that reads images too, and the one for text alone."""


def text_part(module: nn.Module) -> nn.Module:
    """The language model of one that reads images too, of the same tensors; others as they are.

    A model that somebody hooked or changed is left as it is: what was put around its forward pass
    would be gone.

    Args:
        module: of transformers, or any other.
    """
    import transformers

    both: Any = module
    if not reads_images(both):
        return module
    whole, alone = (getattr(transformers, name) for name in WITH_IMAGES[both.config.model_type])
    if not untouched(both, whole) or not untouched(both.model, type(both.model)):
        return module
    with torch.device("meta"):  # its weights are not made, for they are there
        text: nn.Module = alone(both.model.language_model.config)
    text.model, text.lm_head = both.model.language_model, both.lm_head
    both.eval()  # all of it, as any model is left that is loaded
    return text


def refuse_images(module: nn.Module) -> None:
    """Raise where a model on a server reads images too: there it is what it was deployed as.

    Args:
        module: the model, without its weights.
    """
    if reads_images(module):
        raise MediationError(
            "Of a model that reads images too, the language model runs here alone.",
            value=type(module).__name__,
            expected="on a server a model of text, such as google/gemma-3-1b-it",
            fix="mw.load(name) without remote, where its weights are at hand",
        )


def reads_images(module: nn.Module) -> bool:
    """Whether it is one of those that read images too."""
    return getattr(getattr(module, "config", None), "model_type", None) in WITH_IMAGES
