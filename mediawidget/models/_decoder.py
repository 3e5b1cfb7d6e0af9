"""The decoder whose weights are set by hand: attention, a product of two maps for an MLP, no norm.

The residual stream is divided into named blocks of coordinates, so that a weight says what it
reads and what it writes. Attention is not scaled by a head's width. A neuron of the MLP is the
product of two linear readings (a gated unit without its nonlinearity; Shazeer 2020, "GLU variants
improve transformer"), so that an interaction of two mediators is one neuron, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationMixin,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import CausalLMOutput

from ..architectures import ModulePaths
from ._drawing import drawing_nothing

PATHS = ModulePaths(
    blocks="model.layers",
    attn_proj="self_attn.o_proj",
    mlp="mlp",
    norm_before_mlp="norm",
    final_norm="model.norm",
    caches=False,
    embed="model.embed.tokens",
    head="lm_head",
    attention="self_attn",
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    neurons="mlp.down_proj",
    pattern=("nn_functional_softmax_0",),
    plain=True,
)
"""Where ``Circuit`` keeps what can be edited, for ``load``."""

ATTENTION_ONLY = replace(PATHS, mlp=None, norm_before_mlp=None, neurons=None, plain=False)
"""The same for a circuit without neurons."""

SURE = 1000.0
"""A score so large that a softmax in double precision gives all other keys exactly 0."""


class CircuitConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes under the names that decoders of ``transformers`` use."""

    model_type = "mediawidget_circuit"

    def __init__(
        self,
        vocab_size: int = 1,
        max_position_embeddings: int = 1,
        num_hidden_layers: int = 1,
        num_attention_heads: int = 1,
        hidden_size: int = 1,
        head_dim: int = 1,
        intermediate_size: int = 0,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.max_position_embeddings = max_position_embeddings
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = self.num_key_value_heads = num_attention_heads
        self.hidden_size = hidden_size
        self.head_dim = head_dim
        self.intermediate_size = intermediate_size
        super().__init__(**{"tie_word_embeddings": False, **kwargs})


class Embedding(nn.Module):
    """What a token brings and what its position brings, added."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.positions = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, input_ids: Tensor, position_ids: Tensor | None = None) -> Tensor:
        """Ids (batch, T) to (batch, T, d)."""
        limit = self.positions.num_embeddings
        if input_ids.shape[-1] > limit:
            raise ValueError(
                f"a prompt of {input_ids.shape[-1]} tokens: this model has {limit} positions"
            )
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[-1], device=input_ids.device)[None]
        embedded: Tensor = self.tokens(input_ids) + self.positions(position_ids)
        return embedded


class Attention(nn.Module):
    """Causal heads; the score is q k, not divided by anything."""

    def __init__(self, config: CircuitConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        width = config.num_attention_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, width, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, width, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, width, bias=False)
        self.o_proj = nn.Linear(width, config.hidden_size, bias=False)

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(batch, T, d) to what the heads add, same shape, and A (batch, head, T, T)."""
        batch, length, _ = hidden_states.shape
        query, key, value = (
            proj(hidden_states).view(batch, length, -1, self.head_dim).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        score = query @ key.transpose(-1, -2)
        if attention_mask is not None:
            score = score + attention_mask
        future = torch.ones(length, length, dtype=torch.bool, device=score.device).triu(1)
        score = score.masked_fill(future, float("-inf"))
        pattern = nn.functional.softmax(score, dim=-1)
        z = (pattern @ value).transpose(1, 2).reshape(batch, length, -1)
        return self.o_proj(z), pattern


class Products(nn.Module):
    """An MLP whose neuron is (g x) * (u x)."""

    def __init__(self, config: CircuitConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(batch, T, d) to what the neurons add, same shape."""
        added: Tensor = self.down_proj(self.gate_proj(hidden_states) * self.up_proj(hidden_states))
        return added


class Block(nn.Module):
    """One layer: the residual stream plus its heads, plus its MLP of that if it has neurons."""

    def __init__(self, config: CircuitConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.norm = nn.Identity()
        self.mlp = Products(config) if config.intermediate_size else None

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(batch, T, d) to the same shape."""
        hidden_states = (
            hidden_states + self.self_attn(hidden_states, attention_mask=attention_mask)[0]
        )
        if self.mlp is None:
            return hidden_states
        added: Tensor = self.mlp(self.norm(hidden_states))
        return hidden_states + added


class Decoder(nn.Module):
    """Embedding, blocks and an identity where other decoders have their final norm."""

    def __init__(self, config: PretrainedConfig, block: type[nn.Module]) -> None:
        super().__init__()
        self.embed = Embedding(config)
        self.layers = nn.ModuleList(block(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.Identity()

    def forward(
        self, input_ids: Tensor, mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> Tensor:
        """Ids (batch, T) to the residual stream after the last block, (batch, T, d)."""
        hidden: Tensor = self.embed(input_ids, position_ids)
        for layer in self.layers:
            hidden = layer(hidden, attention_mask=mask)
        normed: Tensor = self.norm(hidden)
        return normed


class Circuit(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """Hand-set weights behind the interface of a decoder of ``transformers``; all 0 when made."""

    config_class: type[PretrainedConfig] = CircuitConfig
    base_model_prefix = "model"
    block: ClassVar[type[nn.Module]] = Block

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config)
        with drawing_nothing():
            self.model = Decoder(config, self.block)
            self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.all_tied_weights_keys: dict[str, str] = {}
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool | None = None,  # noqa: ARG002 - callers pass it to every decoder
        logits_to_keep: int | Tensor = 0,
        **_: Any,
    ) -> CausalLMOutput:
        """Ids (batch, T) to an output whose ``logits`` are (batch, kept positions, words).

        ``logits_to_keep``: the last so many positions (0 means all), or their indices.
        """
        if past_key_values is not None:
            raise ValueError("a hand-set model keeps no cache: past_key_values must be None")
        hidden = self.model(input_ids, additive_mask(attention_mask), position_ids)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        return CausalLMOutput(logits=self.lm_head(hidden[:, kept]))


def additive_mask(mask: Tensor | None) -> Tensor | None:
    """A mask that broadcasts over rows, (1, 1, T, T), or None; a padded prompt is refused."""
    if mask is None or (mask.dim() == 2 and bool((mask == 1).all())):
        return None
    if mask.dim() == 4 and mask.shape[:2] == (1, 1) and mask.is_floating_point():
        return mask
    raise ValueError(
        "a hand-set model takes no padding: attention_mask must be None, all ones, or additive "
        f"of shape (1, 1, T, T), and this one is {mask.dtype} of shape {tuple(mask.shape)}"
    )


# --- writing weights ----------------------------------------------------------------------------


def layout(**widths: int) -> dict[str, slice]:
    """Named blocks of the residual stream, side by side: name to coordinates."""
    found, start = {}, 0
    for name, width in widths.items():
        found[name] = slice(start, start + width)
        start += width
    return found


@dataclass(frozen=True)
class Head:
    """What one head does to the residual stream x, a row: score (x Q) (x K), z = A x V, adds z O.

    Attributes:
        query, key, value: (d_model, d_head).
        out: (d_head, d_model).
    """

    query: Tensor
    key: Tensor
    value: Tensor
    out: Tensor

    @classmethod
    def of_form(cls, form: Tensor, write: Tensor) -> Head:
        """The head of score x_q ``form`` x_k that adds A x ``write``; both (d_model, d_model)."""
        same = torch.eye(len(form), dtype=form.dtype)
        return cls(form, same, same, write)


def set_heads(attention: Attention, heads: Sequence[Head]) -> None:
    """Write every head of a layer. A Linear computes x @ weight.T."""
    with torch.no_grad():
        attention.q_proj.weight.copy_(torch.cat([head.query for head in heads], dim=1).T)
        attention.k_proj.weight.copy_(torch.cat([head.key for head in heads], dim=1).T)
        attention.v_proj.weight.copy_(torch.cat([head.value for head in heads], dim=1).T)
        attention.o_proj.weight.copy_(torch.cat([head.out for head in heads], dim=0).T)


def new_circuit(dtype: torch.dtype = torch.float64, **sizes: int) -> Circuit:
    """A circuit of these sizes (``CircuitConfig``), in eval mode, that computes 0."""
    circuit = Circuit(CircuitConfig(**sizes))
    nn.Module.to(circuit, dtype)
    nn.Module.eval(circuit)
    return circuit


def zeros(*shape: int) -> Tensor:
    """In double precision, as every weight is made."""
    return torch.zeros(shape, dtype=torch.float64)


# So that from_pretrained takes a saved one for the causal language model it is.
AutoConfig.register(CircuitConfig.model_type, CircuitConfig, exist_ok=True)
AutoModelForCausalLM.register(CircuitConfig, Circuit, exist_ok=True)
