"""The scripts of ``Study.to_code`` are run, without this package, and print what the study says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.small_models import random_model, tokenizer_of

#: Runs every script that is named, as the files that they are, where nobody can import us.
DRIVER = """
import contextlib, io, json, runpy, sys
sys.modules["mediawidget"] = None
for path in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        runpy.run_path(path, run_name="__main__")
    print(json.dumps(dict(line.split() for line in said.getvalue().splitlines())))
"""

CORNERS = ("Y11", "Y00", "TE", "Y10", "Y01", "PIE", "TIE", "INT")
CONSTANTS = ("Y11", "Y00", "TE", "clean", "corrupt", "difference")


def folder_of(kind: str, place: Path, seed: int = 0) -> Path:
    """A random model and its tokenizer in a folder of transformers."""
    random_model(kind, seed=seed).save_pretrained(place)
    tokenizer_of(kind).save_pretrained(place)
    return place


def run(scripts: Sequence[str], folder: Path) -> list[dict[str, float]]:
    """What each script prints."""
    paths = [folder / f"script_{i}.py" for i in range(len(scripts))]
    for path, text in zip(paths, scripts, strict=True):
        path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    return [{key: float(value) for key, value in one.items()} for one in printed]


def says(effect: mw.Effect) -> dict[str, float]:
    """What the study says."""
    keys = CORNERS if effect.edit.corners else CONSTANTS
    return {key: float(effect[key]) for key in keys}


def agree(printed: Mapping[str, float], effect: mw.Effect) -> None:
    assert printed == pytest.approx(says(effect), abs=2e-5, rel=1e-5)


def pairs(n: int = 2) -> list[mw.PromptPair]:
    return [
        mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
        mw.PromptPair("ant bee cat pig eel", "ant hen cat pig eel", "fox", "kite"),
        mw.PromptPair("ant bee rat pig eel", "ant hen rat pig fox", "mole", "kite"),
    ][:n]


def S(mediator: str, layer: int = 1, **where: Any) -> mw.Site:  # noqa: N802 - reads as Site
    return mw.Site(mediator, layer, **where)


def cases(lm: mw.LM) -> list[dict[mw.Site, mw.Edit]]:
    """Sets of sites with their edits."""
    wide = mw.Steer(np.arange(lm.d_model) / 16, scale=0.5)
    narrow = mw.Steer(np.arange(lm.d_head) / 4 - 1)
    patch, half = mw.Patch(), mw.Patch(alpha=0.25)
    last = lm.n_layers
    return [
        {S("head", 2, head=1): patch},
        {S("head", 2, head=1): patch, S("head", 1, head=0, position=1): patch},
        {S("query", 1, head=1): patch, S("key", 1, head=0): patch},
        {S("value", 2, head=lm.n_kv_heads - 1, position=(1, 4)): half},
        {S("attn_out", 1, position=4): patch, S("mlp_out", 0): patch},
        {S("residual", 2, position=(1, 2)): patch},
        {S("residual", last, position=4): mw.Patch("clean")},
        {S("residual_post", 1, position=3): mw.Zero(), S("neuron", 2, unit=5): patch},
        {S("residual_mid", 1, position=4): wide, S("mlp_out", 2): mw.Scale(-0.5)},
        {S("embedding", 0, position=1): patch},
        {S("embedding_unit", 0, unit=3): mw.Scale(2.0)},
        {S("mlp_unit", 1, unit=2): mw.Patch("corrupt", alpha=2.0)},
        {S("head", 1, head=0): narrow, S("head", 1, head=1): mw.Zero()},
        {S("head", 2, head=0): mw.Clamp(narrow.vector), S("neuron", 2, unit=5): mw.Clamp(3.0)},
        {S("head", 1, head=0): mw.Mean(), S("mlp_out", 2): mw.Zero()},
        *parts(lm),
        {S("residual", 1): mw.Mean("corrupt")},
        {S("pattern", 1, head=1, position=4): patch},
        {S("query", 1, head=1): patch, S("pattern", 1, head=0, position=4): patch},
        {
            S("key", 1, head=0): mw.Scale(0.5),
            S("value", 1, head=0): mw.Zero(),
            S("edge", 1, head=1, position=4, key=1): mw.Knockout(),
            S("pattern", 2, head=1, position=4): mw.Zero(),
        },
        {S("edge", 1, head=1, position=4, key=(1, 2)): mw.Knockout()},
        {S("edge", 2, position=(3, 4), key=1): mw.Knockout()},
        {
            S("pattern", 1, head=0, position=4): mw.Scale(0.5),
            S("edge", 1, head=1, position=4, key=1): mw.Knockout(),
        },
    ]


def parts(lm: mw.LM) -> list[dict[mw.Site, mw.Edit]]:
    """Edits of parts of a site's value, each kind of assignment once."""
    two, one = (mw.Subspace.random(k, lm.d_model, seed=k) for k in (2, 1))
    vector = np.arange(lm.d_model) / 16
    slanted = mw.Projection(two.basis + one.basis - one.basis @ two.basis.T @ two.basis, two.basis)
    return [
        {S("residual", 1, position=(1, 4)): mw.Within(two), S("mlp_out", 2): mw.Within(slanted)},
        {S("residual", 2): mw.Within(two, mw.Zero()), S("mlp_out", 2): mw.Steer(vector)},
        {S("attn_out", 1): mw.Within(one, mw.Steer(vector)), S("mlp_out", 2): mw.Scale(0.5)},
        {S("residual", 2, position=4): mw.Within(slanted, mw.Scale(3.0))},
        {S("residual", 1): mw.Within(two, mw.Mean()), S("mlp_out", 2): mw.Mean()},
        {S("mlp_out", 1): mw.Within(one, mw.Patch(alpha=0.5))},
        {S("residual", 1, position=2): mw.Within(two, mw.Clamp(vector))},
    ]


