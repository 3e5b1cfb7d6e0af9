"""The same grid by TransformerLens. Runs in its own environment and knows nothing of ours.

``lens_worker.py FOLDER``: loads the model in the folder, then answers every line of JSON
``{"clean": [ids], "corrupt": [ids], "answer": id, "wrong": id}`` with a line of JSON
``{"seconds": processor time, "y01": [[...]], "y10": [[...]]}``, layer by head.
"""

import json
import os
import resource
import sys
from typing import Any

import torch
from transformer_lens import (  # type: ignore[import-not-found]
    TransformerBridge,
    patching,
)
from transformers import AutoModelForCausalLM, AutoTokenizer

_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def seconds() -> float:
    """User and system time of this process and of its children that ended, in seconds."""
    own, children = (resource.getrusage(who) for who in _WHO)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def load(folder: str) -> Any:
    """The bridge over the model as it is: no norm folded, nothing centred."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.nn.Module.eval(model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bridge = TransformerBridge.boot_transformers(
        folder, hf_model=model, tokenizer=tokenizer, device="cpu"
    )
    bridge.eval()
    return bridge


def head_grids(bridge: Any, asked: dict[str, Any]) -> tuple[Any, Any]:
    """Every head's z patched at all positions, with the library's own function, both ways."""
    clean, corrupt = torch.tensor([asked["clean"]]), torch.tensor([asked["corrupt"]])

    def metric(logits: torch.Tensor) -> torch.Tensor:
        return logits[0, -1, asked["answer"]] - logits[0, -1, asked["wrong"]]

    sweep = patching.get_act_patch_attn_head_out_all_pos
    with torch.no_grad():
        _, clean_cache = bridge.run_with_cache(clean)
        _, corrupt_cache = bridge.run_with_cache(corrupt)
        y01 = sweep(bridge, corrupt, clean_cache, metric)
        y10 = sweep(bridge, clean, corrupt_cache, metric)
    return y01, y10


def main() -> None:
    """Answer requests until the input ends."""
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What the library prints must not look like an answer.
    bridge = load(sys.argv[1])
    with torch.no_grad():
        bridge(torch.tensor([[0, 1, 2]]))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        started = seconds()
        y01, y10 = head_grids(bridge, json.loads(line))
        spent = seconds() - started
        answer = {"seconds": spent, "y01": y01.tolist(), "y10": y10.tolist()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
