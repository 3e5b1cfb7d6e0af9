"""Plain passes are questions with a digest: what was asked before is read from the folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import drafts
from mediawidget.lens import logit_lens
from mediawidget.plain import plain_run
from mediawidget.remote.loopback import Loopback
from tests.small_models import random_model, tokenizer_of

PAIR = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")
RUN = mw.Run("corrupt", {mw.Site("head", 2, head=1): mw.Patch()})


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_what_was_asked_before_is_not_asked_again(kind: str, tmp_path: Path) -> None:
    random_model(kind).save_pretrained(tmp_path / "model")
    tokenizer_of(kind).save_pretrained(tmp_path / "model")
    here = mw.load(tmp_path / "model", dtype=torch.float64)
    found, sent = [], []
    with Loopback(here) as server:
        for _ in range(2):
            lm = mw.load(
                server.model, remote=server.server, cache=tmp_path / "kept", dtype=torch.float64
            )
            engine = mw.Study(lm, PAIR).engine
            plain, lens = plain_run(engine, RUN), logit_lens(engine, 0, RUN)
            found.append((plain, lens.p, np.array([p for _, p in drafts.next_tokens(lm, "ant")])))
            sent.append(sum(one.route == "request" for one in server.requests))
    assert sent == [5, 5], "a run, two of first contact, a lens and a draft; then none"
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    own = mw.Study(here, PAIR).engine
    np.testing.assert_allclose(found[0][0], plain_run(own, RUN), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found[0][1], logit_lens(own, 0, RUN).p, rtol=0, atol=1e-9)
