"""What the docstrings of all public names leave unsaid, as far as a machine can tell."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

import griffe

from tests.documents.public import Described

#: "Arguments and errors as for ``top_k``": said there, and read there.
AS_FOR = re.compile(r"[Aa]s\s+for\s+``([\w.]+)``")
#: An array, by the names that annotations have for one.
ARRAY = re.compile(r"\b(?:NDArray|ndarray|Array|Tensor|Floats|Bools|Ints)\b")
#: Its axes: ``(pair, position)``, ``(width,)``, or that it has those of something else.
SHAPE = re.compile(
    r"\((?:[\w.+*^' -]+,\s*)+[\w.+*^'\[\] ,-]*\)|\(\*?\w+\[?, |\(\*\w+\)|\bshapes?\b"
)
#: What a table's rows are.
TABLE = re.compile(r"\b(?:[Rr]ows?|columns?)\b")
#: Calls that raise unless something holds.
REFUSES = re.compile(r"^_?(?:require|refuse|check_(?:number|seed|base|function))(?:_|$)")
#: A heading, and what Griffe takes what is below it for.
KINDS = {
    "Args": "parameters",
    "Attributes": "attributes",
    "Returns": "returns",
    "Raises": "raises",
    "Examples": "examples",
}


@dataclass(frozen=True)
class Gap:
    """Something that a docstring does not say."""

    path: str
    where: str
    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.path}: {self.kind}: {self.what}"


# ---- What is said of it


@dataclass
class Said:
    """A docstring's sections."""

    text: str
    summary: str = ""
    arguments: list[tuple[str, str]] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    sections: set[str] = field(default_factory=set)


def said(one: Described) -> Said:
    """What its docstring says, in parts."""
    if one.docstring is None:
        return Said("")
    found = Said(one.docstring.value)
    found.summary = found.text.partition("\n\n")[0].strip()
    for section in one.docstring.parsed:
        match section:
            case griffe.DocstringSectionParameters():
                found.arguments += [
                    (each.name.lstrip("*"), each.description) for each in section.value
                ]
            case griffe.DocstringSectionAttributes():
                found.attributes += [(each.name, each.description) for each in section.value]
            case griffe.DocstringSectionRaises():
                found.raised += [str(each.annotation) for each in section.value]
        found.sections.add(section.kind.value)
    return found


def signature(one: griffe.Function | griffe.Class) -> list[griffe.Parameter]:
    """Its arguments, without ``self``."""
    return [
        each for each in one.parameters if each.name not in ("self", "cls") and each.name[0] != "_"
    ]


# ---- What it leaves unsaid


def gaps(found: dict[str, Described]) -> list[Gap]:
    """Of all that is public."""
    made = []
    for path, one in found.items():
        where = f"{one.relative_package_filepath}:{one.lineno}"
        made += [Gap(path, where, kind, what) for kind, what in _gaps(one, found)]
    return made


def _gaps(one: Described, found: dict[str, Described]) -> Iterator[tuple[str, str]]:
    words = said(one)
    if not words.text:
        if _above(one) is None:
            yield "summary", "there is no docstring"
        return
    headings = [name for name in KINDS if f"\n\n{name}:\n" in words.text]
    if lost := [name for name in headings if KINDS[name] not in words.sections]:
        yield "sections", "not read as such: " + ", ".join(lost)
    if not words.summary.endswith((".", "?", ":", "!")):
        yield "summary", words.summary
    there = list(_twins(one, words, found))
    if isinstance(one, griffe.Function) and (above := _above(one)) is not None:
        there.append(above)
    if isinstance(one, griffe.Function):
        yield from _arguments(one, words, there)
        yield from _twin(one, words)
    if isinstance(one, griffe.Class):
        yield from _fields(one, words)
    else:
        yield from _shapes(one, words, there)
    raised = set(chain(words.raised, *(said(each).raised for each in there)))
    if isinstance(one, griffe.Class) and isinstance(
        made := one.members.get("__init__"), griffe.Function
    ):
        raised |= set(said(made).raised)
    told = {name if hasattr(builtins, name) else "MediationError" for name in raised}
    if missing := set(_raises(one)) - told:
        yield "raises", ", ".join(sorted(missing))


def _above(one: Described) -> Described | None:
    """What a method without words fills in, where that has some."""
    parent = one.parent
    for base in parent.mro() if isinstance(parent, griffe.Class) else ():
        over = base.members.get(one.name)
        if isinstance(over, griffe.Function | griffe.Attribute) and over.docstring is not None:
            return over
    return None


def _twins(one: Described, words: Said, found: dict[str, Described]) -> Iterator[Described]:
    """What the docstring sends the reader to."""
    for name in AS_FOR.findall(words.text):
        last = name.rpartition(".")[2]
        own, parent = one.path.rpartition(".")[0], one.parent
        near = [f"{own}.{last}"]
        if isinstance(parent, griffe.Class):
            near += [f"{base.path}.{last}" for base in parent.mro()]
        named = [path for path in found if path.endswith(f".{name}")]
        asked = [path for path in found if path.endswith(f".{name.replace('study', 'Study')}")]
        for path in (*near, *named, *asked):
            if path in found and path != one.path:
                yield found[path]


