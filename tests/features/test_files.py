"""Autoencoders in SAELens' folders: read as SAELens would compute them, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import mediawidget as mw
from mediawidget.features import load, save
from tests.features.made import KINDS, by_definition, made

WIDTH, N = 6, 9


def folder(path: Path, architecture: str = "standard", **config: Any) -> dict[str, Tensor]:
    """A folder as SAELens 6 writes it; the arrays that it holds."""
    draw = torch.Generator().manual_seed(3)
    shapes = {"W_enc": (WIDTH, N), "b_enc": (N,), "W_dec": (N, WIDTH), "b_dec": (WIDTH,)}
    arrays = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    if architecture == "jumprelu":
        arrays["threshold"] = torch.rand(N, generator=draw)
    whole = {
        "architecture": architecture,
        "d_in": WIDTH,
        "d_sae": N,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"model_name": "gpt2", "hook_name": "blocks.3.hook_resid_pre"},
        **({"k": 3} if architecture == "topk" else {}),
    }
    path.mkdir(exist_ok=True)
    (path / "cfg.json").write_text(json.dumps(whole | config))
    save_file(arrays, path / "sae_weights.safetensors")
    return arrays


def reference(x: Tensor, w: dict[str, Tensor], config: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Codes and reconstruction as SAELens computes them."""
    inside = x - w["b_dec"] if config.get("apply_b_dec_to_input", True) else x
    pre = inside @ w["W_enc"] + w["b_enc"]
    norms = w["W_dec"].norm(dim=-1)
    scaled = config.get("rescale_acts_by_decoder_norm", False)
    pre = pre * norms if scaled else pre
    if "threshold" in w:
        limit = w["threshold"] * norms if scaled else w["threshold"]
        codes = torch.relu(pre) * (pre > limit)
    elif "k" in config:
        best = torch.topk(pre, config["k"], dim=-1)
        codes = torch.zeros_like(pre).scatter(-1, best.indices, torch.relu(best.values))
    else:
        codes = torch.relu(pre)
    return codes, (codes / norms if scaled else codes) @ w["W_dec"] + w["b_dec"]


CASES: list[tuple[str, dict[str, Any]]] = [
    ("standard", {}),
    ("standard", {"apply_b_dec_to_input": False}),
    ("topk", {"k": 3}),
    ("topk", {"k": 3, "rescale_acts_by_decoder_norm": True}),
    ("jumprelu", {}),
    ("jumprelu", {"apply_b_dec_to_input": False, "hook_name": "blocks.0.hook_mlp_out"}),
]


@pytest.mark.parametrize(("architecture", "config"), CASES)
def test_codes_and_reconstruction_are_those_of_saelens(
    tmp_path: Path, architecture: str, config: dict[str, Any]
) -> None:
    arrays = folder(tmp_path / "one", architecture, **config)
    sae = load(tmp_path / "one")
    x = 2 * torch.randn(50, WIDTH, generator=torch.Generator().manual_seed(1))
    codes, again = reference(x, arrays, config)
    assert 0.1 < float((codes > 0).float().mean()) < 0.9
    for given in (x, x.numpy()):
        np.testing.assert_allclose(np.asarray(sae.encode(given)), codes, atol=1e-5)
        np.testing.assert_allclose(np.asarray(sae.decode(sae.encode(given))), again, atol=1e-5)
        np.testing.assert_allclose(np.asarray(sae.error(given)), x - again, atol=1e-5)
    assert sae.name == "one"


def test_folders_of_older_versions(tmp_path: Path) -> None:
    more = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}, "metadata": None}
    folder(tmp_path, "standard", hook_name="blocks.2.hook_resid_post", hook_layer=2, **more)
    sae = load(tmp_path)
    assert (sae.kind, sae.k) == ("topk", 2)
    # the stream after block 2 is the one before block 3
    assert sae.site == mw.Site("residual", 3)


