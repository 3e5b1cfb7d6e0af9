"""What no language model calls is not read with it, and works where it is called all the same."""

import json
import subprocess
import sys
from typing import Any

import pytest

LOADED = """
import json, sys
import mediawidget as mw
lm = mw.load()
"""
SCIPY = 'any(name.split(".")[0] == "scipy" for name in sys.modules)'


def answer(code: str) -> Any:
    """What the last line of a program prints, which a fresh Python runs."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_sweep_and_an_explorer_of_one_pair_read_no_scipy() -> None:
    code = """
pair = mw.PromptPair(
    clean="When Mary and John went to the store, John gave a book to",
    corrupt="When Mary and John went to the store, Mary gave a book to",
    answer="Mary", wrong="John")
study = mw.Study(lm, pair)
study.sweep("head", progress=False)
mw.Explorer(study)
"""
    assert answer(LOADED + code + f"print(json.dumps({SCIPY}))") is False


def test_a_loss_that_needs_the_optimisers_reads_them_when_it_calls_them() -> None:
    code = """
import numpy as np
from transformers.loss import loss_for_object_detection as loss
before = "scipy.optimize" in sys.modules
rows, columns = loss.linear_sum_assignment(np.array([[3.0, 1.0], [1.0, 3.0]]), maximize=True)
print(json.dumps([before, rows.tolist(), columns.tolist(), "scipy.optimize" in sys.modules]))
"""
    assert answer(LOADED + code) == [False, [0, 1], [0, 1], True]


@pytest.mark.parametrize(
    "code",
    [
        "import scipy.optimize as it",
        "from scipy import optimize as it",
        "import scipy.stats; from scipy.stats import bootstrap; import scipy.optimize as it",
    ],
)
def test_the_optimisers_are_there_for_who_imports_them_later(code: str) -> None:
    tail = "\nprint(json.dumps(float(it.brentq(lambda x: x - 3.0, 0, 9))))"
    assert answer(LOADED + code + tail) == 3.0


def test_who_imports_them_meanwhile_gets_all_of_them() -> None:
    code = """
import json, sys
from mediawidget import sparing
read = sparing.import_module
def meanwhile(name):
    if name == sparing._LOSSES:
        from scipy.optimize import brentq
        meanwhile.root = float(brentq(lambda x: x - 3.0, 0, 9))
    return read(name)
sparing.import_module = meanwhile
left = sparing.leave_optimisers()
import scipy.optimize
print(json.dumps([left, meanwhile.root, hasattr(scipy.optimize, "minimize")]))
"""
    assert answer(code) == [False, 3.0, True]


def test_what_is_read_already_stays() -> None:
    code = """
import json, scipy.optimize as first
import mediawidget as mw
from mediawidget.sparing import leave_optimisers
lm = mw.load()
import scipy.optimize as second
print(json.dumps([leave_optimisers(), first is second]))
"""
    assert answer(code) == [False, True]
