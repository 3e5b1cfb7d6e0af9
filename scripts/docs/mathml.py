r"""Formulas become MathML while the site is built: no script, no fonts, nothing to fetch.

pymdownx.arithmatex (generic) leaves ``\(...\)`` and ``\[...\]`` in elements of a class; this hook
of MkDocs puts MathML in their place. A formula that does not convert ends a strict build.
"""

from __future__ import annotations

import html
import logging
import re
from typing import Any
from xml.etree import ElementTree as ET

from latex2mathml.converter import convert

LOG = logging.getLogger("mkdocs.hooks.mathml")

_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\s*\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]\s*</(?P=tag)>',
    re.DOTALL,
)
_ALIGNED = re.compile(r"\\(begin|end)\{(aligned|split|gathered)\}")
_MATHML = "{http://www.w3.org/1998/Math/MathML}"


class FormulaError(ValueError):
    """A formula that the converter does not know; the text says what it stumbled over."""


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Called by MkDocs with each page's HTML."""
    return with_mathml(html, page.file.src_uri)


def with_mathml(text: str, where: str) -> str:
    """The HTML with MathML for every formula.

    Args:
        text: HTML as arithmatex leaves it.
        where: the page, for a warning that says where a formula failed.
    """

    def replaced(found: re.Match[str]) -> str:
        tex = html.unescape(found["tex"]).strip()
        try:
            return mathml(tex, block=found["open"] == "[")
        except FormulaError as error:
            LOG.warning("%s: %s", where, error)
            return found[0]

    return _FORMULA.sub(replaced, text)


def mathml(tex: str, *, block: bool) -> str:
    """One formula as an element ``math``, which scrolls where it is wider than its column.

    Raises:
        FormulaError: a command or environment that the converter left as it was.
    """
    source = _ALIGNED.sub(r"\\\1{align*}", tex)
    try:
        made = convert(source, display="block" if block else "inline")
        tree = ET.fromstring(made)
    except Exception as error:  # its errors have no common ancestor
        raise FormulaError(f"{tex!r} is no formula: {type(error).__name__} {error}") from error
    for node in tree.iter():
        said = (node.text or "").strip()
        if node.tag != f"{_MATHML}mtext" and "\\" in said:
            raise FormulaError(f"{tex!r} has {said}, which latex2mathml does not know")
    return f'<div class="formula">{made}</div>' if block else made