@pytest.mark.parametrize(
    ("hook", "head", "site"),
    [
        ("blocks.3.hook_resid_pre", None, mw.Site("residual", 3)),
        ("blocks.3.hook_resid_mid", None, mw.Site("residual_mid", 3)),
        ("blocks.0.hook_attn_out", None, mw.Site("attn_out", 0)),
        ("blocks.10.hook_mlp_out", None, mw.Site("mlp_out", 10)),
        ("blocks.1.attn.hook_z", 2, mw.Site("head", 1, head=2)),
    ],
)
def test_hooks_as_sites(tmp_path: Path, hook: str, head: int | None, site: mw.Site) -> None:
    folder(tmp_path, metadata={"hook_name": hook, "hook_head_index": head})
    assert load(tmp_path).site == site


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"architecture": "gated"}, "gated"),
        ({"architecture": "transcoder"}, "transcoder"),
        ({"activation_fn_str": "tanh-relu"}, "tanh-relu"),
        ({"normalize_activations": "layer_norm"}, "normalize_activations: 'layer_norm'"),
        ({"normalize_activations": "expected_average_only_in"}, "fold_activation_norm"),
        ({"finetuning_scaling_factor": True}, "finetuning_scaling_factor"),
        ({"metadata": {"hook_name": "blocks.1.attn.hook_z"}}, "hook_z"),
        ({"metadata": {"hook_name": "blocks.1.mlp.hook_post"}}, "hook_post"),
        ({"metadata": {}}, "hook_name: ''"),
        ({"architecture": "topk", "k": 40}, "no kind of sparse autoencoder"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    folder(tmp_path, **config)
    with pytest.raises(mw.MediationError, match=words.replace("(", r"\(")):
        load(tmp_path)


def test_arrays_of_another_architecture_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, "jumprelu")
    config = tmp_path / "cfg.json"
    config.write_text(config.read_text().replace("jumprelu", "standard"))
    with pytest.raises(mw.MediationError, match="other arrays"):
        load(tmp_path)


def test_a_site_of_your_own_and_no_folder(tmp_path: Path) -> None:
    folder(tmp_path, metadata={})
    assert load(tmp_path, site=mw.Site("attn_out", 4), name="mine").site.layer == 4
    for wrong in (tmp_path / "nothing", tmp_path / "cfg.json"):
        with pytest.raises(mw.MediationError, match="No sparse autoencoder could be read"):
            load(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_it_is_the_same(tmp_path: Path, kind: str) -> None:
    sae = made(kind, WIDTH, N, site=mw.Site("head", 2, head=1), centred=True)
    again = load(save(sae, tmp_path / "saved"))
    assert again == sae
    x = np.random.default_rng(0).normal(size=(20, WIDTH))
    expected = np.array([by_definition(sae, row) for row in x])
    np.testing.assert_allclose(again.encode(x), expected, atol=1e-12)
    np.testing.assert_allclose(again.encode(torch.from_numpy(x)).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kind": "gated"}, "This is no kind of sparse autoencoder"),
        ({"kind": "topk"}, "This is no kind of sparse autoencoder"),
        ({"k": 3}, "This is no kind of sparse autoencoder"),
        ({"threshold": np.ones(9)}, "This is no kind of sparse autoencoder"),
        ({"w_enc": np.ones((9, 6))}, "The arrays of a sparse autoencoder do not fit each other"),
        ({"b_dec": np.ones(9)}, "The arrays of a sparse autoencoder do not fit each other"),
        ({"b_enc": np.full(9, np.nan)}, "b_enc is made of finite numbers"),
        (
            {"site": mw.Site("residual", 1, position=3)},
            "A sparse autoencoder takes apart the value of one component",
        ),
        (
            {"site": mw.Site("head", 1)},
            "A sparse autoencoder takes apart the value of one component",
        ),
        (
            {"site": mw.Site("neuron", 1, unit=2)},
            "A sparse autoencoder takes apart the value of one component",
        ),
        (
            {"site": mw.Site("pattern", 1, head=2)},
            "A sparse autoencoder takes apart the value of one component",
        ),
    ],
)
def test_what_is_no_autoencoder_is_refused(wrong: dict[str, Any], words: str) -> None:
    right = made("relu", WIDTH, N)
    with pytest.raises(mw.MediationError, match=words):
        mw.features.SAE(**{**right.arrays, "site": right.site, **wrong})


def test_an_activation_of_another_width_is_refused() -> None:
    sae = made("relu", WIDTH, N)
    with pytest.raises(mw.MediationError, match="another width"):
        sae.encode(np.zeros((2, 5)))
    with pytest.raises(mw.MediationError, match="another width"):
        sae.decode(torch.zeros(2, 5))


def test_half_takes_half_the_room_and_loads(tmp_path: Path) -> None:
    """By the name that users call: the module's own ``save``, which hands it on."""
    sae = mw.features.teaching(4)
    whole = mw.features.save(sae, tmp_path / "whole")
    half = mw.features.save(sae, tmp_path / "half", half=True)
    sizes = [(path / "sae_weights.safetensors").stat().st_size for path in (whole, half)]
    assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.01)
    again = mw.features.load(half)
    np.testing.assert_allclose(again.w_dec, sae.w_dec, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(again.w_dec, np.asarray(sae.w_dec, np.float16))
    with pytest.raises(mw.MediationError, match="or in half of it"):
        mw.features.save(sae, tmp_path / "half", half="yes")  # type: ignore[arg-type]
