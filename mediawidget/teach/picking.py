"""A question whose answer is a cell of a grid, and one that is done in a view."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..effects import Effect, Status
from ..errors import MediationError, require
from ..estimands import CONSTANT_EFFECTS, ESTIMANDS
from ..pictures import signed
from ..sites import Site
from ..study import Study, refuse_no_study
from ..sweeps import Sweep
from .questions import Question, Verdict, check_function, wrong_question

BY_TOKEN = ("residual", "residual_mid", "residual_post", "attn_out", "mlp_out", "embedding")
"""Mediators whose grid has the prompt's tokens as its columns."""
NEAR = 1e-5
"""As a share of the largest: two cells that differ by less are equal, to single precision."""


@dataclass(frozen=True, kw_only=True)
class Pick(Question):
    """Which cell has the largest effect? The guessed one is run first, by itself.

    It is asked of the study as it is then: other prompts or another edit, set in a view before the
    answer is looked at, change neither its grid nor what is right.

    Args:
        study: what it is asked of.
        mediator: whose grid: "head", or one with a column per token ("residual", "mlp_out").
        estimand: what is largest: "PIE" (restore), "TIE" (break), "INT"; for edits to a constant
            "clean" or "corrupt".
        several: how many cells are asked for.
        answer: gives the right cells, where they are not those of the largest effect.

    Raises:
        MediationError: what ``Question`` raises; no study, a grid of other than two axes, more
            cells than there are, an effect that there is not under the study's edit, or an
            ``answer`` that cannot be called.
    """

    KIND = "pick"

    study: Study
    mediator: str = "head"
    estimand: str = "PIE"
    several: int = 1
    answer: Callable[[], Site | Sequence[Site]] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_no_study(self.study)
        object.__setattr__(self, "_then", _question_of(self.study))
        object.__setattr__(self, "_twin", None)
        require(
            len(self.axes) == 2,
            "What is picked from is a grid of two axes.",
            value=self.mediator,
            expected="'head', or a mediator by token: " + ", ".join(BY_TOKEN),
            fix="lesson.pick('which', 'Which head?', study, 'head')",
        )
        several: object = self.several
        require(
            isinstance(several, int) and 0 < several <= len(self.sites),
            "So many cells cannot be picked.",
            value=self.several,
            expected=f"1 to {len(self.sites)}",
            fix="several=1",
        )
        known = ESTIMANDS if self.study.edit.corners else CONSTANT_EFFECTS
        require(
            self.estimand in known,
            "There is no such effect under the study's edit.",
            value=self.estimand,
            expected="one of " + ", ".join(known),
            fix=f"estimand={known[0]!r}",
        )
        if self.answer is not None:
            check_function(self.answer)

    @property
    def asked_of(self) -> Study:
        """The study, or one like it was where it is asked something else by now."""
        then: tuple[Any, ...] = self._then  # type: ignore[attr-defined]
        now = _question_of(self.study)
        if all(a is b for a, b in zip(then[:-1], now[:-1], strict=True)) and then[-1] == now[-1]:
            return self.study
        if self._twin is None:  # type: ignore[attr-defined]
            contrast, metric, readout, edit = then
            twin = Study(self.study.lm, contrast, metric, edit, readout)
            object.__setattr__(self, "_twin", twin)
        return self._twin  # type: ignore[attr-defined, no-any-return]

    @property
    def sweep(self) -> Sweep:
        """The sweep that fills the grid: of what is random the first draw."""
        by = "position" if self.mediator in BY_TOKEN else None
        return Sweep(self.mediator, self.asked_of.edit.sample(0), by)

    @property
    def axes(self) -> dict[str, Sequence[str]]:
        """The grid's axes with their labels."""
        study = self.asked_of
        axes = self.sweep.axes(study.lm.shape, len(study.token_pairs[0]))
        return {name: [str(label) for label in labels] for name, labels in axes.items()}

    @property
    def sites(self) -> list[Site]:
        """The site of every cell, row-major."""
        return self.sweep.sites(self.study.lm.shape, len(self.asked_of.token_pairs[0]))

    @property
    def labels(self) -> list[str]:
        """The name of every cell, row-major: what a guess is made of."""
        return list(self.asked_of.labels(self.sites))

    def sites_of(self, guess: Iterable[str]) -> list[Site]:
        """The sites of a guess."""
        by_label = dict(zip(self.labels, self.sites, strict=True))
        return [by_label[label] for label in guess]

    def labels_of(self, sites: Iterable[Site]) -> list[str]:
        """A guess that names these sites."""
        by_site = dict(zip(self.sites, self.labels, strict=True))
        return [by_site[site] for site in sites]

    def accept(self, guess: object) -> list[str]:
        given = [guess] if isinstance(guess, str | Site) else guess
        picked = [
            self.asked_of.labels([it])[0] if isinstance(it, Site) else it
            for it in (given if isinstance(given, Sequence) else [])
        ]
        known = self.labels
        # What a page or a file sends may be a list of anything.
        if len(picked) != self.several or sum(label in picked for label in known) != self.several:
            raise MediationError(
                f"Pick {self.several} of the grid's cells.",
                value=repr(guess)[:200],
                expected=f"{self.several} of {known[0]}, {known[1]}, ... {known[-1]}",
                fix=f"card.commit({known[: self.several]})",
            )
        return sorted(picked, key=known.index)

    def asked(self) -> dict[str, Any]:
        rows, cols = self.axes.values()
        labels = np.array(self.labels, dtype=object).reshape(len(rows), len(cols))
        tokens = self.asked_of.token_pairs[0].clean_tokens if self.mediator in BY_TOKEN else None
        grid = {
            "rows": [f"L{row}" if int(row) < self.study.lm.n_layers else "out" for row in rows],
            "cols": [f"H{col}" for col in cols] if tokens is None else list(tokens),
            "labels": labels.tolist(),
            "several": self.several,
            "estimand": self.estimand,
        }
        return {"grid": grid}

    def try_out(self, guess: list[str]) -> dict[str, Any]:
        """Run what was guessed, on both bases; every view of the study shows it."""
        from ..widgets._goals import goal_of  # with anywidget

        effect = self.asked_of.intervene(self.sites_of(guess))
        label = " + ".join(guess)
        return {
            "label": label,
            "sentence": sentence(effect, self.estimand, label),
            "corners": {name.lower(): _plain(y) for name, y in corners_of(effect).items()},
            "unit": effect.metric.unit,
            # As views have it; empty where it is the value on the other prompt.
            "goal": "" if effect.edit.corners else goal_of(effect.edit),
        }

    def verdict(self, guess: list[str]) -> Verdict:
        sweep = self.sweep
        effect = self.asked_of.job(sweep.mediator, sweep.by, sweep.edit).result(progress=False)
        values = np.where(effect.status == Status.FAILED, np.nan, effect[self.estimand])
        needed, best = self._best(values.ravel())
        told = _told(effect, self.estimand)
        words = ", ".join(
            f"{label}: {told.flat[self.labels.index(label)]}" for label in best[: self.several]
        )
        shares = np.where(np.isfinite(values), _shares(effect, self.estimand), np.nan)
        cells = [[_plain(share) for share in row] for row in shares]
        right = needed <= set(guess) <= set(best)
        return Verdict(right, words, {"cells": cells, "best": best})

    def _best(
        self, values: np.ndarray[Any, np.dtype[np.float64]]
    ) -> tuple[frozenset[str], list[str]]:
        """The labels that a right guess has all of, and those that it may be made of.

        The latter are more than were asked for where cells are equal.
        """
        if self.answer is not None:
            answer = self.answer()
            sites = [answer] if isinstance(answer, Site) else list(answer)
            if len(sites) < self.several or not set(sites) <= set(self.sites):
                raise wrong_question(
                    self.id, answer, f"at least {self.several} of the grid's sites"
                )
            return frozenset(), self.labels_of(sites)
        if not np.isfinite(values).any():
            raise wrong_question(self.id, values, "a grid in which something was run")
        least = np.sort(values[np.isfinite(values)])[-self.several :][0]
        margin = NEAR * float(np.nanmax(np.abs(values)))
        labels = self.labels
        with np.errstate(invalid="ignore"):
            large = np.flatnonzero(values >= least - margin)
            larger = np.flatnonzero(values > least + margin)
        order = large[np.argsort(-values[large], kind="stable")]
        return frozenset(labels[i] for i in larger), [labels[i] for i in order]


