"""An edit of a part of a site's value, a subspace of it for one; the rest stays the run's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import MediationError, reading, require
from ..sites import Site
from .base import Base, Edit, Recipe, as_edit, check_seed, edit_from_json, holds_no_numbers
from .part import Arrays, Part, part_from_json

ORTHONORMAL = 1e-4
"""How far a basis may be from orthonormal: that of a float32 computation."""

_WIDEST = 10**7


@dataclass(frozen=True)
class Subspace(Part):
    """Some directions of a site's space, as an orthonormal basis.

    Args:
        basis: (k, width) rows of length 1 that are orthogonal to each other.

    Attributes:
        rows: the basis, as tuples of numbers: (k, width).

    Raises:
        MediationError: rows that are not orthonormal, or no matrix of finite numbers.

    Example:
        >>> mw.Subspace.spanned([[1.0, 1.0, 0.0]]).k
        1
    """

    kind: ClassVar[str] = "subspace"

    rows: tuple[tuple[float, ...], ...]

    def __init__(self, basis: Any) -> None:
        array = _matrix(basis)
        gram = array @ array.T
        require(
            bool(np.abs(gram - np.eye(len(array))).max() <= ORTHONORMAL),
            "The rows of a basis are orthonormal.",
            value=np.round(gram, 3).tolist(),
            expected="rows of length 1, orthogonal to each other",
            fix="mw.Subspace.spanned(vectors) makes such a basis of any vectors",
        )
        object.__setattr__(self, "rows", tuple(map(tuple, array.tolist())))

    @classmethod
    def spanned(cls, vectors: Any) -> Subspace:
        """The span of any vectors, (n, width) or one of (width,).

        Vectors that add no direction of their own to the others are dropped.

        Raises:
            MediationError: no vectors of finite numbers, or none but zeros.
        """
        array = np.atleast_2d(_array(vectors))
        require(
            array.ndim == 2 and array.size > 0 and bool(np.isfinite(array).all()),
            "Vectors are rows of finite numbers.",
            value=_said(vectors),
            expected="(n, width), or (width,) for a single one",
            fix="mw.Subspace.spanned(mean_of_one - mean_of_the_other)",
        )
        _, sizes, right = np.linalg.svd(array, full_matrices=False)
        kept = right[sizes > sizes.max(initial=0.0) * 1e-10]
        require(
            len(kept) > 0 and float(sizes.max()) > 0,
            "These vectors span nothing.",
            value=array.shape,
            expected="at least one vector that is not zero",
            fix="mw.Subspace.spanned(mean_of_one - mean_of_the_other)",
        )
        return cls(kept)

    @classmethod
    def random(cls, k: int, width: int, seed: int = 0) -> Subspace:
        """A random subspace, uniform over all of its size: the control.

        Args:
            k: how many directions.
            width: of the space, ``lm.d_model`` for the residual stream.
            seed: of the draw.

        Raises:
            MediationError: a k that is none or above the width.
        """
        given: tuple[object, ...] = (k, width)
        whole = all(
            isinstance(number, int | np.integer) and not isinstance(number, bool)
            for number in given
        )
        require(
            whole and 0 < k <= width <= _WIDEST,
            "A subspace has at least one direction and no more than its space.",
            value=(k, width),
            expected=f"k from 1 to {width}"
            if whole and 0 < width <= _WIDEST
            else f"two ints, the width up to {_WIDEST}",
            fix="mw.Subspace.random(1, lm.d_model)",
        )
        drawn: Any = seed
        drawn = int(drawn) if isinstance(drawn, np.integer) else drawn
        check_seed(drawn, "seed", "Subspace.random")
        return cls.spanned(np.random.default_rng(drawn).standard_normal((k, width)))

    @property
    def basis(self) -> NDArray[np.float64]:
        """(k, width)."""
        return np.array(self.rows)

    @property
    def k(self) -> int:
        """How many directions it has."""
        return len(self.rows)

    @property
    def width(self) -> int:
        """Of the space it lies in."""
        return len(self.rows[0])

    @property
    def words(self) -> str:
        return "1 direction" if self.k == 1 else f"{self.k} directions"

    def shared(self) -> dict[str, NDArray[np.float64]]:
        return {"basis": self.basis}

    @staticmethod
    def moved(old: Any, new: Any, arrays: Arrays) -> Any:
        return (new - old) @ arrays["basis"].T @ arrays["basis"]

    def __repr__(self) -> str:
        return f"Subspace({self.k} of {self.width})"

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Subspace.from_json`` reads back."""
        return {"kind": self.kind, "basis": [list(row) for row in self.rows]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Subspace:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved subspace, or one that could not be made anew.
        """
        with reading("subspace", data):
            return cls(data["basis"])


@dataclass(frozen=True)
class Projection(Part):
    """A projection that need not be orthogonal: along some directions onto others.

    Args:
        writers: (k, width) what the part is made of.
        readers: (k, width) what it is read by; ``readers @ writers.T`` is the identity.

    Attributes:
        written: the writers, as tuples of numbers: (k, width).
        read: the readers, likewise.

    Raises:
        MediationError: matrices of two shapes, ones of no finite numbers, or ones for which
            ``readers @ writers.T`` is not the identity.

    Example:
        >>> mw.Projection([[1.0, 0.0]], [[1.0, 5.0]]).k
        1
    """

    kind: ClassVar[str] = "projection"

    written: tuple[tuple[float, ...], ...]
    read: tuple[tuple[float, ...], ...]

    def __init__(self, writers: Any, readers: Any) -> None:
        made, asked = _matrix(writers), _matrix(readers)
        require(
            made.shape == asked.shape,
            "A projection reads as many directions as it writes.",
            value=f"writers {made.shape}, readers {asked.shape}",
            expected="two matrices (k, width)",
            fix="mw.Projection(writers, readers)",
        )
        again = asked @ made.T
        require(
            bool(np.abs(again - np.eye(len(made))).max() <= ORTHONORMAL),
            "A projection done twice is the same as once.",
            value=np.round(again, 3).tolist(),
            expected="readers @ writers.T, the identity",
            fix="readers = np.linalg.pinv(writers).T, for one",
        )
        object.__setattr__(self, "written", tuple(map(tuple, made.tolist())))
        object.__setattr__(self, "read", tuple(map(tuple, asked.tolist())))

    @property
    def k(self) -> int:
        """How many directions it has."""
        return len(self.written)

    @property
    def width(self) -> int:
        """How many numbers a value of the site has."""
        return len(self.written[0])

    @property
    def words(self) -> str:
        return f"a projection on {self.k} direction{'' if self.k == 1 else 's'}"

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(width, width): of a row vector x the part is x @ matrix."""
        found: NDArray[np.float64] = np.array(self.read).T @ np.array(self.written)
        return found

    def shared(self) -> dict[str, NDArray[np.float64]]:
        return {"readers": np.array(self.read), "writers": np.array(self.written)}

    @staticmethod
    def moved(old: Any, new: Any, arrays: Arrays) -> Any:
        return (new - old) @ arrays["readers"].T @ arrays["writers"]

    def __repr__(self) -> str:
        return f"Projection({self.k} of {self.width})"

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Projection.from_json`` reads back."""
        rows = {"writers": self.written, "readers": self.read}
        return {"kind": self.kind} | {name: [list(r) for r in some] for name, some in rows.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Projection:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved projection, or one that could not be made anew.
        """
        with reading("projection", data):
            return cls(data["writers"], data["readers"])


@dataclass(frozen=True)
class Within(Edit):
    """An edit of a part of a site's value: old + P (edited - old), P the projection onto the part.

    Args:
        part: a subspace, or another part, of the site's space: d_model wide for residual streams,
            d_head for a head.
        edit: what that part is set to; default: the value on the pair's other prompt. Never read,
            and so kept as ``Zero()``, where the part itself says its numbers.

    Raises:
        MediationError: no part, no edit, or an edit that cannot be of a part: a ``Knockout``,
            another ``Within``.

    Source: Geiger et al. 2023 (distributed interchange); Makelov et al. 2023 for what it may fool.

    Example:
        >>> mw.Within(mw.Subspace.spanned([[0.0, 3.0]]), mw.Zero()).corners
        False
    """

    kind: ClassVar[str] = "within"

    part: Part
    edit: Edit

    def __init__(self, part: Part | Mapping[str, Any], edit: Any = None) -> None:
        from .patch import Patch
        from .zero import Zero

        given = part_from_json(part) if isinstance(part, Mapping) else part
        require(
            isinstance(given, Part),
            "An edit within a part of a site's value needs one.",
            value=part,
            expected="mw.Subspace(basis)",
            fix="mw.Within(mw.Subspace.spanned(direction), mw.Patch())",
        )
        inner = edit_from_json(edit) if isinstance(edit, Mapping) else edit
        inner = as_edit(Patch() if inner is None else inner)
        if isinstance(inner, Within) or inner.kind == "knockout":
            raise MediationError(
                "This edit has no part in a subspace.",
                value=repr(inner)[:200],
                expected="an edit of a site's value, as Patch(), Zero() or Mean()",
                fix="mw.Within(part, mw.Patch())",
            )
        object.__setattr__(self, "part", given)
        # What may be left out of a patch, where both prompts are the same, is not of such a part.
        object.__setattr__(self, "edit", Zero() if given.fixed else inner)

    @property
    def corners(self) -> bool:
        return self.edit.corners

    @property
    def pairwise(self) -> bool:
        return self.edit.pairwise

    @property
    def samples(self) -> int:
        return self.edit.samples

    @property
    def source(self) -> Any:
        """What the inner edit takes its value from."""
        return getattr(self.edit, "source", None)

    @property
    def base(self) -> Any:
        """Whose mean or noise the inner edit takes."""
        return getattr(self.edit, "base", None)

    def sample(self, index: int) -> Edit:
        return Within(self.part, self.edit.sample(index))

    def recipe(self, base: Base, site: Site) -> Recipe:
        return replace(self.edit.recipe(base, site), within=self.part)

    def check(self, site: Site) -> None:
        self.edit.check(site)
        if site.mediator in ("pattern", "edge"):
            raise MediationError(
                "Attention weights are no vector space: they sum to one.",
                value=repr(site),
                expected="a site whose value is a vector, as residual, head or mlp_out",
                fix="Within(part) at Site('residual', layer=2, position=-1)",
            )


def _array(given: Any) -> NDArray[np.float64]:
    """Numbers, of a tensor too; empty where there are none."""
    # Double precision first: numpy has no bfloat16.
    listed = given.detach().cpu().double() if hasattr(given, "detach") else given
    try:
        array = np.asarray(listed)
        return np.empty(0) if holds_no_numbers(array) else array.astype(np.float64)
    except (OverflowError, RuntimeError, TypeError, ValueError):
        return np.empty(0)


def _said(given: Any) -> object:
    """What an error says of it: an array's shape, anything else as it is."""
    return (
        tuple(given.shape) if isinstance(given, np.ndarray) or hasattr(given, "detach") else given
    )


def _matrix(basis: Any) -> NDArray[np.float64]:
    array = _array(basis)
    require(
        array.ndim == 2 and 0 < len(array) <= array.shape[1] and bool(np.isfinite(array).all()),
        "A basis is a matrix of finite numbers, a direction a row.",
        value=_said(basis),
        expected="(k, width), k from 1 to width",
        fix="mw.Subspace.spanned(direction)",
    )
    return array
