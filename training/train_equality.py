"""Train the network of ``mw.models.hierarchical_equality``: ``python -m training.train_equality``.

Every batch is new, so nothing is learned by heart. About a minute on one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

from mediawidget.models._equality import WEIGHTS, HierarchicalEquality, inputs

STEPS = 4000
BATCH = 512
RATE = 5e-3
SEED = 0


def main() -> None:
    """Train, write the weights, and say how good they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    out = parser.parse_args().out
    began = time.perf_counter()
    network = train()
    save_file(network.state_dict(), out)
    seconds = time.perf_counter() - began
    print(f"{out}: {accuracy(network):.4f} of new inputs right, {seconds:.0f} s")


def train() -> HierarchicalEquality:
    """The network, its hidden layer not turned."""
    torch.manual_seed(SEED)
    draw = torch.Generator().manual_seed(SEED)
    network = HierarchicalEquality()
    trained = [*network.pairs.parameters(), *network.judge.parameters()]
    adam = torch.optim.Adam(trained, lr=RATE)
    falling = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=STEPS)
    for _ in range(STEPS):
        x, equal = inputs(BATCH, draw)
        loss = cross_entropy(network(x.float()), (equal[:, 0] == equal[:, 1]).long())
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        falling.step()
    return network


def accuracy(network: HierarchicalEquality, n: int = 50_000) -> float:
    """Over inputs that it was not trained on."""
    x, equal = inputs(n, torch.Generator().manual_seed(SEED + 1))
    with torch.no_grad():
        said = network(x.float()).argmax(-1)
    return float((said == (equal[:, 0] == equal[:, 1]).long()).double().mean())


if __name__ == "__main__":
    main()
