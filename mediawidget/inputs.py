"""What is compared in a network that reads no text: two inputs, and two classes of its output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError, reading, require


@dataclass(frozen=True, eq=False)
class InputPair:
    """Two inputs that differ in what is studied and agree in everything else.

    Args:
        clean: the input whose class is ``answer``, without an axis of rows: an array or tensor of
            numbers, (channel, height, width), (time, feature), (feature,)... Kept as an array.
        corrupt: the input whose class is ``wrong``, of the same shape.
        answer: a class, as an index into the network's output.
        wrong: the class that the answer is held against.
        roles: names of positions ({"cue": 0, "question": 9}), which sites and sweeps may use.
        template: pairs of one template are one cluster of the statistics; "" is its own.
        group: pairs of one group are shown side by side with those of another.

    Raises:
        MediationError: inputs of different shapes, equal ones, what is no finite number; classes
            that are the same or no indices.

    Example:
        >>> mw.InputPair(clean=[0.0, 1.0], corrupt=[1.0, 0.0], answer=1, wrong=0).shape
        (2,)
    """

    clean: Any
    corrupt: Any
    answer: int
    wrong: int
    roles: Mapping[str, int | tuple[int, ...]] = field(default_factory=dict)
    template: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        for name in ("clean", "corrupt"):
            object.__setattr__(self, name, _as_input(name, getattr(self, name)))
        for name in ("answer", "wrong"):
            object.__setattr__(self, name, _as_class(name, getattr(self, name)))
        kinds = [(array.shape, array.dtype.kind) for array in (self.clean, self.corrupt)]
        require(
            kinds[0] == kinds[1],
            "The two inputs of a pair are of one shape and one kind of number.",
            value=[(array.shape, str(array.dtype)) for array in (self.clean, self.corrupt)],
            expected="a corrupt input as large as the clean one",
            fix="mw.InputPair(clean=x[0], corrupt=x[1], answer=3, wrong=5)",
        )
        require(
            not np.array_equal(self.clean, self.corrupt),
            "The two inputs are equal, so there is no effect to mediate.",
            value=f"shape {self.shape}",
            expected="a corrupt input that differs from the clean one",
            fix="change in `corrupt` what you study",
        )
        require(
            self.answer != self.wrong,
            "The answer and the wrong answer are the same class.",
            value=self.answer,
            expected="two different classes",
            fix="let `wrong` be what the network should say of the corrupt input",
        )
        refuse_no_roles(self.roles)
        for name in ("template", "group"):
            require(
                isinstance(getattr(self, name), str),
                f"A pair's {name} is named.",
                value=getattr(self, name),
                expected="a text; empty for none",
                fix=f"pass {name}='...'",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of either input."""
        return tuple(self.clean.shape)

    @property
    def answer_text(self) -> str:
        """The answer as text, for labels."""
        return str(self.answer)

    @property
    def wrong_text(self) -> str:
        """The wrong answer as text, for labels."""
        return str(self.wrong)

    def swapped(self) -> InputPair:
        """The same pair asked from the other side: inputs and classes exchanged."""
        return replace(
            self, clean=self.corrupt, corrupt=self.clean, answer=self.wrong, wrong=self.answer
        )

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``InputPair.from_json`` reads back, its numbers among it."""
        data: dict[str, Any] = {
            "clean": self.clean.tolist(),
            "corrupt": self.corrupt.tolist(),
            "answer": self.answer,
            "wrong": self.wrong,
            "dtype": str(self.clean.dtype),
        }
        named = {"roles": dict(self.roles), "template": self.template, "group": self.group}
        return data | {name: value for name, value in named.items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> InputPair:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved pair of inputs, or one that could not be made anew.
        """
        with reading("input pair", data):
            rest = {k: v for k, v in data.items() if k not in ("clean", "corrupt", "dtype")}
            for name in ("clean", "corrupt"):
                rest[name] = np.array(data[name], dtype=data["dtype"])
            return cls(**rest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InputPair) and self._value() == other._value()

    def __hash__(self) -> int:
        return hash(self._value())

    def __repr__(self) -> str:
        return f"InputPair(shape {self.shape}, answer={self.answer}, wrong={self.wrong})"

    def _value(self) -> tuple[Any, ...]:
        arrays = (self.clean.tobytes(), self.corrupt.tobytes(), self.shape, str(self.clean.dtype))
        named = (tuple(sorted(self.roles.items())), self.template, self.group)
        return (*arrays, self.answer, self.wrong, *named)


def refuse_no_roles(roles: object) -> None:
    """Raise unless roles are names, each of a position or of several."""

    def places(at: object) -> bool:
        several = at if isinstance(at, list | tuple) else [at]
        return bool(several) and all(
            isinstance(one, int) and not isinstance(one, bool) for one in several
        )

    require(
        isinstance(roles, Mapping)
        and all(isinstance(name, str) and name and places(at) for name, at in roles.items()),
        "Roles are names of positions.",
        value=roles,
        expected="a mapping of name to position, or to several positions",
        fix="roles={'S2': 9, 'subject': (1, 2)}",
    )


def _as_input(name: str, given: Any) -> NDArray[Any]:
    """A copy of the numbers, as floats or whole numbers."""
    listed = given
    if hasattr(given, "detach"):
        # Numpy has no bfloat16.
        wide = given.float() if str(given.dtype) == "torch.bfloat16" else given
        listed = wide.detach().cpu().numpy()
    try:
        array = np.array(listed)
    except (TypeError, ValueError):
        array = np.empty(0)
    known = array.dtype.kind in "fiu" and array.ndim > 0 and array.size > 0
    require(
        known and bool(np.isfinite(array).all()),
        f"A pair's {name} input is an array of finite numbers.",
        value=given,
        expected="a tensor or an array of one axis or more, without an axis of rows",
        fix="mw.InputPair(clean=x[0], corrupt=x[1], answer=3, wrong=5)",
    )
    array.flags.writeable = False
    return array


def _as_class(name: str, given: Any) -> int:
    listed = given.item() if hasattr(given, "item") and getattr(given, "ndim", 0) == 0 else given
    if isinstance(listed, int) and not isinstance(listed, bool) and listed >= 0:
        return listed
    raise MediationError(
        f"A pair's {name} is a class of the network's output.",
        value=repr(given)[:200],
        expected="a whole number from 0",
        fix="mw.InputPair(clean=x[0], corrupt=x[1], answer=3, wrong=5)",
    )