KINDS = ("gpt2", "llama", "gpt_neox", "falcon")


@pytest.mark.parametrize("kind", KINDS)
def test_scripts_print_the_studys_numbers(kind: str, tmp_path: Path) -> None:
    lm = mw.load(folder_of(kind, tmp_path / "model"), dtype=torch.float64, device="cpu")
    study = mw.Study(lm, pairs())
    total = study.total
    assert abs(total["TE"]) > 0.1
    scripts, effects = [study.to_code()], []
    for edits in cases(lm):
        try:
            effects.append(study.intervene(edits))
        except mw.MediationError:  # the architecture has no such place
            continue
        scripts.append(study.to_code())
    assert len(effects) >= 16
    changed = [abs(e["Y01"] - e["Y00"]) if e.edit.corners else abs(e["corrupt"]) for e in effects]
    assert sum(value > 1e-3 for value in changed) >= 14, "edits that do nothing prove nothing"
    first, *rest = run(scripts, tmp_path)
    bases = {key: float(total[key]) for key in ("Y11", "Y00", "TE")}
    assert first == pytest.approx(bases, abs=1e-5)
    for printed, effect in zip(rest, effects, strict=True):
        agree(printed, effect)


METRICS = (mw.LogProb(), mw.Prob(), mw.ProbDiff(), mw.LogOdds(), mw.Logit())


def test_answers_metrics_and_places_to_read(tmp_path: Path) -> None:
    lm = mw.load(folder_of("llama", tmp_path / "model"), dtype=torch.float64, device="cpu")
    edits = {S("head", 2, head=1): mw.Patch(), S("mlp_out", 1, position=4): mw.Patch()}
    sets = [mw.PromptPair(p.clean, p.corrupt, ["fox", "hen"], "gnu") for p in pairs()]
    several = [mw.PromptPair(p.clean, p.corrupt, "fox hen owl", "gnu pig") for p in pairs()]
    asked = [
        *((pairs(), metric, None) for metric in METRICS),
        *((sets, metric, None) for metric in (mw.LogitDiff(), *METRICS)),
        *((several, metric, None) for metric in (mw.LogitDiff(), *METRICS)),
        (several, mw.LogitDiff(), mw.Readout(reduce="mean")),
        (pairs(), mw.LogitDiff(), mw.Readout(3)),
        (pairs(1), mw.LogitDiff(), mw.Readout(-1)),
    ]
    scripts, effects = [], []
    for some, metric, readout in asked:
        study = mw.Study(lm, some, metric=metric, readout=readout)
        effects.append(study.intervene(edits))
        scripts.append(study.to_code())
    constant = mw.Study(lm, several)
    effects.append(constant.intervene({S("head", 2, head=1): mw.Scale(0.5)}))
    scripts.append(constant.to_code())
    for printed, effect in zip(run(scripts, tmp_path), effects, strict=True):
        agree(printed, effect)


