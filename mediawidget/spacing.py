"""Whether a space stands between a prompt and its answer: where people would write one."""

from __future__ import annotations

import re

_CLOSES = re.compile(r"[.,;:!?)\]}%…”’»]|'(?:s|t|re|ve|m|ll|d)\b")  # noqa: RUF001 - a quote
"""What an answer begins with that stands right behind a word."""

_OPENS = re.compile(r"(?:[\s(\[{“‘«¿¡]|(?<!\S)[$£€#@]|[^\W_]_|<[^<>\s]+>)$")  # noqa: RUF001 - a quote
"""What a prompt ends with that stands right before a word: brackets, signs of money, tags."""

_SUM = re.compile(r"[^\s=+*/^<>|&~\\!:—-][=+*/^<>|&~\\—-]$")
"""A sign of one character right behind what it belongs to, as in "1+1="; not an arrow ("->")."""

_UNSPACED = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"
)
"""Thai, Lao, Burmese, Khmer, Chinese, Japanese, and their full-width signs: no spaces."""

_WITHIN = re.compile(_UNSPACED + "$"), re.compile(_UNSPACED)

_NUMBER = re.compile(r"(?<!\d)\d{2,}$")


def follows_directly(prompt: str, answer: str) -> bool:
    """Whether ``answer`` goes on from ``prompt`` without a space between them.

    It does not where it brings a space of its own, and where nothing in the two texts says so:
    words have a space between them.
    """
    if not prompt or answer[:1].isspace():
        return False
    if _CLOSES.match(answer) or _OPENS.search(prompt) or _SUM.search(prompt):
        return True
    if all(sign.search(text) for sign, text in zip(_WITHIN, (prompt, answer[:1]), strict=True)):
        return True
    return _within_quotes(prompt, answer) or _goes_on_counting(prompt, answer)


def as_read(prompt: str, answer: str) -> str:
    """The answer as it is read behind the prompt: with a space before it where one belongs."""
    own = answer[:1].isspace() or follows_directly(prompt, answer)
    return answer if own else " " + answer


def _within_quotes(prompt: str, answer: str) -> bool:
    """Whether one of the two is a straight quote that belongs to what the other is."""
    is_open = prompt.count('"') % 2 == 1
    return is_open and (prompt.endswith('"') or answer.startswith('"'))


def _goes_on_counting(prompt: str, answer: str) -> bool:
    """Whether digits make a number of the prompt's length, as in "from 1732 to 17", of digits.

    Not in "from 17 32 to 17".
    """
    number, more = _NUMBER.search(prompt), re.match(r"\d+", answer)
    if number is None or more is None:
        return False
    length = len(number[0]) + len(more[0])
    longer: list[str] = re.findall(rf"(?<!\d){number[0]}\d+", prompt)
    return length in map(len, longer)
