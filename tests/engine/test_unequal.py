"""Prompts of other lengths, against the oracle with positions that are aligned by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.edits.base import BASES, Base, other
from tests.engine.cases import case, lm_of
from tests.oracle import Oracle, key_of
from tests.small_models import random_model, tokenizer_of

KINDS = ("gpt2", "llama", "gpt_neox", "gemma2")

#: Partners by hand: the corrupt prompt has two tokens for the clean prompt's token 3.
CLEAN, CORRUPT = "ant bee cat owl eel fox gnu", "ant bee cat pig rat eel fox gnu"
ALIGNED = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 5), (5, 6), (6, 7))
PAIR = mw.PromptPair(
    CLEAN, CORRUPT, "jay", "kite", roles={"animal": 3, "end": 6}, alignment=ALIGNED
)


def shifted(kind: str) -> mw.PromptPair:
    """The same pair as a model reads it: Llama puts a token before each prompt."""
    start = int(kind == "llama")
    aligned = [(0, 0)] * start + [(a + start, b + start) for a, b in ALIGNED]
    roles = {name: at + start for name, at in PAIR.roles.items()}
    return mw.PromptPair(CLEAN, CORRUPT, "jay", "kite", roles=roles, alignment=aligned)


class Aligned:
    """The oracle on one pair, with clean positions moved to the corrupt prompt's by hand."""

    def __init__(self, kind: str, pair: mw.PromptPair) -> None:
        self.oracle = Oracle(random_model(kind), tokenizer_of(kind), [pair])
        self.to_corrupt = dict(pair.alignment or ())
        self.tolerance = 1e-9

    def run(self, base: Base, edits: Mapping[mw.Site, mw.Edit]) -> np.ndarray:
        found = []
        for site, edit in edits.items():
            found += self._edit(base, site, edit)
        return self.oracle.run(base, found)

    def _edit(self, base: Base, site: mw.Site, edit: mw.Edit) -> list[tuple[Any, Any]]:
        if isinstance(edit, mw.Within):
            assert isinstance(edit.part, mw.Subspace)
            basis = torch.from_numpy(edit.part.basis)
            inner = self._edit(base, site, edit.edit)
            return [(place, ("within", basis, how)) for place, how in inner]
        n_clean = len(self.oracle.ids(self.oracle.pairs[0].clean))
        n_own = len(self.oracle.ids(getattr(self.oracle.pairs[0], base)))
        named = range(n_clean) if site.position is None else np.atleast_1d(site.position).tolist()
        own = named if base == "clean" else [self.to_corrupt[p] for p in named]
        if not isinstance(edit, mw.Patch):
            everywhere = site.position is None
            keys = None if site.key is None else np.atleast_1d(site.key).tolist()
            place = mw.Site(
                site.mediator,
                site.layer,
                head=site.head,
                position=tuple(range(n_own)) if everywhere else tuple(own),
                key=keys and tuple(k if base == "clean" else self.to_corrupt[k] for k in keys),
            )
            return [(place, ("knockout",) if isinstance(edit, mw.Knockout) else "zero")]
        there = [self.to_corrupt[p] for p in named] if base == "clean" else list(named)
        values = self.oracle.values(getattr(self.oracle.pairs[0], other(base)))[key_of(site)]
        edits = []
        for position, source in zip(own, there, strict=True):
            place = mw.Site(site.mediator, site.layer, head=site.head, position=position)
            taken = mw.Site(site.mediator, site.layer, head=site.head, position=source)
            (cells,) = self.oracle._cells_of(taken)(values)
            edits.append((place, ("value", values[cells])))
        return edits


SITES = [
    mw.Site("head", 1, head=1),
    mw.Site("head", 2, head=0, position=4),
    mw.Site("mlp_out", 1, position=(3, 5)),
    mw.Site("residual", 2),
    mw.Site("value", 1, head=0, position=4),
    mw.Site("residual", 4, position=6),
]


@pytest.mark.parametrize("kind", KINDS)
def test_runs_are_the_oracles_with_positions_aligned_by_hand(kind: str) -> None:
    pair = shifted(kind)
    judge, study = Aligned(kind, pair), mw.Study(lm_of(kind), pair)
    start = int(kind == "llama")
    sites = [
        site
        if site.position is None
        else mw.Site(
            site.mediator,
            site.layer,
            head=site.head,
            position=tuple(p + start for p in np.atleast_1d(site.position).tolist()),
        )
        for site in SITES
    ]
    edits: list[dict[mw.Site, mw.Edit]] = [
        {site: edit} for site in sites for edit in (mw.Patch(), mw.Zero())
    ]
    edits.append({sites[1]: mw.Patch(), sites[2]: mw.Patch(), sites[5]: mw.Zero()})
    lm = study.lm
    width = {"head": lm.d_head, "value": lm.d_head}
    edits += [
        {site: mw.Within(mw.Subspace.random(2, width.get(site.mediator, lm.d_model)), edit)}
        for site in sites
        for edit in (mw.Patch(), mw.Zero())
    ]
    runs = [mw.Run(base, edit) for edit in edits for base in BASES]
    outcomes = study.engine.evaluate(runs)
    np.testing.assert_allclose(
        outcomes.bases[0], [judge.run(base, {}) for base in BASES], atol=1e-9
    )
    for run, kept in zip(runs, outcomes.kept[:, 0], strict=True):
        expected = judge.run(run.base, dict(run.edits))
        np.testing.assert_allclose(kept, expected, atol=1e-9, rtol=0, err_msg=str(run))
    assert np.ptp(outcomes.kept[:, 0, 0]) > 1


