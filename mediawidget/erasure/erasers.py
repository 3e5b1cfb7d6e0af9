"""What INLP and LEACE have in common: a part of a site's value, and the mean it is set to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..edits import Clamp, Projection, Subspace, Within
from ..errors import require
from ..sites import Site
from .labelled import Array, Labelled, mark, numbers


@dataclass(frozen=True, eq=False)
class Eraser:
    """r(x) = x + P (mean - x): the part of a value is set to its mean, the rest stays.

    ``eraser(values)`` gives (..., width) values without what is erased.

    Attributes:
        part: the directions that are erased, P.
        mean: (width,) of the values that it was fitted on.
        classes: the labels that it makes alike.
        means: (class, width) of the values of each.
        n: how many values it was fitted on.
        site: where they were read; None if it was fitted on arrays.
        prompts: on which prompts, texts or arrays.
        labels: what told their labels, as it was given.
    """

    method: ClassVar[str]

    part: Subspace | Projection
    mean: Array
    classes: tuple[str, ...]
    means: Array
    n: int
    site: Site | None
    prompts: tuple[Any, ...]
    labels: Any

    @property
    def k(self) -> int:
        """How many directions are erased."""
        return self.part.k

    @property
    def width(self) -> int:
        """How many numbers a value has."""
        return self.part.width

    @property
    def edit(self) -> Within:
        """The erasure as an edit of a site, anywhere an edit goes.

        Example:
            >>> fit = mw.Study(lm, mw.tasks.agreement(lm, n=48))
            >>> eraser = mw.erasure.leace(fit, site, labels="answers")
            >>> fit.intervene({site: eraser.edit})["CDE"]
        """
        return Within(self.part, Clamp(self.mean))

    def __call__(self, values: Any) -> Array:
        """Values (..., width) without what is erased.

        Raises:
            MediationError: values of another width, or no numbers.
        """
        old = numbers(values)
        require(
            old.ndim > 0 and old.shape[-1] == self.width,
            "An eraser takes values of the width that it was fitted on.",
            value=old.shape if old.size else values,
            expected=f"finite numbers, (..., {self.width})",
            fix="fit one on these values",
        )
        return np.asarray(old + self.part.moved(old, self.mean, self.part.shared()))

    @property
    def words(self) -> str:
        """The method and how much it erases: "LEACE of 1 direction"."""
        return f"{self.method} of {self.k} direction" + "s" * (self.k != 1)

    def seen(self, prompts: Any) -> int:
        """How many of these prompts it was fitted on.

        Raises:
            MediationError: no list of prompts.
        """
        require(
            isinstance(prompts, Iterable)
            and not isinstance(prompts, str)
            and getattr(prompts, "ndim", 1) > 0,
            "An eraser was fitted on prompts.",
            value=prompts,
            expected="a list of texts, or of a network's inputs",
            fix="eraser.seen([pair.clean for pair in study.contrast])",
        )
        known = set(map(mark, self.prompts))
        return sum(mark(prompt) in known for prompt in prompts)

    def __repr__(self) -> str:
        where = f" at {self.site.label()}" if self.site else ""
        some = ", ".join(self.classes[:4]) + (", ..." if len(self.classes) > 4 else "")
        return (
            f"{type(self).__name__}({self.method}{where} erases {self.k} of {self.width} "
            f"directions, which tell {some} apart, fitted on {self.n} values)"
        )


def fitted_on(found: Labelled, labels: Any) -> dict[str, Any]:
    """What every eraser keeps of what it was fitted on."""
    codes = found.codes
    return {
        "mean": found.array.mean(0),
        "classes": tuple(map(str, found.classes)),
        "means": np.stack([found.array[codes == i].mean(0) for i in range(len(found.classes))]),
        "n": len(found.array),
        "site": found.site,
        "prompts": found.prompts,
        "labels": labels,
    }
