"""Two digits added: attention brings them together, the last MLP adds them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.asking import raised

FIRST, SECOND = mw.Site("head", 1, head=0), mw.Site("head", 1, head=1)
LOGIT = 10.0
EXACT = 1e-12


def asked(clean: tuple[int, int], corrupt: tuple[int, int]) -> mw.Study:
    return mw.Study(mw.models.arithmetic(), mw.models.arithmetic_pair(clean, corrupt))


def test_every_sum() -> None:
    """The logit of a + b is 10 and all others are 0, for all hundred prompts."""
    lm = mw.models.arithmetic()
    operands = list(product(range(10), repeat=2))
    ids = torch.tensor([lm.tokenizer(f"{a} + {b} =")["input_ids"] for a, b in operands])
    with torch.no_grad():
        logits = lm.hf(ids).logits[:, -1].numpy()
    words = [lm.tokenizer.decode([i]).strip() for i in logits.argmax(-1)]
    assert words == [str(a + b) for a, b in operands]
    np.testing.assert_allclose(np.sort(logits)[:, -1], LOGIT, atol=EXACT)
    np.testing.assert_allclose(np.sort(logits)[:, :-1], 0, atol=EXACT)


@pytest.mark.parametrize("clean", [(3, 4), (0, 0), (9, 8)])
@pytest.mark.parametrize("corrupt", [(5, 6), (9, 9), (1, 2)])
def test_a_patched_operand_is_added(clean: tuple[int, int], corrupt: tuple[int, int]) -> None:
    """With L1H0 from the other prompt the answer is a' + b, with L1H1 it is a + b'."""
    study = asked(clean, corrupt)
    (a1, b1), (a0, b0) = clean, corrupt

    def y(a: int, b: int) -> float:
        return LOGIT * ((a + b == a1 + b1) - (a + b == a0 + b0))

    for site, y10, y01 in ((FIRST, y(a0, b1), y(a1, b0)), (SECOND, y(a1, b0), y(a0, b1))):
        effect = study.intervene(site)
        found = [effect[key] for key in ("Y11", "Y10", "Y01", "Y00")]
        np.testing.assert_allclose(found, [y(a1, b1), y10, y01, y(a0, b0)], atol=EXACT)
    assert study.intervene([FIRST, SECOND])["PIE"] == pytest.approx(2 * LOGIT, abs=EXACT)


def test_the_likeliest_token_is_the_mixed_sum() -> None:
    """On "5 + 6" with the first operand of "3 + 4" the model says 9, which neither prompt does."""
    study = asked((3, 4), (5, 6))
    study.intervene(FIRST)
    lm, run = study.lm, mw.Run("corrupt", {FIRST: mw.Patch()})
    pairs = [mw.PromptPair("3 + 4 =", "5 + 6 =", str(n), "18") for n in range(18)]
    kept = [mw.Study(lm, one).engine.evaluate([run]).values(mw.Logit()) for one in pairs]
    np.testing.assert_allclose(np.ravel(kept), LOGIT * (np.arange(18) == 9), atol=EXACT)


def test_operands_early_and_the_end_late() -> None:
    """Only the first operand differs: it is at its own position until L1's heads move it."""
    study = asked((3, 4), (5, 4))
    te = 2 * LOGIT
    closed: dict[str, list[list[float]]] = {
        "residual": [[te, 0, 0, 0], [te, 0, 0, 0], [0, 0, 0, te], [0, 0, 0, te]],
        "residual_mid": [[te, 0, 0, 0], [0, 0, 0, te], [0, 0, 0, te]],
        "mlp_out": [[te, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, te]],
        "attn_out": [[0, 0, 0, 0], [0, 0, 0, te], [0, 0, 0, 0]],
    }
    for mediator, rows in closed.items():
        effect = study.sweep(mediator, by="position", progress=False)
        for key in ("PIE", "TIE"):
            np.testing.assert_allclose(effect[key], rows, atol=EXACT, err_msg=mediator)


def test_a_neuron_is_a_pair_of_operands() -> None:
    study = asked((3, 4), (5, 4))
    effect = study.sweep("neuron", layers=[2], progress=False)
    closed = np.zeros(100)
    # Restoring 34 adds its sum; restoring that 54 is silent takes the wrong one away.
    closed[[34, 54]] = LOGIT
    np.testing.assert_allclose(effect["PIE"][0], closed, atol=EXACT)
    np.testing.assert_allclose(effect["INT"], 0, atol=EXACT)


def test_knocking_out_what_the_end_reads() -> None:
    """Without its edge to the operand L1H0 looks at the other tokens, none of them a first one."""
    study = asked((3, 4), (5, 4))
    edge = mw.Site("edge", 1, head=0, position=3, key=0)
    effect = study.intervene({edge: mw.Knockout()})
    # "+", "4" and "=" evenly: the second operand counts for a third as a first one, and 8 is
    # neither answer.
    assert effect["clean"] == pytest.approx(LOGIT, abs=EXACT)
    assert effect["corrupt"] == pytest.approx(-LOGIT, abs=EXACT)


NONE: list[Any] = [(1,), (1, 10), (-1, 2), (1.5, 2), "34", None, (1, 2, 3)]


@pytest.mark.parametrize("operands", [*NONE, (True, 1), (1, False), (np.array([1, 2]), 3)])
def test_operands_that_are_none(operands: Any) -> None:
    raised(lambda: mw.models.arithmetic_pair(operands, (5, 4)))
    raised(lambda: mw.models.arithmetic_pair((3, 4), operands))


def test_sums_differ() -> None:
    raised(lambda: mw.models.arithmetic_pair((3, 4), (4, 3)))
