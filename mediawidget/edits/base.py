"""What every edit has in common: the arithmetic that makes the new value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import (
    Any,
    ClassVar,
    Literal,
    Protocol,
    SupportsFloat,
    SupportsIndex,
    runtime_checkable,
)

from numpy.typing import NDArray

from ..errors import MediationError, reading
from ..sites import Site

Base = Literal["clean", "corrupt"]
BASES: tuple[Base, Base] = ("clean", "corrupt")

_KINDS: dict[str, type[Edit]] = {}
SOURCES: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
"""How to read back, from JSON, a source that is no base: its kind to its reader."""


def other(base: Base) -> Base:
    """The prompt of the pair that is not ``base``."""
    return "corrupt" if base == "clean" else "clean"


@runtime_checkable
class RunLike(Protocol):
    """Another run, as a source: its base, its edits, what it holds frozen."""

    @property
    def base(self) -> Base:
        """The prompt that it runs on."""

    @property
    def edits(self) -> tuple[tuple[Site, Any], ...]:
        """The sites that it sets, and what to."""

    @property
    def freeze(self) -> tuple[Any, ...]:
        """What is held at its value on its base: kinds of mediator, sites."""

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary of all of it."""


@dataclass(frozen=True)
class Donor:
    """The prompt ``base`` of another pair of the same length, drawn with ``seed``.

    Attributes:
        base: which prompt of the other pair.
        seed: of the draw.
    """

    base: Base
    seed: int


@dataclass(frozen=True)
class MeanOf:
    """The mean over the prompts ``base`` of all pairs of one length."""

    base: Base


@dataclass(frozen=True)
class NoiseOf:
    """Standard normal numbers times the standard deviation of a site's own value on ``base``.

    The deviation is over all numbers of ``site`` of one prompt, so no pair's noise depends on
    its neighbours; the draw is the same for every pair.

    Attributes:
        base: the prompt whose deviation it is.
        site: the site that is given the noise.
        seed: of all draws.
        draw: the number of this one.
    """

    base: Base
    site: Site
    seed: int
    draw: int


@dataclass(frozen=True)
class Vector:
    """The same numbers at every position."""

    numbers: tuple[float, ...]


@dataclass(frozen=True)
class Recipe:
    """The new value is keep * (the run's own) + take * (the source's) + add * (the constant).

    Where it is ``within`` a part of the value, only that part becomes the new value's.

    Attributes:
        keep: how much of the run's own value stays.
        take: how much of the source's value comes in.
        add: how much of the constant comes in.
        source: a prompt of the pair, of another pair, or a run; needed if ``take`` is not 0.
        constant: numbers, or what they are made of: ``MeanOf``, ``NoiseOf``, ``Vector``,
            ``Values``; needed if ``add`` is not 0.
        within: a ``Part`` of the value; None for all of it.
    """

    keep: float = 0.0
    take: float = 0.0
    add: float = 0.0
    source: Base | Donor | RunLike | None = None
    constant: Any = None
    within: Any = None