@dataclass(frozen=True, kw_only=True)
class Do(Question):
    """A step that is done in a view of a study, not in words.

    Args:
        study: whose views it is done in.
        done: says of the study whether it was.

    Raises:
        MediationError: what ``Question`` raises; no study, or a ``done`` that cannot be called.
    """

    KIND = "do"

    study: Study
    done: Callable[[Study], bool]

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_no_study(self.study)
        check_function(self.done)

    def accept(self, guess: object) -> bool:
        if guess is not True or not self.done(self.study):
            raise MediationError(
                "This has not been done yet.",
                value=repr(self.study.last)[:200],
                expected="what the step asks for, in a view of its study",
                fix="do it in the view; the step sees it",
            )
        return True

    def verdict(self, guess: bool) -> Verdict:  # noqa: ARG002
        return Verdict(None, "")


def _question_of(study: Study) -> tuple[Any, ...]:
    """What a study is asked; the edit last, as a view makes one that is new and equal."""
    return study.contrast, study.metric, study.readout, study.edit


def corners_of(effect: Effect) -> dict[str, float]:
    """The mean over pairs of the metric of the four runs, of an effect without axes."""
    return {name: float(values.mean()) for name, values in effect.corners().items()}


def sentence(effect: Effect, key: str, label: str) -> str:
    """What one intervention did: from where to where, and how much that is.

    Args:
        effect: without axes.
        key: "PIE", "TIE" or another quantity that the effect has.
        label: what was edited.
    """
    y = {name: signed(value) for name, value in corners_of(effect).items()}
    size = _told(effect, key).item()
    if key == "PIE":
        return f"Patching {label} from clean into corrupt: {y['Y00']} to {y['Y01']}, {size}."
    if key == "TIE":
        return f"Patching {label} from corrupt into clean: {y['Y11']} to {y['Y10']}, {size} lost."
    return f"{label}, {key}: {size}."


def _told(effect: Effect, key: str) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Every cell's quantity in words: a share of the total effect where there is one."""
    shares, values = _shares(effect, key), np.asarray(effect[key])
    words = np.empty(values.shape, dtype=object)
    for at in np.ndindex(values.shape):
        share = f"{percent(float(shares[at]))} of the total effect"
        raw = f"{signed(float(values[at]))} {effect.metric.unit}"
        words[at] = share if np.isfinite(shares[at]) else raw
    return words


def percent(share: float) -> str:
    """A share with its sign, in whole percent; no sign where that is zero."""
    whole = round(100 * share) if np.isfinite(share) else 0
    return f"{whole:+d}%".replace("-", "\N{MINUS SIGN}") if whole else "0%"


def _shares(effect: Effect, key: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of the total effect; NaN where that is too near 0 to divide by."""
    try:
        return np.asarray(effect.normalized(key))
    except MediationError:
        return np.full(np.shape(effect[key]), np.nan)


def _plain(value: float) -> float | None:
    """A number for the page, which has no NaN."""
    return float(value) if np.isfinite(value) else None
