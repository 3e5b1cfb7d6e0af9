"""Write the model as the files that the package ships: float16 weights, config, tokenizer, log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from .evaluate import held_out_texts, last_logits, load
from .net import Net
from .tokenizer import build_tokenizer


def ship(
    net: Net, folder: Path, seed: int, recipe: dict[str, Any], log: list[dict[str, float]]
) -> Path:
    """Save everything that transformers needs to load the model; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model: Any = net.export(training_seed=seed)
    tokenizer = build_tokenizer(net.shape.context)
    texts = held_out_texts()
    before = last_logits(model, tokenizer, texts)
    model.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    # a fresh one: use leaves its mark on what is saved
    build_tokenizer(net.shape.context).save_pretrained(folder)
    # the class name that every version of transformers knows
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    after = last_logits(*load(folder), texts)
    rounding = {
        "float16_prompts": len(texts),
        "float16_answers_moved": int((before.argmax(-1) != after.argmax(-1)).sum()),
        "float16_largest_logit_change": round(float((before - after).abs().max()), 5),
    }
    head = {"seed": seed, "torch": torch.__version__, "recipe": recipe}
    lines = [head, *log, rounding]
    (folder / "training_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
