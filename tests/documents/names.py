"""Whether names and keywords in code exist: for code that is not run.

A value is known (an object of the page, a module, a function), or known by its type alone (what a
function returns), or not known: then nothing is said of it.
"""

from __future__ import annotations

import ast
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import mediawidget as mw
from tests.documents.pages import Said

#: What a name stands for in the documents, where a page does not say it.
USUAL = {"study": mw.Study, "lm": mw.LM, "effect": mw.Effect, "circuit": mw.Circuit}
#: What takes the keywords of another function.
SAME = {mw.Study.start: mw.Study.sweep, mw.Study.job: mw.Study.sweep}
#: `study.estimate(method=)`: a keyword whose value is left open.
OPEN = re.compile(r"(\b\w+\s*=)\s*(?=[,)])")
#: The head of a column of names: "in `mw.search`".
COLUMN = re.compile(r"`(mw(?:\.\w+)+)`")


@dataclass(frozen=True)
class Known:
    """An object."""

    thing: Any


@dataclass(frozen=True)
class Of:
    """A value of one of these types."""

    types: tuple[type, ...]


Value = Known | Of | None


def unknown_in(source: str, namespace: Mapping[str, Any]) -> list[str]:
    """What is wrong with a block: names that do not exist, keywords that nothing takes."""
    return list(_Reader(_scope(namespace), partly=False).complaints(ast.parse(source)))


def unknown(said: Said, namespace: Mapping[str, Any]) -> str:
    """What is wrong with code in a line, or nothing."""
    text = OPEN.sub(r"\1...", said.text)
    scope = _scope(namespace)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        plain = re.match(r"mw\.\w", text) and not re.search(r"[…*]|\.\.\.", text)
        return "this is no Python" if plain else ""
    root = _root(tree)
    column = COLUMN.search(said.head)
    if root is not None and root not in scope and column is not None:
        tree, root = ast.parse(f"{column[1]}.{text}"), "mw"
    if root not in scope:
        return ""
    return "; ".join(_Reader(scope, partly=True).complaints(tree))


def _scope(namespace: Mapping[str, Any]) -> dict[str, Value]:
    scope: dict[str, Value] = {key: Of((usual,)) for key, usual in USUAL.items()}
    for key, value in {**namespace, "mw": mw}.items():
        if _is_ours(value):
            scope[key] = Known(value)
    return scope


def _is_ours(value: Any) -> bool:
    return type(value).__module__.startswith("mediawidget") or inspect.ismodule(value)


