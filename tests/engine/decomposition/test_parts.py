"""Contextual decomposition: against the model's own activations, and a slow road of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import mediawidget as mw
from mediawidget.decomposition.anatomy import anatomy
from mediawidget.decomposition.forward import Pass, Rules
from mediawidget.decomposition.parts import Parts
from mediawidget.decomposition.sources import make_sources
from mediawidget.plain_hooks import at_point
from tests.engine.decomposition.asking import (
    KEEP,
    KINDS,
    RULES,
    SOURCES,
    TARGETS,
    Source,
    asked,
    heads,
    lm_of,
    study_of,
)
from tests.engine.decomposition.slow import Pair, Slow

# --- the parts are of the model's own activations -------------------------------------------------


def model_study(name: str) -> mw.Study:
    """A study of any model that can be decomposed."""
    if name == "induction":
        pair = mw.models.induction_pairs()["key swap"]
        return mw.Study(mw.models.induction(beta=3.0, decoys=2), pair)
    if name == "ioi_mini":
        return mw.Study(mw.models.ioi_mini(beta=3.0, decoys=1), mw.models.ioi_mini_pairs()["flip"])
    if name == "gate":
        return mw.Study(mw.models.gate("XOR"), mw.models.gate_pair())
    return study_of(name)


POINTS: dict[str, tuple[Any, ...]] = {
    "gpt2": ("attn_z", "mlp_out"),
    "llama": ("query", "key", "value", "attn_z", "mlp_out"),
    "mistral": ("query", "key", "value", "attn_z", "mlp_out"),
    "qwen2": ("query", "key", "value", "attn_z", "mlp_out"),
    "induction": ("query", "key", "value", "attn_z"),
    "ioi_mini": ("query", "key", "value", "attn_z"),
    "gate": ("query", "key", "value", "attn_z", "mlp_out"),
}


def passed(study: mw.Study, sources: Sequence[Source], rules: Rules) -> tuple[Any, Parts]:
    """What comes to every point, and the stream behind the last block, against zero baselines."""
    lm, seen = study.lm, {}
    group = study.engine.groups[0]

    def look(where: Any, parts: Parts) -> None:
        seen[where] = parts

    made = make_sources(lm, sources, group.frame)
    ids = group.ids[0]
    zeros = {
        (stage, point): torch.zeros((), dtype=lm.dtype).expand(1, ids.shape[1], 1)
        for stage, point in made.places
    }
    with torch.no_grad():
        every = range(ids.shape[1])
        stream = Pass(anatomy(lm), made, zeros, rules, look).run(
            ids, lm.n_layers, every, narrow=False
        )
    return seen, stream


@pytest.mark.parametrize("rules", [Rules(), Rules("whole"), KEEP], ids=repr)
@pytest.mark.parametrize("name", POINTS)
def test_beta_and_gamma_are_the_models_activation_at_every_point(name: str, rules: Rules) -> None:
    study = model_study(name)
    lm = study.lm
    sources = [*heads(lm), (mw.Site("embedding", 0),)]
    seen, stream = passed(study, sources, rules)
    ids = study.engine.groups[0].ids[0]
    places = [(stage, point) for stage in range(1, lm.n_layers + 1) for point in POINTS[name]]
    for stage, point in [*places, (lm.n_layers + 1, "block_in")]:
        found = [activation(lm, stage, point, row) for row in ids]
        parts = stream if point == "block_in" else seen[stage, point]
        assert len(parts.beta) > 0 or (stage, point) in {(1, "query"), (1, "key"), (1, "value")}
        for i, beta in enumerate(parts.beta):
            whole = beta + parts.gamma[i]
            torch.testing.assert_close(whole, torch.stack(found), atol=1e-9, rtol=1e-9)
    assert all(parts.beta.isfinite().all() for parts in seen.values())


def activation(lm: Any, stage: int, point: Any, ids: Tensor) -> Tensor:
    """(position, columns), by a hook on a plain pass."""
    found: list[Tensor] = []

    def look(value: Tensor) -> None:
        found.append(value.clone())

    with torch.no_grad(), at_point(lm, stage, point, look):
        lm.logits_at(ids[None], [0])
    return found[0]


# --- the slow road --------------------------------------------------------------------------------


def spot(site: mw.Site) -> tuple[int, str, int]:
    names = {"head": "head", "mlp_out": "mlp", "embedding": "embed"}
    return site.layer, names[site.mediator], site.head or 0


def places(site: mw.Site, n: int) -> list[int]:
    assert not isinstance(site.position, str | tuple)
    return list(range(n)) if site.position is None else [site.position]


def baselines_of(study: mw.Study, sites: Sequence[mw.Site], baseline: str) -> list[dict[Any, Any]]:
    """Per pair: spot -> (position, width)."""
    whole = {spot(s): mw.Site(s.mediator, s.layer, head=s.head) for s in sites}
    values = {k: study.activations(site, "corrupt").array for k, site in whole.items()}
    means = {k: np.broadcast_to(v.mean(0), v.shape) for k, v in values.items()}
    chosen = means if baseline == "mean" else values
    return [
        {k: torch.from_numpy(v[i].copy()) for k, v in chosen.items()}
        for i in range(len(study.contrast))
    ]


def slowly(study: mw.Study, source: Source, baseline: str, rules: Rules) -> list[tuple[Slow, Pair]]:
    """Per pair the slow road and the logits it came to."""
    found = []
    for pair, own in zip(study.token_pairs, baselines_of(study, source, baseline), strict=True):
        slow = Slow(study.lm.hf, own, rules.pattern, rules.opposites == "drop")
        positions = {spot(site): places(site, len(pair)) for site in source}
        with torch.no_grad():
            found.append((slow, slow.run(torch.from_numpy(pair.clean), positions)))
    return found


@pytest.mark.parametrize("baseline", ["mean", "corrupt"])
@pytest.mark.parametrize("rules", RULES, ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_like_the_slow_road(kind: str, rules: Rules, baseline: str) -> None:
    study = study_of(kind)
    lm = study.lm
    done = asked(study, list(SOURCES.values()), targets=TARGETS, rules=rules, baseline=baseline)
    for s, source in enumerate(SOURCES.values()):
        for p, (slow, (beta, gamma)) in enumerate(slowly(study, source, baseline, rules)):
            pair = study.token_pairs[p]
            total = study.total.bases[p, 0]
            assert float((beta + gamma)[-1, pair.answer]) == pytest.approx(total[0], abs=1e-9)
            logit_diff = beta[-1, pair.answer] - beta[-1, pair.wrong]
            assert done.metric[p, s] == pytest.approx(float(logit_diff), abs=1e-9)
            for t, target in enumerate(TARGETS):
                found = done.targets[p, t, s]
                assert found == pytest.approx(ratio(slow, lm, target), rel=1e-7, abs=1e-10)
    assert np.abs(done.metric).min() > 1e-4
    assert (done.targets[:, :, 0] > 1e-4).all()


def ratio(slow: Slow, lm: Any, target: mw.Site) -> float:
    """R(s, T), summed in a loop."""
    names = {"query": "q", "key": "k", "value": "v", "head": "z", "mlp_out": "mlp"}
    beta, gamma = slow.seen[target.layer, names[target.mediator]]
    columns = slice(None)
    if target.head is not None:
        shared = target.mediator in ("key", "value")
        unit = target.head * lm.n_kv_heads // lm.n_heads if shared else target.head
        columns = slice(unit * lm.d_head, (unit + 1) * lm.d_head)
    total = 0.0
    for t in places(target, len(beta)):
        one, two = (float(part[t, columns].abs().sum()) for part in (beta, gamma))
        total += one / two
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_linear_only_nearby_is_read_by_its_slope(kind: str) -> None:
    """Prob, and a sum of log probabilities over answers of two tokens."""
    study = study_of(kind, metric=mw.Prob())
    source = SOURCES["a head"]
    found = asked(study, [source]).metric
    for p, (_, (beta, gamma)) in enumerate(slowly(study, source, "mean", Rules())):
        chance = (beta + gamma)[-1].softmax(0)
        at = study.token_pairs[p].answer
        slope = -chance[at] * chance
        slope[at] += chance[at]
        assert found[p, 0] == pytest.approx(float(slope @ beta[-1]), rel=1e-8)

    words = "ant bee cat owl eel fox"
    pair = mw.PromptPair(words, words.replace("owl", "pig"), "jay hen", "kite ibis")
    longer = mw.Study(lm_of(kind), pair)
    found = asked(longer, [source], baseline="corrupt").metric
    expected = 0.0
    for sign, answer in ((1, "jay hen"), (-1, "kite ibis")):
        first, second = answer.split()
        # The prompt with the answer's first word at its end, as both words are read off it.
        whole = mw.PromptPair(f"{words} {first}", f"{pair.corrupt} {first}", second, "lark")
        study = mw.Study(lm_of(kind), whole)
        ((_, (beta, gamma)),) = slowly(study, source, "corrupt", Rules())
        ids = [study.lm.encoder.answer(word, "answer") for word in (first, second)]
        for at, token in zip((-2, -1), ids, strict=True):
            slope = -(beta + gamma)[at].softmax(0)
            slope[token] += 1
            expected += sign * float(slope @ beta[at])
    assert found[0, 0] == pytest.approx(expected, rel=1e-8)