@pytest.mark.parametrize("kind", ["gpt2", "gemma2"])
def test_sweeps_by_position_and_role(kind: str) -> None:
    pair = shifted(kind)
    judge, study = Aligned(kind, pair), mw.Study(lm_of(kind), pair)
    effect = study.sweep("attn_out", by="position")
    assert effect.axes["position"] == tuple(range(7))
    for b, base in enumerate(BASES):
        for layer, position in ((0, 3), (1, 5), (2, 4), (3, 6)):
            site = mw.Site("attn_out", layer, position=position)
            expected = judge.run(base, {site: mw.Patch()})
            np.testing.assert_allclose(effect.edited[0, b, layer, position], expected, atol=1e-9)
    assert not [check for check in effect.checks[1:] if check.ok is False]
    roles = study.sweep("attn_out", by="role")
    assert roles.axes["position"] == ("animal", "end")
    np.testing.assert_allclose(roles.edited, effect.edited[:, :, :, [3, 6]], atol=1e-9)


@pytest.mark.parametrize("edit", [mw.Zero(), mw.Knockout()])
@pytest.mark.parametrize("kind", ["gpt2", "gemma2"])
def test_edges_between_roles(kind: str, edit: mw.Edit) -> None:
    pair = shifted(kind)
    judge, study = Aligned(kind, pair), mw.Study(lm_of(kind), pair)
    effect = study.sweep("edge", by="role", edit=edit, progress=False)
    assert effect.axes["position"] == effect.axes["key"] == ("animal", "end")
    assert (effect.status[..., 0, 1] == mw.Status.IMPOSSIBLE).all()
    for b, base in enumerate(BASES):
        for query, key in ((0, 0), (1, 0), (1, 1)):
            site = mw.Site("edge", 1, head=1, position=(3, 6)[query], key=(3, 6)[key])
            expected = judge.run(base, {site: edit})
            found = effect.edited[0, b, 1, 1, query, key]
            np.testing.assert_allclose(found, expected, atol=1e-9)
    assert not [check for check in effect.checks[1:] if check.ok is False]


def test_positions_without_a_partner() -> None:
    """The clean prompt has a word more: its cells cannot be run, a run there is refused."""
    pair = mw.PromptPair(CORRUPT, CLEAN, "jay", "kite", alignment=[(b, a) for a, b in ALIGNED])
    study = mw.Study(lm_of("gpt2"), pair)
    effect = study.sweep("mlp_out", by="position")
    assert (effect.status[:, 4] == mw.Status.IMPOSSIBLE).all()
    assert (effect.status[:, 5] != mw.Status.IMPOSSIBLE).all()
    for base in BASES:
        with pytest.raises(mw.MediationError, match="no partner"):
            study.engine.evaluate([mw.Run(base, {mw.Site("mlp_out", 1, position=4): mw.Patch()})])
    for mediator in ("pattern", "edge"):
        with pytest.raises(mw.MediationError, match="unequal length"):
            study.sweep(mediator)
    # What takes nothing from the other prompt is no matter of partners.
    study.engine.evaluate([mw.Run("clean", {mw.Site("mlp_out", 1, position=4): mw.Zero()})])


#: By no hand: the third word is the last that both begin with, "eel" the first they share again.
ROLES: Any = {"cat": 2, "owl": 3, "eel": 4, "both": (4, 5), "broken": (2, 3), "end": 6, "last": -1}
THERE: Any = {"cat": 2, "eel": 5, "both": (5, 6), "end": 7, "last": -1}
FOUND = mw.PromptPair(CLEAN, CORRUPT, "jay", "kite", roles=ROLES)
BACK = tuple((b, a) for a, b in ALIGNED if a != 3)
BY_HAND = mw.PromptPair(CORRUPT, CLEAN, "kite", "jay", roles=THERE, alignment=BACK)


