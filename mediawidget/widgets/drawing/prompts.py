"""The two prompts as an interlinear pair: differing tokens framed, the answers at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .canvas import Canvas, token_width
from .colours import INK, SOFT
from .reading import Sheet
from .text import plain, probability, reserved, shortened

_NAMES = 74
_LINE = 52
_MOST_LINES = 6
_WIDEST = 180
_NONE = "\N{EN DASH}"


def draw_prompts(canvas: Canvas, sheet: Sheet, x: float, y: float, room: float) -> float:
    """The prompts from y on; where they end."""
    p = sheet.view["prompts"]
    canvas.text(x, y + 15, "CLEAN", size=11, fill=SOFT)
    canvas.text(x, y + 37, "CORRUPT", size=11, fill=SOFT)
    if sheet.view["pairs"]["index"] is None:
        words = f"pair 1 of {sheet.view['pairs']['n']}"
        canvas.text(x, y + 54, words, size=11, fill=SOFT)
    left, right = x + _NAMES, x + room
    columns = _columns(p)
    at, line, top = left, 0, y
    for i, (clean, corrupt) in enumerate(columns):
        differ = clean != corrupt
        w = max(token_width(clean), token_width(corrupt) if differ else 0.0) + 10
        if at + w > right and at > left:
            at, line, top = left, line + 1, top + _LINE
        if line == _MOST_LINES - 1 and at + w > right - 150 and i + 1 < len(columns):
            more = f"\N{HORIZONTAL ELLIPSIS} {len(columns) - i} more tokens"
            canvas.text(at + 4, top + 15, more, size=12, fill=SOFT)
            at += reserved(more, 12) + 12
            break
        _column(canvas, clean, corrupt, at, top, w)
        at += w + 3
    answers = [_answer(p["clean_top"], p["answer"]), _answer(p["corrupt_top"], p["wrong"])]
    needed = max(_answer_width(answer) for answer in answers)
    if at + needed > right and at > left:
        at, top = left, top + _LINE
    for row, answer in enumerate(answers):
        _draw_answer(canvas, answer, at + 6, top + 15 + 22 * row)
    return top + 46


def _columns(p: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(clean, corrupt) from left to right, partners together; a dash where one has none."""
    clean, corrupt = ([_short(token["text"]) for token in p[side]] for side in ("clean", "corrupt"))
    columns: list[tuple[str, str]] = []
    following = 0
    for text, token in zip(clean, p["clean"], strict=True):
        partner = int(token["partner"])
        if partner < 0:
            columns.append((text, _NONE))
            continue
        columns += [(_NONE, alone) for alone in corrupt[following:partner]]
        columns.append((text, corrupt[partner]))
        following = partner + 1
    return columns + [(_NONE, alone) for alone in corrupt[following:]]


def _column(canvas: Canvas, clean: str, corrupt: str, x: float, y: float, w: float) -> None:
    differ = clean != corrupt
    if differ:
        canvas.rect(x, y, w, 44, rx="4", fill="none", stroke=INK)
    canvas.token(x + (w - token_width(clean)) / 2, y + 15, clean, bold=differ)
    if differ:
        canvas.token(x + (w - token_width(corrupt)) / 2, y + 37, corrupt, bold=True)
    else:
        canvas.text(x + w / 2, y + 37, "\N{MIDDLE DOT}", fill=SOFT, anchor="middle")


Answer = tuple[str, str, str]
"""The first choice, its probability, and the studied answer where that is another."""


def _answer(top: list[Mapping[str, Any]], wanted: str) -> Answer:
    """The model's own first choice, and the studied answer beside it where they part."""
    wanted = _short(wanted)
    if not top:
        return "", "", wanted
    first = _short(top[0]["token"])
    same = first.strip() == wanted.strip()
    return first, probability(top[0]["p"]), "" if same else wanted


def _draw_answer(canvas: Canvas, answer: Answer, x: float, y: float) -> None:
    first, p, wanted = answer
    canvas.text(x, y, "\N{RIGHTWARDS ARROW}", bold=True)
    x += 18
    if first:
        canvas.token(x, y, first, bold=True)
        x += token_width(first) + 8
        canvas.text(x, y, p, bold=True)
        x += reserved(p, 13, bold=True) + 4
    if wanted:
        canvas.text(x, y, "(studied:", size=12, fill=SOFT)
        x += reserved("(studied:", 12) + 4
        canvas.token(x, y, wanted)
        canvas.text(x + token_width(wanted) + 2, y, ")", size=12, fill=SOFT)


def _answer_width(answer: Answer) -> float:
    first, p, wanted = answer
    studied = reserved("(studied:", 12) + token_width(wanted) + 20 if wanted else 0
    return 36 + token_width(first) + reserved(p, 13, bold=True) + studied


def _short(text: str) -> str:
    return shortened(plain(text), _WIDEST, 13, mono=True)
