"""Models whose weights are not here: what there is of them all the same, and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.remote import Server
from tests.small_models import ALL_KINDS, OTHER_KINDS, random_model, tokenizer_of

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9"
SIZES = (
    *("n_layers", "n_heads", "n_kv_heads", "d_model", "d_head", "d_mlp", "vocabulary", "d_mixer"),
    *("d_state", "dtype", "device", "paths", "shape", "causal", "fills_mask", "classifies"),
)
KINDS = [kind for kind in (*ALL_KINDS, *OTHER_KINDS) if kind != "t5"]
PAIR = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")


def saved(kind: str, folder: Path, dtype: torch.dtype = torch.float64) -> str:
    """A folder with the random model of a kind and its tokenizer."""
    random_model(kind, dtype).save_pretrained(folder)
    tokenizer_of(kind).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved("gpt2", tmp_path_factory.mktemp("gpt2"))


@pytest.mark.parametrize("kind", KINDS)
def test_everything_but_the_weights_is_here(kind: str, tmp_path: Path) -> None:
    place, tokenizer = saved(kind, tmp_path), tokenizer_of(kind)
    there = mw.load(place, remote=NOWHERE, tokenizer=tokenizer)
    here = mw.load(place, tokenizer=tokenizer, dtype=torch.float64, device="cpu")
    assert {size: getattr(there, size) for size in SIZES} == {
        size: getattr(here, size) for size in SIZES
    }
    assert all(p.is_meta for p in there.hf.parameters())
    assert there.tokens("ant bee") == here.tokens("ant bee")
    assert there.backend is not None
    assert there.remote is not None


def test_the_type_of_number_is_that_of_the_config_or_as_given(tmp_path: Path) -> None:
    place = saved("gpt2", tmp_path, torch.bfloat16)
    assert mw.load(place, remote=NOWHERE).dtype == torch.bfloat16
    assert mw.load(place, remote=NOWHERE, dtype=torch.float32).dtype == torch.float32


def test_a_study_is_made_and_described_without_a_server(folder: str) -> None:
    lm = mw.load(folder, remote=NOWHERE)
    study = mw.Study(lm, PAIR)
    assert "nothing" in repr(study)
    assert study.labels([mw.Site("head", 1, head=2)]) == ("L1H2",)
    assert NOWHERE in lm.describe()
    assert lm.remote is not None
    assert (lm.remote.name, lm.remote.revision, lm.remote.jobs) == (folder, None, ())
    assert lm.remote.status == ""
    assert lm.version() == lm.version()
    assert lm.fingerprint() is None
    assert lm.as_loaded


def test_models_of_other_names_are_others(folder: str, tmp_path: Path) -> None:
    other = mw.load(saved("gpt2", tmp_path), remote=NOWHERE)
    one, same = (mw.load(folder, remote=NOWHERE) for _ in range(2))
    assert one.identity() == same.identity() != other.identity()
    assert one.remote is not None
    assert same.remote is not None
    assert other.remote is not None
    assert one.remote.whose == same.remote.whose != other.remote.whose


def test_a_folder_that_was_written_anew_is_another(tmp_path: Path) -> None:
    before = mw.load(saved("gpt2", tmp_path), remote=NOWHERE).remote
    random_model("gpt2", seed=1).save_pretrained(tmp_path)
    after = mw.load(str(tmp_path), remote=NOWHERE).remote
    assert before is not None
    assert after is not None
    assert before.model_key == after.model_key
    assert before.whose != after.whose


HUB = """
import mediawidget as mw

