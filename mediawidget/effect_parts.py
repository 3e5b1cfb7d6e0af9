"""Parts of an effect: some of its pairs, one of its cells, each an effect again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError, require
from .inference import OnPairs
from .metrics import Metric
from .validity import PREMISES, Check, premises, read_in

Array = NDArray[np.float64]


class Parts(OnPairs):
    """What an effect is on some of its pairs, or at one of its cells. Runs no model."""

    edited: Array
    checks: tuple[Check, ...]
    facts: Mapping[str, Any]

    def pair(self, index: int) -> Self:
        """The effect on one pair alone.

        Raises:
            MediationError: a number that no pair has.
        """
        given: object = index
        whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
        at = int(index) if whole else -1
        if not 0 <= at < self.n_pairs:
            raise MediationError(
                "There is no such pair.",
                value=repr(index),
                expected=f"0 to {self.n_pairs - 1}",
                fix="pairs count from 0",
            )
        return self.of_pairs([at])

    def of_pairs(self, index: Sequence[int] | NDArray[np.intp]) -> Self:
        """The effect on some of the pairs, in the order of ``index``, each at most once.

        The prompts and the premises are theirs; other checks and facts, as seconds, are of the
        runs of all pairs.

        Args:
            index: (n,) numbers of pairs, from 0.

        Raises:
            MediationError: no numbers, or others than those of different pairs.
        """
        given: object = index.tolist() if isinstance(index, np.ndarray) else index
        require(
            isinstance(given, list | tuple | range)
            and len(given) > 0
            and all(isinstance(i, int | np.integer) and 0 <= i < self.n_pairs for i in given)
            and not any(isinstance(i, bool) for i in given)
            and len(set(given)) == len(given),
            "Pairs are picked by their numbers.",
            value=index,
            expected=f"a list of different ints from 0 to {self.n_pairs - 1}",
            fix="effect.of_pairs([0, 2])",
        )
        at = [int(i) for i in index]
        return self._with(
            bases=self.bases[at],
            edited=self.edited[at],
            checks=self._checks(self.bases[at], self.metric),
            facts=self._facts(at),
            clusters=tuple(self.clusters[i] for i in at) if self.clusters else (),
            groups=tuple(self.groups[i] for i in at) if self.groups else (),
        )

    def cell(self, *coordinates: int | str) -> Self:
        """The effect of one cell, by its coordinates or its label, as an effect without axes.

        Raises:
            MediationError: there is no such cell.

        Example:
            >>> effect.cell("L3H1")["PIE"] == effect.cell(3, 1)["PIE"]
            True
        """
        index: tuple[Any, ...] = self._at(coordinates)
        flat = int(np.ravel_multi_index(index, self.shape))
        return self._with(
            axes={},
            edited=self.edited[(slice(None), slice(None), *index)],
            status=np.asarray(self.status[index]),
            labels=(self.labels[flat],) if self.labels else (),
        )

    def _at(self, coordinates: tuple[int | str, ...]) -> tuple[int, ...]:
        """Where a cell is on the axes."""
        label = coordinates[0] if len(coordinates) == 1 else None
        if isinstance(label, str) and self.labels.count(label) == 1:
            flat = self.labels.index(label)
            return tuple(int(at) for at in np.unravel_index(flat, self.shape))
        named = ", ".join(f"{name} of {labels}" for name, labels in self.axes.items())
        require(
            all(isinstance(one, int | np.integer | str) for one in coordinates)
            and coordinates in set(product(*self.axes.values())),
            "There is no such cell.",
            value=coordinates,
            expected=named or "no coordinates, for this effect has no axes",
            fix="effect.axes names the coordinates, effect.labels the cells",
        )
        both = zip(self.axes.values(), coordinates, strict=True)
        return tuple(labels.index(coordinate) for labels, coordinate in both)

    def _checks(self, bases: Array, metric: Metric) -> tuple[Check, ...]:
        """The checks, with the premises of these pairs' ``bases`` read by ``metric``."""
        if not self.checks:
            return ()
        others = (check for check in self.checks if check.name not in PREMISES)
        read = read_in(self.checks)
        return (*premises(bases, metric.over(self.columns), read), *others)

    def _facts(self, at: Sequence[int]) -> dict[str, Any]:
        """The facts, with the prompts of some of the pairs, if they are the prompts of all."""
        contrast = self.facts.get("contrast")
        if not isinstance(contrast, Mapping) or len(contrast.get("pairs", ())) != self.n_pairs:
            return dict(self.facts)
        pairs = [contrast["pairs"][i] for i in at]
        return {**self.facts, "contrast": {**contrast, "pairs": pairs}}

    def _with(self, **changed: Any) -> Self:
        effect: Any = self  # a dataclass, as every effect is
        made: Self = replace(effect, **changed)
        return made
