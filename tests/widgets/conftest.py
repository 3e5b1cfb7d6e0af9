"""A study on a random model of odd sizes, and views whose messages are kept."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
import torch

import mediawidget as mw
from mediawidget.widgets import View
from tests.small_models import random_model, tokenizer_of

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """Every text of a picture, in order, one by one on a line; the picture parses as XML."""
    lines = ET.fromstring(svg).iter(f"{SVG}text")
    pieces = (one for line in lines for one in line.findall(f"{SVG}tspan") or [line])
    return ["".join(piece.itertext()).strip("\N{NO-BREAK SPACE}") for piece in pieces]


class Page:
    """What a page would see of a view: traits as they are sent, custom messages, replies."""

    def __init__(self, view: View, monkeypatch: pytest.MonkeyPatch) -> None:
        self.view = view
        self.states: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self._next = 0
        monkeypatch.setattr(view.comm, "send", self._keep)

    def _keep(self, data: Any = None, **_: Any) -> None:
        if data["method"] == "update":
            self.states.append(data["state"])
        elif data["method"] == "custom":
            self.messages.append(data["content"])

    def request(self, action: str, **fields: Any) -> dict[str, Any]:
        """Send a request as the page does; the content that was sent."""
        self._next += 1
        revision = fields.pop("revision", self.view.study.revision)
        content = {
            "kind": "request",
            "id": self._next,
            "revision": revision,
            "action": action,
            **fields,
        }
        self.view._handle_custom_msg(content, [])
        return content

    def ask(self, action: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return its reply, which is there at once without an event loop."""
        content = self.request(action, **fields)
        (reply,) = (m for m in self.messages if m.get("id") == content["id"])
        return reply

    def sent(self, name: str) -> list[Any]:
        """Every value of a trait that was sent."""
        return [state[name] for state in self.states if name in state]


@pytest.fixture(scope="session")
def lm() -> mw.LM:
    return mw.load(random_model("gpt2", torch.float32), tokenizer=tokenizer_of("gpt2"))


PAIRS = [
    mw.PromptPair(
        clean="ant bee cat dog eel fox gnu",
        corrupt="ant bee owl dog eel fox gnu",
        answer="hen",
        wrong="ibis",
        roles={"S": 2, "END": 6},
    ),
    mw.PromptPair(
        clean="rat bee pig dog eel fox gnu",
        corrupt="rat bee yak dog eel fox gnu",
        answer="jay",
        wrong="kite",
        roles={"S": 2, "END": 6},
    ),
    mw.PromptPair(
        clean="mole bee newt dog eel fox gnu",
        corrupt="mole bee seal dog eel fox gnu",
        answer="coral",
        wrong="dust",
        roles={"S": 2, "END": 6},
    ),
]


@pytest.fixture
def study(lm: mw.LM) -> mw.Study:
    """One pair: 5 layers x 3 heads, 7 tokens that part at 2."""
    return mw.Study(lm, PAIRS[0])


@pytest.fixture
def several(lm: mw.LM) -> mw.Study:
    """Three pairs."""
    return mw.Study(lm, mw.Contrast(PAIRS, name="three"))


@pytest.fixture
def swept(study: mw.Study) -> mw.Study:
    """Heads and the residual stream were run, two heads are selected."""
    study.sweep("head", progress=False)
    study.sweep("residual", by="position", progress=False)
    study.intervene([mw.Site("head", 3, head=1), mw.Site("head", 1, head=0)])
    return study
