"""Docstrings as they are written here, made what Griffe reads (an extension of it).

Google's style knows a section ``Examples``; ours are called ``Example``, for there is one. What
stands as ``>>>`` outside of it becomes code too.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Alias, Extension, Module, Object

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

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Called by Griffe when all of a package is read."""
        for module in pkg.modules.values():
            name_functions(module)


def name_functions(package: Module) -> None:
    """Let a public name be the function of a file of that name (``tasks.ioi`` in ioi.py).

    So it is when Python runs it; Griffe keeps the file.
    """
    for name in package.exports or ():
        found = package.members.get(str(name))
        if isinstance(found, Module) and str(name) in found.members:
            own = found.members[str(name)]
            if package.imports.get(str(name)) == own.path:
                # An extension is shown what is reached by name, and the file is not any more.
                for one in (found, *found.members.values()):
                    if isinstance(one, Object) and one.docstring is not None:
                        one.docstring.value = readable(one.docstring.value)
                package.members[str(name)] = Alias(str(name), own, parent=package)


def readable(text: str) -> str:
    """The docstring with its example as a section, and other prompts as code."""
    fenced = _PROMPT.sub(lambda found: f"```pycon\n{found['code'].rstrip()}\n```", text)
    return _EXAMPLE.sub("Examples:", _TOGETHER.sub(_apart, fenced))


def _apart(found: re.Match[str]) -> str:
    """Names that share a description, each with it."""
    words = found["words"].rstrip("\n")  # the last of a docstring ends without a line's end
    each = "\n".join(f"    {name}: {words}" for name in found["names"].split(", "))
    return each + found["words"][len(words) :]
