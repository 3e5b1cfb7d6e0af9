"""Train small sparse autoencoders on the teaching model's residual stream, on one thread.

    python -m training.train_sae --out mediawidget/features/teaching --seed 0

TopK autoencoders (Gao et al. 2024) of the stream before blocks 3 and 4: on either side of the name
movers. They see every token of the sentences that the model itself was trained on, all tasks in
its own mixture; what is measured and put on the card is measured on other ones.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

import mediawidget as mw
from mediawidget.features.files import load, save

from .batches import draw_batch
from .measure_sae import card, measure

SHIPPED = Path("mediawidget/features/teaching")
LAYERS = (3, 4)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run, with the seed."""

    features: int = 384
    k: int = 16
    batches: int = 220
    steps: int = 2500
    rows: int = 1024
    lr: float = 2e-3
    warmup: int = 100
    quiet: int = 200
    aux: float = 1 / 32


def activations(lm: mw.LM, rng: Random, n: int) -> dict[int, Tensor]:
    """The stream before each layer at every real token of ``n`` batches: (token, width)."""
    token_ids, config = lm.tokenizer.get_vocab(), lm.hf.config
    longest = int(config.n_positions)  # type: ignore[union-attr, arg-type]
    found: dict[int, list[Tensor]] = {layer: [] for layer in LAYERS}
    for _ in range(n):
        batch = draw_batch(rng, token_ids, longest)
        with torch.no_grad():
            states = lm.hf(batch.ids, output_hidden_states=True, use_cache=False).hidden_states
        for layer in LAYERS:
            found[layer].append(states[layer][batch.real])
    return {layer: torch.cat(parts) for layer, parts in found.items()}


class Trainer:
    """One autoencoder on activations whose mean square is 1 a number."""

    def __init__(self, x: Tensor, recipe: Recipe, seed: int) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.recipe, self.draw = recipe, draw
        self.mean = x.mean(0)
        self.scale = float((x - self.mean).pow(2).mean().sqrt())
        width = x.shape[1]
        rows = torch.randn(recipe.features, width, generator=draw)
        w_dec = rows / rows.norm(dim=1, keepdim=True)
        self.w_enc = w_dec.T.clone().requires_grad_()
        self.w_dec = w_dec.requires_grad_()
        self.b_enc = torch.zeros(recipe.features, requires_grad=True)
        self.b_dec = torch.zeros(width, requires_grad=True)
        self.silent = torch.zeros(recipe.features, dtype=torch.int64)
        self.parameters = [self.w_enc, self.w_dec, self.b_enc, self.b_dec]
        self.optimizer = torch.optim.Adam(self.parameters, lr=recipe.lr, betas=(0.9, 0.99))

    def train(self, x: Tensor) -> list[dict[str, float]]:
        """Run all steps; what was logged on the way."""
        log, began = [], time.perf_counter()
        for step in range(self.recipe.steps):
            rows = torch.randint(len(x), (self.recipe.rows,), generator=self.draw)
            missed, aux = self.losses((x[rows] - self.mean) / self.scale)
            torch.autograd.backward(missed + self.recipe.aux * aux)
            self.step(step)
            if step % 250 == 0 or step == self.recipe.steps - 1:
                dead = int((self.silent > self.recipe.quiet).sum())
                line = {"step": step, "seconds": round(time.perf_counter() - began, 1)}
                log.append(line | {"missed": round(float(missed.detach()), 4), "silent": dead})
                print(json.dumps(log[-1]), flush=True)
        return log

    def losses(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The share of the variance that is missed, and of that what silent features miss."""
        pre = (x - self.b_dec) @ self.w_enc + self.b_enc
        codes = _largest(pre, self.recipe.k)
        self.silent = torch.where((codes > 0).any(0), 0, self.silent + 1)
        left = x - codes @ self.w_dec - self.b_dec
        quiet = self.silent > self.recipe.quiet
        if int(quiet.sum()) <= self.recipe.k:
            return left.pow(2).mean(), left.new_zeros(())
        # Features that died learn what the others leave out.
        spare = _largest(pre.masked_fill(~quiet, -math.inf), self.recipe.k) @ self.w_dec
        return left.pow(2).mean(), (left.detach() - spare).pow(2).mean()

    def step(self, step: int) -> None:
        """One step; decoder rows stay of length 1."""
        recipe = self.recipe
        done = max(0, step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
        warm = min(1.0, (step + 1) / recipe.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.lr * warm * 0.5 * (1 + math.cos(math.pi * done))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            self.w_dec /= self.w_dec.norm(dim=1, keepdim=True)

    def made(self, layer: int) -> Any:
        """The autoencoder of the activations as the model has them."""
        numbers = [p.detach() for p in self.parameters]
        w_enc, w_dec, b_enc, b_dec = numbers
        return mw.features.SAE(
            w_enc,
            b_enc * self.scale,
            w_dec,
            b_dec * self.scale + self.mean,
            kind="topk",
            k=self.recipe.k,
            site=mw.Site("residual", layer),
            centred=True,
        )


def _largest(pre: Tensor, k: int) -> Tensor:
    best = pre.topk(k, dim=-1)
    return torch.zeros_like(pre).scatter(-1, best.indices, best.values.clamp_min(0))


def main() -> None:
    """Train, measure and write the shipped files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=SHIPPED, help="folder for the files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--k", type=int, default=Recipe.k)
    options = parser.parse_args()
    torch.set_num_threads(1)
    lm, recipe = mw.load(), Recipe(steps=options.steps, k=options.k)
    began = time.perf_counter()
    seen = activations(lm, Random(options.seed), recipe.batches)
    held_out = activations(lm, Random(options.seed + 1), 20)
    figures: dict[str, Any] = {"recipe": asdict(recipe), "seed": options.seed}
    figures["tokens"] = len(seen[LAYERS[0]])
    for layer in LAYERS:
        trainer = Trainer(seen[layer], recipe, options.seed)
        log = trainer.train(seen[layer])
        folder = save(trainer.made(layer), options.out / f"L{layer}", half=True)
        figures[f"L{layer}"] = {"log": log, **measure(lm, load(folder), held_out[layer])}
    figures["seconds"] = round(time.perf_counter() - began)
    text = json.dumps(figures, indent=1)
    (options.out / "figures.json").write_text(text + "\n")
    (options.out / "README.md").write_text(card(figures, options.out))
    print(text)


if __name__ == "__main__":
    main()
