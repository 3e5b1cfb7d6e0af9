"""A hand-set circuit for indirect object identification, with a backup and a negative head.

Source: the circuit of Wang et al. 2023, reduced to one head a class, with one-hot features.

Prompts are ``<s> n1 n2 s2 to``: two names, one of them again, and the other one is the answer.
The residual stream is five blocks, each one-hot: ``tok``, ``pos``, and over the names ``dup`` (this
token was here before), ``inh`` (this name is not the answer) and ``out`` (the prediction). A head's
score is x_q Q x_k, its z is A x, and it adds z O. In every head the start token scores beta / 2, so
that a head without anything to look at looks there and moves nothing. The other scores:

- L0H0, duplicate token: beta on the same token, -3 beta on itself; copies ``tok`` to ``dup``.
- L1H0, S-inhibition: beta on every position with a ``dup``; copies ``dup`` to ``inh``.
- L2H0, name mover: beta on names, -2 beta on the name in its own ``inh``; copies the name to
  ``out``.
- L3H0, backup mover: the name mover's, and -2 beta on the name that is in ``out`` already; the
  same copy. It answers where the name mover did not.
- L3H1, negative mover: beta on the name in ``out``; takes half of it away.

The logits are ``out``. No layer norm, no MLP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ._decoder import Circuit, Head, layout, new_circuit, set_heads, zeros
from ._vocabulary import END, NAMES, START
from ._words import UNKNOWN, word_tokenizer

WORDS = (START, *NAMES, END, UNKNOWN)
N_LAYERS = 4
N_POSITIONS = 5
AT_LEAST = 2
"""Heads of a layer; where the circuit has fewer the rest add nothing, or are decoys."""

DECOY_SCORE = 0.3
DECOY_WRITE = 0.005
"""So little that four layers of it do not push any head of the circuit past its beta / 2."""

NAME_TOKENS = slice(1, 1 + len(NAMES))
BLOCK = layout(tok=len(WORDS) - 1, pos=N_POSITIONS, dup=len(NAMES), inh=len(NAMES), out=len(NAMES))
WIDTH = BLOCK["out"].stop


def build(
    beta: float = 20.0, decoys: int = 0, seed: int = 0
) -> tuple[Circuit, PreTrainedTokenizerFast]:
    """The model and its tokenizer; ``seed`` is for the decoys (Q of sd 0.3, O of sd 0.005)."""
    circuit = new_circuit(
        vocab_size=len(WORDS),
        max_position_embeddings=N_POSITIONS,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=AT_LEAST + decoys,
        hidden_size=WIDTH,
        head_dim=WIDTH,
    )
    n_tokens = len(WORDS) - 1  # the unknown word brings nothing
    with torch.no_grad():
        embed = circuit.model.embed
        embed.tokens.weight[:n_tokens, BLOCK["tok"]] = torch.eye(n_tokens).double()
        embed.positions.weight[:, BLOCK["pos"]] = torch.eye(N_POSITIONS).double()
        circuit.lm_head.weight[NAME_TOKENS, BLOCK["out"]] = torch.eye(len(NAMES)).double()
    noise = torch.Generator().manual_seed(seed)
    idle = Head.of_form(zeros(WIDTH, WIDTH), zeros(WIDTH, WIDTH))
    for index, layer in enumerate(circuit.model.layers):
        heads = [make(beta) for make in CIRCUIT[index]]
        while len(heads) < AT_LEAST + decoys:
            heads.append(_decoy(noise) if decoys else idle)
        set_heads(layer.self_attn, heads)
    return circuit, word_tokenizer(WORDS)


def _form(beta: float, scores: Mapping[tuple[str, str], float]) -> Tensor:
    """Q: the start token's beta / 2, and beta times ``scores`` by (query block, key block).

    A score between two blocks is one for the same word in both; from "any" to a block it is for
    every word of it. "name" is the part of ``tok`` that holds names.
    """
    form = zeros(WIDTH, WIDTH)
    form[BLOCK["pos"], BLOCK["tok"].start] = beta / 2
    for (query, key), score in scores.items():
        if query == "any":
            form[BLOCK["pos"], _place(key)] += beta * score
        else:
            width = len(range(WIDTH)[_place(key)])
            form[_place(query), _place(key)] += beta * score * torch.eye(width).double()
    return form


def _place(name: str) -> slice:
    # The token block starts at 0, so a name's coordinate in it is its token id.
    return NAME_TOKENS if name == "name" else BLOCK[name]


def _write(source: str, target: str, weight: float = 1.0) -> Tensor:
    """O: what is in one block is added to another, ``weight`` times."""
    write = zeros(WIDTH, WIDTH)
    write[_place(source), _place(target)] = weight * torch.eye(len(NAMES)).double()
    return write


def _duplicate(beta: float) -> Head:
    return Head.of_form(_form(beta, {("tok", "tok"): 1, ("pos", "pos"): -3}), _write("name", "dup"))


def _inhibition(beta: float) -> Head:
    return Head.of_form(_form(beta, {("any", "dup"): 1}), _write("dup", "inh"))


MOVES: dict[tuple[str, str], float] = {("any", "name"): 1, ("inh", "name"): -2}


def _mover(beta: float) -> Head:
    return Head.of_form(_form(beta, MOVES), _write("name", "out"))


def _backup(beta: float) -> Head:
    return Head.of_form(_form(beta, MOVES | {("out", "name"): -2}), _write("name", "out"))


def _negative(beta: float) -> Head:
    return Head.of_form(_form(beta, {("out", "name"): 1}), _write("name", "out", -0.5))


def _decoy(noise: torch.Generator) -> Head:
    draw = torch.randn((2, WIDTH, WIDTH), generator=noise, dtype=torch.float64)
    return Head.of_form(DECOY_SCORE * draw[0], DECOY_WRITE * draw[1])


#: The heads of each layer, in order.
CIRCUIT: tuple[tuple[Callable[[float], Head], ...], ...] = (
    (_duplicate,),
    (_inhibition,),
    (_mover,),
    (_backup, _negative),
)
