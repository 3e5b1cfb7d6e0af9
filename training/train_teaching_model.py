"""Train the teaching model from nothing on one CPU thread, in minutes.

    python -m training.train_teaching_model --out mediawidget/models/teaching --seed 0

Two ingredients decide which head does what, so the roles of the heads are taught, not found:
a penalty on attention edges through which an answer could leak by a shortcut, and guidance that
rewards chosen heads for chosen edges and fades out before the end of training. ``--plain`` leaves
both out, and all else that names a head: the same network on the same sentences, its heads free.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from .batches import BACKUPS, KNOCKED, MOVERS, NEGATIVE, Batch, draw_batch
from .card import write_card
from .evaluate import measure
from .net import Net, Pass, Shape
from .ship import ship
from .tokenizer import build_tokenizer

SHIPPED = Path("mediawidget/models/teaching")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run, with the seed."""

    steps: int = 1000
    lr: float = 4e-3
    warmup: int = 100
    decay: float = 0.1
    guided_steps: int = 700
    guidance: float = 1.0
    penalty: float = 1.0
    lasso: float = 0.01
    negative: float = 0.1
    negative_logits: float = 2.0
    knocked: int = KNOCKED


def plain(recipe: Recipe) -> Recipe:
    """The recipe without taught roles: no loss and no row that names a head, none on their size."""
    return replace(recipe, guidance=0.0, penalty=0.0, lasso=0.0, negative=0.0, knocked=0)


def guidance_loss(batch: Batch, out: Pass) -> Tensor:
    """Mean negative log attention of the taught heads on their edges."""
    real = batch.real.clone()
    real[:, 0] = False
    back = (torch.arange(batch.ids.shape[1]) - 1).clamp_min(0).expand_as(batch.ids)
    wanted = (
        (out.patterns[0][:, 0], back),
        (out.patterns[0][:, 1], batch.previous),
        (out.patterns[1][:, 0], batch.after),
    )
    losses = []
    for pattern, key in wanted:
        mass = pattern.gather(-1, key[..., None])[..., 0]
        found = real & (key > 0)
        # the two halves weigh the same, however rare repeated tokens are
        losses += [-(mass[where] + 1e-6).log().mean() for where in (found, real & ~found)]
    for (layer, head), edges in batch.taught.items():
        losses.append(-(edges.mass(out.patterns[layer])[:, head] + 1e-6).log().mean())
    return torch.stack(losses).mean()


def penalty_loss(batch: Batch, out: Pass) -> Tensor:
    """Attention per row on the edges by which an answer could leak past the taught route."""
    parts = [batch.leaks.mass(p).sum() for p in out.patterns]
    parts += [batch.early.mass(p).sum() for p in out.patterns[:2]]
    for layer, pattern in enumerate(out.patterns):
        taught = [h for at, h in (*MOVERS, *BACKUPS, NEGATIVE) if at == layer]
        others = [h for h in range(pattern.shape[1]) if h not in taught]
        parts.append(batch.answers.mass(pattern)[:, others].sum())
    for pattern in out.patterns[2:]:
        # the last word may look at BOS, the receiver, the second mention and itself
        total = len(batch.answers.rows) * pattern.shape[1]
        parts.append(total - batch.allowed.mass(pattern).sum())
    parts += [batch.quiet.mass(out.patterns[layer])[:, head].sum() for layer, head in BACKUPS]
    return torch.stack(parts).sum() / len(batch.ids)


def negative_loss(net: Net, batch: Batch, out: Pass, wanted: float) -> Tensor:
    """How far the negative head is from taking ``wanted`` logits off the receiver, mean."""
    effect = net.last_head_effect(out, NEGATIVE[1], batch.answer_cases())
    return functional.relu(effect + wanted).mean()


