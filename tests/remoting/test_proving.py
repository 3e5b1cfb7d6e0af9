"""First contact: a server that does not compute what it is asked is found before any number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mediawidget as mw
from mediawidget.drafts import next_tokens
from mediawidget.lens import logit_lens, logits_of
from mediawidget.loading import TEACHING_MODEL
from mediawidget.plain import plain_run
from mediawidget.validity import Check
from tests.remoting.elsewhere import Elsewhere
from tests.small_models import random_model, tokenizer_of

PAIRS = [
    mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
    mw.PromptPair("hen pig cat zebra jay", "hen pig rat zebra jay", "owl", "kite"),
]
SITE = mw.Site("mlp_out", 2)
LONGER = mw.PromptPair("ant bee cat dog eel", "ant owl lark cat dog eel", "fox", "gnu")
FIRST = 2
"""Requests of first contact: the engine's runs, and one of them by the slow road."""


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere("llama")


def first(elsewhere: Elsewhere) -> mw.Study:
    return mw.Study(elsewhere.there(), PAIRS)


def shift(saved: dict[str, Any]) -> dict[str, Any]:
    """Of the last run of a pass of the engine a thousandth is added to what it kept."""
    if "kept" in saved:
        saved["kept"][-1] += 1e-3
    return saved


def nothing_edited(saved: dict[str, Any]) -> dict[str, Any]:
    """Every run of a pass comes to what the first prompt does."""
    if "kept" in saved:
        saved["kept"][:] = saved["kept"][:1]
    return saved


def otherwise(saved: dict[str, Any]) -> dict[str, Any]:
    """What is asked by the slow road comes out otherwise."""
    if "found" in saved:
        saved["found"] = saved["found"] * 1.001
    return saved


def no_numbers(saved: dict[str, Any]) -> dict[str, Any]:
    if "kept" in saved:
        saved["kept"][:] = torch.nan
    return saved