def _arguments(
    one: griffe.Function, words: Said, there: list[Described]
) -> Iterator[tuple[str, str]]:
    wanted = [each.name for each in signature(one)]
    given = [name for name, _ in words.arguments]
    elsewhere = {name for each in there for name, _ in said(each).arguments}
    missing = [name for name in wanted if name not in given and name not in elsewhere]
    if missing and (len(wanted) > 1 or given):
        yield "arguments", "not described: " + ", ".join(missing)
    if stale := [name for name in given if name not in wanted]:
        yield "arguments", "there is none: " + ", ".join(stale)
    if [name for name in wanted if name in given] != [name for name in given if name in wanted]:
        yield "arguments", "in another order than the signature's"
    if empty := [name for name, text in words.arguments if not text.strip()]:
        yield "arguments", "nothing is said of " + ", ".join(empty)


def _twin(one: griffe.Function, words: Said) -> Iterator[tuple[str, str]]:
    twin = one.name.removesuffix("_job")
    if twin != one.name and not re.search(rf"``(?:\w+\.)*{twin}(?:\(.*?\))?``", words.text):
        yield "twin", f"does not name ``{twin}``"


def _fields(one: griffe.Class, words: Said) -> Iterator[tuple[str, str]]:
    fields = {
        name: member
        for name, member in one.members.items()
        if isinstance(member, griffe.Attribute)
        and name[0] != "_"
        and "property" not in member.labels
        and "instance-attribute" in member.labels
        and member.annotation is not None
    }
    described = dict(words.attributes) | dict(words.arguments)
    inherited = {name for base in one.mro() for name, _ in said(base).attributes}
    missing = [
        name
        for name, member in fields.items()
        if member.docstring is None and name not in described.keys() | inherited
    ]
    if missing and (len(fields) > 1 or described):
        yield "fields", "not described: " + ", ".join(missing)
    yield from _constructor(one, described)
    known = {*one.all_members, *(each.name for each in one.parameters), *_assigned(one)}
    if stale := [name for name in described if name not in known]:
        yield "fields", "there is none: " + ", ".join(stale)
    for name, member in fields.items():
        text = member.docstring.value if member.docstring else described.get(name, "")
        if text and ARRAY.search(str(member.annotation)) and not SHAPE.search(text):
            yield "shape", name


def _constructor(one: griffe.Class, described: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What makes an object; of a class that others make (``load``) nobody need know."""
    made = one.members.get("__init__")
    words = dict(said(made).arguments) if isinstance(made, griffe.Function) else {}
    above = [said(base) for base in one.mro()]
    known = {name for each in above for name, _ in (*each.arguments, *each.attributes)}
    known |= described.keys() | words.keys()
    known |= {name for name, each in one.all_members.items() if each.docstring is not None}
    names = [each.name for each in signature(one)]
    missing = [name for name in names if name not in known]
    if missing and (len(names) > 1 or described) and "\nMade by " not in one.docstring.value:  # type: ignore[union-attr]
        yield "arguments", "of the class, not described: " + ", ".join(missing)


def _assigned(one: griffe.Class) -> set[str]:
    """What lines such as ``self.device, self.dtype = ...`` set, which Griffe does not read."""
    classes = [one, *one.mro()]
    return {
        name for cls in classes for name in re.findall(r"self\.(\w+)(?=[^=\n]* = )", cls.source)
    }


def _shapes(one: Described, words: Said, there: list[Described]) -> Iterator[tuple[str, str]]:
    if isinstance(one, griffe.Attribute):
        if ARRAY.search(str(one.annotation)) and not SHAPE.search(words.text):
            yield "shape", "of the value"
        return
    assert isinstance(one, griffe.Function)
    elsewhere = [pair for each in there for pair in said(each).arguments]
    described = dict(elsewhere) | dict(words.arguments)
    for each in signature(one):
        text = described.get(each.name, words.text)
        if ARRAY.search(str(each.annotation)) and not SHAPE.search(text):
            yield "shape", each.name
    if str(one.returns).endswith("DataFrame") and not TABLE.search(words.text):
        yield "table", "neither rows nor columns"
    texts = [words.text, *(said(each).text for each in there)]
    if ARRAY.search(str(one.returns)) and not any(SHAPE.search(text) for text in texts):
        yield "shape", "of what is returned"


# ---- What a body raises


def _raises(one: Described) -> Iterator[str]:
    """The errors that its own lines raise; of a class, those on the way to an object."""
    if isinstance(one, griffe.Class):
        for name in ("__init__", "__post_init__"):
            if isinstance(made := one.members.get(name), griffe.Function):
                yield from _raises(made)
    elif one.lines:
        (body,) = ast.parse(textwrap.dedent("\n".join(one.lines))).body
        yield from _in_body(body)


def _in_body(node: ast.AST) -> Iterator[str]:
    """Of a body, but for the functions in it; ``with reading(...)`` makes all errors its own."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef() | ast.Lambda() | ast.ClassDef():
                continue
            case ast.With(items=[ast.withitem(context_expr=ast.Call(func=ast.Name(id="reading")))]):
                yield "MediationError"
                continue
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name)) | ast.Name(id=name)):
                # An error of the package is a MediationError, and may be called that.
                if name[0].isupper() and name != "NotImplementedError":
                    yield name if hasattr(builtins, name) else "MediationError"
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if REFUSES.match(name):
                yield "MediationError"
        yield from _in_body(child)
