"""Contextual decomposition by the slow road: one prompt, one set of sources, both parts apart.

Written from the published rules and the modules' weights, and sharing nothing with the package:
beta and gamma are carried separately, so that their sum being the model's activation is a result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]
"""beta and gamma, (position, columns) each."""

Spot = tuple[int, str, int]
"""Layer, "head", "mlp" or "embed", and which head."""


def linear(parts: Pair, weight: Tensor, bias: Tensor | None) -> Pair:
    """``weight`` is (in, out)."""
    beta, gamma = (part @ weight for part in parts)
    if bias is None:
        return beta, gamma
    size = beta.abs() + gamma.abs()
    part = torch.where(size > 0, beta.abs() / size.clamp_min(1e-300), 0.0)
    return beta + bias * part, gamma + bias * (1 - part)


def no_opposites(parts: Pair) -> Pair:
    beta, gamma = parts[0].clone(), parts[1].clone()
    for i in range(beta.shape[0]):
        for j in range(beta.shape[1]):
            b, g = float(beta[i, j]), float(gamma[i, j])
            if b * g < 0:
                beta[i, j], gamma[i, j] = (b + g, 0.0) if abs(b) >= abs(g) else (0.0, b + g)
    return beta, gamma


@dataclass
class Slow:
    """A GPT-2 or a Llama of transformers.

    Attributes:
        baselines: spot -> (position, width), what gamma is at a source.
        seen: (layer, name) -> parts, after ``run``.
    """

    model: Any
    baselines: Mapping[Spot, Tensor]
    pattern: str = "split"
    drop: bool = False
    seen: dict[tuple[int, str], Pair] = field(default_factory=dict)

    def run(self, ids: Tensor, sources: Mapping[Spot, list[int]]) -> Pair:
        """Logits (position, vocabulary) of both parts; ``sources`` maps to positions."""
        self.sources = sources
        gpt2 = hasattr(self.model, "transformer")
        root = self.model.transformer if gpt2 else self.model.model
        tokens = (root.wte if gpt2 else root.embed_tokens)(ids)
        beta, gamma = self.sourced((0, "embed", 0), (torch.zeros_like(tokens), tokens))
        if gpt2:
            gamma = gamma + root.wpe.weight[: len(ids)]
        stream = beta, gamma
        for layer, block in enumerate(root.h if gpt2 else root.layers):
            stream = (self.gpt2_block if gpt2 else self.llama_block)(layer, block, stream)
        last = self.norm(stream, root.ln_f if gpt2 else root.norm)
        return linear(last, self.model.lm_head.weight.T, None)

    def sourced(self, spot: Spot, parts: Pair) -> Pair:
        if spot not in self.sources:
            return parts
        beta, gamma = parts[0].clone(), parts[1].clone()
        for at in self.sources[spot]:
            whole = beta[at] + gamma[at]
            gamma[at] = self.baselines[spot][at]
            beta[at] = whole - gamma[at]
        return beta, gamma

    def norm(self, parts: Pair, norm: Any) -> Pair:
        beta, gamma = parts
        total = beta + gamma
        if not hasattr(norm, "normalized_shape"):
            square = total.pow(2).mean(-1, keepdim=True)
            scale = norm.weight / (square + norm.variance_epsilon).sqrt()
            return beta * scale, gamma * scale
        variance = (total**2).mean(-1, keepdim=True) - total.mean(-1, keepdim=True) ** 2
        scale = norm.weight / (variance + norm.eps).sqrt()
        size = beta.abs() + gamma.abs()
        part = torch.where(size > 0, beta.abs() / size.clamp_min(1e-300), 0.0)
        return (
            (beta - beta.mean(-1, keepdim=True)) * scale + norm.bias * part,
            (gamma - gamma.mean(-1, keepdim=True)) * scale + norm.bias * (1 - part),
        )

    def kept(self, parts: Pair) -> Pair:
        return no_opposites(parts) if self.drop else parts

    def attention(self, layer: int, sides: list[Pair], n_heads: int, scaling: float) -> Pair:
        """Heads of equally many queries, keys and values: z side by side."""
        out: list[Pair] = []
        for head in range(n_heads):
            width = sides[0][0].shape[1] // n_heads
            cut = slice(head * width, (head + 1) * width)
            q, k, v = ((beta[:, cut], gamma[:, cut]) for beta, gamma in sides)
            future = torch.ones(len(q[0]), len(q[0]), dtype=torch.bool).triu(1)

            def softmax(query: Tensor, key: Tensor, future: Tensor = future) -> Tensor:
                scores = query @ key.T * scaling
                return scores.masked_fill(future, -math.inf).softmax(-1)

            whole = softmax(q[0] + q[1], k[0] + k[1])
            own = softmax(q[0], k[0]) if self.pattern == "split" else whole
            beta = own @ v[0]
            out.append(self.sourced((layer, "head", head), (beta, whole @ (v[0] + v[1]) - beta)))
        return torch.cat([z[0] for z in out], 1), torch.cat([z[1] for z in out], 1)

    def mlp(
        self, layer: int, into: Pair, ins: list[Any], f: Callable[..., Tensor], out: Any
    ) -> Pair:
        pre = [self.kept(linear(into, *map_)) for map_ in ins]
        rest = f(*(gamma for _, gamma in pre))
        neurons = f(*(beta + gamma for beta, gamma in pre)) - rest, rest
        return self.sourced((layer, "mlp", 0), self.kept(linear(neurons, *out)))

    def gpt2_block(self, layer: int, block: Any, stream: Pair) -> Pair:
        def of(module: Any) -> tuple[Tensor, Tensor]:
            return module.weight, module.bias

        attn, mlp = block.attn, block.mlp
        both = linear(self.norm(stream, block.ln_1), *of(attn.c_attn))
        d = both[0].shape[1] // 3
        sides = [(both[0][:, i : i + d], both[1][:, i : i + d]) for i in range(0, 3 * d, d)]
        self.seen |= {(layer, n): s for n, s in zip(("q", "k", "v"), sides, strict=True)}
        z = self.attention(layer, sides, attn.num_heads, (d // attn.num_heads) ** -0.5)
        self.seen[layer, "z"] = z
        stream = added(stream, linear(z, *of(attn.c_proj)))
        into = self.norm(stream, block.ln_2)
        out = self.mlp(layer, into, [of(mlp.c_fc)], mlp.act, of(mlp.c_proj))
        self.seen[layer, "mlp"] = out
        return self.kept(added(stream, out))

    def llama_block(self, layer: int, block: Any, stream: Pair) -> Pair:
        def of(module: Any) -> tuple[Tensor, Tensor | None]:
            return module.weight.T, module.bias

        attn, mlp = block.self_attn, block.mlp
        into = self.norm(stream, block.input_layernorm)
        sides = [linear(into, *of(m)) for m in (attn.q_proj, attn.k_proj, attn.v_proj)]
        self.seen |= {(layer, n): s for n, s in zip(("q", "k", "v"), sides, strict=True)}
        width, repeats = attn.head_dim, attn.num_key_value_groups
        turned = [
            (rotated(beta, width), rotated(gamma, width)) if i < 2 else (beta, gamma)
            for i, (beta, gamma) in enumerate(sides)
        ]
        turned[1:] = [tuple(repeated(one, width, repeats) for one in side) for side in turned[1:]]  # type: ignore[misc]
        n_heads = turned[0][0].shape[1] // width
        z = self.attention(layer, turned, n_heads, width**-0.5)
        self.seen[layer, "z"] = z
        stream = added(stream, linear(z, *of(attn.o_proj)))
        into = self.norm(stream, block.post_attention_layernorm)
        maps = [of(mlp.gate_proj), of(mlp.up_proj)]
        out = self.mlp(layer, into, maps, lambda g, u: mlp.act_fn(g) * u, of(mlp.down_proj))
        self.seen[layer, "mlp"] = out
        return self.kept(added(stream, out))


def added(one: Pair, two: Pair) -> Pair:
    return one[0] + two[0], one[1] + two[1]


def rotated(x: Tensor, width: int, theta: float = 10000.0) -> Tensor:
    """Rotary embedding (Su et al. 2021) in Llama's layout: halves, not neighbours."""
    heads = x.reshape(len(x), -1, width)
    at = torch.arange(len(x), dtype=torch.float32)
    # transformers computes the angles in single precision.
    rate = 1.0 / (theta ** (torch.arange(0, width, 2, dtype=torch.float32) / width))
    angle = torch.outer(at, rate)[:, None]
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    one, two = heads.chunk(2, dim=-1)
    turned = torch.cat([one * cos - two * sin, two * cos + one * sin], dim=-1)
    return turned.reshape(x.shape)


def repeated(x: Tensor, width: int, repeats: int) -> Tensor:
    return x.reshape(len(x), -1, width).repeat_interleave(repeats, 1).reshape(len(x), -1)
