"""Cross-model patching: exact by plain hooks of both networks, and told beside its controls."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.charts.base import MIME
from mediawidget.crossing import least_squares
from mediawidget.statistics import mean_interval
from tests.asking import raised
from tests.engine.judging import pairs_of
from tests.oracle import Oracle, logit_diff
from tests.small_models import random_model, tokenizer_of

MESSY = Path(__file__).parents[2] / "examples" / "course" / "messy"
LENGTH = 6
DONORS = ("own", "raw", "least squares", "procrustes")


@lru_cache
def network(seed: int) -> tuple[Any, torch.nn.Module]:
    """The package's model and the oracle's own copy."""
    made, copy = (random_model("gpt2", seed=seed) for _ in range(2))
    return mw.load(made, tokenizer=tokenizer_of("gpt2")), copy


def studies(n: int = 3) -> tuple[mw.Study, mw.Study]:
    pairs = pairs_of("gpt2", n, LENGTH)
    return mw.Study(network(0)[0], pairs), mw.Study(network(1)[0], pairs)


def others() -> list[mw.PromptPair]:
    return pairs_of("gpt2", 12, LENGTH)[3:]


@pytest.mark.parametrize(
    ("mediator", "by", "cell", "positions"),
    [
        ("residual", "position", (1, 4), (4,)),
        ("head", None, (1, 1), tuple(range(LENGTH))),
        ("mlp_out", {"late": (4, 5)}, (1, 0), (4, 5)),
    ],
)
def test_every_donor_is_what_plain_hooks_say(
    mediator: str, by: Any, cell: tuple[int, int], positions: tuple[int, ...]
) -> None:
    to, giver = studies()
    result = mw.crossing.cross_patch(to, giver, mediator, by, fit=others(), progress=False)
    pairs, index, key = list(to.contrast), 1, (mediator, 1)
    mine, theirs = (Oracle(network(s)[1], tokenizer_of("gpt2"), pairs) for s in (0, 1))
    site = mw.Site(mediator, 1, head=1 if mediator == "head" else None, position=positions)
    columns = mine._cells_of(site)(mine.values(pairs[0].clean)[key])[0][1][0]

    def values(oracle: Oracle, texts: list[str]) -> Any:
        return np.concatenate([oracle.values(text)[key].numpy()[:, columns] for text in texts])

    known = [getattr(pair, base) for base in ("clean", "corrupt") for pair in others()]
    fitted = least_squares(values(theirs, known), values(mine, known))
    clean, corrupt = (values(theirs, [text]) for text in (pairs[index].clean, pairs[index].corrupt))
    donors = {"raw": clean, "raw, corrupt": corrupt, "least squares": fitted(clean)}
    for donor, value in donors.items():
        how = ("value", torch.from_numpy(value[list(positions)]))
        wanted = logit_diff(mine.run("corrupt", [(site, how)], index))
        assert result.restored[donor][index][cell] == pytest.approx(wanted, abs=1e-9), donor


def test_the_own_value_is_the_sweep_of_the_receiver() -> None:
    to, giver = studies()
    result = mw.crossing.cross_patch(to, giver, "residual", "position", progress=False)
    assert result.donors == ("own", "raw", "raw, corrupt")
    effect = to.sweep("residual", "position", progress=False)
    assert tuple(result.axes) == tuple(effect.axes)
    assert result.labels == effect.labels
    np.testing.assert_allclose(result.pairs("own"), effect.pairs("PIE"), atol=1e-9)
    np.testing.assert_allclose(result.bases, effect.scores(effect.bases), atol=1e-12)
    assert not len(result.fits)


def test_a_network_into_itself_is_patched_as_by_itself() -> None:
    to, _ = studies()
    same = mw.Study(to.lm, to.contrast)
    result = mw.crossing.cross_patch(to, same, "residual", fit=others(), progress=False)
    for donor in DONORS:
        np.testing.assert_allclose(result.pairs(donor), result.pairs("own"), atol=1e-6)
        if donor != "own":
            np.testing.assert_allclose(result.pairs(f"{donor}, corrupt"), 0, atol=1e-6)
            np.testing.assert_allclose(result.carried(donor), result.share("own"), atol=1e-5)
    np.testing.assert_allclose(result.fits["R2"], 1)


def test_a_turned_copy_is_read_through_a_map_alone() -> None:
    """Neurons in another order: the same function, another space."""
    to, _ = studies()
    twin = random_model("gpt2", seed=0)
    body: Any = twin
    mlp = body.transformer.h[1].mlp
    order = torch.randperm(mlp.c_proj.weight.shape[0], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mlp.c_fc.weight.copy_(mlp.c_fc.weight[:, order])
        mlp.c_fc.bias.copy_(mlp.c_fc.bias[order])
        mlp.c_proj.weight.copy_(mlp.c_proj.weight[order])
    giver = mw.Study(mw.load(twin, tokenizer=tokenizer_of("gpt2")), to.contrast)
    np.testing.assert_allclose(giver.total.bases, to.total.bases, atol=1e-9)
    result = mw.crossing.cross_patch(to, giver, "neurons", layers=1, fit=others(), progress=False)
    own = result.pairs("own")
    np.testing.assert_allclose(result.pairs("procrustes"), own, atol=1e-3)
    assert np.abs(result.pairs("raw") - own).max() > 0.1


@pytest.fixture(scope="module")
def seeds() -> mw.crossing.CrossPatch:
    """A model of another seed, of the same sentences, into the teaching model."""
    lm, messy = mw.load(), mw.load(MESSY)
    contrast = mw.tasks.agreement(lm, n=16, seed=1)
    fit = mw.tasks.agreement(lm, n=48, seed=0)
    to, giver = mw.Study(lm, contrast), mw.Study(messy, contrast)
    return mw.crossing.cross_patch(
        to, giver, "residual", {"END": "END"}, fit=fit, layers=[4, 5], progress=False
    )


def test_two_seeds_do_not_share_a_space_but_a_map_finds_it(seeds: mw.crossing.CrossPatch) -> None:
    """At the verb: raw values restore little beyond their control, mapped ones nearly all."""
    assert (seeds.share("own") > 0.9).all()
    assert (seeds.carried("raw") < 0.7).all()
    for name in ("least squares", "procrustes"):
        assert (seeds.carried(name) > seeds.carried("raw") + 0.2).all()
        assert (np.abs(seeds.share(f"{name}, corrupt")) < 0.2).all()
    assert (seeds.fits["R2"] > 0.5).all()
    low, high = seeds.carried_ci("least squares")
    assert (low < seeds.carried("least squares")).all()
    assert (high > seeds.carried("least squares")).all()


def test_tables_and_words_tell_shares_with_intervals(seeds: mw.crossing.CrossPatch) -> None:
    table = seeds.to_dataframe()
    assert len(table) == 2 * len(seeds.donors)
    row = table[(table["donor"] == "raw, corrupt") & (table["layer"] == 5)].iloc[0]
    assert (row["value"], row["prompt"], row["n"]) == ("raw", "corrupt", 16)
    total = seeds.bases[:, 0] - seeds.bases[:, 1]
    share = seeds.pairs("raw, corrupt")[:, 1, 0].mean() / total.mean()
    assert row["share"] == pytest.approx(share)
    assert row["low"] < row["share"] < row["high"]
    low, high = mean_interval(total, seeds.clusters, 0.95)
    for said in ("n=16 pairs", "teaching model", "raw, corrupt", f"[{low:.3g}, {high:.3g}]"):
        assert said in repr(seeds)
    assert list(seeds.top(1)["label"]) == [seeds.labels[int(np.argmax(seeds.share("own")))]]
    raised(lambda: seeds.pairs("mine"))
    flat = replace(seeds, bases=np.zeros_like(seeds.bases))
    raised(lambda: flat.share("raw"))
    assert flat.pairs("raw").shape == seeds.pairs("raw").shape


def test_the_chart_draws_the_table(seeds: mw.crossing.CrossPatch) -> None:
    import vl_convert

    chart = mw.charts.crossing(seeds, 1)
    (data,) = [d for d in chart.to_dict()["datasets"].values() if "share" in d[0]]
    best = seeds.labels[int(np.argmax(seeds.share("own")))]
    assert {row["label"] for row in data} == {best}
    assert len(data) == len(seeds.donors)
    svg = vl_convert.vegalite_to_svg(chart._repr_mimebundle_()[MIME], vl_version="5.20")
    assert "share of TE restored" in svg
    assert "NaN" not in svg
    raised(lambda: mw.charts.crossing(None))  # type: ignore[arg-type]


def test_other_prompts_shapes_and_things_are_refused() -> None:
    to, giver = studies()
    fewer = mw.Study(giver.lm, list(giver.contrast)[:2])
    llama = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"))
    cross = mw.crossing.cross_patch
    raised(lambda: cross(to, fewer, "residual"))
    raised(lambda: cross(to, mw.Study(llama, to.contrast), "residual"))
    raised(lambda: cross(to, giver.lm, "residual"))  # type: ignore[arg-type]
    raised(lambda: cross(to, giver, "residue"))
    raised(lambda: cross(to, giver, "residual", "place"))
    raised(lambda: cross(to, giver, "edge"))
    raised(lambda: cross(to, giver, "residual", fit="more"))  # type: ignore[arg-type]


def test_maps_are_fitted_on_prompts_of_two_lengths_as_on_others() -> None:
    to, giver = studies()
    fit = [
        replace(one, corrupt=f"{one.corrupt} {one.corrupt.split()[0]}", roles={})
        for one in others()
    ]
    found = mw.crossing.cross_patch(to, giver, "residual", "position", fit=fit, progress=False)
    assert set(found.fits["n"]) == {sum(LENGTH + LENGTH + 1 for _ in fit)}


def test_all_positions_of_answers_of_several_tokens_are_refused() -> None:
    to, giver = studies()
    first, second = (one.answer for one in to.contrast[:2])
    fed = [replace(one, answer=f"{first} {second}") for one in to.contrast]
    pair = mw.Study(to.lm, fed), mw.Study(giver.lm, fed)
    error = raised(lambda: mw.crossing.cross_patch(*pair, "residual", progress=False))
    assert "an answer of several tokens" in str(error)
    mw.crossing.cross_patch(*pair, "residual", "position", progress=False)


class Seeing(torch.nn.Module):
    """Two convolutions and a layer on top."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.Conv2d(3, 4, 2)
        self.c, self.d = torch.nn.Linear(36, 5), torch.nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = torch.relu(self.b(torch.tanh(self.a(x))))
        out: torch.Tensor = self.d(torch.tanh(self.c(maps.flatten(1))))
        return out


