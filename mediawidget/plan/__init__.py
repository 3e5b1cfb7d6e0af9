"""Runs to one forward pass.

The batch starts as the base rows (both prompts of every pair). At each block it grows by copies of
rows for the runs whose next edit lies there, so a run costs only the layers it can change, and
runs that begin alike share a row until they part. All tables are numpy arrays; nothing here loops
over pairs.
"""

from .entries import Entries
from .frame import Frame
from .program import Program, Step, make_program
from .template import Template, make_template, with_lenders

__all__ = [
    "Entries",
    "Frame",
    "Program",
    "Step",
    "Template",
    "make_program",
    "make_template",
    "with_lenders",
]