remote = mw.load("someone/tiny", remote="http://127.0.0.1:9").remote
print(remote.name, *remote.whose[1:])
"""


def test_a_name_of_the_hub_is_that_of_a_commit(folder: str, tmp_path: Path) -> None:
    """The hub is away, and what it gave before is here."""
    place = tmp_path / "hub" / "models--someone--tiny"
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    for commit in ("a" * 40, "b" * 40):
        (place / "refs").mkdir(parents=True, exist_ok=True)
        (place / "refs" / "main").write_text(commit)
        shutil.copytree(folder, place / "snapshots" / commit)
        done = subprocess.run(
            [sys.executable, "-c", HUB],
            env={**environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["someone/tiny", commit]


def test_nothing_is_said_of_modules_called_output(tmp_path: Path) -> None:
    place = saved("bert", tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mw.load(place, remote=NOWHERE, tokenizer=tokenizer_of("bert"))
        mw.load(place, remote="local", tokenizer=tokenizer_of("bert"))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "bert_classifier"])
def test_a_dry_run_gives_the_numbers_of_a_run(kind: str) -> None:
    hf, tokenizer = random_model(kind), tokenizer_of(kind)
    words = "ant {} cat dog " + ("[MASK]" if kind.startswith("bert") else "eel")
    labels: Any = hf.config.label2id
    right, wrong = list(labels)[:2] if kind == "bert_classifier" else ("fox", "gnu")
    words = words.replace("[MASK]", "eel") if kind == "bert_classifier" else words
    pair = mw.PromptPair(words.format("bee"), words.format("owl"), right, wrong)
    here = mw.Study(mw.load(hf, tokenizer=tokenizer), pair)
    dry = mw.Study(mw.load(hf, tokenizer=tokenizer, remote="local"), pair)
    assert dry.lm.remote is None
    assert dry.lm.backend is not None
    for mediator in ("residual", "mlp_out"):
        gap = abs(dry.sweep(mediator).edited - here.sweep(mediator).edited).max()
        assert gap < 1e-9


def test_a_dry_run_leaves_the_tokenizer_as_it_was() -> None:
    tokenizer = tokenizer_of("gpt2")
    before = (tokenizer.pad_token, tokenizer.padding_side)
    mw.load(random_model("gpt2"), tokenizer=tokenizer, remote="local")
    assert (tokenizer.pad_token, tokenizer.padding_side) == before


def test_a_model_of_two_texts_is_refused(tmp_path: Path) -> None:
    place = saved("t5", tmp_path)
    for remote in (NOWHERE, "local"):
        with pytest.raises(MediationError, match="writes another"):
            mw.load(place, remote=remote, tokenizer=tokenizer_of("t5"))


@pytest.mark.parametrize("remote", [1, 0, "", "ndif", "ftp://host", "locale", 2.5, [], "http://"])
def test_nonsense_is_no_place(folder: str, remote: Any) -> None:
    with pytest.raises(MediationError, match=r"here or on a server|address"):
        mw.load(folder, remote=remote)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cpu"}, "where the weights are"),
        ({"cache": 3}, "folder"),
        ({"cache": " "}, "folder"),
        ({"dtype": torch.int64}, "floating point"),
        ({"points": {"a": "transformer"}}, "a language model"),
    ],
)
def test_options_that_a_server_cannot_have(folder: str, options: Any, words: str) -> None:
    with pytest.raises(MediationError, match=words):
        mw.load(folder, remote=NOWHERE, **options)


def test_a_module_is_not_on_a_server() -> None:
    hf, tokenizer = random_model("gpt2"), tokenizer_of("gpt2")
    with pytest.raises(MediationError, match="by its name"):
        mw.load(hf, tokenizer=tokenizer, remote=NOWHERE)
    with pytest.raises(MediationError, match="by its name"):
        mw.load(nn.Linear(2, 2), remote=True)


def test_what_is_run_here_is_not_kept(folder: str, tmp_path: Path) -> None:
    for remote in (False, "local"):
        with pytest.raises(MediationError, match="can be kept"):
            mw.load(folder, remote=remote, cache=tmp_path)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(MediationError, match="could not be loaded"):
        mw.load(str(tmp_path / "none"), remote=NOWHERE)


def test_the_usual_server_is_that_of_nnsight(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from nnsight import CONFIG

    # Else the network would be asked.
    monkeypatch.setattr(CONFIG.API, "HOST", "http://127.0.0.1:10")
    monkeypatch.delenv("NDIF_HOST", raising=False)
    lm = mw.load(folder, remote=True)
    assert lm.remote is not None
    assert lm.remote.server.host == "http://127.0.0.1:10"
    monkeypatch.setenv("NDIF_HOST", "http://127.0.0.1:9/")
    assert Server().host == NOWHERE
