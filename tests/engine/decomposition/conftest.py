"""The arithmetic of all that is decomposed here."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm


@pytest.fixture(autouse=True)
def exact_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    """RMS norms in double precision: they compute in single precision by themselves."""

    def normed(self: Any, x: Tensor) -> Tensor:
        spread = x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon
        scaled: Tensor = self.weight * x * torch.rsqrt(spread)
        return scaled

    for norm in (LlamaRMSNorm, MistralRMSNorm, Qwen2RMSNorm):
        monkeypatch.setattr(norm, "forward", normed)
