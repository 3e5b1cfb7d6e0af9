"""What every edit has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from ..errors import MediationError

Base = Literal["clean", "corrupt"]
BASES: tuple[Base, Base] = ("clean", "corrupt")

_KINDS: dict[str, type[Edit]] = {}


def other(base: Base) -> Base:
    """The prompt of the pair that is not ``base``."""
    return "corrupt" if base == "clean" else "clean"


@dataclass(frozen=True)
class Edit:
    """An intervention on one site: do(M = m).

    Attributes:
        kind: its name in views and files.
        source_kind: where the new value comes from: ``row``, another run of the same pass;
            ``constant``, the same number everywhere; ``mean``, a mean over prompts.
    """

    kind: ClassVar[str]
    source_kind: ClassVar[Literal["row", "constant", "mean"]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _KINDS[cls.kind] = cls

    @property
    def corners(self) -> bool:
        """Whether a run on either prompt gets the value of the other one.

        Only then do the four corners of mediation exist.
        """
        return False

    def taken_from(self, base: Base) -> Base | None:  # noqa: ARG002
        """Which prompt the value is taken from in a run on ``base``; None for a constant."""
        return None

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``edit_from_json`` reads back."""
        return {"kind": self.kind, **asdict(self)}


def edit_from_json(data: Mapping[str, Any]) -> Edit:
    """The inverse of ``Edit.to_json``."""
    arguments = {key: value for key, value in data.items() if key != "kind"}
    if data.get("kind") not in _KINDS:
        raise MediationError(
            "Unknown edit.",
            value=repr(data.get("kind")),
            expected="one of " + ", ".join(sorted(_KINDS)),
            fix="mw.Patch() sets a site to its value on the pair's other prompt",
        )
    return _KINDS[data["kind"]](**arguments)


def as_edit(edit: object) -> Edit:
    """The edit, refused if it is none."""
    if not isinstance(edit, Edit):
        raise MediationError(
            "This is no edit.",
            value=repr(edit),
            expected="Patch(), Zero() or Mean()",
            fix="edit=mw.Patch(), with its parentheses",
        )
    return edit


def check_base(base: object) -> None:
    """Raise unless ``base`` names a prompt of the pair."""
    if base not in BASES:
        raise MediationError(
            "Unknown base prompt.",
            value=repr(base),
            expected="'clean' or 'corrupt'",
            fix="Run('corrupt', {site: Patch('clean')})",
        )
