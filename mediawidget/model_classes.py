"""Which class of transformers a saved model is loaded as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_BY_ENDING = {
    "ForMaskedLM": "AutoModelForMaskedLM",
    # What was trained for both is asked for the mask.
    "ForPreTraining": "AutoModelForMaskedLM",
    "ForSequenceClassification": "AutoModelForSequenceClassification",
}


def model_class(place: str | Path, **options: Any) -> Any:
    """The class that a model was saved as, told by the config that lies beside its weights.

    Args:
        place: a folder or the name on the hub.
        options: for ``AutoConfig.from_pretrained``.

    Raises:
        OSError: no config there.
    """
    import transformers

    config: Any = transformers.AutoConfig.from_pretrained(place, **options)
    saved_as = (getattr(config, "architectures", None) or [""])[0]
    if getattr(config, "is_encoder_decoder", False):
        return transformers.AutoModelForSeq2SeqLM
    found = [name for ending, name in _BY_ENDING.items() if saved_as.endswith(ending)]
    # Not all that was pre-trained has a mask to be asked for.
    masked = getattr(transformers, "MODEL_FOR_MASKED_LM_MAPPING", {})
    if found == ["AutoModelForMaskedLM"] and type(config) not in masked:
        found = []
    return getattr(transformers, found[0] if found else "AutoModelForCausalLM")