@dataclass(frozen=True)
class Edit:
    """An intervention on one site: do(M = m).

    Attributes:
        kind: its name in views and files.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _KINDS[cls.kind] = cls

    @property
    def corners(self) -> bool:
        """Whether a run on either prompt gets the value of the other one.

        Only then do the four corners of mediation exist.
        """
        return False

    @property
    def pairwise(self) -> bool:
        """Whether a pair's value is made from other pairs, so that there must be some."""
        return False

    @property
    def samples(self) -> int:
        """Over how many draws a sweep is to be repeated; 1 has no axis for it."""
        return 1

    def sample(self, index: int) -> Edit:  # noqa: ARG002
        """The edit of one draw."""
        return self

    def recipe(self, base: Base, site: Site) -> Recipe:
        """How the value is made in a run on ``base`` at ``site``.

        Args:
            base: the prompt that the run is on.
            site: what is set.
        """
        raise NotImplementedError

    def check(self, site: Site) -> None:
        """Raise where this edit makes no sense at a site of that kind."""

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``edit_from_json`` reads back."""
        return {"kind": self.kind} | {f.name: plain(getattr(self, f.name)) for f in fields(self)}


def plain(value: Any) -> Any:
    """A field of an edit as JSON."""
    if hasattr(value, "to_json"):
        return value.to_json()
    return list(value) if isinstance(value, tuple) else value


def edit_from_json(data: Mapping[str, Any]) -> Edit:
    """The inverse of ``Edit.to_json``.

    Raises:
        MediationError: no edit that was saved, a kind that there is not, or what the edit itself
            refuses.
    """
    with reading("edit", data):
        arguments = {key: value for key, value in data.items() if key != "kind"}
        kind = data.get("kind")
        source = arguments.get("source")
        if isinstance(source, Mapping):
            arguments["source"] = SOURCES[source["is"]](source)
        if kind in _KINDS:
            return _KINDS[kind](**arguments)
    raise MediationError(
        "Unknown edit.",
        value=repr(kind),
        expected="one of " + ", ".join(sorted(_KINDS)),
        fix="mw.Patch() sets a site to its value on the pair's other prompt",
    )


def as_edit(edit: object) -> Edit:
    """The edit, refused if it is none.

    Raises:
        MediationError: no edit, or one that sets no site (``Mixed``).
    """
    if not isinstance(edit, Edit) or type(edit) not in _settable():
        raise MediationError(
            "This is no edit of a site.",
            value=repr(edit),
            expected="an edit: " + ", ".join(f"{kind.__name__}()" for kind in _settable()),
            fix="edit=mw.Patch(), with its parentheses",
        )
    return edit


def _settable() -> list[type[Edit]]:
    """The kinds that a site can be set to."""
    return [kind for name, kind in _KINDS.items() if name != "mixed"]


def check_base(base: object) -> None:
    """Raise unless ``base`` names a prompt of the pair.

    Raises:
        MediationError: neither "clean" nor "corrupt".
    """
    if not isinstance(base, str) or base not in BASES:
        raise MediationError(
            "Unknown base prompt.",
            value=repr(base),
            expected="'clean' or 'corrupt'",
            fix="Run('corrupt', {site: Patch('clean')})",
        )


def as_number(value: Any) -> float:
    """A number as a float, of numpy and torch too; NaN for what is none.

    Text is none, though ``float`` reads it, and no truth value is.
    """
    try:
        plain = value.item() if hasattr(value, "item") else value
        known = isinstance(plain, SupportsFloat | SupportsIndex) and not isinstance(plain, bool)
        known &= getattr(getattr(value, "dtype", None), "kind", "") not in ("m", "M")  # a time
        return float(plain) if known else float("nan")
    except (OverflowError, RuntimeError, TypeError, ValueError):
        return float("nan")


def holds_no_numbers(array: NDArray[Any]) -> bool:
    """Whether an array (...), of any shape, has in it what numpy would take for real numbers.

    Texts, days and spans of time, and complex numbers, of which a part would be lost.
    """
    return array.dtype.kind in "USTcmM" or (
        array.dtype.kind == "O"
        and any(isinstance(one, str | bytes | complex) for one in array.flat)
    )


def check_number(value: object, name: str, edit: str) -> float:
    """A finite number as a float.

    Args:
        value: what was given.
        name: the argument's name, for the message.
        edit: the name of the kind of edit, for the message.

    Raises:
        MediationError: no number, or an infinite one or NaN.
    """
    number = as_number(value)
    if not abs(number) < float("inf"):
        raise MediationError(
            f"{name} of {edit} is a finite number.",
            value=f"{name}={value!r}",
            expected="a float",
            fix=f"{edit}({name}=0.5)",
        )
    return number


def check_seed(
    value: object, name: str, edit: str, least: int = 0, most: int | None = None
) -> None:
    """Raise unless ``value`` is a whole number from ``least`` to ``most``.

    Args:
        value: what was given.
        name: the argument's name, for the message.
        edit: the name of the kind of edit, for the message.
        least: the smallest that is taken.
        most: the largest; None for any.

    Raises:
        MediationError: no int, or one out of the range.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator]
        raise MediationError(
            f"{name} of {edit} is a whole number.",
            value=f"{name}={value!r}",
            expected=f"an int, at least {least}" + ("" if most is None else f", at most {most}"),
            fix=f"{edit}({name}={least})",
        )
