"""What a network tells apart, by name."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import require


class Classes:
    """The names of a network's classes, where a language model has tokens."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        # An array is a list of its own kind of text.
        names = names.tolist() if hasattr(names, "tolist") else names
        listed: object = names
        require(
            isinstance(listed, list | tuple) and all(isinstance(name, str) for name in listed),
            "Classes are named in a list.",
            value=names,
            expected="a text for each class, in the order of the output",
            fix="mw.load(module, points={...}, classes=['cat', 'dog'])",
        )
        self.names: tuple[str, ...] = tuple(names)

    def token(self, index: int) -> str:
        """A class by name, or as its number."""
        return self.names[index] if index < len(self.names) else str(index)
