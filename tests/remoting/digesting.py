"""Digests of some questions, printed: run in two processes they must be the same.

python -m tests.remoting.digesting FOLDER
"""

from __future__ import annotations

import sys
from typing import Any

import mediawidget as mw
from mediawidget.remote import Server
from mediawidget.remote.backend import Submitting
from mediawidget.remote.digests import digest_of


class _SeenError(Exception):
    """Ends a run whose request was seen."""


class _Looking(Submitting):
    def __init__(self, remote: Any, found: list[str | None]) -> None:
        super().__init__(remote)
        self._found = found

    def __call__(self, tracer: Any = None) -> Any:
        self._found.append(digest_of(tracer, self.remote.whose, self.env))
        raise _SeenError


PAIRS = [
    mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
    mw.PromptPair("hen pig cat zebra jay", "hen pig rat zebra jay", "owl", "kite"),
]
QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("head", {}),
    ("residual", {}),
    ("residual", {"by": "position"}),
    ("pattern", {}),
    ("head", {"edit": mw.Zero()}),
    ("head", {"edit": mw.Scale(0.5)}),
    ("head", {"edit": mw.Scale(0.25)}),
    ("head", {"edit": mw.Noise(sigma=2.0, samples=2)}),
    ("head", {"edit": mw.Patch(alpha=0.5)}),
)


def digests(place: str, **options: Any) -> list[str | None]:
    """Of the first request of every question, on one pair and on another."""
    lm, found = mw.load(place, remote=Server("http://127.0.0.1:9"), **options), list[str | None]()
    lm.backend = lambda: _Looking(lm.remote, found)
    for pair in PAIRS:
        study = mw.Study(lm, pair)
        study.engine.proves = False
        for mediator, asked in QUESTIONS:
            try:
                study.sweep(mediator, progress=False, **asked)
            except _SeenError:
                continue
    return found


if __name__ == "__main__":
    print("\n".join(map(str, digests(sys.argv[1]))))
