"""The examples in the package's docstrings, and the names that a reader of them has."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import mediawidget as mw
from tests.documents.pages import ROOT, Said, blocks

#: Makes the names of the examples, for those who read the reference.
FRONT = ROOT / "docs" / "reference" / "index.md"
#: The namespaces beside ``mw`` whose names the reference shows.
PLUGGED = ("mediawidget.mediators", "mediawidget.edits", "mediawidget.edits.base")
#: What takes long to make, and no example changes.
SHARED = {"lm", "sae", "server"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
#: Code in a line of a docstring that says what it is of.
CODE = re.compile(r"``((?:mw|lm|study|effect)\.[^`]+)``")


@dataclass(frozen=True)
class Written:
    """A docstring with examples.

    Attributes:
        name: the dotted name of what it describes.
        module: where it is.
        line: of the file, at which the docstring begins.
        public: the reference shows it; else its examples see the names of its own module.
    """

    name: str
    module: str
    path: Path
    line: int
    text: str
    public: bool

    def parsed(self, names: dict[str, Any]) -> doctest.DocTest:
        """Its examples, to be run with these names."""
        where = str(self.path)
        return doctest.DocTestParser().get_doctest(self.text, names, self.name, where, self.line)


@dataclass(frozen=True)
class Failed:
    """An example that raised, or showed something else."""

    where: str
    source: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}\n    {self.source.strip()}\n{self.why.rstrip()}"


# ---- Finding


def written(folder: Path = ROOT / "mediawidget") -> Iterator[Written]:
    """All docstrings with a prompt, also those of properties, overloads and private functions."""
    for path, name, line, text in _texts(folder):
        if ">>>" not in text:
            continue
        inside = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(inside[:-1] if inside[-1] == "__init__" else inside)
        whole = f"{module}.{name}" if name else module
        public = (module, name.partition(".")[0]) in _shown()
        yield Written(whole, module, path, line - 1, text, public)


def codes(folder: Path = ROOT / "mediawidget") -> Iterator[Said]:
    """Code in the lines of all docstrings: ``mw.load()``."""
    for path, _, line, text in _texts(folder):
        for found in CODE.finditer(text):
            at = line + text.count("\n", 0, found.start())
            yield Said(path, at, " ".join(found[1].split()))


def _texts(folder: Path) -> Iterator[tuple[Path, str, int, str]]:
    """File, name, line and text of every docstring."""
    for path in sorted(folder.rglob("*.py")):
        for name, node in _described(ast.parse(path.read_text(encoding="utf-8")), ""):
            text = ast.get_docstring(node)
            if text is not None:
                yield path, name, node.body[0].lineno, text


def _described(
    node: ast.AST, name: str
) -> Iterator[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
        yield name, node
        for child in ast.walk(node):
            if child in node.body and isinstance(child, ast.ClassDef | ast.FunctionDef):
                yield from _described(child, f"{name}.{child.name}".lstrip("."))


@cache
def _shown() -> frozenset[tuple[str, str]]:
    """What the reference shows: the module and the name of each, "" for a namespace's own text."""
    spaces = [mw, *(importlib.import_module(name) for name in PLUGGED)]
    found: set[tuple[str, str]] = set()
    for space in spaces:
        found.add((space.__name__, ""))
        for name in getattr(space, "__all__", vars(space)):
            thing = getattr(space, name)
            if isinstance(thing, types.ModuleType):
                if thing not in spaces and space is mw:
                    spaces.append(thing)
            elif isinstance(thing, type):
                found |= {(one.__module__, one.__qualname__) for one in thing.__mro__}
            elif hasattr(thing, "__qualname__"):
                found.add((thing.__module__, thing.__qualname__))
    return frozenset(found)


# ---- Names


@dataclass
class Names:
    """Makes what the front page of the reference makes, as far as an example asks for it."""

    shared: dict[str, Any] = field(default_factory=dict)

    def of(self, test: Written) -> dict[str, Any]:
        """The names of a docstring's examples; nobody else sees what they do to a study."""
        made = dict(self.shared)
        source = "\n".join(one.source for one in test.parsed({}).examples)
        self._make(_read(ast.parse(source)), made)
        self.shared |= {name: made[name] for name in SHARED & made.keys()}
        return made if test.public else {**made, **vars(importlib.import_module(test.module))}

    def close(self) -> None:
        """Close the server, if an example asked for one."""
        if "server" in self.shared:
            self.shared.pop("server").close()

    def _make(self, wanted: set[str], made: dict[str, Any]) -> None:
        imports, kept = front()
        exec(compile(ast.Module(imports, []), str(FRONT), "exec"), made)  # noqa: S102 - our page
        for name in sorted(wanted & kept.keys() - made.keys()):
            self._make(_read(kept[name]), made)
            exec(compile(ast.Module([kept[name]], []), str(FRONT), "exec"), made)  # noqa: S102


@cache
def front() -> tuple[list[ast.stmt], dict[str, ast.stmt]]:
    """The imports of the front page's block, and name -> the line that makes it."""
    (block,) = (one for one in blocks(FRONT) if one.is_python)
    imports: list[ast.stmt] = []
    kept: dict[str, ast.stmt] = {}
    for line in ast.parse(block.source).body:
        match line:
            case ast.Import() | ast.ImportFrom():
                imports.append(line)
            case ast.Assign(targets=[ast.Name(id=name)]):
                kept[name] = line
            case _:
                raise AssertionError(f"{FRONT}: neither an import nor a name: {ast.unparse(line)}")
    return imports, kept


def _read(tree: ast.AST) -> set[str]:
    """The names that are read before a line of their own makes them."""
    read: set[str] = set()
    made: set[str] = set()
    for line in tree.body if isinstance(tree, ast.Module) else [tree]:
        names = [node for node in ast.walk(line) if isinstance(node, ast.Name)]
        read |= {one.id for one in names if isinstance(one.ctx, ast.Load)} - made
        made |= {one.id for one in names if isinstance(one.ctx, ast.Store)}
    return read


# ---- Running


class _Checker(doctest.OutputChecker):
    """Where nothing is shown, anything may come out."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return not want or super().check_output(want, got, optionflags)


class _Runner(doctest.DocTestRunner):
    def __init__(self) -> None:
        self.checker = _Checker()
        super().__init__(self.checker, verbose=False, optionflags=FLAGS)
        self.failed: list[Failed] = []

    def report_failure(
        self, _: Any, test: doctest.DocTest, example: doctest.Example, got: str
    ) -> None:
        self._add(test, example, self.checker.output_difference(example, got, FLAGS))

    def report_unexpected_exception(
        self, _: Any, test: doctest.DocTest, example: doctest.Example, exc_info: Any
    ) -> None:
        self._add(test, example, f"{exc_info[0].__name__}: {exc_info[1]}")

    def _add(self, test: doctest.DocTest, example: doctest.Example, why: str) -> None:
        line = (test.lineno or 0) + example.lineno + 1
        self.failed.append(Failed(f"{test.filename}:{line} ({test.name})", example.source, why))


def run(test: Written, names: Mapping[str, Any]) -> list[Failed]:
    """Run a docstring's examples, one after another; return those that fail."""
    runner = _Runner()
    runner.run(test.parsed(dict(names)), out=lambda _: None)
    return runner.failed


def skipped(test: Written) -> str:
    """The examples that are marked ``# doctest: +SKIP``."""
    examples = test.parsed({}).examples
    return "".join(one.source for one in examples if one.options.get(doctest.SKIP))
