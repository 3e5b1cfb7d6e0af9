"""What cannot be asked of a network is refused in words, before anything is run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mediawidget as mw
from mediawidget.abstraction.cells import cells_of
from mediawidget.networks import Point, differentiated, forward
from tests.asking import raised
from tests.networks.nets import made
from tests.networks.oracle import asked, engine_of

X = np.zeros(4)
Y = np.ones(4)


class Unruly(nn.Module):
    """Modules that are never called, called twice, and give no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.never, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.memory = nn.LSTM(4, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.memory(self.twice(self.twice(x))[:, None])
        out: Tensor = self.last(states[:, 0])
        return out


def study(net: nn.Module, points: Any, *pairs: mw.InputPair) -> mw.Study:
    return mw.Study(mw.load(net, points=points), pairs or (mw.InputPair(X, Y, 0, 1),))


PAIRS: dict[str, tuple[str, Callable[[], object]]] = {
    "different shapes": (
        "The two inputs of a pair are of one shape and one kind of number",
        lambda: mw.InputPair(X, np.ones(3), 0, 1),
    ),
    "equal": (
        "The two inputs are equal, so there is no effect to mediate",
        lambda: mw.InputPair(X, X, 0, 1),
    ),
    "same class": (
        "The answer and the wrong answer are the same class",
        lambda: mw.InputPair(X, Y, 1, 1),
    ),
    "class that is no number": (
        "A pair's answer is a class of the network's output",
        lambda: mw.InputPair(X, Y, "a", 1),  # type: ignore[arg-type]
    ),
    "negative class": (
        "A pair's answer is a class of the network's output",
        lambda: mw.InputPair(X, Y, -1, 1),
    ),
    "no number": (
        "A pair's clean input is an array of finite numbers",
        lambda: mw.InputPair(X * np.nan, Y, 0, 1),
    ),
    "text": (
        "A pair's clean input is an array of finite numbers",
        lambda: mw.InputPair("a", "b", 0, 1),
    ),
    "roles that are a number": (
        "Roles are names of positions",
        lambda: mw.InputPair(X, Y, 0, 1, roles=3),  # type: ignore[arg-type]
    ),
    "a role without a place": (
        "Roles are names of positions",
        lambda: mw.InputPair(X, Y, 0, 1, roles={"cue": "here"}),  # type: ignore[dict-item]
    ),
    "among prompts": (
        "A contrast is made of prompt pairs",
        lambda: mw.Contrast(
            [mw.PromptPair("a", "b", "c", "d"), mw.InputPair(X, Y, 0, 1)]  # type: ignore[arg-type]
        ),
    ),
}

LOADS: dict[str, tuple[str, Callable[[], object]]] = {
    "unknown module": (
        "The network has no such module",
        lambda: mw.load(Unruly(), points={"a": "nowhere"}),
    ),
    "no points": ("A network's points are named", lambda: mw.load(Unruly(), points={})),
    "twice one place": (
        "Two points are at one place",
        lambda: mw.load(Unruly(), points={"a": "last", "b": "last"}),
    ),
    "unknown layout": ("Unknown layout of a point", lambda: Point("last", "long")),  # type: ignore[arg-type]
    "unknown side": ("A point is one side of a module", lambda: Point("last", side="middle")),  # type: ignore[arg-type]
    "half precision": (
        "A network is run in single or double precision",
        lambda: mw.load(Unruly().half(), points=["last"]),
    ),
    "both directions": (
        "This recurrent layer cannot be unrolled",
        lambda: mw.load(nn.Sequential(nn.GRU(3, 3, bidirectional=True)), points=["0"]),
    ),
    "the whole network": (
        "A point names a module by its path",
        lambda: mw.load(Unruly(), points={"all": ""}),
    ),
    "classes that are a number": (
        "Classes are named in a list",
        lambda: mw.load(Unruly(), points=["last"], classes=5),  # type: ignore[call-overload]
    ),
    "classes in one text": (
        "Classes are named in a list",
        lambda: mw.load(Unruly(), points=["last"], classes="ab"),
    ),
    "classes of a language model": (
        "This is an option of a network with points",
        lambda: mw.load(classes=["a", "b"]),  # type: ignore[call-overload]
    ),
    "a tokenizer": (
        "This is an option of a language model",
        lambda: mw.load(Unruly(), points=["last"], tokenizer=str),  # type: ignore[call-overload]
    ),
    "a revision": (
        "This is an option of a language model",
        lambda: mw.load(Unruly(), points=["last"], revision="main"),  # type: ignore[call-overload]
    ),
    "not a module": (
        "The points of a network are modules of torch",
        lambda: mw.load("gpt2", points=["a"]),  # type: ignore[call-overload]
    ),
}


class Raising(nn.Module):
    """Its forward raises what it is told to, of some inputs."""

    def __init__(self, error: BaseException, *, of: float) -> None:
        super().__init__()
        self.last, self.error, self.of = nn.Linear(4, 2), error, of

    def forward(self, x: Tensor) -> Tensor:
        if (x == self.of).any():
            raise self.error
        out: Tensor = self.last(x)
        return out


STUDIES: dict[str, tuple[str, Callable[[], object]]] = {
    "never called": (
        "A point's module is called once in a forward pass",
        lambda: study(Unruly(), ["never"]),
    ),
    "called twice": (
        "A point's module is called once in a forward pass",
        lambda: study(Unruly(), ["twice"]),
    ),
    "another layout": (
        "A point's value does not lie as it was said to",
        lambda: study(Unruly(), {"a": Point("last", "time")}),
    ),
    "answer out of range": (
        "A pair's answer is no class of the network",
        lambda: study(Unruly(), ["last"], mw.InputPair(X, Y, 0, 2)),
    ),
    "input it cannot read": (
        "The network cannot read these inputs",
        lambda: study(Unruly(), ["last"], mw.InputPair([0.0], [1.0], 0, 1)),
    ),
    "a word that it does not know": (
        "The network cannot read these inputs",
        lambda: study(
            nn.Sequential(nn.Embedding(3, 4), nn.Flatten(), nn.Linear(8, 2)),
            ["2"],
            mw.InputPair([0, 1], [1, 2], 0, 1),
            mw.InputPair([0, 1], [1, 3], 0, 1),
        ),
    ),
    "no classes": (
        "A network gives a number for each class",
        lambda: study(nn.Sequential(nn.Identity(), nn.Linear(4, 1)), ["0"]),
    ),
    "several shapes": (
        "The pairs of a study are of one shape and one kind of number",
        lambda: study(
            Unruly(), ["last"], mw.InputPair(X, Y, 0, 1), mw.InputPair([0.0], [1.0], 0, 1)
        ),
    ),
    "prompts": (
        "A network that is no language model is asked about inputs",
        lambda: study(Unruly(), ["last"], mw.PromptPair("a", "b", "c", "d")),  # type: ignore[arg-type]
    ),
    "inputs of a language model": (
        "A language model is asked about prompts",
        lambda: mw.Study(mw.load(), mw.InputPair(X, Y, 0, 1)),
    ),
}


def site(kind: str, **more: Any) -> Callable[[mw.Study], object]:
    return lambda one: one.intervene({mw.Site(kind, 0, **more): mw.Zero()})


ASKED: dict[str, tuple[str, Callable[[mw.Study], object]]] = {
    "head": ("The mediator 'head' is one of language models", lambda one: one.sweep("head")),
    "a head's site": ("The mediator 'head' is one of language models", site("head", head=0)),
    "residual": ("The mediator 'residual' is one of language models", site("residual")),
    "no such point": (
        "The network has no such point",
        lambda one: one.intervene(mw.Site("layer", 9)),
    ),
    "no such position": ("The site's position is out of range", site("layer", position=24)),
    "no such unit": ("The site's unit is out of range", site("channel", unit=3)),
    "no unit": ("This mediator comes per unit", site("channel")),
    "unit of a whole point": ("A site of 'layer' is a whole point", site("layer", unit=1)),
    "head of a point": ("A site of 'layer' has no head", site("layer", head=1)),
    "states": (
        "None of this network's points has the mediator 'hidden'",
        lambda one: one.sweep("hidden"),
    ),
    "overlap": (
        "Two edits of one run set the same place",
        lambda one: one.intervene(
            {mw.Site("layer", 0): mw.Zero(), mw.Site("channel", 0, unit=1): mw.Patch()}
        ),
    ),
    "vector of another width": (
        "The vector is not as wide as the site",
        lambda one: one.intervene({mw.Site("layer", 0): mw.Steer([1.0])}),
    ),
    "part of another width": (
        "The part is of another space than the site",
        lambda one: one.intervene({mw.Site("layer", 0): mw.Within(mw.Subspace.random(1, 4))}),
    ),
    "values of another width": (
        "These values do not fit the site",
        lambda one: one.intervene(
            {mw.Site("layer", 0): mw.Patch(one.activations(mw.Site("layer", 4)))}
        ),
    ),
    "frozen head": (
        "The mediator 'head' is one of language models",
        lambda one: one.intervene(mw.Site("layer", 0), freeze=("head",)),
    ),
    "knockout": (
        "Only attention edges are knocked out",
        lambda one: one.sweep("layer", edit=mw.Knockout()),
    ),
    "unknown kind": ("Unknown mediator", lambda one: one.sweep("pixel")),
    "no kind at all": ("Unknown mediator", lambda one: one.sweep(3)),  # type: ignore[arg-type]
    "estimate of a misspelled kind": (
        "An estimate of a sweep is for language models alone",
        lambda one: one.estimate("chanel"),
    ),
    "role": ("The pairs have no role in common", lambda one: one.sweep("layer", by="role")),
    "estimate": (
        "An estimate of a sweep is for language models alone",
        lambda one: one.estimate("channel"),
    ),
    "file": ("A study in a file is for language models alone", lambda one: one.save("study.json")),
    "script": ("A script of what was run is for language models alone", lambda one: one.to_code()),
    "HeadGrid": ("The view HeadGrid is for language models alone", mw.HeadGrid),
    "Explorer": ("The view Explorer is for language models alone", mw.Explorer),
    "CircuitBoard": ("The view CircuitBoard is for language models alone", mw.CircuitBoard),
    "routes": (
        "A split into routes is for language models alone",
        lambda one: mw.routes(one, mw.Site("layer", 0)),
    ),
    "readout": (
        "A network that is no language model is read at its output",
        lambda one: mw.Study(one.lm, one.contrast, readout=mw.Readout(3)),
    ),
    "forward from another shape": (
        "What a point is set to is as large as the point",
        lambda one: forward(
            engine_of(one).network,
            engine_of(one).inputs[0],
            {"first": torch.zeros(1, 24, 3)},
        ),
    ),
    "forward to no point": (
        "The network has no such point",
        lambda one: forward(
            engine_of(one).network,
            engine_of(one).inputs[0],
            see=["nothing"],
        ),
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_pairs(case: str) -> None:
    words, refused = PAIRS[case]
    with pytest.raises(mw.MediationError, match=words):
        refused()


@pytest.mark.parametrize("case", LOADS)
def test_loading(case: str) -> None:
    words, refused = LOADS[case]
    with pytest.raises(mw.MediationError, match=words):
        refused()


def test_a_module_alone_is_told_of_both_ways() -> None:
    with pytest.raises(mw.MediationError) as raised:
        mw.load(Unruly())
    assert "tokenizer=" in raised.value.fix
    assert "points=" in raised.value.fix
    assert "Unruly" in str(raised.value.value)


@pytest.mark.parametrize("case", STUDIES)
def test_studies(case: str) -> None:
    words, refused = STUDIES[case]
    with pytest.raises(mw.MediationError, match=words):
        refused()


@pytest.mark.parametrize("case", ASKED)
def test_questions(case: str) -> None:
    one, _ = asked("cnn")
    words, refused = ASKED[case]
    with pytest.raises(mw.MediationError, match=words):
        refused(one)


MISSPELLED: dict[str, Callable[[mw.Study], object]] = {
    "sweep": lambda one: one.sweep("chanel"),
    "start": lambda one: one.start("chanel"),
    "site": site("chanel", unit=0),
    "held in a sweep": lambda one: one.sweep("layer", freeze=("chanel",)),
    "held": lambda one: one.intervene(mw.Site("layer", 0), freeze="chanel"),
    "interchange": lambda one: cells_of(one, "chanel"),
    "held site": lambda one: one.intervene(mw.Site("layer", 0), freeze=[mw.Site("chanel", 1)]),
}


@pytest.mark.parametrize("case", MISSPELLED)
def test_a_misspelled_kind_is_told_of_those_that_there_are(case: str) -> None:
    for net, kinds in (
        ("cnn", "layer, channel, unit"),
        ("lstm", "hidden, hidden_unit, cell, cell_unit"),
    ):
        told = raised(partial(MISSPELLED[case], asked(net)[0]))
        assert told.message == "Unknown mediator."
        assert (told.value, told.expected) == ("'chanel'", f"one of {kinds}")
        assert "'channel'" in told.fix if net == "cnn" else "'hidden'" in told.fix


@pytest.mark.parametrize(
    ("call", "helps"),
    [
        (lambda one: one.save("study.json"), "effect.save("),
        (lambda one: one.estimate("channel"), "study.sweep("),
        (lambda one: one.to_code(), "mw.load(module, points="),
    ],
)
def test_the_fix_of_what_networks_have_not_is_about_it(
    call: Callable[[mw.Study], object], helps: str
) -> None:
    one, _ = asked("cnn")
    told = raised(lambda: call(one))
    assert helps in told.fix
    assert "draws itself" not in told.fix


def test_what_is_done_instead_of_a_file_of_a_study(tmp_path: Path) -> None:
    one, _ = asked("cnn")
    effect = one.sweep("layer", layers=[0], progress=False)
    again = mw.Effect.load(effect.save(tmp_path / "effect.json"))
    np.testing.assert_array_equal(again["PIE"], effect["PIE"])


def test_a_mean_of_one_pair() -> None:
    one = study(Unruly(), ["last"])
    for edit in (mw.Mean(), mw.Resample()):
        with pytest.raises(mw.MediationError, match="over inputs needs several"):
            one.sweep("layer", edit=edit)


def test_other_mediators_of_a_language_model() -> None:
    told = "When Mary and John went to the store, {} gave a book to"
    pair = mw.PromptPair(told.format("John"), told.format("Mary"), "Mary", "John")
    one = mw.Study(mw.load(), pair)
    for kind in mw.mediators.OF_NETWORKS:
        with pytest.raises(mw.MediationError, match="language model has no mediator"):
            one.sweep(kind)


def test_training_mode_anywhere_is_refused_for_rows_would_depend_on_each_other() -> None:
    """In training mode a batch norm's rows do: the reason, and then the refusal."""
    one, _ = asked("cnn")
    net, rows = made("cnn").net, engine_of(one).inputs[0]
    norm = net.get_submodule("norm")
    kept = {name: value.clone() for name, value in norm.state_dict().items()}
    try:
        norm.train()
        with torch.no_grad():
            alone, beside = net(rows[:2])[0], net(rows)[0]
        assert float((alone - beside).abs().max()) > 1e-3
        for ask in (
            lambda: one.total,
            lambda: one.sweep("channel"),
            lambda: one.activations(mw.Site("layer", 0)),
            lambda: forward(engine_of(one).network, rows),
            lambda: differentiated(engine_of(one).network, rows, ["first"], torch.sum).__enter__(),
        ):
            with pytest.raises(mw.MediationError, match="training mode"):
                ask()
    finally:
        norm.eval()
        norm.load_state_dict(kept)
    with torch.no_grad():
        assert torch.equal(net(rows[:2])[0], net(rows)[0])


UNREAD: dict[str, tuple[str, Callable[[], object]]] = {
    "BatchNorm1d": (
        "ValueError: expected 2D or 3D input (got 4D input)",
        lambda: study(
            nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)),
            ["1"],
            mw.InputPair(np.ones((2, 3, 4)), np.zeros((2, 3, 4)), 0, 1),
        ),
    ),
    "BatchNorm2d": (
        "ValueError: expected 4D input",
        lambda: study(nn.Sequential(nn.BatchNorm2d(4), nn.Linear(4, 2)), ["1"]),
    ),
    "KeyError": ("KeyError: 'x'", lambda: study(Raising(KeyError("x"), of=0.0), ["last"])),
    "no words": ("AssertionError: ", lambda: study(Raising(AssertionError(), of=0.0), ["last"])),
    "corrupt": ("KeyError: 'x'", lambda: study(Raising(KeyError("x"), of=1.0), ["last"]).total),
    "activations": (
        "KeyError: 'x'",
        lambda: study(Raising(KeyError("x"), of=1.0), ["last"]).activations(
            mw.Site("layer", 0), "corrupt"
        ),
    ),
}


@pytest.mark.parametrize("case", UNREAD)
def test_what_a_forward_raises_is_said_in_words(case: str) -> None:
    own, refused = UNREAD[case]
    told = raised(refused)
    assert told.message == "The network cannot read these inputs."
    assert own in str(told.value)


def test_weights_that_have_no_numbers_yet() -> None:
    net = nn.Sequential(nn.LazyBatchNorm1d(), nn.LazyLinear(3), nn.Linear(3, 2))
    told = raised(lambda: mw.load(net, points=["1"]))
    assert told.message == "The network has uninitialized weights."
    assert told.value == "0: LazyBatchNorm1d, 1: LazyLinear"
    net(torch.rand(3, 4))
    assert np.isfinite(study(net, ["1"]).total["TE"])


READ: dict[str, tuple[str, object]] = {
    "channels": ("RuntimeError: Given groups=1", torch.zeros(1, 2, 4, 6)),
    "axes": ("Error: ", torch.zeros(1, 4)),
    "None": ("None: TypeError", None),
    "text": ("'a text': TypeError", "a text"),
    "a number": ("IndexError", 3),
    "ragged": ("ValueError", [[1.0], [1.0, 2.0]]),
}


@pytest.mark.parametrize("case", READ)
def test_what_a_network_is_given_and_cannot_read(case: str) -> None:
    own, given = READ[case]
    network = engine_of(asked("cnn")[0]).network
    for ask in (
        lambda: forward(network, given),
        lambda: differentiated(network, given, ["first"], torch.sum).__enter__(),
    ):
        told = raised(ask)
        assert told.message == "The network cannot read these inputs."
        assert own in str(told.value)


def test_a_function_that_sets_a_point_has_errors_of_its_own() -> None:
    one, _ = asked("cnn")
    network, rows = engine_of(one).network, engine_of(one).inputs[0]
    told = raised(lambda: forward(network, rows, {"first": lambda value: value @ value}))
    assert told.message == "What a point is set to could not be computed."
    assert "'first'" in str(told.value)
    told = raised(lambda: forward(network, rows, {"first": lambda _: None}))  # type: ignore[dict-item, return-value]
    assert told.message == "What a point is set to is as large as the point."
    assert "NoneType" in str(told.value)


STAYS = (KeyboardInterrupt(), MemoryError(), torch.OutOfMemoryError("no room"))


@pytest.mark.parametrize("error", STAYS, ids=lambda one: type(one).__name__)
def test_an_interrupt_and_want_of_memory_stay_what_they_are(error: BaseException) -> None:
    net = Raising(error, of=1.0)
    with pytest.raises(type(error)):
        study(net, ["last"], mw.InputPair(Y, X, 0, 1))
    network = engine_of(study(net, ["last"])).network
    with pytest.raises(type(error)):
        forward(network, Y[None])


def test_a_batch_that_does_not_fit_is_still_halved() -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.most = nn.Linear(4, 2), 99

        def forward(self, x: Tensor) -> Tensor:
            if len(x) > self.most:
                raise torch.OutOfMemoryError
            out: Tensor = self.last(x)
            return out

    net = Small().double()
    pairs = [mw.InputPair(X + i, Y / 2, 0, 1) for i in range(4)]
    wanted = study(net, ["last"], *pairs).sweep("unit", progress=False)
    net.most = 5
    found = study(net, ["last"], *pairs).sweep("unit", progress=False)
    np.testing.assert_allclose(found.pairs("PIE"), wanted.pairs("PIE"), atol=1e-12)