def test_on_other_weights_it_prints_those_weights_numbers(tmp_path: Path) -> None:
    teaching = mw.load()
    other = tmp_path / "other"
    model: Any = mw.load().hf
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            generator = torch.Generator().manual_seed(len(name))
            weight.add_(0.05 * weight.std() * torch.randn(weight.shape, generator=generator))
    model.save_pretrained(other)
    teaching.tokenizer.save_pretrained(other)
    contrast = mw.tasks.ioi(teaching, n=2, seed=0)
    site = S("head", 3, head=1)
    effects, scripts = [], []
    for lm in (teaching, mw.load(other, device="cpu")):
        study = mw.Study(lm, contrast)
        effects.append(study.intervene(site))
        scripts.append(study.to_code())
    # The script of the one study, pointed at the other weights.
    study = mw.Study(teaching, contrast)
    study.intervene(site)
    scripts.append(study.to_code(model=str(other)))
    assert scripts[1] == scripts[2]
    assert abs(effects[0]["PIE"] - effects[1]["PIE"]) > 0.1
    for printed, effect in zip(run(scripts, tmp_path), [*effects, effects[1]], strict=True):
        assert printed == pytest.approx(says(effect), abs=1e-3)
    for script in scripts:
        for value in says(effects[0]).values():
            assert f"{abs(value):.3f}" not in script, "a result is written into the script"


def test_the_common_script_is_short_and_names_what_it_needs(tmp_path: Path) -> None:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=1, seed=0))
    effect = study.intervene(S("head", 3, head=1))
    script = study.to_code()
    assert len([line for line in script.splitlines() if line.strip()]) < 45
    imported = re.findall(r"^(?:import|from) (\w+)", script, flags=re.M)
    assert imported == ["torch", "nnsight", "transformers"]
    path = tmp_path / "alone.py"
    path.write_text("import sys\nsys.modules['mediawidget'] = None\n" + script)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    printed = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
    assert printed == pytest.approx(says(effect), abs=1e-4)


def test_a_folder_is_named_with_what_others_put_in_its_place(tmp_path: Path) -> None:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=1, seed=0))
    script = study.to_code()
    (command,) = re.findall(r'^# Elsewhere .+: python -c "(.+)"$', script, flags=re.M)
    run_there = [sys.executable, "-c", command]
    done = subprocess.run(run_there, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert f'\nname = "{done.stdout.strip()}"\n' in script
    folder = str(folder_of("gpt2", tmp_path / "copied"))
    assert f'put your copy of the model here.\nname = "{folder}"' in study.to_code(model=folder)
    assert "your copy" not in study.to_code(model="openai-community/gpt2")


def test_a_model_that_was_given_is_left_to_the_reader() -> None:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    study = mw.Study(lm, pairs(1))
    assert "hf = ...  # your GPT2LMHeadModel of transformers, in evaluation" in study.to_code()
    study.intervene({S("pattern", 1, head=1): mw.Patch()})
    assert 'loaded with attn_implementation="eager"' in study.to_code()
    assert 'name = "my/model"' in study.to_code(model="my/model")
    # Another tokenizer may read the prompts otherwise than the one that comes with the model.
    teaching = mw.load()
    own = mw.Study(mw.load(tokenizer=teaching.tokenizer), mw.tasks.ioi(teaching, n=1))
    assert "hf = ..." in own.to_code()
    for bad in ("", " ", 3, Path("x")):
        with pytest.raises(mw.MediationError, match="by a name"):
            study.to_code(model=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", ["counted", "behind the counter", "hooked"])
def test_weights_that_changed_do_not_go_by_the_old_name(change: str) -> None:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=1, seed=0))
    assert "\nname = " in study.to_code()
    model: Any = lm.hf
    weight = model.transformer.h[0].mlp.c_fc.weight
    if change == "hooked":
        model.transformer.h[0].mlp.register_forward_hook(lambda _m, _a, out: 1.5 * out)
    else:
        with torch.no_grad():
            (weight if change == "counted" else weight.data).mul_(2)
    study.total  # noqa: B018
    script = study.to_code()
    assert "\nname = " not in script
    assert "with the weights that it has now" in script
    if change == "counted":
        with torch.no_grad():
            weight.div_(2)
        assert "\nname = " in study.to_code()


