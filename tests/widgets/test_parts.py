"""What looks closer: every number of a part is what plain PyTorch says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import mediawidget as mw
from mediawidget.effects import Status
from mediawidget.lens import logit_lens
from mediawidget.widgets._attention import Attention, EdgeSites
from mediawidget.widgets._parts import Part
from tests.oracle import Oracle, logit_diff
from tests.small_models import ALL_KINDS, random_model, tokenizer_of
from tests.widgets.conftest import PAIRS, Page

N = 7
LAYERS, HEADS = 5, 3


def floats(data: bytes, *shape: int) -> NDArray[np.float32]:
    return np.frombuffer(data, "<f4").reshape(shape)


def opened(view: mw.Explorer, monkeypatch: pytest.MonkeyPatch, part: str) -> tuple[Page, Part]:
    page = Page(view, monkeypatch)
    assert page.ask("open", part=part)["ok"]
    return page, view.parts[part]


def oracle_of(study: mw.Study) -> Oracle:
    return Oracle(study.lm.hf, study.lm.tokenizer, list(study.contrast))


# --- attention ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [0, 2])
def test_weights_are_those_of_eager_attention(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch, pair: int
) -> None:
    view = mw.Explorer(several)
    page, _ = opened(view, monkeypatch, "attention")
    page.ask("pair", index=pair)
    assert page.ask("attention", layer=3, head=1)["ok"]
    told = view.attention
    assert (told["layer"], told["head"], told["pair"]) == (3, 1, pair)
    model = random_model("gpt2", torch.float32)
    model.set_attn_implementation("eager")
    for base in ("clean", "corrupt"):
        ids = torch.from_numpy(getattr(several.token_pairs[pair], base))[None]
        with torch.no_grad():
            expected = model(ids, output_attentions=True).attentions[3][0, 1].numpy()
        np.testing.assert_allclose(floats(told["weights"][base], N, N), expected, atol=1e-6)
        assert told["tokens"][base] == list(getattr(several.token_pairs[pair], f"{base}_tokens"))


def test_a_click_on_an_edge_cuts_it_before_the_softmax(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minus infinity in the score, set by a hook, gives the numbers that the page gets."""
    view = mw.Explorer(several)
    page, _ = opened(view, monkeypatch, "attention")
    page.ask("attention", layer=2, head=1)
    query, key = 6, 2
    cell = {"panel": "attention", "index": query * N + key}
    assert page.ask("intervene", cells=[cell])["ok"]
    edge = mw.Site("edge", 2, head=1, position=query, key=key)
    assert several.history.current is not None
    assert dict(several.history.current.edits) == {edge: mw.Knockout()}
    (shown,) = view.result["cells"]
    assert (shown["panel"], shown["index"]) == ("attention", query * N + key)
    assert view.result["edit"]["goal"] == "to no attention"
    judge = oracle_of(several)
    panel = view.attention["panel"]
    for name, base in (("y10", "clean"), ("y01", "corrupt")):
        runs = [judge.run(base, [(edge, ("knockout",))], index) for index in range(3)]
        expected = float(np.mean([logit_diff(run) for run in runs]))
        assert view.result[name] == pytest.approx(expected, abs=1e-3)
        assert floats(panel[name], N, N)[query, key] == pytest.approx(expected, abs=1e-3)
    assert panel["status"][query * N + key] == Status.EXACT
    # One pair's view has that pair's numbers.
    page.ask("pair", index=1)
    expected = logit_diff(judge.run("clean", [(edge, ("knockout",))], 1))
    shown = floats(view.attention["panel"]["y10"], N, N)[query, key]
    assert shown == pytest.approx(expected, abs=1e-3)