def seeing(seed: int, pairs: Any) -> mw.Study:
    torch.manual_seed(seed)
    return mw.Study(mw.load(Seeing().double(), points=["a", "b", "c"]), pairs)


def images(n: int, seed: int) -> list[mw.InputPair]:
    draw = np.random.default_rng(seed)
    return [
        mw.InputPair(draw.standard_normal((1, 4, 4)), draw.standard_normal((1, 4, 4)), 0, 1)
        for _ in range(n)
    ]


@pytest.mark.parametrize(
    ("mediator", "by"), [("layer", None), ("channel", None), ("channel", "position")]
)
def test_a_network_of_images_patched_with_its_own_values_is_its_own_sweep(
    mediator: str, by: Any
) -> None:
    study = seeing(0, images(4, 1))
    result = mw.crossing.cross_patch(study, study, mediator, by, progress=False)
    wanted = study.sweep(mediator, by=by, progress=False)
    assert dict(result.axes).keys() == dict(wanted.axes).keys()
    for donor in ("own", "raw"):
        np.testing.assert_allclose(result.pairs(donor), wanted.pairs("PIE"), atol=1e-12)
    there = ~np.isnan(wanted.pairs("PIE"))
    assert np.abs(result.pairs("raw, corrupt")[there]).max() < 1e-12


