"""What is read off logits, against log_softmax worked out directly in double precision."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nnsight import NNsight, save
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mediawidget import reading as module
from mediawidget.encoding import Encoder, TokenPair
from mediawidget.metrics import KL, LogitDiff, LogOdds, LogProb, Prob, ProbDiff, Rank
from mediawidget.reading import Reading, assemble_columns, make_reading, read
from mediawidget.readouts import Readout
from mediawidget.token_pairs import Strand
from tests.asking import pair, raised
from tests.small_models import random_model, tokenizer

ENCODER = Encoder(tokenizer(), 24)
COLUMNS = ("answer", "wrong", "logsumexp", "logit: jay", "kl_clean", "rank", "kl_corrupt")
ENDS = (torch.tensor([0]), torch.tensor([1]))
BASES = (torch.tensor([0, 2]), torch.tensor([1, 3]))
PAIRS = torch.tensor([0, 0, 1, 1, 0, 1, 1])
VOCABULARY = 44
METRICS = (LogitDiff(), LogProb(), Prob(), ProbDiff(), LogOdds(), KL(), KL("corrupt"), Rank())


def encode(readout: Readout | None = None, **change: Any) -> TokenPair:
    return ENCODER.pair(pair(**change), readout, equal=False, single=False)


def made(strands: list[Strand], columns: tuple[str, ...] = COLUMNS) -> Reading:
    return make_reading(strands, columns, token_ids=ENCODER.column_ids(columns))


def some(n_reads: int = 1, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Logits of two pairs' base rows and three further ones."""
    noise = torch.Generator().manual_seed(seed)
    shape = (len(PAIRS), n_reads, VOCABULARY)
    return (4 * torch.randn(shape, generator=noise, dtype=torch.float64)).to(dtype)


SINGLES = [encode().strands[0], encode(answer="hay", wrong="jade").strands[0]]
SETS = [
    encode(answer=["fox", "hen", "kite"]).strands[0],
    encode(answer="hay", wrong=["jade", "lime"]).strands[0],
]


def members(strand: Strand) -> tuple[list[int], list[int]]:
    return list(strand.targets[0]), list(strand.targets[1])