def test_an_attention_without_a_place_has_no_code() -> None:
    lm = mw.load(random_model("falcon_alibi"), tokenizer=tokenizer_of("falcon_alibi"))
    study = mw.Study(lm, pairs(1))
    study.intervene({S("edge", 1, head=1, position=4, key=1): mw.Knockout()})
    with pytest.raises(mw.MediationError, match="attention of this architecture"):
        study.to_code()


HOSTILE = ('"""\nimport os\n"""', "'\"\\", "\u202eevil", "a\nb", "{0}", "ant # bee")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str) -> None:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    study = mw.Study(lm, pairs(1))
    # The tokenizer of these models knows no such words; a script only has to hold them.
    pair = mw.PromptPair(f"ant {text}", f"bee {text}", "fox", "gnu", roles={text: 1})
    study._contrast = mw.Contrast([pair])
    study.history.add(None)
    script = study.to_code(model=text)
    scope = compile(script, "script", "exec")
    assert pair.clean in [c for c in _constants(scope) if isinstance(c, str)]
    assert "\u202e" not in script
    assert "os" not in scope.co_names


def _constants(code: Any) -> list[Any]:
    flat: list[Any] = []
    for constant in code.co_consts:
        flat += list(constant) if isinstance(constant, tuple) else [constant]
    return flat


def elsewhere(study: mw.Study, given: list[mw.PromptPair]) -> None:
    study.contrast = mw.Contrast(given)
    study.intervene(S("residual", 1, position="r"))


def within(study: mw.Study, edit: mw.Edit) -> mw.Within:
    return mw.Within(mw.Subspace.random(1, study.lm.d_head), edit)


def refused() -> list[tuple[str, Any]]:
    site = S("head", 1, head=1)
    unequal = mw.PromptPair("ant bee cat dog eel", "ant owl dog eel", "fox", "gnu")
    late = mw.PromptPair("ant bee cat dog", "ant owl cat dog", "fox", "gnu", roles={"r": 2})
    early = mw.PromptPair("ant bee cat dog", "ant owl cat dog", "fox", "gnu", roles={"r": 1})
    return [
        ("held", lambda s: s.intervene(site, freeze=("mlp_out",))),
        ("noise", lambda s: s.intervene({site: mw.Noise()})),
        ("resample", lambda s: s.intervene({site: mw.Resample()})),
        ("noise", lambda s: s.intervene({site: within(s, mw.Noise())})),
        ("values or runs", lambda s: s.intervene({site: mw.Patch(s.activations(site))})),
        ("values or runs", lambda s: s.intervene({site: mw.Patch(mw.Run("clean"))})),
        ("several origins", lambda s: s.intervene({site: mw.Patch(), S("mlp_out"): mw.Mean()})),
        (
            "scattered",
            lambda s: s.intervene(
                {S("edge", 1, head=0, position=(2, 4), key=(0, 2)): mw.Knockout()}
            ),
        ),
        ("metric 'kl'", lambda s: setattr(s, "metric", mw.KL())),
        (
            "metric 'mine'",
            lambda s: setattr(s, "metric", mw.Function(lambda k: k["answer"], "mine")),
        ),
        ("different lengths", lambda s: setattr(s, "contrast", mw.Contrast([unequal]))),
        (
            "other positions",
            lambda s: elsewhere(s, [late, early]),
        ),
    ]


@pytest.mark.parametrize(("words", "ask"), refused())
def test_what_there_is_no_code_for_is_refused(words: str, ask: Any) -> None:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    study = mw.Study(lm, pairs())
    ask(study)
    with pytest.raises(mw.MediationError, match=words):
        study.to_code()
