"""Captured values of a site, to look at or to patch in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MediationError, reading, require
from ..sites import Site
from .base import SOURCES, holds_no_numbers


@dataclass(frozen=True, eq=False)
class Values:
    """What a site was, on every pair.

    Attributes:
        site: where they were read.
        array: (pair, position, width), one entry per position of the site in the prompt. Where an
            answer of several tokens is fed behind it, its positions stay as they are.
        origin: the run they come from, in words.

    Raises:
        MediationError: no site, or no finite numbers of three axes.
    """

    site: Site
    array: NDArray[Any]
    origin: str = ""

    def __post_init__(self) -> None:
        require(
            isinstance(self.site, Site),
            "Values are those of a site.",
            value=self.site,
            expected="the Site they were read at",
            fix="study.activations(site) gives them",
        )
        try:
            array = np.asarray(self.array)
            array = np.zeros(()) if holds_no_numbers(array) else array
            array = array if array.dtype.kind in "fiu" else array.astype(np.float64)
        except (OverflowError, RuntimeError, TypeError, ValueError):
            array = np.zeros(())
        if array.ndim != 3 or not np.isfinite(array).all():
            raise MediationError(
                "Values are finite numbers per pair, position and column.",
                value=f"shape {array.shape}: {repr(self.array)[:100]}",
                expected="an array of three dimensions (pair, position, width), no NaN",
                fix="study.activations(site) gives them",
            )
        object.__setattr__(self, "array", array)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that reads back with its numbers."""
        array = self.array.tolist()
        return {"is": "values", "site": self.site.to_json(), "array": array, "origin": self.origin}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Values:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved values.
        """
        with reading("activation", data):
            return cls(Site.from_json(data["site"]), np.array(data["array"]), data["origin"])

    def __repr__(self) -> str:
        return f"Values({self.site.label()}, {self.array.shape}, from {self.origin or 'you'})"


SOURCES["values"] = Values.from_json
