"""Who asks a server that fails: a client of little patience, and what must come all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import mediawidget as mw
from mediawidget.remote import Patience, Server
from tests.remoting.faults import Faulty

PAIRS = [
    mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
    mw.PromptPair("hen pig cat zebra jay", "hen pig rat zebra jay", "owl", "kite"),
]
SITE = mw.Site("head", 2, head=1)
QUICK = Patience(connect=2.0, answer=20.0, away=2.0, job=60.0, least=0.01, most=0.05)
TOLERANCE = 1e-9


def client(server: Faulty, patience: Patience = QUICK, key: str | None = None) -> mw.LM:
    where = Server(server.host, key or server.key, patience=patience)
    return mw.load(server.model, remote=where, dtype=torch.float64)


def asked(study: mw.Study, want: mw.Effect) -> None:
    """Ask, and see that the numbers are those of the model here."""
    found = study.intervene(SITE).edited
    np.testing.assert_allclose(found, want.edited, rtol=0, atol=TOLERANCE)


def remote_of(study: mw.Study) -> Any:
    assert study.lm.remote is not None
    return study.lm.remote
