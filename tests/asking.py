"""What the tests of errors share: a valid question, and what every error has to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import mediawidget as mw
from tests.engine.cases import lm_of

CLEAN = "ant bee cat dog eel"
CORRUPT = "ant owl cat dog eel"


def pair(**change: Any) -> mw.PromptPair:
    """A valid pair of five tokens, but for what a test changes."""
    fields: dict[str, Any] = {"clean": CLEAN, "corrupt": CORRUPT, "answer": "fox", "wrong": "gnu"}
    return mw.PromptPair(**{**fields, **change})


def study(*pairs: mw.PromptPair, kind: str = "gpt2") -> mw.Study:
    return mw.Study(lm_of(kind), mw.Contrast(list(pairs) or [pair()]))


def raised(call: Callable[[], object]) -> mw.MediationError:
    """The error of ``call``, after the checks that every error has to pass."""
    with pytest.raises(mw.MediationError) as caught:
        call()
    error = caught.value
    assert isinstance(error, ValueError)
    text = str(error)
    assert error.expected.strip()
    assert error.fix.strip()
    assert str(error.value) in text
    assert error.expected in text
    assert error.fix in text
    return error
