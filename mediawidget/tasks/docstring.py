"""Docstrings: which parameter of a function is described next?"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, get_args

from ..prompts import Contrast, PromptPair
from ._draw import check_choice, check_count, collect
from ._fit import Fit, fit, one_token_words
from ._text import Filled, HasTokens, fill_text

Corruption = Literal["swap", "definition", "description"]

FUNCTIONS = (
    *("load", "save", "read", "write", "open", "close", "find", "sort", "merge", "split"),
    *("draw", "send", "update", "check", "copy", "move"),
)
PARAMETERS = (
    *("path", "mode", "name", "size", "file", "index", "value", "key", "line", "text", "color"),
    *("width", "height", "depth", "limit", "start", "end", "step", "count", "order", "label"),
    *("point", "node", "user", "port", "host", "date", "time", "word", "page"),
)
DESCRIPTIONS = (
    *("river", "music", "garden", "winter", "coffee", "paper", "silver", "stone", "bread"),
    *("forest", "summer", "ocean", "mountain", "window", "kitchen", "letter", "bridge", "glass"),
)

#: How a parameter is marked.
_MARKS = (":param", "@param", ":arg")

_FRAME = '''def {{function}}(self, {{A_def}}, {{B_def}}, {{C_def}}, {{D_def}}):
    """{{w0}} {{w1}} {{w2}}

    {mark} {{A_doc}}: {{w3}} {{w4}}
    {mark} {{B_doc}}: {{w5}} {{w6}}
    {mark}'''

FRAMES = tuple(_FRAME.format(mark=mark) for mark in _MARKS)

_DEFINED, _DOCUMENTED = ("A_def", "B_def", "C_def", "D_def"), ("A_doc", "B_doc")
_FILLER = tuple(f"w{i}" for i in range(7))


class _Words(NamedTuple):
    """``parameters`` are the four of the function, then those of the corrupt prompt."""

    frame: str
    function: str
    parameters: tuple[str, ...]
    filler: tuple[str, ...]


def docstring(
    lm: HasTokens, n: int = 64, seed: int = 0, corruption: Corruption = "swap"
) -> Contrast:
    """Prompts such as "def load(self, path, mode, size, name):" and a docstring -> size.

    The docstring describes the first two parameters and has come to the third. All pairs have as
    many tokens, and their roles lie alike. In the manner of Heimersheim and Janiak (2023), with
    words and templates of our own.

    Args:
        lm: the model whose tokenizer the prompts must suit; only ``lm.tokens`` is used.
        n: number of pairs.
        seed: the same seed, tokenizer and options give the same pairs.
        corruption: what the corrupt prompt changes.
            "swap": the third and the fourth parameter exchange places in the definition, so the
            answer becomes the other. Two tokens differ.
            "definition": all four in the definition become others, so the docstring follows none.
            Four tokens differ.
            "description": the two described parameters become others, so the docstring follows
            none. Two tokens differ.

    Returns:
        A contrast with the roles A_def, B_def, C_def (the answer) and D_def (the wrong answer) in
        the definition, A_doc and B_doc in the docstring, and END; ``dropped`` counts drawn pairs
        that had a parameter of several tokens.

    Raises:
        MediationError: an unknown option, or too few of the words are single tokens, as is the
            case for tokenizers without code.
    """
    check_count(lm, n, seed)
    check_choice("corruption", corruption, get_args(Corruption))
    parameters = one_token_words(lm, "parameter names", PARAMETERS, 10)
    functions = one_token_words(lm, "function names", FUNCTIONS, 1)
    filler = one_token_words(lm, "words", DESCRIPTIONS, len(_FILLER))
    good = parameters | functions | filler
    sample = dict.fromkeys((*_DEFINED, *_DOCUMENTED), min(parameters))
    sample |= dict.fromkeys(_FILLER, min(filler)) | {"function": min(functions)}
    fitting = fit(lm, FRAMES, sample)
    rng = Random(int(seed))

    known = [[word for word in some if word in good] for some in (FUNCTIONS, DESCRIPTIONS)]

    def draw(_: int) -> _Words:
        names = tuple(rng.sample(PARAMETERS, 10))
        filler = tuple(rng.sample(known[1], len(_FILLER)))
        return _Words(rng.choice(fitting.frames), rng.choice(known[0]), names, filler)

    def build(words: _Words) -> PromptPair | None:
        used = words.parameters[: 4 if corruption == "swap" else None]
        return _pair(fitting, words, corruption) if good.issuperset(used) else None

    return collect(f"docstring, {corruption}", n, draw, build)


def _pair(fitting: Fit, words: _Words, corruption: Corruption) -> PromptPair | None:
    a, b, c, d, *fresh = words.parameters

    def filled(defined: tuple[str, ...], documented: tuple[str, ...]) -> Filled:
        slots = dict(zip(_FILLER, words.filler, strict=True)) | {"function": words.function}
        slots |= dict(zip(_DEFINED, defined, strict=True))
        slots |= dict(zip(_DOCUMENTED, documented, strict=True))
        return fill_text(words.frame, slots)

    defined = {"swap": (a, b, d, c), "definition": tuple(fresh[:4])}.get(corruption, (a, b, c, d))
    documented = tuple(fresh[4:]) if corruption == "description" else (a, b)
    open_slots = tuple(f"{{{slot}}}" for slot in (*_DEFINED, *_DOCUMENTED))
    clean = filled((a, b, c, d), (a, b))
    return fitting.pair(
        clean,
        filled(defined, documented),
        (c, d),
        {slot: clean.span(slot) for slot in (*_DEFINED, *_DOCUMENTED)},
        template=filled(open_slots[:4], open_slots[4:]).text,
    )
