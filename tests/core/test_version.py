"""What counts as a change of the model, and what does not."""

import copy

import pytest
import torch

import mediawidget as mw
from tests.small_models import random_model, tokenizer_of


@pytest.fixture
def lm() -> mw.LM:
    return mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))


def test_running_changes_nothing(lm: mw.LM) -> None:
    before = lm.version()
    mw.Study(lm, mw.PromptPair("ant bee cat", "ant fox cat", "rat", "owl")).sweep("head")
    assert lm.version() == before


def test_a_write_in_place_is_seen(lm: mw.LM) -> None:
    before = lm.version()
    with torch.no_grad():
        lm.hf.get_parameter("transformer.h.1.mlp.c_fc.weight").mul_(1.0)
    assert lm.version() != before


def test_a_new_parameter_is_seen(lm: mw.LM) -> None:
    before = lm.version()
    block = lm.hf.get_submodule("transformer.h.1.mlp.c_fc")
    weight = lm.hf.get_parameter("transformer.h.1.mlp.c_fc.weight")
    block.weight = torch.nn.Parameter(weight.clone())
    assert lm.version() != before


def test_a_new_module_is_seen_once_and_its_weights_after_that(lm: mw.LM) -> None:
    before = lm.version()
    block = lm.hf.get_submodule("transformer.h.1")
    block.mlp = copy.deepcopy(block.mlp)
    after = lm.version()
    assert after != before
    assert lm.version() == after
    with torch.no_grad():
        lm.hf.get_parameter("transformer.h.1.mlp.c_fc.weight").mul_(1.0)
    assert lm.version() != after
