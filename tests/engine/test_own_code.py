"""Hooks and functions of the user's inside the model: every cell is what they make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mediawidget as mw
from mediawidget.identity import untouched
from tests.small_models import random_model, tokenizer_of

KINDS = {
    "gpt2": ("transformer.h", "mlp", "attn", "attn.c_proj", "transformer.ln_f", "lm_head"),
    "llama": ("model.layers", "mlp", "self_attn", "self_attn.o_proj", "model.norm", "lm_head"),
}
PAIR = mw.PromptPair(
    "ant bee cat dog eel fox gnu", "ant bee cat kite eel fox gnu", answer="hen", wrong="ibis"
)
AT = 4


def _half(value: Any) -> Any:
    """Another value at one position: what counts positions must see them all."""
    first = value[0] if isinstance(value, tuple) else value
    new = first.clone()
    new[:, AT] *= -0.5
    return (new, *value[1:]) if isinstance(value, tuple) else new


@contextmanager
def _hook(module: nn.Module) -> Iterator[None]:
    handle = module.register_forward_hook(lambda _m, _i, out: _half(out))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _pre_hook(module: nn.Module) -> Iterator[None]:
    handle = module.register_forward_pre_hook(lambda _m, given: (_half(given[0]), *given[1:]))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _own_forward(owner: Any) -> Iterator[None]:
    """Of a module, or of a class and so of every module of it."""
    before = owner.forward
    owner.forward = lambda *given, **named: _half(before(*given, **named))
    try:
        yield
    finally:
        owner.forward = before


def _own_class(module: nn.Module) -> Any:
    return _own_forward(type(module))


WAYS: dict[str, Callable[[nn.Module], Any]] = {
    "hook": _hook,
    "pre-hook": _pre_hook,
    "own forward": _own_forward,
    "own class": _own_class,
}


def _module(model: nn.Module, kind: str, place: str) -> nn.Module:
    blocks, mlp, attn, proj, norm, head = KINDS[kind]
    in_block = {"block": "", "mlp": mlp, "attn": attn, "proj": proj}
    if place in ("norm", "head"):
        return model.get_submodule(norm if place == "norm" else head)
    name, layer = place.split(" ")
    return model.get_submodule(f"{blocks}.{layer}").get_submodule(in_block[name])


class _Oracle:
    """A head's z of the clean prompt in the corrupt one, by one hook and one plain pass."""

    def __init__(self, lm: mw.LM, kind: str) -> None:
        self.lm, self.kind = lm, kind
        (read,) = lm.encode(mw.Contrast([PAIR]))
        self.ids = [torch.tensor([list(ids)]) for ids in (read.clean, read.corrupt)]
        self.answers = [ids[0] for ids in read.answers]

    def score(self, ids: Tensor) -> float:
        with torch.no_grad():
            logits = self.lm.hf(ids).logits[0, -1]
        answer, wrong = self.answers
        return float(logits[answer] - logits[wrong])

    def restored(self, layer: int, head: int) -> float:
        proj = _module(self.lm.hf, self.kind, f"proj {layer}")
        columns = slice(head * self.lm.d_head, (head + 1) * self.lm.d_head)
        kept: list[Tensor] = []

        def write(_m: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            new = given[0].clone()
            new[..., columns] = kept[0]
            return (new,)

        keep = proj.register_forward_pre_hook(lambda _m, z: kept.append(z[0][..., columns].clone()))
        self.score(self.ids[0])
        keep.remove()
        handle = proj.register_forward_pre_hook(write)
        found = self.score(self.ids[1])
        handle.remove()
        return found


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    ("way", "place"),
    [
        *(("hook", f"{name} {at}") for name in ("block", "mlp", "attn", "proj") for at in (0, 1)),
        *(("hook", place) for place in ("mlp 2", "block 2", "norm", "head")),
        *(("pre-hook", place) for place in ("block 1", "block 2", "mlp 1", "head")),
        *(("own forward", place) for place in ("block 1", "mlp 0", "attn 1")),
        *(("own class", place) for place in ("block 1", "mlp 1", "attn 1")),
    ],
)
@pytest.mark.parametrize("early", [False, True], ids=["after the load", "before it"])
def test_every_cell_is_what_the_users_code_makes_it(
    kind: str, way: str, place: str, early: bool
) -> None:
    model = random_model(kind)
    module, plain = _module(model, kind, place), _logits(model)
    if early:
        with WAYS[way](module):
            _compare(mw.load(model, tokenizer=tokenizer_of(kind)), kind, plain)
    else:
        lm = mw.load(model, tokenizer=tokenizer_of(kind))
        with WAYS[way](module):
            _compare(lm, kind, plain)


