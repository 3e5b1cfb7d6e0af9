"""Docstrings as they are written here, made what Griffe reads (an extension of it).

Google's style knows a section ``Examples``; ours are called ``Example``, for there is one. What
stands as ``>>>`` outside of it becomes code too.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)
_PROMPT = re.compile(r"(?:\A|(?<=\n\n))(?P<code>>>> .*?)(?=\n\n|\Z)", re.DOTALL)
_TOGETHER = re.compile(
    r"^    (?P<names>[a-z_]\w*(?:, [a-z_]\w*)+): (?P<words>.*\n?(?: {5,}.*\n?)*)", re.MULTILINE
)


class Docstrings(Extension):
    """Changes the text of every docstring before it is parsed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called by Griffe with each object that it has read."""
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)


def readable(text: str) -> str:
    """The docstring with its example as a section, and other prompts as code."""
    fenced = _PROMPT.sub(lambda found: f"```pycon\n{found['code'].rstrip()}\n```", text)
    return _EXAMPLE.sub("Examples:", _TOGETHER.sub(_apart, fenced))


def _apart(found: re.Match[str]) -> str:
    """Names that share a description, each with it."""
    return "".join(f"    {name}: {found['words']}" for name in found["names"].split(", "))
