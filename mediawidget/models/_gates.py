"""Gates of two inputs, plain or hidden in a turned residual stream."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..errors import MediationError
from ._decoder import Circuit
from ._equations import Equations, build
from ._vocabulary import N_NOISE_WORDS

#: b_1 = b_2 and d_12 of Y = b_1 M_1 + b_2 M_2 + d_12 M_1 M_2 for inputs 0 and 1.
GATES = {"ADD": (1.0, 0.0), "AND": (0.0, 1.0), "OR": (1.0, -1.0), "XOR": (1.0, -2.0)}
THRESHOLD = 0.5
"""Taken off the gate's number, so that "yes" is likelier than "no" exactly where it is 1."""

VALUES = {"0": 0.0, "1": 1.0}

NOISE_WIDTH = 6
NOISE_SPREAD = 2.0
"""Larger than the variables, so that no direction of much variance is one of theirs."""


def gate_equations(kind: object) -> Equations:
    """The equations of a gate: M_i is input i.

    Raises:
        MediationError: no such gate.
    """
    if not isinstance(kind, str) or kind not in GATES:
        raise MediationError(
            "Unknown gate.",
            value=repr(kind),
            expected="one of " + ", ".join(GATES),
            fix="mw.models.gate('AND')",
        )
    own, both = GATES[kind]
    return Equations(
        mediators=((0.0, 1.0), (0.0, 1.0)),
        weights=(own, own),
        intercept=-THRESHOLD,
        direct=0.0,
        moderation=(0.0, 0.0),
        interactions={(0, 1): both},
        reads=(0, 1),
    )


def gate(kind: str) -> tuple[Circuit, PreTrainedTokenizerFast]:
    """The gate on prompts ``<s> a b``."""
    circuit, tokenizer, _ = build(gate_equations(kind), VALUES)
    return circuit, tokenizer


def planted(kind: str, rotated: bool, seed: int) -> tuple[Circuit, PreTrainedTokenizerFast]:
    """The gate on prompts ``<s> a b n0``, its residual stream turned by ``circuit.planted``.

    ``planted`` is Q (d_model, d_model), orthogonal: row 0 is the direction of the first input's
    variable, row 1 that of the second's, the next rows those of the noise.
    """
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn((N_NOISE_WORDS, NOISE_WIDTH), generator=draw, dtype=torch.float64)
    circuit, tokenizer, block = build(gate_equations(kind), VALUES, NOISE_SPREAD * noise)
    width = circuit.lm_head.in_features
    turn = torch.eye(width, dtype=torch.float64)
    if rotated:
        random = torch.randn((width, width), generator=draw, dtype=torch.float64)
        turn, upper = torch.linalg.qr(random)
        turn = turn * upper.diagonal().sign()  # without it not uniform (Mezzadri 2007)
        _turn(circuit, turn)
    first = [*range(width)[block["m"]], *range(width)[block["noise"]]]
    rest = [i for i in range(width) if i not in first]
    circuit.register_buffer("planted", turn[first + rest], persistent=False)
    return circuit, tokenizer


def _turn(circuit: Circuit, turn: Tensor) -> None:
    """Let the residual stream be x Q, a row, where it was x; what is computed stays the same."""
    embed = circuit.model.embed
    with torch.no_grad():
        for weight in (embed.tokens.weight, embed.positions.weight, circuit.lm_head.weight):
            weight.copy_(weight @ turn)
        for layer in circuit.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            readers = (attention.q_proj, attention.k_proj, attention.v_proj)
            for reader in (*readers, mlp.gate_proj, mlp.up_proj):
                reader.weight.copy_(reader.weight @ turn)
            for writer in (attention.o_proj, mlp.down_proj):
                writer.weight.copy_(turn.T @ writer.weight)