def _all(saved: dict[str, Any], change: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, Any]:
    """Every number that is sent is changed, by whatever road it was asked."""

    def changed(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return change(value)
        return [changed(one) for one in value] if type(value) is list else value

    return {name: changed(value) for name, value in saved.items()}


def constant(saved: dict[str, Any]) -> dict[str, Any]:
    """The same finite number, whatever is asked."""
    return _all(saved, lambda value: torch.full_like(value, 3.7))


def nothing(saved: dict[str, Any]) -> dict[str, Any]:
    return _all(saved, torch.zeros_like)


def scaled(saved: dict[str, Any]) -> dict[str, Any]:
    return _all(saved, lambda value: value * 1.001)


def shifted(saved: dict[str, Any]) -> dict[str, Any]:
    return _all(saved, lambda value: value + 0.5)


def drawn(saved: dict[str, Any]) -> dict[str, Any]:
    return _all(saved, torch.randn_like)


def test_a_click_is_one_request_after_first_contact(elsewhere: Elsewhere) -> None:
    study = first(elsewhere)
    assert elsewhere.requests == 0, "making a study asks nothing"
    effect = study.intervene(mw.Site("head", 2, head=1))
    assert elsewhere.requests == FIRST + 1
    assert {check.name for check in effect.checks} >= {"self-patch", "full cut", "plain forward"}
    for site in (mw.Site("head", 1, head=0), mw.Site("mlp_out", 3), mw.Site("residual", 1)):
        before = elsewhere.requests
        study.intervene(site)
        assert elsewhere.requests == before + 1
    here = mw.Study(elsewhere.here(), PAIRS).intervene(mw.Site("head", 2, head=1))
    np.testing.assert_allclose(effect.edited, here.edited, rtol=0, atol=1e-9)


def test_first_contact_is_made_once_per_model(elsewhere: Elsewhere) -> None:
    study = first(elsewhere)
    _ = study.total
    assert elsewhere.requests == FIRST + 1
    again = mw.Study(study.lm, PAIRS[1:])
    _ = again.total
    assert elsewhere.requests == FIRST + 2


def test_a_changed_model_is_met_anew(elsewhere: Elsewhere) -> None:
    study = first(elsewhere)
    _ = study.total
    before = elsewhere.requests
    norm: Any = study.lm.hf.model.norm
    norm.weight = torch.nn.Parameter(torch.empty_like(norm.weight))
    _ = study.total
    assert elsewhere.requests == before + FIRST + 1


def test_a_sweep_has_its_own_checks(elsewhere: Elsewhere) -> None:
    study = first(elsewhere)
    _ = study.total
    before = elsewhere.requests
    effect = study.sweep("head", progress=False)
    plain = next(check for check in effect.checks if check.name == "plain forward")
    assert plain.ok
    assert elsewhere.requests == before + 2, "its runs, and one of them by the slow road"


@pytest.mark.parametrize("lie", [shift, nothing_edited, otherwise, no_numbers, constant])
@pytest.mark.parametrize(
    "ask",
    [
        lambda study: study.total,
        lambda study: study.intervene(mw.Site("head", 2, head=1)),
        lambda study: study.sweep("head", progress=False),
        lambda study: study.activations(mw.Site("head", 2, head=1)),
        lambda study: logit_lens(study.engine, 0, mw.Run("clean")),
        mw.lenses.logit_lens,
    ],
    ids=["total", "click", "sweep", "activations", "lens", "lens of a metric"],
)
def test_a_server_that_lies_is_found_before_any_number(
    elsewhere: Elsewhere, ask: Callable[[mw.Study], Any], lie: Any
) -> None:
    study = first(elsewhere)
    elsewhere.change = lie
    for _ in range(2):  # also when it is asked again
        with pytest.raises(mw.MediationError, match="does not compute what it is asked") as raised:
            ask(study)
        assert "off by" in str(raised.value)
    assert not study.grids
    assert study.history.current is None
    elsewhere.change = lambda saved: saved
    ask(study)


@pytest.mark.parametrize(
    ("lie", "what"),
    [
        (constant, "should give different logits"),
        (constant, "should give other logits than without it"),
        (nothing, "should give different logits"),
        (scaled, "Adding up the probabilities of the next token should give 1"),
        (shifted, "Adding up the probabilities of the next token should give 1"),
        (drawn, "should give its own run's logits"),
    ],
)
def test_what_is_said_of_a_lie_about_everything(elsewhere: Elsewhere, lie: Any, what: str) -> None:
    """Runs of such a server agree with each other: self-patch, full cut and plain pass do."""
    study = first(elsewhere)
    elsewhere.change = lie
    with pytest.raises(mw.MediationError) as raised:
        _ = study.total
    assert what in str(raised.value.value)


def test_a_server_that_reads_one_prompt_for_all(elsewhere: Elsewhere) -> None:
    """All runs of a pair agree then, by either road."""
    study = first(elsewhere)
    words = elsewhere.hf.get_input_embeddings()
    hook = words.register_forward_pre_hook(lambda _, given: (given[0][:1].expand_as(given[0]),))
    with pytest.raises(mw.MediationError) as raised:
        _ = study.total
    said = str(raised.value.value)
    assert "The clean and the corrupt prompt should give different logits" in said
    assert said.count("should give") == 1, "nothing else tells"
    hook.remove()
    assert np.isfinite(study.total["TE"])


def test_a_server_that_leaves_edits_out_is_found_on_a_weak_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In half precision a pair may differ by less than two roads may part: no cut tells then."""

    def unedited(rows: torch.Tensor, write: Any) -> torch.Tensor:
        return rows.new_zeros(len(write.row))

    def unset(_: Any, old: torch.Tensor, __: Any) -> torch.Tensor:
        return old

    elsewhere = Elsewhere("gpt2", torch.bfloat16)
    with torch.no_grad():
        elsewhere.hf.transformer.ln_f.weight *= 0.1
    assert first(elsewhere).engine.prove(), "the right one is not refused"
    study = first(elsewhere)
    monkeypatch.setattr("mediawidget.applying.written", unedited)
    monkeypatch.setattr("mediawidget.remote_traces.set_to", unset)
    with pytest.raises(mw.MediationError) as raised:
        _ = study.total
    said = str(raised.value.value)
    assert "to zero should give other logits than without it (moved by 0)" in said
    assert said.count("should give") == 1, "nothing else tells"


def test_half_of_every_edit_is_found(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    from mediawidget.applying import written

    def half(rows: torch.Tensor, write: Any) -> torch.Tensor:
        before = rows.clone()
        change = written(rows, write)
        rows.copy_((before + rows) / 2)
        return change

    study = first(elsewhere)
    monkeypatch.setattr("mediawidget.applying.written", half)
    with pytest.raises(mw.MediationError, match="does not compute") as raised:
        _ = study.total
    said = str(raised.value.value)
    assert "Patching the whole residual stream" in said
    # A norm makes the same of half the stream: to the last bit, or not.
    assert "Setting the residual stream after the last layer to zero should give" in said


def test_prompts_that_differ_behind_what_is_read_are_no_lie(elsewhere: Elsewhere) -> None:
    pair = mw.PromptPair("ant bee cat dog eel", "ant bee cat owl eel", "fox", "gnu")
    study = mw.Study(elsewhere.there(), pair, readout=mw.Readout(2))
    checks = {check.name: check for check in study.engine.prove()}
    assert checks["two prompts"].ok is None
    assert "behind what is read" in checks["two prompts"].words
    assert all(check.ok for name, check in checks.items() if name != "two prompts")


def test_a_job_that_is_stepped_fails_too(elsewhere: Elsewhere) -> None:
    elsewhere.change = shift
    job = first(elsewhere).job("head")
    with pytest.raises(mw.MediationError, match="does not compute"):
        job.step()
    assert job.state == "failed"


def test_a_lie_that_begins_later_is_the_sweeps_own_to_find(elsewhere: Elsewhere) -> None:
    study = first(elsewhere)
    _ = study.total
    elsewhere.change = nothing_edited
    effect = study.sweep("head", progress=False)
    assert np.isnan(effect.edited).all()


def test_a_model_that_is_here_is_asked_nothing(elsewhere: Elsewhere) -> None:
    study = mw.Study(elsewhere.here(), PAIRS)
    assert study.engine.prove() == []


class Asleep(mw.remote.Loopback):
    """Says of no model that it is there, as a server does that has not loaded it yet."""

    def told(self, route: str) -> dict[str, Any]:
        return {"deployments": {}} if route == "status" else super().told(route)


def test_a_model_that_the_server_has_in_half_precision_says_so() -> None:
    """GPT-2's config says nothing of it, and NDIF loads in bfloat16: once it is asked for."""
    with Asleep(mw.load(TEACHING_MODEL, dtype=torch.bfloat16)) as loopback:
        there = mw.load(loopback.model, remote=loopback.server, dtype=torch.float32)
        pairs = mw.tasks.ioi(there, n=1)
        with pytest.raises(mw.MediationError) as raised:
            _ = mw.Study(there, pairs).total
        assert raised.value.fix == "dtype=torch.bfloat16 in mw.load"
        assert "logits in torch.bfloat16; torch.float32 is asked" in str(raised.value.value)
        half = mw.load(loopback.model, remote=loopback.server, dtype=torch.bfloat16)
        assert mw.Study(half, pairs).total["TE"] > 1


@pytest.mark.parametrize(
    ("has", "asked"),
    [
        (torch.float32, torch.float64),
        (torch.float32, torch.bfloat16),
        (torch.float16, torch.bfloat16),
        (torch.bfloat16, torch.float16),
    ],
)
def test_any_other_precision_is_refused_and_named(has: torch.dtype, asked: torch.dtype) -> None:
    with Asleep(mw.load(TEACHING_MODEL, dtype=has)) as loopback:
        there = mw.load(loopback.model, remote=loopback.server, dtype=asked)
        with pytest.raises(mw.MediationError, match="in another precision") as raised:
            _ = mw.Study(there, mw.tasks.ioi(there, n=1)).total
        assert raised.value.fix == f"dtype={has} in mw.load"
        same = mw.load(loopback.model, remote=loopback.server, dtype=has)
        assert mw.Study(same, mw.tasks.ioi(same, n=1)).total["TE"] > 1
        check = one_of(same, "server's precision")
        assert check.ok
        assert check.words == f"The server makes logits in {has}; {has} is asked."


def test_single_precision_that_is_made_of_half_at_the_end_is_no_single_precision() -> None:
    """Mamba's logits are in single precision, whatever its weights are in."""
    mamba = mw.load(random_model("mamba", torch.bfloat16), tokenizer=tokenizer_of("mamba"))
    with Asleep(mamba) as loopback:
        there = mw.load(loopback.model, remote=loopback.server, dtype=torch.float32)
        with pytest.raises(mw.MediationError, match="in another precision") as raised:
            _ = mw.Study(there, PAIRS).total
        assert raised.value.fix == "dtype=torch.bfloat16 in mw.load"


class Wide(nn.Linear):
    """A head in more bits than what it reads."""

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return super().forward(value.to(self.weight.dtype))


def test_a_head_that_is_kept_in_more_bits_is_no_other_precision() -> None:
    class HeadInSingle(Elsewhere):
        def _traced(self, module: Any) -> Any:
            head = module.lm_head
            module.lm_head = Wide(head.in_features, head.out_features, bias=False)
            return super()._traced(module)

    there = HeadInSingle("llama", torch.bfloat16).there()
    assert there.dtype == torch.bfloat16
    assert not np.isnan(mw.Study(there, PAIRS).total["TE"])
    assert one_of(there, "server's precision").words.startswith(
        "The server makes logits in torch.float32 of activations in torch.bfloat16"
    )


class HeadInSingleThere(Elsewhere):
    """The server's head alone is in single precision; a client thinks what it is told to."""

    def asked(self, dtype: torch.dtype) -> mw.LM:
        head = self.hf.lm_head
        wide = Wide(head.in_features, head.out_features, bias=False)
        wide.weight = nn.Parameter(head.weight.detach().float())
        there = self.there(dtype)
        self.hf.lm_head = wide
        self.model = self._traced(self.hf)
        return there


def test_a_head_in_single_precision_hides_no_half_precision() -> None:
    lm = HeadInSingleThere("llama", torch.bfloat16).asked(torch.float32)
    with pytest.raises(mw.MediationError, match="in another precision") as raised:
        _ = mw.Study(lm, PAIRS).total
    assert "of activations in torch.bfloat16" in str(raised.value.value)
    assert raised.value.fix == "dtype=torch.bfloat16 in mw.load"
    # The fix leads to numbers, though the head there is in more bits than the client's.
    lm = HeadInSingleThere("llama", torch.bfloat16).asked(torch.bfloat16)
    assert not np.isnan(mw.Study(lm, PAIRS).total["TE"])


def test_a_precision_that_there_is_not_is_a_lie(elsewhere: Elsewhere) -> None:
    def change(saved: dict[str, Any]) -> dict[str, Any]:
        if "found" in saved:
            saved["found"][-2:] = 0.123
        return saved

    elsewhere.change = change
    with pytest.raises(mw.MediationError, match="does not compute what it is asked") as raised:
        _ = first(elsewhere).total
    assert "numbers of epsilon 0.12" in str(raised.value.value)


def one_of(lm: mw.LM, name: str) -> Check:
    """One of the checks of first contact."""
    assert lm.proven is not None
    return next(check for check in lm.proven[1] if check.name == name)


def cut(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The last number of a value does not come."""

    def change(saved: dict[str, Any]) -> dict[str, Any]:
        return {**saved, name: saved[name][:-1]} if name in saved else saved

    return change


@pytest.mark.parametrize("name", ["kept", "change", "scale"])
def test_an_answer_with_other_numbers_than_were_asked_for(elsewhere: Elsewhere, name: str) -> None:
    """After first contact: a cell without its number would be one that was not run."""
    study = first(elsewhere)
    _ = study.total
    elsewhere.change = cut(name)
    with pytest.raises(mw.MediationError, match="other numbers than"):
        study.intervene(mw.Site("head", 2, head=1))
    with pytest.raises(mw.MediationError, match="other numbers than"):
        study.sweep("mlp_out", progress=False)
    elsewhere.change = dict
    assert np.isfinite(study.intervene(mw.Site("head", 2, head=1)).edited).all()


def longer(saved: dict[str, Any]) -> dict[str, Any]:
    """A dimension more of the first tensor."""
    found = saved["found"]
    return {"found": [found[0][None], *found[1:]] if type(found) is list else found[None]}


def fewer(saved: dict[str, Any]) -> dict[str, Any]:
    """The last entry does not come, of a list or of a tensor."""
    return {"found": saved["found"][..., :-1] if torch.is_tensor(saved["found"]) else []}


def another(saved: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(saved, "text")


PLAIN: dict[str, Callable[[mw.Study], Any]] = {
    "run": lambda study: plain_run(study.engine, mw.Run("corrupt", {SITE: mw.Patch()})),
    "another length": lambda study: plain_run(
        mw.Study(study.lm, LONGER).engine, mw.Run("corrupt", {SITE: mw.Patch()})
    ),
    "logits": lambda study: study.lm.logits_at(torch.tensor([[2, 3], [4, 5]]), [0, -1]),
    "next tokens": lambda study: next_tokens(study.lm, "ant bee"),
    "lens": lambda study: logit_lens(study.engine, 0, mw.Run("clean")),
    "end": lambda study: logits_of(study.lm, torch.ones(3, study.lm.d_model, dtype=torch.float64)),
    "lens of a metric": mw.lenses.logit_lens,
}


@pytest.mark.parametrize("change", [longer, fewer, another])
@pytest.mark.parametrize("ask", PLAIN)
def test_a_plain_pass_of_another_shape(elsewhere: Elsewhere, ask: str, change: Any) -> None:
    study = first(elsewhere)
    _ = study.total
    elsewhere.change = lambda saved: change(saved) if "found" in saved else saved
    with pytest.raises(mw.MediationError, match="other numbers than") as raised:
        PLAIN[ask](study)
    assert "ask again" in raised.value.fix
    elsewhere.change = dict
    PLAIN[ask](study)
