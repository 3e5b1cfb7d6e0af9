"""Write the model card from what is measured on the shipped files.

python -m training.card mediawidget/models/teaching
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from mediawidget.tasks import ioi
from mediawidget.tasks.landmarks import LANDMARKS
from mediawidget.tasks.words import DEFINITIONAL, NAMES, OBJECTS, PLACES, PROFESSIONS

from .evaluate import measure
from .find_circuit import Reference, TokensOnly, find, tables

PROSE = Path(__file__).with_name("card.md")

FIGURES: tuple[tuple[str, str, str], ...] = (
    ("ioi_accuracy", "IOI, name pairs never trained, all frames: receiver above giver", "{:.3f}"),
    ("ioi_top1", "the same: receiver is the likeliest next token", "{:.3f}"),
    ("ioi_logit_difference", "the same: mean logit difference", "{:.2f}"),
    ("ioi_smallest_logit_difference", "the same: smallest logit difference", "{:.2f}"),
    ("fact_top1", "facts, each in the phrasing it was never trained in", "{:.3f}"),
    ("induction_top1", "induction, word pairs never trained", "{:.3f}"),
    ("agreement_accuracy", "subject-verb agreement across a distractor", "{:.3f}"),
    ("gender_mean_error", "P(she), mean distance from the planted rate", "{:.3f}"),
    ("gender_largest_error", "P(she), largest distance from the planted rate", "{:.3f}"),
    (
        "greater_probability_difference",
        "greater-than: P(later years) minus P(other years)",
        "{:.3f}",
    ),
)


def figures(measured: dict[str, float]) -> str:
    """The held-out figures as a Markdown table."""
    lines = ["| held-out measure | value |", "|---|---|"]
    lines += [f"| {words} | {form.format(measured[key])} |" for key, words, form in FIGURES]
    return "\n".join(lines)


def write_card(folder: Path) -> Path:
    """Measure the files in ``folder`` and write its README.md."""
    reference = Reference(folder)
    contrast = ioi(TokensOnly(reference.tokenizer), n=64, seed=0)
    model = reference.model
    log = [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]
    text = PROSE.read_text()
    values = {
        "parameters": f"{sum(p.numel() for p in model.parameters()):,}",
        "layers": str(reference.layers),
        "heads": str(reference.heads),
        "vocab": str(model.config.vocab_size),
        "names": str(len(NAMES)),
        "places": str(len(PLACES)),
        "objects": str(len(OBJECTS)),
        "landmarks": str(len(LANDMARKS)),
        "professions": str(len(PROFESSIONS)),
        "definitional": str(len(DEFINITIONAL)),
        "seed": str(log[0]["seed"]),
        "steps": str(log[0]["recipe"]["steps"]),
        "minutes": f"{log[-2]['seconds'] / 60:.0f}",
        "moved": str(log[-1]["float16_answers_moved"]),
        "rounded": str(log[-1]["float16_prompts"]),
        "change": f"{log[-1]['float16_largest_logit_change']:.3f}",
        "figures": figures(measure(folder)),
        "circuit": tables(find(reference, contrast), reference.layers, reference.heads),
    }
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    if "{{" in text:
        raise RuntimeError(
            f"the card's prose has an unknown field: {text[text.index('{{') :][:40]}"
        )
    path = folder / "README.md"
    path.write_text(text)
    return path


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(write_card(Path(sys.argv[1])))
