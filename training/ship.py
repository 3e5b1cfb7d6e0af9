"""Write the model as the files that the package ships: float16 weights, config, tokenizer, log."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from .net import Net
from .tokenizer import build_tokenizer


def ship(
    net: Net, folder: Path, seed: int, recipe: dict[str, object], log: list[dict[str, float]]
) -> Path:
    """Save everything that transformers needs to load the model; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model = net.export(training_seed=seed)
    model.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    tokenizer = build_tokenizer(net.shape.context)
    tokenizer.save_pretrained(folder)
    # the class name that every version of transformers knows
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    head = {"seed": seed, "torch": torch.__version__, "recipe": recipe}
    lines = [head, *log]
    (folder / "training_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
