"""A hand-set model that tracks who has what by lookbacks: a pointer is dereferenced to a payload.

Source: the mechanism that Prakash et al. 2025 ("Language models use lookbacks to track beliefs")
describe in large models, reduced to two people and one-hot features.

Prompts are ``<s> Ann beer Bob coffee ? Bob :`` and the answer is what Bob has. The blocks of the
residual stream are ``tok`` and ``pos``, and, one-hot over first and second, ``order`` (which person
this is, brought by the position), ``address`` (the same at the person's drink), ``found`` (the same
at the question's name) and ``pointer`` (the same at the end); ``out`` is over the drinks.

- L0H0, at a drink, looks one back and copies ``order`` to ``address``: the payload, the drink in
  ``tok``, now stands beside an address.
- L0H1, at the question's name, looks for the same name and copies its ``order`` to ``found``.
- L1H0, at the end, looks one back and copies ``found`` to ``pointer``.
- L2H0, at the end, looks for the address that is its pointer and copies the payload to ``out``.

A head that finds nothing looks at the start token and moves nothing. The logits are 10 times
``out``. No layer norm, no MLP. All scores are so sharp that every other weight is exactly 0.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ._decoder import SURE, Circuit, Head, layout, new_circuit, set_heads, zeros
from ._vocabulary import ASK, DRINKS, NAMES, START, THEN
from ._words import UNKNOWN, word_tokenizer

WORDS = (START, *NAMES, *DRINKS, ASK, THEN, UNKNOWN)
N_POSITIONS = 8
PEOPLE, HAVE, ASKED, END = (1, 3), (2, 4), 6, 7
"""Where the two people stand, what they have, the question's name, and the end."""

LOGIT = 10.0

NAME_TOKENS = slice(1, 1 + len(NAMES))
DRINK_TOKENS = slice(NAME_TOKENS.stop, NAME_TOKENS.stop + len(DRINKS))
BLOCK = layout(
    tok=len(WORDS) - 1, pos=N_POSITIONS, order=2, address=2, found=2, pointer=2, out=len(DRINKS)
)
WIDTH = BLOCK["out"].stop


def build() -> tuple[Circuit, PreTrainedTokenizerFast]:
    """The model and its tokenizer."""
    circuit = new_circuit(
        vocab_size=len(WORDS),
        max_position_embeddings=N_POSITIONS,
        num_hidden_layers=3,
        num_attention_heads=2,
        hidden_size=WIDTH,
        head_dim=WIDTH,
    )
    n_tokens = len(WORDS) - 1  # the unknown word brings nothing
    with torch.no_grad():
        embed = circuit.model.embed
        embed.tokens.weight[:n_tokens, BLOCK["tok"]] = torch.eye(n_tokens).double()
        embed.positions.weight[:, BLOCK["pos"]] = torch.eye(N_POSITIONS).double()
        embed.positions.weight[PEOPLE, BLOCK["order"]] = torch.eye(2).double()
        circuit.lm_head.weight[DRINK_TOKENS, BLOCK["out"]] = LOGIT * torch.eye(len(DRINKS)).double()
    idle = Head.of_form(zeros(WIDTH, WIDTH), zeros(WIDTH, WIDTH))
    layers = [
        (_one_back(HAVE, "order", "address"), _same_name()),
        (_one_back((END,), "found", "pointer"), idle),
        (_dereference(), idle),
    ]
    for layer, heads in zip(circuit.model.layers, layers, strict=True):
        set_heads(layer.self_attn, heads)
    return circuit, word_tokenizer(WORDS)


def _sink() -> Tensor:
    """Q of a head that looks at the start token wherever it finds nothing better."""
    form = zeros(WIDTH, WIDTH)
    form[BLOCK["pos"], BLOCK["tok"].start] = SURE
    return form


def _write(source: slice, target: str) -> Tensor:
    """O: what is in one block is added to another of its width."""
    write = zeros(WIDTH, WIDTH)
    write[source, BLOCK[target]] = torch.eye(source.stop - source.start).double()
    return write


def _one_back(positions: tuple[int, ...], source: str, target: str) -> Head:
    form, start = _sink(), BLOCK["pos"].start
    for position in positions:
        form[start + position, start + position - 1] = 2 * SURE
    return Head.of_form(form, _write(BLOCK[source], target))


def _same_name() -> Head:
    """From the question's name to the same name before it; elsewhere itself is nearest."""
    form, start = _sink(), BLOCK["pos"].start
    # The token block starts at 0, so a name's coordinate in it is its token id.
    form[NAME_TOKENS, NAME_TOKENS] = 2 * SURE * torch.eye(len(NAMES)).double()
    form[BLOCK["pos"], BLOCK["pos"]] = -4 * SURE * torch.eye(N_POSITIONS).double()
    form[[start + position for position in PEOPLE], BLOCK["tok"].start] = 4 * SURE
    return Head.of_form(form, _write(BLOCK["order"], "found"))


def _dereference() -> Head:
    form = _sink()
    form[BLOCK["pointer"], BLOCK["address"]] = 2 * SURE * torch.eye(2).double()
    return Head.of_form(form, _write(DRINK_TOKENS, "out"))
