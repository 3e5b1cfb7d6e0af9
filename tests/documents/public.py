"""All public names, read by Griffe as the reference's pages read them.

Public is what a ``.pyi`` exports, what a page of ``docs/reference`` shows, and what the modules
hold that ``docs/extending`` imports from; of a class its methods and properties too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import griffe

from tests.documents.pages import ROOT

#: The reference's pages and those about kinds of one's own.
SHOWN = re.compile(r"^::: (mediawidget[\w.]*)$", re.MULTILINE)
IMPORTED = re.compile(r"^from (mediawidget[\w.]*) import", re.MULTILINE)

#: What is written with brackets: ``effect["PIE"]``, ``metric(kept)``.
CALLED = ("__getitem__", "__call__")

Described = griffe.Function | griffe.Class | griffe.Attribute


@cache
def package() -> griffe.Module:
    """The package as the reference's pages see it."""
    return parsed("mediawidget", ROOT)


def parsed(name: str, folder: Path) -> griffe.Module:
    """A module, read as they read one."""
    scripts = str(ROOT / "scripts" / "docs")
    if scripts not in sys.path:
        sys.path.append(scripts)
    extensions = griffe.load_extensions(str(ROOT / "scripts" / "docs" / "docstrings.py"))
    read = griffe.load(
        name,
        search_paths=[str(folder)],
        extensions=extensions,
        docstring_parser="google",
        docstring_options={"warnings": False},
        allow_inspection=False,
    )
    assert isinstance(read, griffe.Module)
    return read


def roots() -> Iterator[str]:
    """Dotted names: all that is public is one of these, or in one."""
    yield "mediawidget"
    for path in sorted((ROOT / "mediawidget").rglob("__init__.pyi")):
        yield ".".join(path.parent.relative_to(ROOT).parts)
    pages = [
        *(ROOT / "docs" / "reference").glob("*.md"),
        *(ROOT / "docs" / "extending").glob("*.md"),
    ]
    for page in sorted(pages):
        text = page.read_text("utf-8")
        yield from chain(SHOWN.findall(text), IMPORTED.findall(text))


def public(read: griffe.Module, names: list[str]) -> dict[str, Described]:
    """Path -> what is public there: functions, classes, and what the classes hold."""
    found: dict[str, Described] = {}
    for name in names:
        inside = name.partition(".")[2]
        one = read[inside] if inside else read
        _add(one, found, top=True)
    return found


def target(one: griffe.Object | griffe.Alias) -> griffe.Object:
    """What a name is of, wherever it is made."""
    found = one.final_target if isinstance(one, griffe.Alias) else one
    assert isinstance(found, griffe.Object)
    return found


def _add(
    named: griffe.Object | griffe.Alias, found: dict[str, Described], *, top: bool = False
) -> None:
    try:
        one = target(named)
    except griffe.AliasResolutionError:  # of another library
        return
    if isinstance(one, griffe.Module):
        exported = one.exports
        names = [str(name) for name in exported] if exported is not None else _own(one)
        for name in names if top else ():
            member = one.members.get(name)
            if member is not None:
                _add(member, found, top=_is_package(member, one))
    elif isinstance(one, griffe.Function | griffe.Class) and one.path not in found:
        found[one.path] = one
        if isinstance(one, griffe.Class):
            _add_members(one, found)


def _is_package(member: griffe.Object | griffe.Alias, of: griffe.Module) -> bool:
    """Whether a name is a module of this one, whose names are public too."""
    if isinstance(member, griffe.Alias):
        return member.target_path.startswith(f"{of.path}.") and member.is_module
    return isinstance(member, griffe.Module)


def _own(module: griffe.Module) -> list[str]:
    """The public names that a module without ``__all__`` makes itself."""
    return [name for name, one in module.members.items() if name[0] != "_" and not one.is_alias]


def _add_members(cls: griffe.Class, found: dict[str, Described]) -> None:
    for name, member in cls.all_members.items():
        own = target(member)
        if (name[0] == "_" and name not in CALLED) or own.path in found:
            continue
        if isinstance(own, griffe.Function) or (
            isinstance(own, griffe.Attribute) and "property" in own.labels
        ):
            found[own.path] = own
