"""The one error of this package: it names the value, what was expected and the fix."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager


class MediationError(ValueError):
    """Bad input, said so that the reader can mend it without opening our code.

    Attributes:
        message: what is wrong, in one sentence.
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


def require(ok: bool, message: str, *, value: object, expected: str, fix: str) -> None:
    """Raise unless ``ok``; ``value`` is shown as Python shows it, shortened."""
    if not ok:
        shown = repr(value)
        shown = shown if len(shown) <= 200 else shown[:200] + "..."
        raise MediationError(message, value=shown, expected=expected, fix=fix)


def is_one_of(value: object, names: Collection[str]) -> bool:
    """Whether ``value`` is a text among ``names``; ``in`` alone cannot say that of an array."""
    return isinstance(value, str) and value in names


def error_fields(error: BaseException) -> dict[str, str]:
    """What a page shows of an error; of anybody else's the notes that were put beside it."""
    if isinstance(error, MediationError):
        return {
            "message": error.message,
            "value": str(error.value),
            "expected": error.expected,
            "fix": error.fix,
        }
    message = f"{type(error).__name__}: {error}"
    fix = " ".join(getattr(error, "__notes__", ())) or "see the kernel's log"
    return {"message": message, "value": "", "expected": "", "fix": fix}


@contextmanager
def reading(what: str, data: object) -> Iterator[None]:
    """Whatever fails inside for what is in ``data`` says that it is no saved ``what``."""
    try:
        yield
    except MediationError:
        raise
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise MediationError(
            f"This is no {what} that was saved.",
            value=f"{repr(data)[:200]}: {type(error).__name__}: {error}",
            expected="what to_json() gave",
            fix="save it again, or make a new one",
        ) from error
