"""The parts of a script that set nothing: what it is, its model, its prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..edits import Edit, Within
from ..lm import LM
from ..loading import TEACHING_MODEL
from ..token_pairs import TokenPair
from .places import Spot
from .readings import Readings

if TYPE_CHECKING:
    from ..study import Study

_SAID = {"patch": "patched", "zero": "set to zero", "mean": "set to its mean", "scale": "scaled"}
_NAMED = 4


def head(spots: Sequence[Spot], *, corners: bool) -> list[str]:
    """What it does, and what it needs."""
    names = ", ".join(f"{spot.label} {_said_of(spot.edit)}" for spot in spots[:_NAMED])
    rest = f" and {len(spots) - _NAMED} more" if len(spots) > _NAMED else ""
    lines = [f"# {names}{rest}, in nnsight 0.8." if spots else "# The two prompts, in nnsight 0.8."]
    if corners:
        lines += ["# Y10: the model reads the clean prompt, the sites are as on the corrupt one."]
    return [
        *lines,
        "import torch",
        "from nnsight import NNsight",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
    ]


def _said_of(edit: Edit) -> str:
    if isinstance(edit, Within):
        return f"{_said_of(edit.edit)} within {edit.part.words}"
    return _SAID.get(edit.kind, edit.kind)


def loading(lm: LM, model: str | None, *, eager: bool) -> list[str]:
    """The model and its tokenizer, by name; of a folder a comment says what others put there.

    A model that has none, or other weights by now than those that go by it, is left to the reader.
    """
    origin, revision = (lm.origin if lm.as_loaded else None) or (None, None)
    name = origin if model is None else model
    options = "".join(
        (
            f", revision={revision!r}" if revision and model is None else "",
            f", dtype={lm.dtype}",
            # Attention patterns are computed, and can be set, under this implementation alone.
            ', attn_implementation="eager"' if eager else "",
        )
    )
    place = "" if lm.device.type == "cpu" else f".to({str(lm.device)!r})"
    if name is None:
        # Not every model can be told later how it is to compute attention.
        note = ', loaded with attn_implementation="eager"' if eager else ""
        weights = "" if lm.origin is None else ", with the weights that it has now"
        kind = f"{type(lm.hf).__name__} of transformers{weights}"
        return [
            f"hf = ...  # your {kind}, in evaluation mode,",
            f"# {lm.dtype}{note}",
            "tokenizer = ...  # and its tokenizer",
            "model = NNsight(hf)",
            "torch.set_grad_enabled(False)",
        ]
    return [
        *_whose(name),
        f"name = {quoted(name)}",
        "tokenizer = AutoTokenizer.from_pretrained(name"
        + (f", revision={revision!r})" if revision and model is None else ")"),
        f"hf = AutoModelForCausalLM.from_pretrained(name{options})",
        f"model = NNsight(hf{place}.eval())",
        "torch.set_grad_enabled(False)",
    ]


def _whose(name: str) -> list[str]:
    """What somebody else is to put in place of a folder of this machine."""
    if Path(name) == TEACHING_MODEL:
        where = 'python -c "import mediawidget as mw; print(mw.load().origin[0])"'
        return [f"# Elsewhere it is what this prints: {where}"]
    if not Path(name).is_dir():
        return []
    return ["# A folder of this machine: elsewhere, put your copy of the model here."]


def pairs(study: Study, how: Readings) -> list[str]:
    """Texts and ids: where a tokenizer puts its spaces is its own affair."""
    lines = [
        "# Clean prompt, corrupt prompt; token ids of the right and of the wrong answer.",
        "pairs = [",
    ]
    for texts, pair in zip(study.contrast, study.token_pairs, strict=True):
        right, wrong = (_ids(ids, how) for ids in pair.answers)
        lines += [
            f"    ({quoted(texts.clean)},",
            f"     {quoted(texts.corrupt)},",
            f"     {right}, {wrong}),  # {_said(study.lm, pair)}",
        ]
    return [*lines, "]"]


def quoted(text: str) -> str:
    """A text as Python writes it, in double quotes where that needs no more escapes."""
    written = repr(text)
    return written if '"' in written else f'"{written[1:-1]}"'


def _ids(ids: Sequence[int], how: Readings) -> str:
    return str(list(ids)) if how.forced or how.sets else str(ids[0])


def _said(lm: LM, pair: TokenPair) -> str:
    """The answers as text, safe within a comment."""
    both = ("".join(map(lm.encoder.token, ids)) for ids in pair.answers)
    return " or ".join(quoted(text[:40]) for text in both)
