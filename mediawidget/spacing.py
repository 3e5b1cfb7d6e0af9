"""Whether a space stands between a prompt and its answer: where people would write one."""

from __future__ import annotations

import re

_CLOSES = re.compile(r"[.,;:!?)\]}%…”’»]|'(?:s|t|re|ve|m|ll|d)\b")  # noqa: RUF001 - a quote
"""What an answer begins with that stands right behind a word."""

_OPENS = re.compile(r"[\s(\[{“‘«¿¡$£€#@_]$|\S[=+*/^<>|&~\\—-]$")  # noqa: RUF001 - a quote
"""What a prompt ends with that stands right before a word; a sum's sign, if no space is before."""

_NUMBER = re.compile(r"(?<!\d)\d+$")


def follows_directly(prompt: str, answer: str) -> bool:
    """Whether ``answer`` goes on from ``prompt`` without a space between them.

    It does not where it brings a space of its own, and where nothing in the two texts says so:
    words have a space between them.
    """
    if not prompt or answer[:1].isspace():
        return False
    if _CLOSES.match(answer) or _OPENS.search(prompt):
        return True
    quoted = prompt.endswith('"') and prompt.count('"') % 2 == 1
    return quoted or _goes_on_counting(prompt, answer)


def _goes_on_counting(prompt: str, answer: str) -> bool:
    """Whether digits go on from digits, as in "from 1732 to 17", but not in "from 17 32 to 17"."""
    number = _NUMBER.search(prompt)
    if number is None or not answer[:1].isdigit():
        return False
    return re.search(rf"(?<!\d){number[0]}\d", prompt) is not None