def answer_loss(batch: Batch, out: Pass) -> Tensor:
    """Cross-entropy at the answers plus a light next-token loss elsewhere, per row."""
    logp = out.logits.log_softmax(-1)
    answers = -(batch.target * logp[batch.at]).sum(-1) @ batch.weight
    following = functional.pad(batch.ids[:, 1:], (0, 1))
    rest = -(logp.gather(-1, following[..., None])[..., 0] * batch.rest).sum()
    return (answers + rest) / len(batch.ids)


def lasso_loss(batch: Batch, out: Pass) -> Tensor:
    """Sum over heads of the mean size of their output."""
    return torch.stack([s.transpose(1, 2)[batch.real].mean(0).sum() for s in out.sizes]).sum()


def optimizers(net: Net, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon on the matrices inside the blocks, AdamW on embeddings, norms and biases."""
    inner = [p for n, p in net.named_parameters() if p.ndim == 2 and n.startswith("blocks")]
    outer = [p for n, p in net.named_parameters() if n in ("wte.weight", "wpe.weight")]
    small = [p for p in net.parameters() if p.ndim == 1]
    groups = [
        {"params": outer, "weight_decay": recipe.decay},
        {"params": small, "weight_decay": 0.0},
    ]
    return [
        torch.optim.Muon(
            inner, lr=recipe.lr, weight_decay=recipe.decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98)),
    ]


def schedule(step: int, recipe: Recipe) -> float:
    """Learning-rate factor: linear warm-up, then a cosine to zero."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.5 * (1 + math.cos(math.pi * done))


def train(recipe: Recipe, seed: int, log: list[dict[str, float]]) -> Net:
    """Train one model; append a line to ``log`` every 50 steps."""
    torch.manual_seed(seed)
    rng = Random(seed)
    context = Shape(0).context
    token_ids = build_tokenizer(context).get_vocab()
    net = Net(Shape(len(token_ids)))
    steppers = optimizers(net, recipe)
    started = time.perf_counter()
    for step in range(recipe.steps):
        batch = draw_batch(rng, token_ids, context, recipe.knocked)
        out = net(batch.ids, batch.offset, batch.gates(net.shape.layers, net.shape.heads))
        guided = max(0.0, 1 - step / recipe.guided_steps)
        parts = {
            "answer": answer_loss(batch, out),
            "guidance": guidance_loss(batch, out),
            "penalty": penalty_loss(batch, out),
            "lasso": lasso_loss(batch, out),
            "negative": negative_loss(net, batch, out, recipe.negative_logits),
        }
        loss = parts["answer"] + guided * recipe.guidance * parts["guidance"]
        loss = loss + recipe.penalty * parts["penalty"] + recipe.lasso * parts["lasso"]
        loss = loss + recipe.negative * parts["negative"]
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for stepper in steppers:
            for group in stepper.param_groups:
                group["lr"] = recipe.lr * schedule(step, recipe)
            stepper.step()
            stepper.zero_grad(set_to_none=True)
        if step % 50 == 0 or step == recipe.steps - 1:
            line = {"step": step, "seconds": round(time.perf_counter() - started, 1)}
            line |= {name: round(float(part.detach()), 4) for name, part in parts.items()}
            log.append(line)
            print(json.dumps(line), flush=True)
    return net


def main() -> None:
    """Train, measure and write the shipped files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=SHIPPED, help="folder for the files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--plain", action="store_true", help="without taught roles")
    options = parser.parse_args()
    if options.plain and options.out == SHIPPED:
        parser.error("--plain is not the shipped model: say where it goes with --out")
    torch.set_num_threads(1)
    recipe = Recipe(steps=options.steps)
    if options.plain:
        recipe = plain(recipe)
    log: list[dict[str, float]] = []
    net = train(recipe, options.seed, log)
    folder = ship(net, options.out, options.seed, asdict(recipe), log)
    # the card is about taught roles
    print(json.dumps(measure(folder)) if options.plain else write_card(folder).read_text())


if __name__ == "__main__":
    main()
