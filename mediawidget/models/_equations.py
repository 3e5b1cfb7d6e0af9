"""Structural equations as a decoder: a head is a mediator, a neuron a term of the outcome.

A prompt is ``<s>`` and one token an input. The residual stream has the coordinates ``one`` (always
1), ``x`` (the number that the token stands for), ``pos`` (one-hot), ``m`` (a mediator each),
``noise`` and ``out``.

- Head i of layer 0, one number wide, looks at the position of its input and at nothing else; its
  z is M_i = a0_i + a1_i x. It adds M_i to its coordinate of ``m``.
- A neuron is the product of two coordinates, and the last MLP adds the sum of the neurons, each
  times its coefficient, to ``out``. That is Y.
- logit(yes) is Y and logit(no) is 0, so their difference is Y; all other words are at -100.

Nothing is saturated or approximate: the softmax is exactly one-hot, so every effect is the
polynomial of the coefficients to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..errors import require
from ._arguments import as_numbers, refuse_no_number
from ._decoder import SURE, Circuit, Head, layout, new_circuit, set_heads, zeros
from ._vocabulary import NO, START, YES
from ._words import UNKNOWN, word_tokenizer

OTHERS = -100.0
"""The logit of every word that is no answer."""

MOST_MEDIATORS = 32


@dataclass(frozen=True)
class Equations:
    """M_i = a0_i + a1_i x and Y = b0 + c x + sum b_i M_i + sum d_i x M_i + sum d_ij M_i M_j.

    Attributes:
        mediators: (a0_i, a1_i), one pair a mediator.
        weights: b_i.
        intercept, direct: b0 and c.
        moderation: d_i, of the last input times the mediator.
        interactions: (i, j) to d_ij, i before j.
        reads: which input, counted from 0, each mediator is a function of.
    """

    mediators: tuple[tuple[float, float], ...]
    weights: tuple[float, ...]
    intercept: float
    direct: float
    moderation: tuple[float, ...]
    interactions: Mapping[tuple[int, int], float]
    reads: tuple[int, ...]

    @property
    def terms(self) -> list[tuple[str, str, float]]:
        """Every neuron: the two coordinates it multiplies and its coefficient."""
        names = [f"m{i}" for i in range(len(self.mediators))]
        plain = [("one", "one", self.intercept), ("one", "x", self.direct)]
        own = [("one", name, b) for name, b in zip(names, self.weights, strict=True)]
        with_x = [("x", name, d) for name, d in zip(names, self.moderation, strict=True)]
        pairs = [
            (names[i], names[j], self.interactions.get((i, j), 0.0))
            for i, j in combinations(range(len(names)), 2)
        ]
        return [*plain, *own, *with_x, *pairs]


def checked(
    mediators: object,
    weights: object,
    intercept: float,
    direct: float,
    moderation: object,
    interactions: object,
) -> Equations:
    """The equations of one input that a caller asked for.

    Raises:
        MediationError: no numbers, not one weight a mediator, or interactions of none.
    """
    require(
        isinstance(mediators, list | tuple) and 0 < len(mediators) <= MOST_MEDIATORS,
        "mediators are given by their equations.",
        value=mediators,
        expected=f"a list of 1 to {MOST_MEDIATORS} pairs (a0, a1)",
        fix="mediators=((0.0, 1.0), (0.5, 2.0))",
    )
    assert isinstance(mediators, list | tuple)
    lines = [as_numbers(line, "every entry of mediators", 2, 2) for line in mediators]
    n = len(lines)
    refuse_no_number(intercept, "intercept")
    refuse_no_number(direct, "direct")
    return Equations(
        mediators=tuple((a0, a1) for a0, a1 in lines),
        weights=as_numbers(weights, "weights", n, n),
        intercept=float(intercept),
        direct=float(direct),
        moderation=as_numbers((0.0,) * n if moderation is None else moderation, "moderation", n, n),
        interactions=_as_interactions({} if interactions is None else interactions, n),
        reads=(0,) * n,
    )


def _as_interactions(given: object, n: int) -> dict[tuple[int, int], float]:
    possible = set(combinations(range(n), 2))
    require(
        isinstance(given, Mapping) and set(given) <= possible,
        "An interaction is between two mediators.",
        value=given,
        expected=f"a mapping of (i, j) to a number, 0 <= i < j < {n}",
        fix="interactions={(0, 1): 2.0}",
    )
    assert isinstance(given, Mapping)
    for value in given.values():
        refuse_no_number(value, "every entry of interactions")
    return {pair: float(value) for pair, value in given.items()}


def build(
    equations: Equations, values: Mapping[str, float], noise: Tensor | None = None
) -> tuple[Circuit, PreTrainedTokenizerFast, dict[str, slice]]:
    """The circuit, its tokenizer and where the coordinates of its residual stream are.

    Args:
        equations: what it computes.
        values: the words of inputs and the numbers they stand for.
        noise: (word, width), what each of the words n0, n1, ... brings beside. Then a prompt ends
            with one of these, and the MLP is a layer later, so that what it reads is a residual
            stream between blocks.
    """
    n, n_inputs = len(equations.mediators), 1 + max(equations.reads)
    n_noise, width = (0, 0) if noise is None else noise.shape
    words = [START, *values, *(f"n{i}" for i in range(n_noise)), YES, NO, UNKNOWN]
    n_positions = 1 + n_inputs + (n_noise > 0)
    block = layout(one=1, x=1, pos=n_positions, m=n, noise=width, out=1)
    circuit = new_circuit(
        vocab_size=len(words),
        max_position_embeddings=n_positions,
        num_hidden_layers=1 if noise is None else 2,
        num_attention_heads=n,
        hidden_size=block["out"].stop,
        intermediate_size=len(equations.terms),
    )
    with torch.no_grad():
        _set_words(circuit, words, values, block)
        if noise is not None:
            circuit.model.embed.tokens.weight[1 + len(values) :][:n_noise, block["noise"]] = noise
        _set_outcome(circuit, equations, block)
    heads = [_mediator(equations, i, block) for i in range(n)]
    set_heads(circuit.model.layers[0].self_attn, heads)
    return circuit, word_tokenizer(words), block


def _set_words(
    circuit: Circuit, words: list[str], values: Mapping[str, float], block: Mapping[str, slice]
) -> None:
    """What words bring and how likely they are as answers."""
    embed, head = circuit.model.embed, circuit.lm_head.weight
    embed.positions.weight[:, block["one"]] = 1
    embed.positions.weight[:, block["pos"]] = torch.eye(len(embed.positions.weight)).double()
    for word, value in values.items():
        embed.tokens.weight[words.index(word), block["x"]] = value
    head[:, block["one"]] = OTHERS
    head[[words.index(YES), words.index(NO)], block["one"]] = 0
    head[words.index(YES), block["out"]] = 1


def _set_outcome(circuit: Circuit, equations: Equations, block: Mapping[str, slice]) -> None:
    """A neuron a term."""
    mlp = circuit.model.layers[-1].mlp
    place = {name: block[name].start for name in ("one", "x")}
    place |= {f"m{i}": block["m"].start + i for i in range(len(equations.mediators))}
    for neuron, (first, second, coefficient) in enumerate(equations.terms):
        mlp.gate_proj.weight[neuron, place[first]] = 1
        mlp.up_proj.weight[neuron, place[second]] = 1
        mlp.down_proj.weight[block["out"], neuron] = coefficient


def _mediator(equations: Equations, i: int, block: Mapping[str, slice]) -> Head:
    """The head whose z is M_i."""
    query, key, value = (zeros(block["out"].stop, 1) for _ in range(3))
    out = zeros(1, block["out"].stop)
    query[block["one"]] = SURE
    key[block["pos"].start + 1 + equations.reads[i]] = 1
    value[block["one"]], value[block["x"]] = equations.mediators[i]
    out[0, block["m"].start + i] = 1
    return Head(query, key, value, out)
