"""Save what interventions find in a model without taught roles, for a lesson of the course.

python -m training.train_teaching_model --plain --seed 0 --out examples/course/messy
python -m training.messy_model examples/course/messy
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

import mediawidget as mw
from mediawidget.tasks.ioi import Corruption

from .card import figures
from .evaluate import measure

PAIRS = 12
CORRUPTIONS: tuple[Corruption, ...] = ("swap", "abc")
#: Names of the files, with what is swept in them.
GRIDS: dict[str, tuple[str, str | None]] = {
    "heads": ("head", None),
    "residual": ("residual", "role"),
    "mlps": ("mlp_out", "role"),
}

PROSE = Path(__file__).with_name("messy_model.md")


def save_grids(folder: Path) -> None:
    """Sweep every grid and write it as JSON."""
    lm = mw.load(folder)
    for corruption in CORRUPTIONS:
        study = mw.Study(lm, mw.tasks.ioi(lm, n=PAIRS, corruption=corruption))
        for name, (mediator, by) in GRIDS.items():
            effect = study.sweep(mediator, by=by, progress=False)
            effect.save(folder / f"{name}_{corruption}.json")


def write_card(folder: Path) -> Path:
    """Measure the files in ``folder`` and write its README.md."""
    head = json.loads((folder / "training_log.jsonl").read_text().splitlines()[0])
    text = PROSE.read_text().format(
        seed=head["seed"],
        steps=head["recipe"]["steps"],
        figures=figures(measure(folder)),
        grids=", ".join(f"`{name}_*.json`" for name in GRIDS),
        pairs=PAIRS,
    )
    path = folder / "README.md"
    path.write_text(text)
    return path


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    save_grids(place)
    print(write_card(place))
