"""The one error of this package: it names the value, what was expected and the fix."""

from __future__ import annotations


class MediationError(ValueError):
    """Bad input, said so that the reader can mend it without opening our code.

    Attributes:
        value: what was given.
        expected: what would have been accepted.
        fix: the next thing to try.
    """

    def __init__(self, message: str, *, value: object, expected: str, fix: str) -> None:
        self.message = message
        self.value = value
        self.expected = expected
        self.fix = fix
        super().__init__(
            f"{message}\n  got:      {value}\n  expected: {expected}\n  fix:      {fix}"
        )
