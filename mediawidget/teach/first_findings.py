"""What the first ten minutes ask for: found on the model at hand, never written down beforehand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..prompts import PromptPair
from ..sites import Site
from ..study import Study

Array = NDArray[np.float64]

SOMEBODY = ("Anna", "Lisa", "Sarah", "Emma")
"""Who stands in for the answer in the second question that is asked of the model."""
IDLE = 0.05
"""As a share of the total effect: a head that moves less does not take part."""


class Findings:
    """Found on a study of its own, which no view shows; the streams alone fill a panel."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.quiet = Study(study.lm, study.contrast, metric=study.metric)
        pair = study.contrast.pairs[0]
        self.answer, self.wrong = pair.answer_text.strip(), pair.wrong_text.strip()
        self.n_heads = study.lm.n_layers * study.lm.n_heads

    def shares(self, key: str) -> Array:
        """What every head moves, as a share of the total effect: (layer, head)."""
        return np.asarray(self.quiet.sweep("head", progress=False).normalized(key))

    def strongest(self, key: str) -> str:
        """The head that moves most, by its label."""
        return _label(np.unravel_index(int(self.shares(key).argmax()), self.shares(key).shape))

    def two(self) -> tuple[Site, Site]:
        """The two heads of one layer that restore most, each by itself."""
        ranked = -np.sort(-self.shares("PIE"), axis=1)
        layer = int(ranked[:, 1].argmax())
        first, second = np.argsort(-self.shares("PIE")[layer])[:2]
        return Site("head", layer, head=int(first)), Site("head", layer, head=int(second))

    def two_words(self) -> str:
        """The labels of ``two``."""
        return " and ".join(site.label() for site in self.two())

    def two_shares(self) -> list[float]:
        """What each of ``two`` restores by itself."""
        return [float(self.shares("PIE")[site.layer, site.head or 0]) for site in self.two()]

    def together(self) -> float:
        """What ``two`` restore together, in percent."""
        return 100 * float(self.quiet.intervene(list(self.two())).normalized("PIE"))

    def other(self) -> Study:
        """The same clean prompt beside one in which somebody else is the answer."""
        pair = self.study.contrast.pairs[0]
        somebody = next(
            name
            for name in SOMEBODY
            if name not in pair.clean.split() and self.study.lm.tokens(name)[-1].strip() == name
        )
        corrupt = pair.clean.replace(self.answer, somebody)
        changed = PromptPair(clean=pair.clean, corrupt=corrupt, answer=self.answer, wrong=somebody)
        return Study(self.study.lm, changed, metric=self.study.metric)

    def lost(self) -> tuple[Site, float, float, Study]:
        """The head that restores most under the first question and next to nothing under the other.

        With both shares, and the other study.
        """
        other = self.other()
        before = self.shares("PIE")
        after = np.asarray(other.sweep("head", progress=False).normalized("PIE"))
        drop = np.where(np.abs(after) < IDLE, before, -np.inf)
        at = np.unravel_index(int(drop.argmax()), drop.shape)
        site = Site("head", int(at[0]), head=int(at[1]))
        return site, float(before[at]), float(after[at]), other

    def changed(self) -> int:
        """The position of the word in which the prompts differ."""
        tokens = self.quiet.token_pairs[0]
        columns = zip(tokens.clean_tokens, tokens.corrupt_tokens, strict=True)
        return next(i for i, (clean, corrupt) in enumerate(columns) if clean != corrupt)

    def streams(self) -> Array:
        """What each word's stream restores: (layer, word). The view's panel fills with it."""
        effect = self.study.sweep("residual", by="position", progress=False)
        return np.asarray(effect.normalized("PIE"))

    def last_holder(self) -> int:
        """Which word's stream restores most before the last layer, as an option's number."""
        words = [token.strip() for token in self.quiet.token_pairs[0].clean_tokens]
        places = [self.changed(), words.index(self.answer), len(words) - 1]
        return int(self.streams()[self.study.lm.n_layers - 1, places].argmax())


def _label(at: tuple[np.intp, ...]) -> str:
    return Site("head", int(at[0]), head=int(at[1])).label()