def test_a_study_that_is_swapped_moves_roles_to_their_partners() -> None:
    study = mw.Study(lm_of("gpt2"), FOUND)

    def tokens() -> dict[str, list[str]]:
        shown = study.token_pairs[0].clean_tokens
        some = study.contrast[0].roles
        return {role: [shown[p] for p in np.atleast_1d(at)] for role, at in some.items()}

    before = tokens()
    study.swap()
    assert tokens() == {name: before[name] for name in ("cat", "eel", "both", "end", "last")}
    assert study.contrast[0].roles == THERE
    assert study.contrast[0].alignment == BACK, "partners stay partners"
    study.swap()
    assert tokens() == {name: before[name] for name in ("cat", "eel", "both", "end", "last")}
    # Where both are of one length, nothing has to be said.
    roles: Any = {"end": 1, "both": (0, 1), "last": -1}
    equal = mw.PromptPair("ant bee", "ant cat", "jay", "kite", roles=roles)
    study = mw.Study(lm_of("gpt2"), [equal])
    study.swap()
    study.swap()
    assert study.contrast[0] == equal
    assert study.contrast[0].alignment is None


@pytest.mark.parametrize("readout", [mw.Readout(), mw.Readout("eel"), mw.Readout(4)])
def test_numbers_of_roles_after_a_swap(readout: mw.Readout) -> None:
    study = mw.Study(lm_of("gpt2"), FOUND, readout=readout)
    sites = [mw.Site("mlp_out", 1, position="eel"), mw.Site("head", 0, head=1, position="both")]
    before = study.intervene(sites)
    study.swap()
    after = study.intervene(sites)
    moved = mw.Readout(5) if readout.position == 4 else readout
    expected = mw.Study(lm_of("gpt2"), BY_HAND, readout=moved).intervene(sites)
    assert study.readout == moved
    assert abs(expected["PIE"]) > 1e-3
    for key in ("TE", "TIE", "PIE", "INT"):
        np.testing.assert_allclose(after.pairs(key), expected.pairs(key), atol=1e-9)
    np.testing.assert_allclose(after.pairs("PIE"), before.pairs("TIE"), atol=1e-9)
    if readout.position is None:
        judge = Aligned("gpt2", BY_HAND)
        placed = (mw.Site("mlp_out", 1, position=5), mw.Site("head", 0, head=1, position=(5, 6)))
        for b, base in enumerate(BASES):
            numbers = judge.run(base, dict.fromkeys(placed, mw.Patch()))
            np.testing.assert_allclose(after.edited[0, b], numbers, atol=1e-9)


def test_a_readout_by_number_moves_to_one_position_or_the_swap_is_refused() -> None:
    other = mw.PromptPair(CLEAN, "ant rat rat bee cat owl eel fox gnu", "jay", "kite")
    study = mw.Study(lm_of("gpt2"), [FOUND, other], readout=mw.Readout(4))
    contrast = study.contrast
    with pytest.raises(mw.MediationError, match="partners in the corrupt prompts"):
        study.swap()
    assert (study.contrast, study.readout) == (contrast, mw.Readout(4))
    study = mw.Study(lm_of("gpt2"), [FOUND, other], readout=mw.Readout(-3))
    study.swap()
    assert study.readout == mw.Readout(-3)


def test_roles_that_a_swap_without_a_model_left_are_refused_where_they_are_others() -> None:
    lm = lm_of("gpt2")
    contrast = mw.Contrast([FOUND])
    for swapped in (contrast.swapped(), mw.Contrast.from_json(contrast.swapped().to_json())):
        with pytest.raises(mw.MediationError, match="swapped before a model had read it"):
            mw.Study(lm, swapped)
        assert mw.Study(lm, swapped.swapped()).contrast == contrast
        again = swapped.swapped([[(b, a) for a, b in ALIGNED if a != 3]])
        assert again[0].roles == FOUND.roles, "they were its own all the time"
    known = contrast.swapped([read.alignment for read in lm.encode(contrast)])
    assert mw.Study(lm, known).contrast[0].roles == THERE
    for wrong in ([], [3], [[(1, 0), (0, 1)]], 3):
        with pytest.raises(mw.MediationError):
            contrast.swapped(wrong)  # type: ignore[arg-type]
    pair = mw.PromptPair("ant bee", "ant cat", "jay", "kite", roles={"end": 1})
    study = mw.Study(lm, pair.swapped())
    saved = study.contrast.to_json()["pairs"][0]
    assert (saved["roles"], "roles_of" in saved) == ({"end": 1}, False), "a model has seen them"