def test_another_network_of_images_gives_what_hooks_say_and_maps_are_fitted() -> None:
    pairs, more = images(3, 1), images(20, 2)
    to, giver = seeing(0, pairs), seeing(1, pairs)
    fit = [*more, pairs[0]]
    result = mw.crossing.cross_patch(to, giver, "layer", fit=fit, progress=False)
    assert result.shared == 2
    assert set(result.fits["map"]) == {"least squares", "procrustes"}
    mine, theirs = (cast("Seeing", study.lm.hf) for study in (to, giver))
    for index, pair in enumerate(pairs):
        clean, corrupt = (torch.tensor(getattr(pair, base))[None] for base in ("clean", "corrupt"))
        with torch.no_grad():
            value = theirs.b(torch.tanh(theirs.a(clean)))
            out = mine.d(torch.tanh(mine.c(torch.relu(value).flatten(1))))[0]
            start = mine(corrupt)[0]
        moved = float((out[0] - out[1]) - (start[0] - start[1]))
        assert abs(result.pairs("raw")[index, 1] - moved) < 1e-9


def test_other_images_are_refused() -> None:
    pairs = images(3, 1)
    to = seeing(0, pairs)
    for other in (images(3, 2), pairs[:2], [pairs[0].swapped(), *pairs[1:]]):
        told = raised(partial(mw.crossing.cross_patch, to, seeing(1, other), "layer"))
        assert "the same inputs" in told.message
