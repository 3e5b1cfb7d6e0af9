"""Models that come with the package: the teaching model and models of known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..prompts import PromptPair

if TYPE_CHECKING:
    from ..lm import LM

__all__ = ["induction", "induction_pairs"]


def induction(beta: float = 20.0, decoys: int = 0, seed: int = 0) -> LM:
    """The hand-set induction circuit, loaded; its effects are known in closed form.

    Args:
        beta: how sharply its two heads choose; at 20 every effect is a whole number to 1e-6.
        decoys: random heads per layer beside the one that works.
        seed: for the decoys.

    Example:
        >>> import mediawidget as mw
        >>> study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])
        >>> study.sweep("head")["PIE"].round(3).tolist()
        [[2.0], [2.0]]
    """
    from ..loading import load
    from ._induction import build

    module, tokenizer = build(beta=beta, decoys=decoys, seed=seed)
    return load(module, tokenizer=tokenizer)


def induction_pairs() -> dict[str, PromptPair]:
    """Two corruptions of one prompt, by name, that show different heads of the induction circuit.

    Both turn the answer from B to D. Exchange the values and only L1H0 carries the difference;
    exchange the keys and L0H0 does too.
    """
    from ._induction import key_swap, value_swap

    return {"value swap": value_swap(), "key swap": key_swap()}
