"""The table, for the screen and for RESULTS.md."""

from __future__ import annotations

import datetime
import platform
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .run import Case

_COLUMNS = (
    "parted at",
    "ours, forwards",
    "TransformerLens / ours",
    "plain hooks / ours",
    "gap",
    "effect",
)


def write(cases: list[Case], click: float, path: Path | None) -> str:
    """The report as Markdown; also to a file, if one is named."""
    unit = 1000 * median(unit for case in cases for unit in case.unit)
    day = datetime.datetime.now(tz=datetime.UTC)
    lines = [
        "# How fast is a head grid?",
        "",
        "Written by `make bench`. All 144 heads of a random model of GPT-2 small's shape, patched",
        "one at a time, clean to corrupt and corrupt to clean: 288 patches and the two base runs,",
        "15 tokens, float32. Processor time on one thread, children included, medians over",
        f"{len(cases[0].unit)} fresh pairs. Ours is `Study(lm, pair).sweep('head')` with all its",
        "checks. A forward is one plain last-token forward of one prompt; plain hooks run all",
        "patches as a flat batch, 64 rows at a time; TransformerLens 4.3 runs",
        "`get_act_patch_attn_head_out_all_pos` twice.",
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|---" * len(_COLUMNS) + "|",
        *(_row(case) for case in cases),
        "",
        "Parted at: where the prompts first differ (the start token is 0). Gap: the largest",
        "difference between the programs' logit differences. Effect: the largest of a patch.",
        "",
        f"One click on the teaching model (`study.intervene(site)`): {click:.0f} ms.",
        "",
        f"{day:%Y-%m-%d}, {_processor()} ({unit:.0f} ms a forward),",
        f"Python {platform.python_version()}, torch {torch.__version__}.",
        "",
    ]
    text = "\n".join(lines)
    if path is not None:
        path.write_text(text, encoding="utf-8")
    return text


def _row(case: Case) -> str:
    lens = case.lens_ratio()
    return (
        f"| {case.first_difference} | {case.forwards():.1f} "
        f"| {'not run' if lens is None else f'{lens:.1f}'} | {case.flat_ratio():.1f} "
        f"| {max(case.gap_flat, case.gap_lens):.0e} | {case.largest_effect:.2g} |"
    )


def _processor() -> str:
    """The processor's name where the system tells it, else its kind."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