def test_what_cannot_be_cut_is_impossible_and_labels_are_those_of_sites(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(study)
    opened(view, monkeypatch, "attention")
    panel = view.attention["panel"]
    status = np.frombuffer(panel["status"], np.uint8).reshape(N, N)
    upper = np.triu(np.ones((N, N), dtype=bool), 1)
    assert (status[upper] == Status.IMPOSSIBLE).all()
    assert status[0, 0] == Status.IMPOSSIBLE
    assert (status[np.tril(np.ones((N, N), dtype=bool))][1:] == Status.NOT_RUN).all()
    rows, cols = (axis["labels"] for axis in panel["axes"])
    told = [
        f"{panel['edges_of']} @ {row} \N{LEFTWARDS ARROW} {col}" for row in rows for col in cols
    ]
    assert told == list(study.labels(list(EdgeSites(0, 0, N))))


def test_the_head_follows_the_selection(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    view = mw.Explorer(study)
    page, part = opened(view, monkeypatch, "attention")
    assert isinstance(part, Attention)
    assert part.head == (0, 0)
    effect = study.sweep("head", progress=False)
    size = np.maximum(np.abs(effect["PIE"]), np.abs(effect["TIE"]))
    assert part.head == np.unravel_index(size.argmax(), size.shape)
    page.ask("attention", layer=4, head=2)
    assert part.head == (4, 2)
    study.intervene([mw.Site("query", 1, head=2), mw.Site("mlp_out", 3)])
    assert part.head == (1, 2)
    assert view.attention["selected"]
    study.intervene(mw.Site("mlp_out", 3))
    assert part.head == (1, 2)
    assert not view.attention["selected"]


def test_keys_and_values_belong_to_the_first_head_that_reads_them() -> None:
    lm = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"))
    study = mw.Study(lm, PAIRS[0])
    view = mw.AttentionPattern(study)
    study.intervene(mw.Site("value", 2, head=1))  # 6 heads, 3 of keys and values
    assert (view.attention["layer"], view.attention["head"]) == (2, 2)


def test_what_was_knocked_out_stays_until_the_prompts_change(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(study)
    page, _ = opened(view, monkeypatch, "attention")

    def known() -> int:
        return int(view.attention["panel"]["status"].count(bytes([Status.EXACT])))

    for index in (3 * N + 1, 4 * N + 2):
        page.ask("intervene", cells=[{"panel": "attention", "index": index}])
    assert known() == 2
    page.ask("undo")
    page.ask("intervene", cells=[{"panel": "attention", "index": 5 * N + 2}])
    assert known() == 3
    page.ask("swap")
    assert known() == 0


def test_prompts_of_several_lengths_show_weights_and_no_cells(lm: mw.LM) -> None:
    pairs = [
        PAIRS[0],
        mw.PromptPair(
            clean="ant bee cat dog", corrupt="ant bee owl dog", answer="hen", wrong="ibis"
        ),
    ]
    view = mw.AttentionPattern(mw.Study(lm, pairs))
    view.pair = 1
    assert "panel" not in view.attention
    assert floats(view.attention["weights"]["clean"], 4, 4).sum(axis=1) == pytest.approx(
        1, abs=1e-5
    )


def test_a_model_without_a_pattern_says_so_in_the_panel() -> None:
    lm = mw.load(random_model("falcon_alibi"), tokenizer=tokenizer_of("falcon_alibi"))
    view = mw.AttentionPattern(mw.Study(lm, PAIRS[0]))
    assert "no module for the mediator 'pattern'" in view.attention["error"]["message"]


@pytest.mark.parametrize("fields", [{}, {"layer": 5, "head": 0}, {"layer": 0, "head": -1}])
def test_a_head_that_there_is_not_is_refused(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    page, _ = opened(mw.Explorer(study), monkeypatch, "attention")
    assert "no such head" in page.ask("attention", **fields)["error"]["message"]


def test_a_closed_part_costs_nothing(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    view = mw.Explorer(study)
    page, _ = opened(view, monkeypatch, "attention")
    page.ask("open", part="attention", open=False)
    before = len(page.sent("attention"))
    study.intervene(mw.Site("head", 2, head=1))
    assert len(page.sent("attention")) == before
    assert view.lens == view.pairs == view.neurons == {}


# --- the logit lens -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_the_lens_after_the_last_block_is_the_model_itself(kind: str) -> None:
    """With its soft caps, scales and projections: of every architecture, at every position."""
    lm = mw.load(random_model(kind), tokenizer=tokenizer_of(kind))
    study = mw.Study(lm, PAIRS)
    for base in ("clean", "corrupt"):
        lens = logit_lens(study.engine, 1, mw.Run(base))
        pair = study.token_pairs[1]
        ids = torch.from_numpy(getattr(pair, base))[None]
        with torch.no_grad():
            p = random_model(kind)(ids).logits[0].softmax(-1)
        best = p.topk(3)
        np.testing.assert_allclose(lens.p[-1], best.values.numpy(), atol=1e-12)
        np.testing.assert_array_equal(lens.tokens[-1], best.indices.numpy())
        np.testing.assert_allclose(lens.answer[-1], p[:, pair.answer].numpy(), atol=1e-12)


def test_the_lens_is_the_final_norm_and_the_head_of_every_layer(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read by hand: the blocks' own outputs, ln_f, lm_head. Restored and broken runs too."""
    view = mw.Explorer(study)
    opened(view, monkeypatch, "lens")
    head = mw.Site("head", 2, head=1)
    study.intervene(head)
    judge = oracle_of(study)
    model: Any = random_model("gpt2", torch.float32)
    edits = {
        "clean": [],
        "corrupt": [],
        "restored": [(head, "clean")],
        "broken": [(head, "corrupt")],
    }
    base_of = {"restored": "corrupt", "broken": "clean"}
    told = view.lens
    assert [run["name"] for run in told["runs"]] == list(edits)
    for run in told["runs"]:
        values = judge.values_in(base_of.get(run["name"], run["name"]), edits[run["name"]])
        streams = [values["residual", layer] for layer in range(LAYERS + 1)]
        with torch.no_grad():
            norm, unembed = model.transformer.ln_f, model.lm_head
            p = torch.stack([unembed(norm(s.float())).softmax(-1) for s in streams])
        k = run["k"]
        shown = floats(run["p"], LAYERS + 1, N, k)
        np.testing.assert_allclose(shown, p.topk(k).values, atol=1e-5)
        right = p[..., study.token_pairs[0].answer]
        np.testing.assert_allclose(floats(run["of_answer"], LAYERS + 1, N), right, atol=1e-5)
        top = np.frombuffer(run["top"], "<i4").reshape(LAYERS + 1, N, k)[..., 0]
        words = [study.lm.encoder.token(int(i)) for i in p.argmax(-1).flatten()]
        assert [told["words"][i] for i in top.flatten()] == words


def test_a_click_in_the_lens_patches_the_residual_stream(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.LogitLens(study)
    page = Page(view, monkeypatch)
    assert page.ask("intervene", cells=[{"panel": "lens", "index": 3 * N + 4}])["ok"]
    assert study.selection == (mw.Site("residual", 3, position=4),)
    corners = oracle_of(study).corners(study.selection[0])
    assert view.result["y01"] == pytest.approx(logit_diff(corners["Y01"]), abs=1e-3)
    shown = floats(view.lens["panel"]["y01"], LAYERS + 1, N)[3, 4]
    assert shown == pytest.approx(view.result["y01"], abs=1e-3)


def test_the_prompts_lenses_are_read_once(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    view = mw.LogitLens(study)
    asked: list[mw.Run] = []
    from mediawidget.widgets import _lens

    def counted(engine: Any, pair: int, run: mw.Run) -> Any:
        asked.append(run)
        return logit_lens(engine, pair, run)

    monkeypatch.setattr(_lens, "logit_lens", counted)
    study.intervene(mw.Site("head", 2, head=1))
    assert [run.base for run in asked] == ["corrupt", "clean"]
    assert all(run.edits for run in asked)
    view.close()


# --- pairs ----------------------------------------------------------------------------------------


def test_pairs_have_the_corners_of_every_pair(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(several)
    opened(view, monkeypatch, "pairs")
    assert "corners" not in view.pairs
    head = mw.Site("head", 2, head=1)
    several.intervene(head)
    judge = oracle_of(several)
    for name in ("Y11", "Y00", "Y10", "Y01"):
        expected = [logit_diff(judge.corners(head, index)[name]) for index in range(3)]
        np.testing.assert_allclose(
            floats(view.pairs["corners"][name.lower()], 3), expected, atol=1e-3
        )
    (row,) = view.pairs["rows"]
    assert np.frombuffer(row["members"], "<i4").tolist() == [0, 1, 2]
    assert view.pairs["prompts"] == [pair.clean for pair in several.contrast]


def test_pairs_stand_in_their_groups(lm: mw.LM, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    pairs = [replace(pair, group="ab"[i % 2]) for i, pair in enumerate([*PAIRS, *PAIRS])]
    study = mw.Study(lm, mw.Contrast(pairs))
    view = mw.Explorer(study)
    opened(view, monkeypatch, "pairs")
    study.intervene(mw.Site("head", 2, head=1))
    rows = {row["name"]: row for row in view.pairs["rows"]}
    assert list(rows) == ["", "a", "b"]
    assert np.frombuffer(rows["b"]["members"], "<i4").tolist() == [1, 3, 5]
    assert study.last is not None
    assert rows[""]["ci"]["PIE"] == pytest.approx(study.last.ci("PIE"), rel=1e-4)


# --- neurons --------------------------------------------------------------------------------------


def test_neurons_are_ordered_by_their_estimate_and_run_exactly(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(several)
    page, _ = opened(view, monkeypatch, "neurons")
    page.ask("neurons", layer=3)
    told = view.neurons
    estimate = several.estimate("neuron", layers=[3])
    size = np.maximum(np.abs(estimate["PIE"]), np.abs(estimate["TIE"]))[0]
    assert told["units"] == np.argsort(-size, kind="stable")[:20].tolist()
    assert told["panel"]["status"] == bytes([Status.ESTIMATE] * 20)
    assert page.ask("neurons_run")["ok"]
    panel = view.neurons["panel"]
    assert panel["status"] == bytes([Status.EXACT] * 20)
    judge = oracle_of(several)
    for i in (0, 7, 19):
        site = mw.Site("neuron", 3, unit=told["units"][i])
        corners = [judge.corners(site, index) for index in range(3)]
        for name in ("Y10", "Y01"):
            expected = np.mean([logit_diff(one[name]) for one in corners])
            assert floats(panel[name.lower()], 20)[i] == pytest.approx(expected, abs=1e-3)


def test_a_neuron_is_found_by_its_number_and_clicked(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Neurons(study)
    page = Page(view, monkeypatch)
    weakest = next(unit for unit in range(40) if unit not in view.neurons["units"])
    assert page.ask("neurons", layer=0, unit=weakest)["ok"]
    assert view.neurons["units"][0] == weakest
    assert len(view.neurons["units"]) == 21
    assert page.ask("intervene", cells=[{"panel": "neurons", "index": 0}])["ok"]
    assert study.selection == (mw.Site("neuron", 0, unit=weakest),)
    assert view.neurons["panel"]["status"][0] == Status.EXACT
    corners = oracle_of(study).corners(study.selection[0])
    shown = floats(view.neurons["panel"]["y01"], 21)[0]
    assert shown == pytest.approx(logit_diff(corners["Y01"]), abs=1e-3)
    assert "no such neuron" in page.ask("neurons", layer=0, unit=40)["error"]["message"]


def test_where_nothing_can_be_estimated_activations_give_the_order(
    lm: mw.LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = mw.Study(lm, PAIRS[0], metric=mw.Rank())
    view = mw.Neurons(study)
    told = view.neurons
    assert "activations" in told["by"]
    values = oracle_of(study)
    pair = study.contrast[0]
    apart = (
        values.values(pair.clean)["neuron", 0] - values.values(pair.corrupt)["neuron", 0]
    ).abs()
    expected = apart.max(0).values
    assert told["units"][:5] == expected.argsort(descending=True)[:5].tolist()
    assert told["panel"]["status"] == bytes([Status.NOT_RUN] * 20)
    page = Page(view, monkeypatch)
    assert page.ask("neurons_run")["ok"]
    assert view.neurons["panel"]["status"] == bytes([Status.EXACT] * 20)


# --- pages without a kernel ----------------------------------------------------------------------


def test_tables_hold_the_numbers_and_escape_every_text(study: mw.Study) -> None:
    from dataclasses import replace

    pair = study.token_pairs[0]
    tokens = ("<b>&", *pair.clean_tokens[1:])
    study.token_pairs[0] = replace(pair, clean_tokens=tokens)
    views = mw.AttentionPattern(study), mw.LogitLens(study), mw.Neurons(study)
    pages = [view._repr_mimebundle_()[0]["text/html"] for view in views]
    assert not any("<b>&" in page for page in pages)
    assert "&lt;b&gt;&amp;" in pages[0]
    weights = floats(views[0].attention["weights"]["clean"], N, N)
    assert f"<td>{weights[6, 2]:.2f}</td>" in pages[0]
    last = floats(views[1].lens["runs"][0]["p"], LAYERS + 1, N, 3)[-1, -1, 0]
    assert f" {last:.2f}</td></tr></table>" in pages[1]
    first = floats(views[2].neurons["panel"]["y01"], 20)[0]
    assert f"<td>{first:.3g}</td>" in pages[2]
    failing = mw.AttentionPattern(
        mw.Study(
            mw.load(random_model("falcon_alibi"), tokenizer=tokenizer_of("falcon_alibi")), PAIRS[0]
        )
    )
    assert "no module for the mediator" in failing._repr_mimebundle_()[0]["text/html"]
