"""What an autoencoder of the teaching model is worth, and the card that says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

import mediawidget as mw
from mediawidget.features import SAE, clamp

TASKS = ("ioi", "facts", "induction", "agreement", "gender", "greater_than")


def measure(lm: mw.LM, sae: SAE, x: Tensor) -> dict[str, Any]:
    """Of activations that it was not trained on, and of spliced runs of every task.

    Args:
        lm: the teaching model.
        sae: as it is shipped.
        x: (token, width) at its site.
    """
    codes, left = sae.encode(x), sae.error(x)
    fires = (codes > 0).float()
    explained = 1 - float(left.pow(2).sum() / (x - x.mean(0)).pow(2).sum())
    return {
        "l0": round(float(fires.sum(1).mean()), 2),
        "explained_variance": round(explained, 4),
        "dead": int((fires.sum(0) == 0).sum()),
        "tasks": {task: spliced(lm, sae, task) for task in TASKS},
    }


def spliced(lm: mw.LM, sae: SAE, task: str, n: int = 64) -> dict[str, float]:
    """The answer's mean log probability on clean prompts as they are, and in two edited runs.

    ``spliced``: the site's whole value is what the codes stand for, its error 0, everywhere.
    ``zeroed``: it is 0. ``recovered`` is the share of the loss between the two that is recovered.
    """
    study = mw.Study(lm, getattr(mw.tasks, task)(lm, n=n, seed=1), metric=mw.LogProb())
    ways = {"spliced": clamp(sae, {}, rest=0.0), "zeroed": mw.Zero()}
    runs = [mw.Run("clean", {sae.at(): edit}) for edit in ways.values()]
    outcomes = study.engine.evaluate(runs)
    read = study.metric.read
    found = {"own": float(read(outcomes.bases[:, 0], outcomes.columns).mean())}
    for way, kept in zip(ways, outcomes.kept, strict=True):
        found[way] = float(read(kept, outcomes.columns).mean())
    recovered = (found["spliced"] - found["zeroed"]) / (found["own"] - found["zeroed"])
    return {name: round(value, 4) for name, value in {**found, "recovered": recovered}.items()}


def card(figures: Mapping[str, Any], folder: Path) -> str:
    """The card that is shipped beside the weights."""
    recipe, layers = figures["recipe"], [name for name in figures if name.startswith("L")]
    size = sum((folder / layer / "sae_weights.safetensors").stat().st_size for layer in layers)
    head = "| before block | L0 | explained variance | dead features |"
    rows = [
        f"| {name[1:]} | {figures[name]['l0']} | {figures[name]['explained_variance']:.3f} "
        f"| {figures[name]['dead']} of {recipe['features']} |"
        for name in layers
    ]
    tasks = [
        f"| {task} | "
        + " | ".join(
            f"{figures[name]['tasks'][task]['own']:.3f} | "
            f"{figures[name]['tasks'][task]['spliced']:.3f} | "
            f"{figures[name]['tasks'][task]['recovered']:.3f}"
            for name in layers
        )
        + " |"
        for task in TASKS
    ]
    beside = " | ".join(f"L{n[1:]}: own | spliced | recovered" for n in layers)
    return f"""# Features of the teaching model

Two sparse autoencoders of the teaching model's residual stream, before blocks 3 and 4: on either
side of its name movers. TopK (Gao et al. 2024), {recipe["features"]} features of 128 numbers, of
which at most {recipe["k"]} are active at a token. `mw.features.teaching(3)` loads the first.

`python -m training.train_sae` made them in {figures["seconds"]} seconds on one thread of a busy CPU
(seed {figures["seed"]}), from {figures["tokens"]} tokens of the sentences that the model was
trained on: all its tasks, in its own mixture, `[BOS]` included. float16, {size // 1000} kB
together, in SAELens' format (cfg.json, sae_weights.safetensors).

Measured on tokens drawn apart:

{head}
|---|---|---|---|
{chr(10).join(rows)}

What a spliced run (the site's value at every token is what the codes stand for) does to the mean
log probability of the answer, on 64 pairs a task, and which share of the loss between zero
ablation and the model itself it recovers:

| task | {beside} |
|---|{"---|" * 3 * len(layers)}
{chr(10).join(tasks)}

The model's heads were taught their roles and its sentences are few, so its features are cleaner
than those of a model trained on text. They are here to be clicked, not to be found remarkable.
"""
