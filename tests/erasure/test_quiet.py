"""A first eraser says nothing of its own: what a library does on import is not the reader's."""

from __future__ import annotations

import subprocess
import sys

import pytest

FIRST = """
import warnings
import numpy as np, torch
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    {done}
print([f"{{one.category.__name__}}: {{one.message}}" for one in seen])
"""
LEACE = "from mediawidget import erasure; "
LEACE += "erasure.leace(np.random.default_rng(0).normal(size=(20, 3)), labels=[0, 1] * 10)"
THEIRS = "torch.jit.script(torch.nn.ReLU())"


def warned(done: str) -> str:
    """What a new interpreter warns of: an import is made once."""
    code = [sys.executable, "-c", FIRST.format(done=done)]
    return subprocess.run(code, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_the_first_eraser_of_a_session_warns_of_nothing() -> None:
    assert warned(LEACE) == "[]"


@pytest.mark.slow
def test_what_is_not_ours_is_still_told() -> None:
    """The filter is of one import; afterwards, and in a reader's own call, torch may warn."""
    alone, after = warned(THEIRS), warned(f"{LEACE}; {THEIRS}")
    assert alone == after
    assert warned("warnings.warn('mine', DeprecationWarning)") == "['DeprecationWarning: mine']"
