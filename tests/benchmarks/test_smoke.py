"""The benchmark runs, its programs agree, and its count of operations is that of the products."""

import random
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import arithmetic, case, flat_hooks, memory, report, rows, run, scaling, subject
from benchmarks.cells import Answer, Kind, all_cells
from benchmarks.rate import Rate

SIZES = {"n_layer": 2, "n_head": 3, "n_embd": 24, "vocab_size": 64, "n_positions": 32}


@pytest.fixture(scope="module")
def small() -> subject.Subject:
    return subject.gpt2(**SIZES)


def test_every_kind_of_row_and_the_programs_agree(small: subject.Subject) -> None:
    cases = [
        case.Case("rows", small, kind, rows.parted(small, at), 1, None, 5, 1)
        for kind in get_args(Kind)
        for at in (9, 1)
    ]
    found = report.Report()
    run.measure(found, cases, 1, lens=False)
    found.notes += [run.without_bands(cases[2], 1), run.clicks(small, cases[0].draw)]
    assert [one.parted for one in cases] == [9, 1] * 3
    for one in cases:
        assert one.peers.keys() == {"trace", "flat"}
        assert 0 < one.gap < 1e-6
        assert one.effect > 1e-4
    text = found.text()
    assert text.count("| rows |") == 6
    assert "without shared prefixes" in text
    beside = found.text("RESULTS.other.md")
    assert "--keep RESULTS.other.md" in beside
    assert beside.splitlines()[-12:-1] == text.splitlines()[-12:-1]


@pytest.mark.parametrize(
    ("by_torch", "expected"),
    [(False, ("300%", "75%", "100%")), (True, ("300%", "300%", "400%"))],
)
def test_a_share_is_of_the_library_that_its_column_names(
    small: subject.Subject, *, by_torch: bool, expected: tuple[str, ...]
) -> None:
    one = case.Case("rows", small, "head", rows.parted(small, 9), by_torch=by_torch)
    one.rates, one.needed, one.checking = [Rate(own=1e9, quickest=4e9)], 4e9, 2e9
    one.unit, one.ours, one.alone = [1.0], [2.0], [1.0]
    row = dict(zip(report.COLUMNS, report.Report().row(one), strict=True))
    assert tuple(row[name] for name in ("of torch's", "checked", "runs")) == expected


def test_another_answer_is_refused(small: subject.Subject) -> None:
    one = case.Case("rows", small, "head", rows.parted(small, 1), 1, None, 5, 1)

    def wrong(*asked: object) -> Answer:
        answer = flat_hooks.grid(small.hf, asked[0], asked[1])  # type: ignore[arg-type]
        return Answer(answer.values + 0.1, answer.sources, answer.cells)

    with pytest.raises(SystemExit, match="disagree"):
        case.measure(one, random.Random(0), {"wrong": wrong})


@pytest.mark.parametrize("make", [subject.gpt2, subject.llama])
def test_the_operations_are_those_of_the_products(make: Callable[..., subject.Subject]) -> None:
    sizes = SIZES
    if make is subject.llama:
        sizes = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2}
        sizes |= {"num_attention_heads": 3, "num_key_value_heads": 3, "vocab_size": 64}
    target = make(**sizes)
    size = arithmetic.Sizes.of(target.lm)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        flat_hooks.forward(target.hf, torch.arange(10)[None])
    # The counter leaves attention's inside out, and a plain forward also computes what nobody
    # reads of the last block.
    scores = 4 * size.heads * (55 + 10)
    unread = 9 * (4 * size.d_model * size.heads + 2 * size.n_maps * size.d_model * size.d_mlp)
    plain = counter.get_total_flops() + scores - unread
    assert arithmetic.needed(size, 10, 0, []) == 2 * plain
    # Parted at 9 the prompts share all but one position.
    shared = arithmetic.needed(size, 10, 9, [])
    assert plain < shared < 1.3 * plain
    cells = all_cells(target.lm, "residual", range(2), 10)
    late, early = (arithmetic.needed(size, 10, 9, [cell]) for cell in (cells[19], cells[9]))
    assert shared < late < early
    assert arithmetic.needed(size, 10, 9, cells[:9]) == shared
    # A plain pass; and both ways the second half of the model, and what a value's own patch takes.
    block = 10 * (8 * size.d_model**2 + 2 * size.n_maps * size.d_model * size.d_mlp)
    half = plain - block - 4 * size.heads * 55
    assert arithmetic.checks(size, 10, 0, cells) == plain + 2 * (half + half)
    last = 2 * size.d_model * (size.heads + size.n_maps * size.d_mlp + size.vocabulary)
    heads = all_cells(target.lm, "head", range(2), 10)
    assert arithmetic.checks(size, 10, 0, heads) == plain + 2 * (half + last)
    assert plain < arithmetic.checks(size, 10, 9, heads) < plain + 2 * (half + last)


def test_doublings(small: subject.Subject) -> None:
    assert small.lm.n_layers == 2
    sizes = {"n_layer": 2, "n_head": 3, "n_embd": 24, "vocab_size": 64}
    pairs, layers, heads = scaling.measure(sizes, 1)
    assert pairs.operations == pytest.approx(2, rel=1e-9)
    assert 4 < layers.operations < heads.operations < 8
    assert min(one.seconds for one in (pairs, layers, heads)) > 0


@pytest.mark.skipif(not memory.possible(), reason="peaks are seen on Linux and on GPUs")
def test_a_peak_is_above_what_the_logits_take() -> None:
    sizes = {**SIZES, "vocab_size": 20000}
    ask = memory.Ask("gpt2", sizes, "head", None, 15, 1, 20, 256 * memory.MIB)
    found = memory.measure(ask)
    n_rows = 20 * (2 + 12)
    assert n_rows * 20000 * 4 < found < 256 * memory.MIB
