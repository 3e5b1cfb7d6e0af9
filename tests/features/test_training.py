"""The training script on activations that are made of known directions."""

from __future__ import annotations

import torch

from training.train_sae import Recipe, Trainer


def test_it_finds_the_directions_that_activations_are_made_of() -> None:
    draw = torch.Generator().manual_seed(0)
    truth = torch.nn.functional.normalize(torch.randn(12, 24, generator=draw), dim=1)
    active = torch.rand(4000, 12, generator=draw) < 0.15
    codes = active * (1 + torch.rand(4000, 12, generator=draw))
    x = codes @ truth + 3.0
    recipe = Recipe(features=24, k=4, steps=300, rows=256, lr=5e-3, warmup=20, quiet=50)
    trainer = Trainer(x, recipe, seed=0)
    log = trainer.train(x)
    assert log[-1]["missed"] < 0.1 * log[0]["missed"]
    sae = trainer.made(layer=3)
    left = sae.error(x)
    assert float(left.pow(2).sum() / (x - x.mean(0)).pow(2).sum()) < 0.1
    assert 0 < float((sae.encode(x) > 0).sum(1).float().max()) <= 4
    found = (torch.from_numpy(sae.w_dec) @ truth.T).amax(0)
    assert int((found > 0.9).sum()) >= 10