def test_values_across_prompts_of_unequal_length() -> None:
    """A run on the other prompt is in another batch; its captured values are not."""
    study = mw.Study(lm_of("gpt2"), PAIR)
    site = mw.Site("head", 2, head=1, position=5)
    lender = mw.Run("clean", {mw.Site("residual", 1, position=3): mw.Zero()})
    with pytest.raises(mw.MediationError, match="unequal length"):
        study.engine.evaluate([mw.Run("corrupt", {site: mw.Patch(lender)})])
    values = study.activations(site, lender)
    kept = study.engine.evaluate([mw.Run("corrupt", {site: mw.Patch(values)})]).kept[0, 0]
    oracle = Aligned("gpt2", PAIR).oracle
    cut = mw.Site("residual", 1, position=3)
    lent = oracle.values_in("clean", [(cut, "zero")])["head", 2]
    place = mw.Site("head", 2, head=1, position=6)
    expected = oracle.run("corrupt", [(place, ("value", lent[[5], 8:16]))])
    np.testing.assert_allclose(kept, expected, atol=1e-9)


# --- readouts -------------------------------------------------------------------------------


def direct(model: Any, words: Any, prompt: str, answer: str) -> float:
    """log p of an answer of any number of tokens after a prompt, by one plain forward."""
    start, rest = (words(text, add_special_tokens=False)["input_ids"] for text in (prompt, answer))
    ids = torch.tensor([[*start, *rest]])
    with torch.no_grad():
        log_probs = model(ids).logits[0].log_softmax(-1)
    return float(sum(log_probs[len(start) - 1 + i, token] for i, token in enumerate(rest)))


def test_answers_of_several_tokens() -> None:
    """On prompts of both kinds: the numbers of the prompts, and of a full cut, are direct ones."""
    model, words = random_model("gpt2"), tokenizer_of("gpt2")
    unequal = mw.PromptPair(CLEAN, CORRUPT, "jay owl", "kite rat bee", alignment=ALIGNED)
    equal = mw.PromptPair(CLEAN, CLEAN.replace("owl", "pig"), "jay owl", "kite")
    study = mw.Study(lm_of("gpt2"), [unequal, equal])
    cut = {mw.Site("residual", 5): mw.Patch()}
    outcomes = study.engine.evaluate([mw.Run(base, cut) for base in BASES])
    for index, pair in enumerate((unequal, equal)):
        for b, base in enumerate(BASES):
            expected = [
                direct(model, words, getattr(pair, base), text)
                for text in (pair.answer_text, pair.wrong_text)
            ]
            np.testing.assert_allclose(outcomes.bases[index, b, :2], expected, atol=1e-9)
            # The last layer's stream of the other prompt: its own logits, where it is read.
            turned = [
                direct(model, words, getattr(pair, other(base)), text)
                for text in (pair.answer_text, pair.wrong_text)
            ]
            np.testing.assert_allclose(outcomes.kept[b, index, :2], turned, atol=1e-9)


def test_sets_kl_and_rank() -> None:
    model, words = random_model("gpt2"), tokenizer_of("gpt2")
    pair = mw.PromptPair(CLEAN, CORRUPT, ["jay", "mole"], "kite", alignment=ALIGNED)
    oracle = Oracle(model, words, [pair])
    logits = {base: oracle.logits(base)[-1] for base in BASES}
    site = mw.Site("head", 1, head=1)
    judge = Aligned("gpt2", pair)
    ids = [oracle.token(word) for word in ("jay", "mole")]
    for base in BASES:
        edits = judge._edit(base, site, mw.Patch())
        moved = oracle.logits(base, edits)[-1]
        expected = {
            "KL": float((p := logits["clean"].softmax(0)) @ (p.log() - moved.log_softmax(0))),
            "Rank": float((moved > moved[ids].max()).sum()),
            "LogProb": float(moved.log_softmax(0)[ids].logsumexp(0)),
        }
        for name, value in expected.items():
            study = mw.Study(lm_of("gpt2"), pair, metric=getattr(mw, name)())
            outcomes = study.engine.evaluate([mw.Run(base, {site: mw.Patch()})])
            found = study.metric.read(outcomes.kept[0], outcomes.columns)[0]
            assert abs(found) == pytest.approx(abs(value), abs=1e-9), name


def test_pairs_of_both_kinds_together() -> None:
    """Equal and unequal pairs in one contrast: each has the numbers that it has alone."""
    equal = mw.PromptPair(CLEAN, CLEAN.replace("owl", "pig"), "jay", "kite")
    both = case("gpt2", [equal, PAIR])
    runs = [mw.Run(base, {site: mw.Patch()}) for site in SITES for base in BASES]
    together = both.study.engine.evaluate(runs)
    for index, pair in enumerate((equal, PAIR)):
        alone = mw.Study(lm_of("gpt2"), pair).engine.evaluate(runs)
        np.testing.assert_allclose(together.kept[:, index], alone.kept[:, 0], atol=1e-9)
        np.testing.assert_allclose(together.bases[index], alone.bases[0], atol=1e-9)
