"""Every mediator on every architecture: its lens laws, and its sweeps against the oracle."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.edits.base import BASES
from mediawidget.mediators import MEDIATORS
from mediawidget.plain import plain_run
from tests.engine.cases import Case, case, lm_of
from tests.engine.judging import Judge, judge, pairs_of, tolerance_of
from tests.small_models import ALL_KINDS, OTHER_KINDS

LENGTH = 6
READ = [name for name, mediator in MEDIATORS.items() if not mediator.keyed]
SWEPT = ("gpt2", "llama", "falcon_grouped", "falcon_alibi", "olmo2")


@lru_cache
def made(kind: str) -> tuple[Case, Judge]:
    return judge(kind, pairs_of(kind, 2, LENGTH))


def sites_of(kind: str, mediator: str) -> list[mw.Site]:
    """The first layer, whole, and the last, at two positions; first and last unit."""
    lm, known = lm_of(kind), MEDIATORS[mediator]
    last = known.n_layers(lm.shape) - 1
    units: list[dict[str, int]] = [{}, {}]
    if known.index:
        units = [{known.index: 0}, {known.index: known.units(lm.shape) - 1}]
    # Of the last layer, only what is read at the last position does anything.
    return [
        mw.Site(mediator, 0, **units[1]),
        mw.Site(mediator, last, position=(3, LENGTH - 1), **units[0]),
    ]


def has(kind: str, mediator: str) -> bool:
    return bool(lm_of(kind).has(MEDIATORS[mediator]))


def test_every_mediator_is_on_some_architecture() -> None:
    for mediator in READ:
        known = MEDIATORS[mediator]
        rare = known.mixes == "scan" or known.point.startswith("cross")
        kinds, least = (OTHER_KINDS, 1) if rare else (ALL_KINDS, 15)
        assert sum(has(kind, mediator) for kind in kinds) >= least, mediator


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_what_is_put_is_what_is_got(kind: str) -> None:
    """Put, then get: the values of the other prompt, patched in and read where they were put."""
    case, _ = made(kind)
    for mediator in filter(lambda name: has(kind, name), READ):
        for site in sites_of(kind, mediator):
            values = case.study.activations(site, "corrupt")
            n_positions = LENGTH if site.position is None else 2
            assert values.array.shape[:2] == (2, n_positions)
            own = case.study.activations(site, "clean")
            assert np.abs(own.array - values.array).max() > 1e-6, site
            again = case.study.activations(site, mw.Run("clean", {site: mw.Patch(values)}))
            np.testing.assert_array_equal(again.array, values.array)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_what_is_got_is_what_the_oracle_sees(kind: str) -> None:
    case, oracle = made(kind)
    for mediator in filter(lambda name: has(kind, name), READ):
        for site in sites_of(kind, mediator):
            values = case.study.activations(site, "clean")
            for index in range(2):
                whole = oracle.values(case.pairs[index].clean)[_key(site)]
                (cells,) = oracle._cells_of(site)(whole)
                np.testing.assert_allclose(
                    values.array[index], whole[cells], atol=tolerance_of(kind), rtol=0
                )


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_putting_back_what_was_got_changes_nothing(kind: str) -> None:
    """Get, then put: by its own prompt, and by its own captured values."""
    case, oracle = made(kind)
    runs = []
    for mediator in filter(lambda name: has(kind, name), READ):
        for site in sites_of(kind, mediator):
            values = case.study.activations(site, "clean")
            runs += [mw.Run("clean", {site: mw.Patch("clean")})]
            runs += [mw.Run("clean", {site: mw.Patch(values)})]
    outcomes = case.study.engine.evaluate(runs)
    for index in range(2):
        expected = np.broadcast_to(oracle.run("clean", index=index), (len(runs), 3))
        np.testing.assert_allclose(
            outcomes.kept[:, index], expected, atol=tolerance_of(kind), rtol=0
        )


def _key(site: mw.Site) -> tuple[str, int]:
    names = {"embedding_unit": "embedding", "mlp_unit": "mlp_out", "neurons": "neuron"}
    return names.get(site.mediator, site.mediator), site.layer


# --- sweeps ---------------------------------------------------------------------------------


def check_sweep(kind: str, mediator: str, by: str | None, most: int, **more: Any) -> mw.Effect:
    """Compare up to ``most`` cells of a sweep, in both directions."""
    case, oracle = made(kind)
    effect = case.study.sweep(mediator, by=by, **more)
    sweep = mw.Sweep(mediator, more.get("edit"), by)
    cells = sweep.cells(lm_of(kind).shape, LENGTH)
    shape = effect.status.shape
    assert shape == tuple(len(axis) for axis in effect.axes.values())
    assert len(cells) == effect.status.size
    impossible = [i for i, cell in enumerate(cells) if cell is None]
    assert (effect.status.reshape(-1)[impossible] == mw.Status.IMPOSSIBLE).all()
    possible = [i for i, cell in enumerate(cells) if cell is not None]
    rng = np.random.default_rng(len(cells))
    chosen = rng.choice(possible, size=min(most, len(possible)), replace=False)
    for index in range(2):
        for i in chosen:
            for b, base in enumerate(BASES):
                run = mw.Run(base, cells[i])
                np.testing.assert_allclose(
                    effect.edited[index, b].reshape(-1, 3)[i],
                    oracle.judged(run, index),
                    atol=tolerance_of(kind, [run]),
                    rtol=0,
                    err_msg=str(run),
                )
    assert not [check for check in effect.checks[1:] if check.ok is False]
    return effect


@pytest.mark.parametrize("mediator", MEDIATORS)
@pytest.mark.parametrize("kind", SWEPT)
def test_sweeps_are_the_oracles(kind: str, mediator: str) -> None:
    if not has(kind, mediator):
        with pytest.raises(mw.MediationError, match="This model has no"):
            made(kind)[0].study.sweep(mediator)
        return
    effect = check_sweep(kind, mediator, None, most=6)
    lm, known = lm_of(kind), MEDIATORS[mediator]
    if known.index:
        wide = {"key": lm.n_kv_heads, "value": lm.n_kv_heads}.get(mediator)
        assert len(effect.axes[known.index]) == (wide or known.units(lm.shape))
    if known.keyed:
        assert tuple(effect.axes) == ("layer", "head", "position", "key")


@pytest.mark.parametrize("mediator", [m for m in READ if "unit" not in m and m != "neuron"])
@pytest.mark.parametrize("kind", SWEPT)
def test_sweeps_by_position_are_the_oracles(kind: str, mediator: str) -> None:
    if has(kind, mediator):
        effect = check_sweep(kind, mediator, "position", most=6)
        assert effect.axes["position"] == tuple(range(LENGTH))


@pytest.mark.slow
@pytest.mark.parametrize("mediator", ["neuron", "mlp_unit", "embedding_unit"])
@pytest.mark.parametrize("kind", SWEPT)
def test_units_by_position_are_the_oracles(kind: str, mediator: str) -> None:
    if has(kind, mediator):
        check_sweep(kind, mediator, "position", most=20)


@pytest.mark.parametrize("edit", [mw.Zero(), mw.Knockout()])
@pytest.mark.parametrize("kind", SWEPT)
def test_edges_cut_after_and_before_the_softmax(kind: str, edit: mw.Edit) -> None:
    if not (has(kind, "edge") or isinstance(edit, mw.Knockout)):
        with pytest.raises(mw.MediationError, match="This model has no"):
            made(kind)[0].study.sweep("edge", edit=edit)
        return
    effect = check_sweep(kind, "edge", None, most=12, edit=edit)
    n = lm_of(kind).n_layers * lm_of(kind).n_heads
    alone = isinstance(edit, mw.Knockout)
    assert (effect.status != mw.Status.IMPOSSIBLE).sum() == n * (LENGTH * (LENGTH + 1) / 2 - alone)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_an_edge_cut_where_eager_attention_is_another_models(dtype: torch.dtype) -> None:
    """Falcon with alibi, whose eager attention adds it twice: by the engine and by a plain pass."""
    found = case("falcon_alibi", pairs_of("falcon_alibi", 2, LENGTH), dtype)
    where = mw.Site("edge", 1, head=2, position=LENGTH - 1, key=(2, 3))
    edit = mw.Knockout()
    effect = found.study.intervene({where: edit})
    assert not [check for check in effect.checks[1:] if check.ok is False]
    for index in range(2):
        for b, base in enumerate(BASES):
            expected = found.oracle.run(base, [(where, ("knockout",))], index)
            assert np.abs(expected - found.oracle.run(base, index=index)).max() > 1e-2
            plain = plain_run(found.study.engine, mw.Run(base, {where: edit}), index)
            for kept in (plain, effect.edited[index, b].reshape(3)):
                np.testing.assert_allclose(kept, expected, atol=found.tolerance, rtol=0)


@pytest.mark.parametrize("edit", [mw.Mean(), mw.Noise(), mw.Scale(0.3), mw.Patch(alpha=0.3)])
@pytest.mark.parametrize("kind", ["gemma2", "bloom"])
def test_patterns_in_single_precision_in_a_model_in_double(kind: str, edit: mw.Edit) -> None:
    """Both roads round what they put into one once, so that their logits agree to double."""
    check_sweep(kind, "pattern", None, most=4, edit=edit)
    # A mean of three is no number in single precision where a mean of two may be one.
    study = case(kind, pairs_of(kind, 3, LENGTH)).study
    where = {mw.Site("pattern", 1, head=1): edit}
    effect = study.intervene(where)
    assert not [check for check in effect.checks[1:] if check.ok is False]
    for index in range(3):
        for b, base in enumerate(BASES):
            plain = plain_run(study.engine, mw.Run(base, where), index)
            kept = effect.edited[index, b].reshape(3)
            np.testing.assert_allclose(kept, plain, atol=1e-9, rtol=0)
