"""What a script cannot say."""

from __future__ import annotations

from ..errors import MediationError


def cannot(what: str, value: object, expected: str) -> MediationError:
    """The error for something that no script is written for: better none than a wrong one."""
    return MediationError(
        f"There is no code for {what}.",
        value=str(value)[:300],
        expected=expected,
        fix="study.save(path) keeps it; select something simpler for its code",
    )
