"""A hand-set model that adds two digits: attention brings them together, a late MLP adds.

Source: the account of arithmetic in large models by Stolfo et al. 2023, with one-hot features.

Prompts are ``a + b =``. The blocks of the residual stream are ``tok``, ``pos`` and ``one`` (always
1), and, one-hot over digits, ``num`` (the digit here) and ``a`` and ``b`` (the operands); ``out``
is over the sums.

- MLP 0, at the operands: one neuron a digit, from ``tok`` to ``num``.
- L1H0 and L1H1 look 3 and 1 positions back and copy ``num`` to ``a`` and to ``b``.
- MLP 2, at the end: neuron 10 a + b is the product of ``a``'s and ``b``'s coordinates, so it is 1
  for these two operands and 0 for all others; it adds 10 to their sum in ``out``.

The logits are ``out``. Nothing else is added by any layer.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ._decoder import SURE, Circuit, Head, Products, layout, new_circuit, set_heads, zeros
from ._words import UNKNOWN, word_tokenizer

N_DIGITS = 10
N_SUMS = 2 * N_DIGITS - 1
WORDS = (*map(str, range(N_SUMS)), "+", "=", UNKNOWN)
N_POSITIONS = 16
BACK = (3, 1)
"""How far before the last token the two operands are."""

LOGIT = 10.0

BLOCK = layout(tok=N_SUMS, pos=N_POSITIONS, one=1, num=N_DIGITS, a=N_DIGITS, b=N_DIGITS, out=N_SUMS)
WIDTH = BLOCK["out"].stop


def build() -> tuple[Circuit, PreTrainedTokenizerFast]:
    """The model and its tokenizer."""
    circuit = new_circuit(
        vocab_size=len(WORDS),
        max_position_embeddings=N_POSITIONS,
        num_hidden_layers=3,
        num_attention_heads=len(BACK),
        hidden_size=WIDTH,
        head_dim=N_POSITIONS,
        intermediate_size=N_DIGITS**2,
    )
    with torch.no_grad():
        embed = circuit.model.embed
        embed.tokens.weight[:N_SUMS, BLOCK["tok"]] = torch.eye(N_SUMS).double()
        embed.positions.weight[:, BLOCK["pos"]] = torch.eye(N_POSITIONS).double()
        embed.positions.weight[:, BLOCK["one"]] = 1
        circuit.lm_head.weight[:N_SUMS, BLOCK["out"]] = torch.eye(N_SUMS).double()
        _set_digits(circuit.model.layers[0].mlp)
        _set_sums(circuit.model.layers[2].mlp)
    heads = [_look_back(far, operand) for far, operand in zip(BACK, "ab", strict=True)]
    set_heads(circuit.model.layers[1].self_attn, heads)
    return circuit, word_tokenizer(WORDS)


def _set_digits(mlp: Products) -> None:
    """Neuron n: 1 where the token is n; adds it to ``num``."""
    digits: Tensor = torch.arange(N_DIGITS)
    mlp.gate_proj.weight[digits, BLOCK["tok"].start + digits] = 1
    mlp.up_proj.weight[digits, BLOCK["one"].start] = 1
    mlp.down_proj.weight[BLOCK["num"].start + digits, digits] = 1


def _set_sums(mlp: Products) -> None:
    """Neuron 10 a + b: 1 where the operands are a and b; adds their sum to ``out``."""
    neuron: Tensor = torch.arange(N_DIGITS**2)
    a, b = neuron // N_DIGITS, neuron % N_DIGITS
    mlp.gate_proj.weight[neuron, BLOCK["a"].start + a] = 1
    mlp.up_proj.weight[neuron, BLOCK["b"].start + b] = 1
    mlp.down_proj.weight[BLOCK["out"].start + a + b, neuron] = LOGIT


def _look_back(far: int, operand: str) -> Head:
    """Copies the digit ``far`` positions back; nearer the start than that, a mix of what is."""
    query, key, value = (zeros(WIDTH, N_POSITIONS) for _ in range(3))
    out = zeros(N_POSITIONS, WIDTH)
    start = BLOCK["pos"].start
    for position in range(far, N_POSITIONS):
        query[start + position, position - far] = SURE
    key[BLOCK["pos"]] = torch.eye(N_POSITIONS).double()
    value[BLOCK["num"], :N_DIGITS] = torch.eye(N_DIGITS).double()
    out[:N_DIGITS, BLOCK[operand]] = torch.eye(N_DIGITS).double()
    return Head(query, key, value, out)
