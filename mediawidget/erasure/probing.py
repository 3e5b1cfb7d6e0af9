"""Fresh probes on what a site is in the edited run: what can still be told there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ..errors import require
from ..sites import Site
from ..study import Study, refuse_no_study
from .erasers import Eraser
from .labelled import Labelled, labelled, of_run
from .readers import (
    FOLDS,
    READERS,
    Score,
    cross_validated,
    refuse_no_folds,
    refuse_no_split,
)


@dataclass(frozen=True, eq=False)
class Probed:
    """How well fresh probes tell labels at a site, before its erasure and after.

    ``probed["after", "linear"].auc`` is of a linear probe after the erasure.

    Attributes:
        site: where the values were read.
        eraser: what was erased.
        scores: (before or after, linear or radial) -> held-out accuracy, AUC, chance, n.
        groups: how many groups of values that were kept on one side of every split: prompts that
            share something, or, where that would chain too many together, equal values alone.
        seen: how many of these prompts the eraser was fitted on.
    """

    site: Site
    eraser: Eraser
    scores: dict[tuple[str, str], Score]
    groups: int
    seen: int

    def __getitem__(self, key: tuple[str, str]) -> Score:
        """As ``probed["after", "linear"].auc``.

        Raises:
            MediationError: no such probe.
        """
        require(
            key in self.scores,
            "There is no such probe.",
            value=key,
            expected=" or ".join(map(str, self.scores)),
            fix="probed['after', 'linear']",
        )
        return self.scores[key]

    def to_dataframe(self) -> pd.DataFrame:
        """A row per probe: when, which, accuracy, chance, auc, its interval, n."""
        rows = [
            {"when": when, "probe": probe, **vars(score)}
            for (when, probe), score in self.scores.items()
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        before, after = self["before", "linear"], self["after", "linear"]
        bent = self["after", "radial"]
        return (
            f"Probed({self.site.label()} with {self.eraser.words}: "
            f"a fresh linear probe has AUC {before.auc:.2f} before and {after.auc:.2f} "
            f"[{after.low:.2f}, {after.high:.2f}] after, a radial one {bent.auc:.2f} "
            f"[{bent.low:.2f}, {bent.high:.2f}] after; chance 0.50, n={after.n} values in "
            f"{self.groups} groups, {self.seen} prompts fitted on)"
        )


def probed(
    study: Study,
    eraser: Eraser,
    site: Site | None = None,
    labels: Any = None,
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> Probed:
    """Fit fresh probes on the values of a site, captured from the run with the erasure in it.

    Cross-validated: every value is told by a probe that saw no prompt of its group. An AUC well
    below 0.5 is no erasure: what is left tells the labels, another way in every fold.

    Args:
        study: on whose pairs. On those the eraser was fitted on a linear probe is below chance by
            construction, so take others.
        eraser: of ``mw.erasure.leace`` or ``mw.erasure.inlp``.
        site: where the probes read; default where it is erased. A later site shows whether the
            network finds the property again elsewhere.
        labels: of these pairs; default as the eraser was given them.
        folds: how many.
        seed: of the folds.

    Raises:
        MediationError: groups too few, labels that are all the same, an eraser without a site.

    Example:
        >>> fit = mw.Study(lm, mw.tasks.agreement(lm, n=48))
        >>> test = mw.Study(lm, mw.tasks.agreement(lm, n=24, seed=5))
        >>> leace = mw.erasure.leace(fit, site, labels="answers")
        >>> mw.erasure.probed(test, leace)["after", "linear"].auc
    """
    refuse_no_study(study)
    given: object = eraser
    at = getattr(given, "site", None)
    require(
        isinstance(given, Eraser) and isinstance(at, Site),
        "Probes after erasure need an eraser of a site.",
        value=eraser,
        expected="what mw.erasure.leace(study, site) or mw.erasure.inlp(study, site) gave",
        fix="mw.erasure.probed(others, mw.erasure.leace(study, site))",
    )
    refuse_no_folds(folds)
    refuse_no_split(seed)
    where = eraser.site if site is None else site
    rule = eraser.labels if labels is None else labels
    before = labelled(study, where, rule)
    after = replace(of_run(study, where, rule, {at: eraser.edit}), groups=before.groups)  # type: ignore[arg-type]
    scores = {
        (when, reader): cross_validated(found, reader, folds, seed)
        for when, found in (("before", before), ("after", after))
        for reader in READERS
    }
    return Probed(where, eraser, scores, _count(before), eraser.seen(before.prompts))  # type: ignore[arg-type]


def _count(found: Labelled) -> int:
    return len(set(found.groups.tolist()))
