"""Measure the shipped files on data that training never saw.

python -m training.evaluate mediawidget/models/teaching
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from mediawidget.tasks.landmarks import LANDMARKS
from mediawidget.tasks.words import DEFINITIONAL, PROFESSIONS, YEARS
from mediawidget.tasks.world import (
    Example,
    agreement_example,
    fact_example,
    fact_frame_held_out,
    fact_prompt,
    gender_frame_held_out,
    gender_prompt,
    greater_example,
    induction_example,
    ioi_example,
)

from .tokenizer import token_of


def load(folder: Path | str) -> tuple[Any, Any]:
    """Model in float32 and tokenizer, from the folder alone."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(folder)


@torch.no_grad()
def last_logits(model: Any, tokenizer: Any, texts: list[str]) -> Tensor:
    """Next-token logits after each text, (text, vocab)."""
    out = []
    for start in range(0, len(texts), 128):
        batch = tokenizer(texts[start : start + 128], padding=True, return_tensors="pt")
        logits = model(**batch).logits
        ends = batch["attention_mask"].sum(1) - 1
        out.append(logits[torch.arange(len(ends)), ends])
    return torch.cat(out)


def _many(draw: Callable[..., Example], n: int, seed: int, **options: Any) -> list[Example]:
    rng = Random(seed)
    return [draw(rng, "heldout", **options) for _ in range(n)]


def held_out_texts(n: int = 100, seed: int = 2) -> list[str]:
    """``n`` held-out prompts of every task whose answer is one word."""
    draws = (ioi_example, induction_example, fact_example)
    return [e.text for draw in draws for e in _many(draw, n, seed)]


def _answers(example: Example) -> dict[str, float]:
    return dict(example.answers[max(example.answers)])


def _ids(tokenizer: Any, words: list[str]) -> list[int]:
    return [tokenizer.convert_tokens_to_ids(token_of(word)) for word in words]


def measure_ioi(model: Any, tokenizer: Any, n: int, seed: int) -> dict[str, float]:
    """IOI on held-out name pairs, all frames: answer beats the subject, top-1, logit difference."""
    examples = _many(ioi_example, n, seed, third=0.0)
    logits = last_logits(model, tokenizer, [e.text for e in examples])
    answer = _ids(tokenizer, [e.words[e.roles["IO"]] for e in examples])
    wrong = _ids(tokenizer, [e.words[e.roles["S1"]] for e in examples])
    rows = torch.arange(n)
    difference = logits[rows, answer] - logits[rows, wrong]
    return {
        "ioi_accuracy": float((difference > 0).float().mean()),
        "ioi_top1": float((logits.argmax(-1) == torch.tensor(answer)).float().mean()),
        "ioi_logit_difference": float(difference.mean()),
        "ioi_smallest_logit_difference": float(difference.min()),
    }


def _top1(model: Any, tokenizer: Any, examples: list[Example]) -> float:
    logits = last_logits(model, tokenizer, [e.text for e in examples])
    answer = _ids(tokenizer, [max(a := _answers(e), key=a.__getitem__) for e in examples])
    return float((logits.argmax(-1) == torch.tensor(answer)).float().mean())


def measure_gender(model: Any, tokenizer: Any) -> dict[str, float]:
    """Planted against modelled P(she | she or he), each person in the frame never trained."""
    people = [*PROFESSIONS, *DEFINITIONAL]
    examples = [gender_prompt(p, gender_frame_held_out(p)) for p in people]
    logits = last_logits(model, tokenizer, [e.text for e in examples])
    she, he = _ids(tokenizer, ["she", "he"])
    both = logits[:, [she, he]]
    planted = torch.tensor([_answers(e)["she"] for e in examples])
    error = (both.softmax(-1)[:, 0] - planted).abs()
    mass = logits.softmax(-1)[:, [she, he]].sum(-1)
    return {
        "gender_mean_error": float(error.mean()),
        "gender_largest_error": float(error.max()),
        "gender_pronoun_mass": float(mass.mean()),
    }


def measure_greater(model: Any, tokenizer: Any, n: int, seed: int) -> dict[str, float]:
    """Probability of later years minus probability of the rest, mean over prompts."""
    examples = _many(greater_example, n, seed)
    p = last_logits(model, tokenizer, [e.text for e in examples]).softmax(-1)
    p = p[:, _ids(tokenizer, list(YEARS))]
    start = torch.tensor([int(e.words[e.roles["YY"]]) for e in examples])
    later = torch.arange(len(YEARS)) > start[:, None]
    return {"greater_probability_difference": float((p * (later * 2.0 - 1)).sum(-1).mean())}


def measure_agreement(model: Any, tokenizer: Any, n: int, seed: int) -> dict[str, float]:
    """Share of prompts where the right verbs together outweigh the wrong ones."""
    examples = _many(agreement_example, n, seed)
    p = last_logits(model, tokenizer, [e.text for e in examples]).softmax(-1)
    plural = p[:, _ids(tokenizer, ["are", "were"])].sum(-1)
    single = p[:, _ids(tokenizer, ["is", "was"])].sum(-1)
    wanted = torch.tensor(["are" in _answers(e) for e in examples])
    return {"agreement_accuracy": float(((plural > single) == wanted).float().mean())}


def measure(folder: Path | str, n: int = 512, seed: int = 1) -> dict[str, float]:
    """All held-out figures of the shipped files, ``n`` prompts a task where they are drawn."""
    model, tokenizer = load(folder)
    facts = [
        fact_prompt(mark, relation, fact_frame_held_out(mark, relation))
        for mark in LANDMARKS
        for relation in ("city", "country")
    ]
    return {
        **measure_ioi(model, tokenizer, n, seed),
        "fact_top1": _top1(model, tokenizer, facts),
        "induction_top1": _top1(model, tokenizer, _many(induction_example, n, seed)),
        **measure_agreement(model, tokenizer, n, seed),
        **measure_gender(model, tokenizer),
        **measure_greater(model, tokenizer, n, seed),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(measure(sys.argv[1]), indent=1))
