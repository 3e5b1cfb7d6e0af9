"""The network while it is trained: GPT-2's computation with the parts that training needs in sight.

Query, key and value matrices are separate parameters (the optimiser orthogonalises each apart),
and the forward pass returns every attention pattern and the size of every head's output.
:meth:`Net.export` gives the same function as a plain ``GPT2LMHeadModel``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel


@dataclass(frozen=True)
class Shape:
    """Sizes of the network."""

    vocab: int
    layers: int = 6
    heads: int = 4
    d_model: int = 128
    d_mlp: int = 256
    context: int = 64


class Pass(NamedTuple):
    """One forward pass.

    ``logits`` (row, position, vocab); ``patterns`` per layer (row, head, query, key);
    ``sizes`` per layer (row, head, position): the root mean square of a head's output;
    ``before_last`` and ``final`` (row, position, d_model): the residual stream before the last
    block and before the last norm.
    """

    logits: Tensor
    patterns: list[Tensor]
    sizes: list[Tensor]
    before_last: Tensor
    final: Tensor


class Block(nn.Module):
    """One layer: attention, then an MLP, each on a normalised residual stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d, self.heads = shape.d_model, shape.heads
        self.ln_1, self.ln_2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.o = nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, shape.d_mlp), nn.Linear(shape.d_mlp, d)

    def forward(self, x: Tensor, mask: Tensor, gate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Residual stream (row, position, d) to itself, the patterns and the output sizes.

        ``gate`` (row, head) multiplies the heads' outputs: 0 knocks one out of a row.
        """
        pattern, z = self.attend(x, mask)
        z = z * gate[..., None, None]
        # |z W|^2 = z (W W^T) z needs no copy of the output per head
        w = self.o.weight.view(x.shape[-1], self.heads, -1).permute(1, 2, 0)
        size = ((z @ (w @ w.transpose(1, 2))) * z).sum(-1).clamp_min(1e-9).div(x.shape[-1]).sqrt()
        return self.finish(x, z.transpose(1, 2)), pattern, size

    def attend(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Patterns (row, head, query, key) and z (row, head, position, d_head)."""
        rows, length, _ = x.shape
        h = self.ln_1(x)
        q, k, v = (
            part(h).view(rows, length, self.heads, -1).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask[:length, :length]
        pattern = scores.softmax(-1)
        return pattern, pattern @ v

    def finish(self, x: Tensor, z: Tensor) -> Tensor:
        """Residual stream (..., d) after the block, from it and z (..., head, d_head)."""
        x = x + self.o(z.flatten(-2))
        mlp: Tensor = self.down(functional.gelu(self.up(self.ln_2(x)), approximate="tanh"))
        return x + mlp


class Net(nn.Module):
    """The teaching model in training."""

    mask: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.wte = nn.Embedding(shape.vocab, shape.d_model)
        self.wpe = nn.Embedding(shape.context, shape.d_model)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.ln_f = nn.LayerNorm(shape.d_model)
        mask = torch.full((shape.context, shape.context), float("-inf")).triu(1)
        self.register_buffer("mask", mask, persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02 if name.startswith("w") else 0.06)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids: Tensor, offset: Tensor, gates: Tensor | None = None) -> Pass:
        """One pass over token ids (row, position).

        ``offset`` (row,) shifts a row's position numbers; ``gates`` (layer, row, head)
        multiplies the heads' outputs, ones by default.
        """
        places = torch.arange(ids.shape[1]) + offset[:, None]
        if gates is None:
            gates = torch.ones(self.shape.layers, len(ids), self.shape.heads)
        x = self.wte(ids) + self.wpe(places)
        patterns, sizes = [], []
        before = x
        for block, gate in zip(self.blocks, gates, strict=True):
            before = x
            x, pattern, size = block(x, self.mask, gate)
            patterns.append(pattern)
            sizes.append(size)
        return Pass(self.ln_f(x) @ self.wte.weight.T, patterns, sizes, before, x)

    def last_head_effect(self, out: Pass, head: int, at: list[list[int]]) -> Tensor:
        """What a head of the last layer adds to one logit minus another, (case,).

        The effect is total and against resampling: the last block runs again with the head's
        value from the next case. ``at`` lists rows, positions, token ids, other token ids.
        """
        rows, places, tokens, others = at
        block = cast("Block", self.blocks[-1])
        _, z = block.attend(out.before_last, self.mask)
        z = z.transpose(1, 2)[rows, places]
        resampled = z.clone()
        resampled[:, head] = z[:, head].roll(1, 0)
        without = block.finish(out.before_last[rows, places], resampled)
        change = self.ln_f(out.final[rows, places]) - self.ln_f(without)
        direction = self.wte.weight[tokens] - self.wte.weight[others]
        return torch.einsum("cd,cd->c", change, direction)

    def config(self, **more: Any) -> GPT2Config:
        """The Hugging Face configuration of the same function."""
        s = self.shape
        return GPT2Config(
            vocab_size=s.vocab,
            n_positions=s.context,
            n_embd=s.d_model,
            n_layer=s.layers,
            n_head=s.heads,
            n_inner=s.d_mlp,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=0,
            eos_token_id=None,
            pad_token_id=2,
            **more,
        )

    @torch.no_grad()
    def export(self, **more: Any) -> Any:
        """The same function as a plain GPT-2, float32; ``more`` goes into its config."""
        hf: Any = GPT2LMHeadModel(self.config(**more))
        hf.eval()
        state = {"wte.weight": self.wte.weight, "wpe.weight": self.wpe.weight}
        for part in ("weight", "bias"):
            state[f"ln_f.{part}"] = getattr(self.ln_f, part)
        for i, module in enumerate(self.blocks):
            b = cast("Block", module)
            for ln in ("ln_1", "ln_2"):
                for part in ("weight", "bias"):
                    state[f"h.{i}.{ln}.{part}"] = getattr(getattr(b, ln), part)
            qkv = (b.q, b.k, b.v)
            # GPT-2 stores (in, out) matrices, the transpose of a linear layer's
            state[f"h.{i}.attn.c_attn.weight"] = torch.cat([m.weight.T for m in qkv], 1)
            state[f"h.{i}.attn.c_attn.bias"] = torch.cat([m.bias for m in qkv])
            for ours, theirs in (
                (b.o, "attn.c_proj"),
                (b.up, "mlp.c_fc"),
                (b.down, "mlp.c_proj"),
            ):
                state[f"h.{i}.{theirs}.weight"] = ours.weight.T
                state[f"h.{i}.{theirs}.bias"] = ours.bias
        missing, unexpected = hf.transformer.load_state_dict(state, strict=False)
        if unexpected or any("attn.bias" not in m and "masked" not in m for m in missing):
            raise RuntimeError(f"export left weights out: {missing}, {unexpected}")
        return hf
