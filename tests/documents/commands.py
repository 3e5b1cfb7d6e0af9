"""What the documents tell people to type."""

from __future__ import annotations

import re
import shlex
import tomllib
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

from mediawidget.__main__ import parser
from tests.documents.pages import ROOT, blocks, codes

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
#: Settings of the Makefile: what it asks for, and what it hands to the scripts.
SETTINGS = {
    *re.findall(r"\$[({]([A-Z_]+)", MAKEFILE),
    *re.findall(r"\b([A-Z_]{3,})\b", " ".join(re.findall(r"^export (.*)$", MAKEFILE, re.M))),
}
EXTRAS = set(
    tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
)
OURS = re.compile(r"(?:[\w./-]*python[\d.]* -m )(?:mediawidget|pip)\b|make |pip ")


def lines(path: Path) -> Iterator[tuple[str, bool]]:
    """Lines for a terminal, and whether each is whole: what stands in the text may be a part."""
    for block in blocks(path):
        if not block.is_python:
            for line in re.sub(r"\\\n\s*", " ", block.source).splitlines():
                yield re.sub(r"^\s*(?:\$|%|!)\s*", "", line).strip(), True
    for said in codes(path):
        yield said.text.strip(), False


def commands(path: Path) -> Iterator[tuple[list[str], bool]]:
    """The commands of ours among them, as words."""
    for line, whole in lines(path):
        if OURS.match(line):
            for part in re.split(r"\s(?:&&|;|\|)\s", line):
                words = shlex.split(part, comments=True)
                if words:
                    yield words, whole


def wrong(words: list[str], *, whole: bool) -> str:
    """What is wrong with a command, or nothing."""
    if words[0] == "make":
        return _make(words[1:])
    if words[1:3] == ["-m", "mediawidget"]:
        return _mediawidget(words[3:], whole=whole)
    if words[0] == "pip" or words[1:3] == ["-m", "pip"]:
        return _pip(words)
    return ""


def _make(words: list[str]) -> str:
    for word in words:
        setting, given, _ = word.partition("=")
        if given and setting not in SETTINGS:
            return f"the Makefile has no setting {setting}"
        if not given and not word.startswith("-") and word not in TARGETS:
            return f"the Makefile has no target {word}"
    return ""


def _pip(words: list[str]) -> str:
    for word in words:
        asked = re.fullmatch(r"(?:mediawidget|\.)\[([\w,-]+)\](.*)", word)
        if asked and (missing := set(asked[1].split(",")) - EXTRAS):
            return f"there is no extra {', '.join(sorted(missing))}"
    return ""


def _mediawidget(words: list[str], *, whole: bool) -> str:
    if whole:
        try:
            parser().parse_args(words)
        except SystemExit as stopped:
            # Those who ask for help get it, and no more.
            return "" if not stopped.code else f"python -m mediawidget takes no {' '.join(words)}"
        return ""
    options, subcommands = _options(parser())
    for word in words:
        option = word.partition("=")[0]
        if word.startswith("-") and option not in options:
            return f"there is no option {option}"
    if words and not words[0].startswith("-") and words[0] not in subcommands:
        return f"there is no command {words[0]}"
    return ""


def _options(of: ArgumentParser) -> tuple[set[str], set[str]]:
    options: set[str] = set()
    subcommands: set[str] = set()
    for action in of._actions:
        options |= set(action.option_strings)
        if isinstance(action, _SubParsersAction):
            for name, one in action.choices.items():
                subcommands.add(name)
                options |= _options(one)[0]
    return options, subcommands
