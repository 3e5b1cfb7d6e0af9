"""Summary charts of effects (Altair): what goes into a report.

Every chart is an ``altair.LayerChart``: it shows itself in JupyterLab without a network, follows
its light and dark theme, takes ``.properties(title=...)``, and is saved by ``chart.save("x.svg")``
(.png and .pdf too, where vl-convert-python is installed). ``chart.save("x.html", inline=True)`` is
a page by itself; without ``inline`` Altair writes one that fetches its scripts from a CDN.
"""

from .accuracies import accuracies
from .alignment import alignment, losses
from .contrast import contrast
from .crossing import crossing
from .directions import directions, placebos
from .doses import dose
from .dots import effects, groups
from .erasure import amnesic, rounds
from .maps import maps
from .strips import strip

__all__ = [
    "accuracies",
    "alignment",
    "amnesic",
    "contrast",
    "crossing",
    "directions",
    "dose",
    "effects",
    "groups",
    "losses",
    "maps",
    "placebos",
    "rounds",
    "strip",
]
