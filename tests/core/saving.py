"""A study with something of everything in it, and what it means that one comes back."""

from __future__ import annotations

import json

import numpy as np

import mediawidget as mw
from tests.asking import pair

HEAD, OTHER = mw.Site("head", layer=1, head=1), mw.Site("head", layer=3, head=0)
PAIRS = (
    pair(),
    mw.PromptPair(
        "ant bee cat dog eel",
        "ant bee cat dog owl",
        ["hen", "ibis"],
        "kite",
        roles={"END": 4},
        template="t",
        group="g",
    ),
    pair(corrupt="ant bee cat dog owl"),
)


def asked(lm: mw.LM) -> mw.Study:
    """A study with something of everything in it."""
    study = mw.Study(lm, mw.Contrast(PAIRS, "mine", dropped=3), readout=mw.Readout(-1))
    study.sweep("head", progress=False)
    study.sweep("residual", by="position", edit=mw.Zero(), progress=False)
    study.sweep("mlp_out", edit=mw.Noise(samples=2), layers=[1], progress=False)
    study.intervene(HEAD)
    study.intervene({HEAD: mw.Patch(), OTHER: mw.Steer(np.linspace(0, 1 / 3, 8))})
    study.clear()
    study.intervene([HEAD, OTHER], freeze=("mlp_out", mw.Site("head", 2, head=0)))
    study.intervene({OTHER: mw.Patch(study.activations(OTHER))})
    study.history.name(2, 'a "name" of <b>mine</b> \u202e')
    study.history.name(0, "start")
    study.walk(4)
    return study


def same(one: mw.Effect | None, two: mw.Effect | None) -> None:
    """Equal to the last bit in everything that is shown of them."""
    assert (one is None) == (two is None)
    if one is None or two is None:
        return
    for name in ("bases", "edited", "status"):
        a, b = getattr(one, name), getattr(two, name)
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()
    for name in ("axes", "metric", "labels", "checks", "columns", "clusters", "groups"):
        assert getattr(one, name) == getattr(two, name)
    assert json.loads(json.dumps(dict(one.facts))) == json.loads(json.dumps(dict(two.facts)))
    assert one.edit.to_json() == two.edit.to_json()
