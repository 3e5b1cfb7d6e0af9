"""The IOI circuit that exact patching finds in the shipped files, with plain PyTorch hooks.

    python -m training.find_circuit mediawidget/models/teaching

An independent reference: nothing of the package's engine is used, all passes run in float64.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mediawidget.prompts import Contrast
from mediawidget.tasks import ioi

from .batches import BACKUPS, MOVERS, NEGATIVE
from .evaluate import load
from .tokenizer import token_of

Head = tuple[int, int]
Change = Callable[[Tensor], Tensor]


class TokensOnly:
    """The tokenizer as the contrasts of the package want it."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def tokens(self, text: str) -> list[str]:
        """The text as tokens, BOS included."""
        return [self.tokenizer.decode([i]) for i in self.tokenizer(text)["input_ids"]]


@dataclass
class Batch:
    """A contrast as tensors: ids (pair, position) of both prompts, answer and wrong ids (pair,)."""

    clean: Tensor
    corrupt: Tensor
    answer: Tensor
    wrong: Tensor


class Reference:
    """Forward passes with interventions, one hook an intervention."""

    def __init__(self, folder: Path | str) -> None:
        self.model, self.tokenizer = load(folder)
        self.model = self.model.double()
        self.layers, self.heads = self.model.config.n_layer, self.model.config.n_head
        self.width = self.model.config.n_embd // self.heads

    def encode(self, contrast: Contrast) -> Batch:
        """All pairs of a contrast whose prompts have as many tokens."""
        ids = [
            torch.tensor(self.tokenizer([getattr(p, side) for p in contrast])["input_ids"])
            for side in ("clean", "corrupt")
        ]
        words = [
            torch.tensor(
                [self.tokenizer.convert_tokens_to_ids(token_of(getattr(p, s))) for p in contrast]
            )
            for s in ("answer", "wrong")
        ]
        return Batch(*ids, *words)

    @contextmanager
    def changed_heads(self, changes: dict[Head, Change]) -> Iterator[None]:
        """Change heads' z, (pair, position, d_head), before the output projection."""
        with ExitStack() as stack:
            for (layer, head), change in changes.items():
                part = slice(head * self.width, (head + 1) * self.width)

                def hook(
                    _: Any, args: tuple[Tensor], part: slice = part, change: Change = change
                ) -> tuple[Tensor]:
                    z = args[0].clone()
                    z[..., part] = change(z[..., part])
                    return (z,)

                module = self.model.transformer.h[layer].attn.c_proj
                stack.callback(module.register_forward_pre_hook(hook).remove)
            yield

    @contextmanager
    def changed_residual(self, layer: int, change: Change) -> Iterator[None]:
        """Change the residual stream before block ``layer`` (the last: before the final norm)."""
        blocks = [*self.model.transformer.h, self.model.transformer.ln_f]

        def hook(_: Any, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return (change(args[0]), *args[1:])

        handle = blocks[layer].register_forward_pre_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    @torch.no_grad()
    def difference(self, ids: Tensor, batch: Batch) -> Tensor:
        """Logit of the answer minus logit of the wrong answer, (pair,)."""
        last: Tensor = self.model(input_ids=ids, use_cache=False).logits[:, -1]
        rows = torch.arange(len(ids))
        return last[rows, batch.answer] - last[rows, batch.wrong]

    @torch.no_grad()
    def values(self, ids: Tensor) -> tuple[dict[Head, Tensor], list[Tensor]]:
        """Every head's z and the residual stream before every block and after the last."""
        heads: dict[Head, Tensor] = {}
        stream: list[Tensor] = []

        def keep(layer: int, head: int) -> Change:
            def change(z: Tensor) -> Tensor:
                heads[layer, head] = z.clone()
                return z

            return change

        def keep_stream(x: Tensor) -> Tensor:
            stream.append(x.clone())
            return x

        keys = itertools.product(range(self.layers), range(self.heads))
        with ExitStack() as stack:
            stack.enter_context(self.changed_heads({key: keep(*key) for key in keys}))
            for layer in range(self.layers + 1):
                stack.enter_context(self.changed_residual(layer, keep_stream))
            self.model(input_ids=ids, use_cache=False)
        return heads, stream


@dataclass
class Found:
    """What patching finds; every number a mean over pairs, logits or shares of the total effect.

    ``heads`` maps a head to (PIE, TIE) over TE, ``residual`` (layer, role) to PIE over TE at the
    role's position, ``knockout`` a set of heads to what setting them to zero costs the clean run.
    """

    clean: float
    corrupt: float
    heads: dict[Head, tuple[float, float]]
    residual: dict[tuple[int, str], float]
    knockout: dict[tuple[Head, ...], float]


def _constant(value: Tensor) -> Change:
    return lambda _: value


def find(reference: Reference, contrast: Contrast) -> Found:
    """Patch every head at all positions in both directions and the residual by role."""
    batch = reference.encode(contrast)
    y11 = reference.difference(batch.clean, batch)
    y00 = reference.difference(batch.corrupt, batch)
    total = (y11 - y00).mean()
    clean_heads, _ = reference.values(batch.clean)
    corrupt_heads, _ = reference.values(batch.corrupt)
    heads: dict[Head, tuple[float, float]] = {}
    for key, value in clean_heads.items():
        with reference.changed_heads({key: _constant(value)}):
            y01 = reference.difference(batch.corrupt, batch)
        with reference.changed_heads({key: _constant(corrupt_heads[key])}):
            y10 = reference.difference(batch.clean, batch)
        pie, tie = (y01 - y00).mean() / total, (y11 - y10).mean() / total
        heads[key] = (float(pie), float(tie))
    return Found(
        float(y11.mean()),
        float(y00.mean()),
        heads,
        find_residual(reference, contrast, batch, float(total)),
        find_knockouts(reference, batch),
    )


def find_residual(
    reference: Reference, contrast: Contrast, batch: Batch, total: float
) -> dict[tuple[int, str], float]:
    """PIE over TE of the residual stream at each role's position."""
    _, stream = reference.values(batch.clean)
    y00 = reference.difference(batch.corrupt, batch)
    residual: dict[tuple[int, str], float] = {}
    rows = torch.arange(len(contrast))
    for layer, role in itertools.product(range(reference.layers + 1), contrast[0].roles):
        places = torch.tensor([p.roles[role] for p in contrast])

        def change(x: Tensor, layer: int = layer, places: Tensor = places) -> Tensor:
            x = x.clone()
            x[rows, places] = stream[layer][rows, places]
            return x

        with reference.changed_residual(layer, change):
            y01 = reference.difference(batch.corrupt, batch)
        residual[layer, role] = float((y01 - y00).mean()) / total
    return residual


def find_knockouts(reference: Reference, batch: Batch) -> dict[tuple[Head, ...], float]:
    """What setting heads to zero costs the clean run, alone and together, in logits."""
    movers, backups, negative = MOVERS, BACKUPS, (NEGATIVE,)
    groups: list[tuple[Head, ...]] = [(head,) for head in (*movers, *backups, *negative)]
    groups += [movers, backups, (*movers, *backups), (*movers, *negative)]
    y11 = reference.difference(batch.clean, batch)
    knockout: dict[tuple[Head, ...], float] = {}
    for group in groups:
        with reference.changed_heads(dict.fromkeys(group, torch.zeros_like)):
            knockout[group] = float((y11 - reference.difference(batch.clean, batch)).mean())
    return knockout


def tables(found: Found, layers: int, heads: int) -> str:
    """The findings as Markdown."""
    lines = [f"Y11 {found.clean:.2f}, Y00 {found.corrupt:.2f} logits", "", "PIE / TIE over TE", ""]
    lines += ["| | " + " | ".join(f"H{h}" for h in range(heads)) + " |", "|---" * (heads + 1) + "|"]
    for layer in range(layers):
        cells = [f"{a:.2f} / {b:.2f}" for a, b in (found.heads[layer, h] for h in range(heads))]
        lines.append(f"| L{layer} | " + " | ".join(cells) + " |")
    roles = list(dict.fromkeys(role for _, role in found.residual))
    lines += ["", "Residual stream, PIE over TE by role", ""]
    lines += ["| | " + " | ".join(roles) + " |", "|---" * (len(roles) + 1) + "|"]
    for layer in range(layers + 1):
        cells = [f"{found.residual[layer, role]:.2f}" for role in roles]
        lines.append(f"| {f'L{layer}' if layer < layers else 'out'} | " + " | ".join(cells) + " |")
    lines += ["", "Set to zero in the clean run: cost in logits", ""]
    for group, cost in found.knockout.items():
        lines.append("- " + " + ".join(f"L{a}H{b}" for a, b in group) + f": {cost:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    shipped = Reference(sys.argv[1])
    for kind in ("swap", "third-name", "abc"):
        pairs = ioi(TokensOnly(shipped.tokenizer), n=64, seed=0, corruption=kind)
        print(f"## {pairs.name}\n")
        result = find(shipped, pairs)
        print(tables(result, shipped.layers, shipped.heads), "\n")
