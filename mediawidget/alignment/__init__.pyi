from .controlling import Controls, controls, controls_job
from .methods import (
    boundless,
    boundless_job,
    das,
    das_job,
    neuron_masks,
    neuron_masks_job,
)
from .options import Options
from .result import Aligned, Sizes
from .sizing import sizes, sizes_job

__all__ = [
    "Aligned",
    "Controls",
    "Options",
    "Sizes",
    "boundless",
    "boundless_job",
    "controls",
    "controls_job",
    "das",
    "das_job",
    "neuron_masks",
    "neuron_masks_job",
    "sizes",
    "sizes_job",
]
