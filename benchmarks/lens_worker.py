"""The same grid by TransformerLens. Runs in its own environment and knows nothing of ours.

``lens_worker.py FOLDER``: loads the model in the folder, then answers every line of JSON (two
prompts' ids, ``answer`` and ``wrong``, a ``kind``, its ``cells`` as (layer, index), ``threads``)
with one: ``values``, corrupt and clean base by cell, and seconds for ``sources`` and ``cells``.
"""

import json
import os
import resource
import sys
import time
from typing import Any

import pandas as pd
import torch
from transformer_lens import (  # type: ignore[import-not-found]
    TransformerBridge,
    patching,
)
from transformers import AutoModelForCausalLM, AutoTokenizer

_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def seconds() -> float:
    """As ``benchmarks.clock`` has it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.get_num_threads() == 1:
        own, children = (resource.getrusage(who) for who in _WHO)
        return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return time.perf_counter()


def load(folder: str) -> Any:
    """The bridge over the model as it is: no norm folded, nothing centred."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    torch.nn.Module.eval(model.to(DEVICE))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bridge = TransformerBridge.boot_transformers(
        folder, hf_model=model, tokenizer=tokenizer, device=DEVICE
    )
    bridge.eval()
    return bridge


def neuron_setter(activation: torch.Tensor, index: Any, clean: torch.Tensor) -> torch.Tensor:
    """One neuron at all positions, for which the library has no setter of its own."""
    _, unit = index
    activation[..., unit] = clean[..., unit]
    return activation


KINDS = {
    "head": ("z", patching.layer_head_vector_patch_setter, ("layer", "head")),
    "residual": ("resid_pre", patching.layer_pos_patch_setter, ("layer", "pos")),
    "neuron": ("post", neuron_setter, ("layer", "unit")),
}


def answer(bridge: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Every cell with the library's own loop, both ways."""
    torch.set_num_threads(asked["threads"])
    clean, corrupt = (torch.tensor([asked[name]], device=DEVICE) for name in ("clean", "corrupt"))
    activation, setter, axes = KINDS[asked["kind"]]
    cells = pd.DataFrame(asked["cells"], columns=axes)

    def metric(logits: torch.Tensor) -> torch.Tensor:
        return logits[0, -1, asked["answer"]] - logits[0, -1, asked["wrong"]]

    def sweep(tokens: torch.Tensor, cache: Any) -> list[float]:
        found = patching.generic_activation_patch(
            bridge, tokens, cache, metric, setter, activation, index_df=cells
        )
        return list(found.tolist())

    with torch.no_grad():
        started = seconds()
        _, clean_cache = bridge.run_with_cache(clean)
        _, corrupt_cache = bridge.run_with_cache(corrupt)
        begun = seconds()
        values = [sweep(corrupt, clean_cache), sweep(clean, corrupt_cache)]
        ended = seconds()
    return {"values": values, "sources": begun - started, "cells": ended - begun}


def main() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What the library prints must not look like an answer.
    bridge = load(sys.argv[1])
    with torch.no_grad():
        bridge(torch.tensor([[0, 1, 2]], device=DEVICE))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(bridge, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