def _root(tree: ast.Module) -> str | None:
    """The first name of a single expression."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    node: ast.expr = tree.body[0].value
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


class _Reader:
    """Reads code without running it."""

    def __init__(self, scope: dict[str, Value], *, partly: bool) -> None:
        self.scope = scope
        #: Whether calls may leave arguments out.
        self.partly = partly
        self.found: list[str] = []

    def complaints(self, tree: ast.AST) -> Iterator[str]:
        self.visit(tree)
        yield from self.found

    def visit(self, node: ast.AST) -> Value:
        match node:
            case ast.Name(id=name):
                return self.scope.get(name)
            case ast.Attribute(value=value, attr=name):
                return self.attribute(self.visit(value), name)
            case ast.Call():
                return self.call(node)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.assign(target, value)
            case ast.Lambda() | ast.FunctionDef() | ast.ClassDef():
                self.hide(node)
                self.children(node)
            case ast.comprehension(target=target) | ast.For(target=target):
                self.hide(target)
                self.children(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                for one in node.generators:
                    self.hide(one.target)
                self.children(node)
            case _:
                self.children(node)
        return None

    def children(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    def hide(self, node: ast.AST) -> None:
        """Forget names that are bound within."""
        for one in ast.walk(node):
            if isinstance(one, ast.arg):
                self.scope[one.arg] = None
            elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                self.scope[one.id] = None

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for to, what in pairs:
            found = self.visit(what)
            if isinstance(to, ast.Name):
                self.scope[to.id] = found
            else:
                self.hide(to)

    def attribute(self, base: Value, name: str) -> Value:
        if isinstance(base, Known):
            if inspect.ismodule(base.thing) or inspect.isclass(base.thing):
                if not hasattr(base.thing, name):
                    self.found.append(f"{base.thing.__name__} has no {name}")
                    return None
                return Known(getattr(base.thing, name))
            held = vars(base.thing) if hasattr(base.thing, "__dict__") else {}
            if name in held:
                return Known(held[name])
            base = Of((type(base.thing),))
        if base is None:
            return None
        if not any(_has(one, name) for one in base.types):
            self.found.append(f"{' | '.join(one.__name__ for one in base.types)} has no {name}")
            return None
        return next((_member(one, name) for one in base.types if _has(one, name)), None)

    def call(self, node: ast.Call) -> Value:
        called = self.visit(node.func)
        for argument in [*node.args, *node.keywords]:
            self.visit(argument)
        if not isinstance(called, Known) or not callable(called.thing):
            return None
        self.bind(called.thing, node)
        return _returned(called.thing)

    def bind(self, called: Any, node: ast.Call) -> None:
        signature = _signature(called)
        if signature is None:
            return
        given = [one for one in node.args if not isinstance(one, ast.Starred)]
        named = {one.arg: ... for one in node.keywords if one.arg is not None}
        whole = len(given) == len(node.args) and len(named) == len(node.keywords)
        bind = signature.bind if whole and not self.partly else signature.bind_partial
        try:
            bind(*given, **named)
        except TypeError as error:
            self.found.append(f"{_name(called)}: {error}")
            return
        if any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values()):
            loose = [one for one in named if one not in signature.parameters]
            said = _told(called)
            self.found += [f"{_name(called)} says of no {one}" for one in loose if one not in said]


@dataclass(frozen=True)
class _Method:
    """A function of a class, to be called on a value of it."""

    function: Any

    def __call__(self) -> None:
        raise NotImplementedError


def _function(called: Any) -> Any:
    return inspect.unwrap(called.function if isinstance(called, _Method) else called)


def _name(called: Any) -> str:
    return str(getattr(_function(called), "__name__", called))


def _told(called: Any) -> set[str]:
    """The words of a docstring: what takes `**more` names there what it takes."""
    function = _function(called)
    return set(re.findall(r"\w+", inspect.getdoc(SAME.get(function, function)) or ""))


def _signature(called: Any) -> inspect.Signature | None:
    try:
        if isinstance(called, _Method):
            signature = inspect.signature(called.function)
            return signature.replace(parameters=list(signature.parameters.values())[1:])
        return inspect.signature(called)
    except (TypeError, ValueError):  # what is written in C may have none
        return None


def _has(kind: type, name: str) -> bool:
    if hasattr(kind, name) or any("__getattr__" in vars(one) for one in kind.__mro__):
        return True
    ours = [one for one in kind.__mro__ if one.__module__.startswith("mediawidget")]
    return any(name in vars(one).get("__annotations__", {}) or name in _set_by(one) for one in ours)


def _set_by(kind: type) -> set[str]:
    """The attributes that methods of a class set."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


def _member(kind: type, name: str) -> Value:
    try:
        held = inspect.getattr_static(kind, name)
    except AttributeError:
        return None
    if isinstance(held, property):
        return _returned(held.fget)
    if isinstance(held, types.FunctionType):
        return Known(_Method(held))
    if isinstance(held, classmethod | staticmethod):
        return Known(getattr(kind, name))
    return None


def _returned(called: Any) -> Value:
    """What a call gives: the instance of a class, or what a function's annotation says."""
    if inspect.isclass(called):
        return Of((called,))
    function = _function(called)
    if len(typing.get_overloads(function)):
        function = typing.get_overloads(function)[0]
    said = getattr(function, "__annotations__", {}).get("return")
    if isinstance(said, str):
        words = [word.strip() for word in said.split("|")]
        home = getattr(function, "__globals__", {})
        found = [home.get(word, getattr(mw, word, None)) for word in words if word != "None"]
    else:
        found = list(typing.get_args(said)) or [said]
    kinds = tuple(one for one in found if inspect.isclass(one) and one is not type(None))
    return Of(kinds) if kinds and len(kinds) == len(found) else None
