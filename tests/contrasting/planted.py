"""A hand-set head that reads two places equally, one of them whatever word stands there."""

from __future__ import annotations

import torch

import mediawidget as mw
from mediawidget.models._decoder import (
    ATTENTION_ONLY,
    Head,
    layout,
    new_circuit,
    set_heads,
    zeros,
)
from mediawidget.models._words import word_tokenizer

WORDS = ("<s>", "any", "other", "left", "right", "to", "yes", "no", "<unk>")
BLOCK = layout(tok=len(WORDS), pos=4, out=2)
SURE = 40.0


def study() -> mw.Study:
    """Position 1 adds 0.5 to yes for being position 1; position 2 adds 0.5 to yes or to no."""
    width = BLOCK["out"].stop
    circuit = new_circuit(
        vocab_size=len(WORDS),
        max_position_embeddings=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        hidden_size=width,
        head_dim=width,
    )
    form, write = zeros(width, width), zeros(width, width)
    pos, out, tok = BLOCK["pos"].start, BLOCK["out"].start, BLOCK["tok"].start
    form[pos + 3, [pos + 1, pos + 2]] = SURE
    write[pos + 1, out] = 1.0
    write[tok + WORDS.index("left"), out] = 1.0
    write[tok + WORDS.index("right"), out + 1] = 1.0
    with torch.no_grad():
        circuit.model.embed.tokens.weight[:, BLOCK["tok"]] = torch.eye(len(WORDS)).double()
        circuit.model.embed.positions.weight[:, BLOCK["pos"]] = torch.eye(4).double()
        circuit.lm_head.weight[[6, 7], BLOCK["out"]] = torch.eye(2).double()
    set_heads(circuit.model.layers[0].self_attn, [Head.of_form(form, write)])
    lm = mw.load(circuit, tokenizer=word_tokenizer(WORDS), paths=ATTENTION_ONLY)
    pair = mw.PromptPair("<s> any left to", "<s> other right to", "yes", "no")
    return mw.Study(lm, pair)