def _compare(lm: mw.LM, kind: str, plain: Tensor) -> None:
    """``plain``: what the model gave without the user's code, for that must make a difference."""
    study, oracle = mw.Study(lm, PAIR), _Oracle(lm, kind)
    swept = study.sweep("head", progress=False)
    failed = {check.name for check in swept.checks if check.ok is False}
    assert failed <= {"clean answer"}
    assert not torch.equal(_logits(lm.hf), plain)
    for layer in range(lm.n_layers):
        for head in range(lm.n_heads):
            wanted = oracle.restored(layer, head)
            assert swept["Y01"][layer, head] == pytest.approx(wanted, abs=1e-9)
    clicked = study.intervene(mw.Site("head", 1, head=1))
    assert float(clicked["Y01"]) == pytest.approx(oracle.restored(1, 1), abs=1e-9)


def _logits(model: Any) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(torch.arange(1, 9)[None]).logits
    return found


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("early", [False, True], ids=["after the load", "before it"])
def test_a_block_of_another_class_may_add_what_it_likes(kind: str, early: bool) -> None:
    model = random_model(kind)
    lm = None if early else mw.load(model, tokenizer=tokenizer_of(kind))
    block, plain = _module(model, kind, "block 1"), _logits(model)
    before = type(block)

    class Own(before):  # type: ignore[misc, valid-type]
        def forward(self, *given: Any, **named: Any) -> Any:
            return _half(super().forward(*given, **named))

    block.__class__ = Own
    _compare(lm or mw.load(model, tokenizer=tokenizer_of(kind)), kind, plain)


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_a_class_no_longer_does_is_done_no_more(kind: str) -> None:
    study, module = _study_of(random_model(kind)), _module(random_model(kind), kind, "mlp 1")
    expected = study.sweep("head", progress=False).edited
    patched = random_model(kind)
    with _own_class(module):
        other = _study_of(patched)
        changed = other.sweep("head", progress=False).edited
        assert (study.sweep("head", progress=False).edited == changed).all()
    assert (changed != expected).any()
    for one in (study, other, _study_of(patched)):
        assert (one.sweep("head", progress=False).edited == expected).all()


def _study_of(model: Any) -> mw.Study:
    kind = model.config.model_type
    return mw.Study(mw.load(model, tokenizer=tokenizer_of(kind)), PAIR)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("named", [False, True], ids=["its own class", "a class of one's own"])
def test_parts_that_are_put_in_are_met_where_they_are(kind: str, named: bool) -> None:
    """A part that counts positions, in a library's model, or in one that only has another name."""
    model = random_model(kind)
    plain, part = _logits(model), _module(model, kind, "mlp 1")
    if named:
        model.__class__ = type("Mine", (type(model),), {})
    before = type(part).forward
    part.__class__ = type("Part", (type(part),), {"forward": lambda *given: _half(before(*given))})
    lm = mw.load(model, tokenizer=tokenizer_of(kind))
    assert lm.runs_own_code
    _compare(lm, kind, plain)


def test_a_library_s_model_under_another_name_keeps_its_shortcuts() -> None:
    model = random_model("llama")
    model.__class__ = type("Mine", (type(model),), {})
    assert mw.load(model, tokenizer=tokenizer_of("llama")).lends_prefix


def test_a_hook_of_no_module_is_a_hook() -> None:
    model = random_model("llama")
    lm = mw.load(model, tokenizer=tokenizer_of("llama"))
    seen: dict[Any, Any] = {}
    _module(model, "llama", "mlp 1").register_forward_pre_hook(seen.setdefault)
    assert not lm.lends_prefix
    assert mw.Study(lm, PAIR).sweep("head", progress=False).status.size


def test_nothing_is_left_out_while_the_users_code_runs_and_all_is_again_without_it() -> None:
    lm = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"))

    def shortcuts() -> list[bool]:
        return [lm.lends_prefix, lm.trims_head, len(lm.late_stages) > 0]

    assert shortcuts() == [True] * 3
    with _hook(_module(lm.hf, "llama", "mlp 1")):
        assert shortcuts() == [False] * 3
    assert shortcuts() == [True] * 3
    with _own_class(_module(lm.hf, "llama", "mlp 1")):
        assert shortcuts() == [False] * 3
    assert shortcuts() == [True] * 3


def test_a_class_that_has_its_forward_from_another_is_as_it_was_written() -> None:
    class Own(nn.Linear):
        pass

    assert untouched(Own(2, 2), Own)
    Own.forward = nn.Identity.forward  # type: ignore[assignment]
    assert not untouched(Own(2, 2), Own)
