"""Forward passes in which every reader of the residual stream has an input of its own.

A reader's input is the stream less what it is not to see: per edge that is cut, what its sender
writes now minus what the sender writes elsewhere (on the pair's other prompt, on average, or
nothing). All other writes, those that follow from the cut among them, are as they come. It needs
the weights of the projections, so it runs on models that are here.
"""

from .evaluating import ABLATIONS, Ablation, Bench, Masks, masks_of, prove, rewire
from .passing import Pass
from .support import refuse_no_rewiring
from .writes import Writes, written

__all__ = [
    "ABLATIONS",
    "Ablation",
    "Bench",
    "Masks",
    "Pass",
    "Writes",
    "masks_of",
    "prove",
    "refuse_no_rewiring",
    "rewire",
    "written",
]