# --- against direct computation ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("strands", [SINGLES, SETS], ids=["singles", "sets"])
@pytest.mark.parametrize("part", [1 << 17, 30, 1])
def test_every_column(
    strands: list[Strand], dtype: torch.dtype, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CPU_PART", part)
    logits = some(dtype=dtype)
    kept = read(logits, made(strands), PAIRS, BASES)
    assert kept.shape == (7, len(COLUMNS))
    assert kept.dtype == torch.float64
    exact = logits[:, 0].double()
    log_p = exact.log_softmax(-1)
    for row, at in enumerate(PAIRS.tolist()):
        answer, wrong = members(strands[at])
        clean, corrupt = (log_p[base[at]] for base in BASES)
        expected = [
            exact[row, answer].logsumexp(0),
            exact[row, wrong].logsumexp(0),
            exact[row].logsumexp(0),
            exact[row, ENCODER.answer("jay", "token")],
            (clean.exp() * (clean - log_p[row])).sum(),
            (exact[row] > exact[row, answer].max()).sum().double(),
            (corrupt.exp() * (corrupt - log_p[row])).sum(),
        ]
        tolerance = 1e-12 if dtype == torch.float64 else 1e-6
        torch.testing.assert_close(
            kept[row], torch.stack(expected), atol=tolerance, rtol=0, msg=f"row {row}"
        )
        values = {metric: metric.read(kept[row].numpy(), COLUMNS) for metric in METRICS}
        p = log_p[row].exp().numpy()
        others = np.delete(p, answer)
        assert values[Prob()] == pytest.approx(p[answer].sum(), abs=1e-7)
        assert values[ProbDiff()] == pytest.approx(p[answer].sum() - p[wrong].sum(), abs=1e-7)
        log_odds = np.log(p[answer].sum() / others.sum())
        assert values[LogOdds()] == pytest.approx(log_odds, abs=1e-5)
        against = np.log(p[answer].sum() / p[wrong].sum())
        assert values[LogitDiff()] == pytest.approx(against, abs=1e-6)


def test_a_set_of_one_is_a_single_token() -> None:
    alone = [encode(answer=["fox"], wrong=["gnu"]).strands[0], SINGLES[1]]
    logits = some()
    one = read(logits, made(alone), PAIRS, BASES)
    torch.testing.assert_close(one, read(logits, made(SINGLES), PAIRS, BASES), atol=0, rtol=0)
    torch.testing.assert_close(
        one[:4, 0], logits[[0, 1, 2, 3], 0, [7, 7, *[alone[1].targets[0][0]] * 2]]
    )


def test_a_base_is_no_distance_from_itself_and_first_comes_before_nobody() -> None:
    logits = some(dtype=torch.float32)
    logits[4, 0] = logits[0, 0]
    logits[4, 0, 7] = logits[4, 0].max() + 1
    logits[5, 0] = 1.0
    kept = read(logits, made(SINGLES), PAIRS, BASES).numpy()
    clean, corrupt, rank = (COLUMNS.index(c) for c in ("kl_clean", "kl_corrupt", "rank"))
    assert (kept[[0, 2], clean] == 0).all()
    assert (kept[[1, 3], corrupt] == 0).all()
    assert (kept[[1, 3, 4, 5, 6], clean] > 1e-3).all()
    assert kept[4, rank] == 0
    assert kept[5, rank] == 0, "a tie is not above"


@given(shift=st.floats(-40, 40), seed=st.integers(0, 99))
def test_a_constant_added_to_the_logits_of_a_row_changes_no_relative_number(
    shift: float, seed: int
) -> None:
    logits, reading = some(seed=seed), made(SETS)
    moved = logits + shift * torch.arange(7.0, dtype=torch.float64)[:, None, None]
    plain, other = (read(x, reading, PAIRS, BASES).numpy() for x in (logits, moved))
    for metric in METRICS:
        np.testing.assert_allclose(
            metric.read(other, COLUMNS), metric.read(plain, COLUMNS), atol=1e-8, rtol=0
        )
    np.testing.assert_allclose(
        other[:, :4] - plain[:, :4], shift * np.arange(7.0)[:, None].repeat(4, 1), atol=1e-9
    )


def test_a_small_divergence_is_not_lost_in_rounding() -> None:
    """Single-precision logits of size 30, moved by about 1e-4: a divergence of 1e-7."""
    logits = 30 + some(dtype=torch.float32)
    logits[4, 0] = logits[0, 0] + 1e-4 * some(seed=1, dtype=torch.float32)[4, 0]
    kl = read(logits, made(SINGLES), PAIRS, BASES)[4, COLUMNS.index("kl_clean")]
    clean, own = logits[[0, 4], 0].double().log_softmax(-1)
    exact = float((clean.exp() * (clean - own)).sum())
    assert 1e-10 < exact < 1e-6
    assert float(kl) == pytest.approx(exact, rel=1e-3)


def test_tokens_that_cannot_come_make_no_hole_and_not_a_number_stays_none() -> None:
    logits = some()
    logits[:, 0, 20] = -torch.inf
    logits[6] = torch.nan
    kept = read(logits, made(SINGLES), PAIRS, BASES)
    assert kept[:6].isfinite().all()
    assert kept[6].isnan().all()


def test_bases_may_come_from_another_pass() -> None:
    logits = some()
    whole = read(logits, made(SETS), PAIRS, BASES)
    bases = (torch.tensor([0, 1]), torch.tensor([0, 1]))
    references = (logits[[0, 2], 0], logits[[1, 3], 0])
    later = read(logits[4:], made(SETS), PAIRS[4:], bases, references)
    torch.testing.assert_close(later, whole[4:], atol=1e-12, rtol=0)


# --- answers of several tokens -------------------------------------------------------------------


def logits_after(model: Any, *ids: list[int]) -> Tensor:
    """Next-token logits after each list of ids, by a forward pass of its own."""
    with torch.no_grad():
        return torch.stack([model(torch.tensor([one])).logits[0, -1] for one in ids])


def kept_of(model: Any, encoder: Encoder, encoded: TokenPair) -> NDArray[np.float64]:
    """What the two prompts of a pair keep, (2, K), each strand in one pass of two rows."""
    parts = []
    for strand in encoded.strands:
        rows = torch.from_numpy(np.stack([strand.clean, strand.corrupt]))
        with torch.no_grad():
            logits = model(rows).logits[:, list(strand.reads)]
        reading = make_reading([strand], COLUMNS, token_ids=encoder.column_ids(COLUMNS))
        assert reading.n_reads == len(strand.reads)
        parts.append(read(logits, reading, torch.tensor([0, 0]), ENDS).numpy())
    return assemble_columns(parts, [strand.gives for strand in encoded.strands])


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_several_tokens_are_the_product_of_their_conditionals(kind: str, reduce: Any) -> None:
    """Each conditional by a forward pass of its own, which ends before the token it is about."""
    model, encoder = random_model(kind), Encoder(tokenizer(bos=kind == "llama"), 24)
    texts = pair(answer="fox hen kite", wrong="gnu jay")
    encoded = encoder.pair(texts, Readout(reduce=reduce), single=False)
    kept = kept_of(model, encoder, encoded)
    for row, prompt in enumerate((encoded.clean.tolist(), encoded.corrupt.tolist())):
        for column, answer in enumerate(encoded.answers):
            fed = [[*prompt, *answer[:i]] for i in range(len(answer))]
            conditionals = torch.stack([logits_after(model, ids)[0] for ids in fed]).log_softmax(-1)
            total = sum(float(p[token]) for p, token in zip(conditionals, answer, strict=True))
            total /= len(answer) if reduce == "mean" else 1
            assert kept[row, column] == pytest.approx(total, abs=1e-9)
        assert LogProb().read(kept[row], COLUMNS) == kept[row, 0]


def test_what_comes_first_is_read_before_anything_is_fed() -> None:
    model, encoded = random_model("gpt2"), encode(answer="fox hen kite", wrong="gnu jay")
    kept = kept_of(model, ENCODER, encoded)
    after = logits_after(model, encoded.clean.tolist(), encoded.corrupt.tolist())
    clean, corrupt = after.log_softmax(-1)
    rank = (after > after[:, encoded.answers[0][:1]]).sum(1)
    assert kept[:, COLUMNS.index("rank")].tolist() == rank.tolist()
    jay = after.log_softmax(-1)[:, ENCODER.answer("jay", "token")]
    np.testing.assert_allclose(kept[:, COLUMNS.index("logit: jay")], jay, atol=1e-9)
    expected = float((clean.exp() * (clean - corrupt)).sum())
    assert kept[1, COLUMNS.index("kl_clean")] == pytest.approx(expected, abs=1e-9)
    assert kept[0, COLUMNS.index("kl_clean")] == 0


def test_a_single_token_that_is_fed_is_its_log_probability() -> None:
    strand = encode(wrong="gnu jay").strands[0]
    logits = some()
    fed = read(logits, made([strand, strand]), PAIRS, BASES)
    plain = read(logits, made([SINGLES[0], SINGLES[0]]), PAIRS, BASES)
    torch.testing.assert_close(fed[:, 0], plain[:, 0] - plain[:, 2])
    torch.testing.assert_close(fed[:, 4:], plain[:, 4:])
    assert (fed[:, 2] == 0).all()


# --- inside a trace ------------------------------------------------------------------------------


def test_it_reads_within_a_trace() -> None:
    model = random_model("gpt2")
    rows = torch.from_numpy(np.stack([encode().clean, encode().corrupt]))
    reading = made(SINGLES[:1])
    traced = NNsight(model)
    with torch.no_grad(), traced.trace(rows):
        kept = save(read(traced.output.logits[:, [4]], reading, torch.tensor([0, 0]), ENDS))
    expected = read(model(rows).logits[:, [4]].detach(), reading, torch.tensor([0, 0]), ENDS)
    torch.testing.assert_close(kept, expected)


@pytest.mark.parametrize("strands", [SETS, [encode(answer="fox hen").strands[0]] * 2])
def test_nothing_waits_for_a_value(strands: list[Strand]) -> None:
    """Tensors without data: whatever had to look at one would fail."""
    reading = made(strands)
    bare = Reading(
        reading.ids.to("meta"),
        None if reading.member is None else reading.member.to("meta"),
        reading.mean,
        reading.tokens.to("meta"),
        reading.columns,
    )
    logits = torch.empty(7, reading.n_reads, VOCABULARY, device="meta", dtype=torch.bfloat16)
    bases = (BASES[0].to("meta"), BASES[1].to("meta"))
    assert read(logits, bare, PAIRS.to("meta"), bases).shape == (7, len(COLUMNS))


class Sizes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the bytes of the largest tensor that any operation makes."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given_ = {a.untyped_storage().data_ptr() for a in args if isinstance(a, Tensor)}
        if isinstance(out, Tensor) and out.untyped_storage().data_ptr() not in given_:
            self.largest = max(self.largest, out.untyped_storage().nbytes())
        return out


def test_no_second_tensor_as_large_as_the_logits_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CPU_PART", 7 * 500)
    logits = torch.randn(7, 1, 50_000)
    reading = made(SINGLES)
    with Sizes() as sizes:  # type: ignore[no-untyped-call]
        read(logits, reading, PAIRS, BASES)
    assert 0 < sizes.largest <= logits.untyped_storage().nbytes() / 20
    with Sizes() as sizes:  # type: ignore[no-untyped-call]
        logits.double()
    assert sizes.largest == 2 * logits.untyped_storage().nbytes(), "and it would have been seen"


# --- what is asked ------------------------------------------------------------------------------


def test_a_reading_of_some_pairs() -> None:
    logits = some()
    both, second = made(SETS), made(SETS).of(torch.tensor([1]))
    rows = torch.tensor([2, 3, 5, 6])
    alone = read(logits[rows], second, torch.zeros(4, dtype=torch.int64), ENDS)
    torch.testing.assert_close(alone, read(logits, both, PAIRS, BASES)[rows])


def test_strands_that_are_not_alike() -> None:
    several = encode(answer="fox hen").strands
    for strands in ([SINGLES[0], several[0]], list(several), []):
        raised(partial(made, strands))
    assert "'logit: jay'" in str(raised(lambda: make_reading(SINGLES, COLUMNS)).value)
    assert "depth" in str(raised(lambda: make_reading(SINGLES, ("depth",))).value)


def test_parts_that_are_no_pair() -> None:
    part = np.zeros((2, 3))
    assert assemble_columns([part], ["both"]) is part
    for parts, gives in (([part], ["answer"]), ([part, part], ["wrong", "answer"]), ([], [])):
        raised(partial(assemble_columns, parts, gives))
