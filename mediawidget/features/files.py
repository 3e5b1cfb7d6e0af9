"""Sparse autoencoders in files, as SAELens writes them: cfg.json beside sae_weights.safetensors.

Its versions before 6 kept ``hook_name`` and the activation function's settings at the top of
cfg.json, later ones under ``metadata``; both are read. What changes codes and is not known here is
refused, never ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..edits.sparse import SAE, refuse_no_sae
from ..effect_files import as_path, writing
from ..errors import MediationError, reading, require
from ..sites import Site

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"

_KINDS = {"standard": "relu", "topk": "topk", "jumprelu": "jumprelu"}
_HOOKS = {
    "hook_resid_pre": ("residual", 0),
    # The stream after a block is the one before the next.
    "hook_resid_post": ("residual", 1),
    "hook_resid_mid": ("residual_mid", 0),
    "hook_attn_out": ("attn_out", 0),
    "hook_mlp_out": ("mlp_out", 0),
    "attn.hook_z": ("head", 0),
}
"""A name of TransformerLens to a mediator, and how many layers further it is."""


def load(path: str | Path, site: Site | None = None, name: str = "") -> SAE:
    """Read a sparse autoencoder from a folder that SAELens wrote.

    SAELens trains on TransformerLens, which by default centres what writes to the residual stream
    and folds norms; an autoencoder of such activations is of this model only if it was trained
    with ``from_pretrained_no_processing``. The share of variance that it explains tells.

    Args:
        path: the folder, with cfg.json and sae_weights.safetensors.
        site: whose value it takes apart; default: what cfg.json's hook_name says.
        name: what it is called; default: the folder's name.

    Raises:
        MediationError: no such files, or an architecture, normalisation or hook that is not known;
            names the field.

    Example:
        >>> sae = mw.features.load("gpt2-small-res-jb/blocks.8.hook_resid_pre")  # doctest: +SKIP
    """
    folder = _folder(path)
    given: object = name
    require(
        isinstance(given, str),
        "An autoencoder is called by a name.",
        value=name,
        expected="a text",
        fix="mw.features.load(path, name='mine')",
    )
    config = _config(folder)
    with reading("sparse autoencoder", str(folder)):
        kind, k = _kind(config)
        _refuse_other(config)
        weights = _weights(folder, kind)
        if config.get("rescale_acts_by_decoder_norm"):
            weights = _unit_decoder(weights)
        return SAE(
            weights["W_enc"],
            weights["b_enc"],
            weights["W_dec"],
            weights["b_dec"],
            kind=kind,
            site=_site(config) if site is None else site,
            threshold=weights.get("threshold"),
            k=k,
            centred=bool(config.get("apply_b_dec_to_input", True)),
            name=name or folder.name,
        )


def save(sae: SAE, path: str | Path, half: bool = False) -> Path:
    """Write it as ``load`` and SAELens read it; ``half`` in float16.

    Raises:
        MediationError: no autoencoder, no path, ``half`` that is neither, or a place that cannot
            be written to.
    """
    import torch

    refuse_no_sae(sae)
    require(
        isinstance(half, bool),
        "An autoencoder is written in its own precision, or in half of it.",
        value=half,
        expected="half=True or half=False",
        fix="mw.features.save(sae, 'my-sae', half=True)",
    )
    folder = _folder(path)
    names = {"w_enc": "W_enc", "w_dec": "W_dec"}
    arrays = {names.get(name, name): array for name, array in sae.arrays.items()}
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    tensors = {name: tensor.half() if half else tensor for name, tensor in tensors.items()}
    text = json.dumps(_config_of(sae, tensors["W_enc"].dtype), indent=2)
    where = "a folder that can be written to, or made"
    fix = "mw.features.save(sae, 'my-sae')"
    with writing(folder, "The autoencoder", fix, place=where, also=(SafetensorError,)):
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / WEIGHTS)
        (folder / WEIGHTS).chmod(0o644)
        (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    return folder


def _folder(path: object) -> Path:
    """The place of an autoencoder, refused if it is none."""
    return as_path(
        path,
        "An autoencoder",
        "a path of a folder",
        "mw.features.save(sae, 'my-sae'), mw.features.load('my-sae')",
    )


# --- reading ------------------------------------------------------------------------------------


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        found: Any = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _no_folder(folder, error) from error
    require(
        isinstance(found, dict),
        f"{CONFIG} is an object.",
        value=found,
        expected='{"architecture": "standard", "d_in": ..., ...}',
        fix="save the autoencoder again",
    )
    # What is said of the model and the hook stands on its own in later versions.
    whole: dict[str, Any] = {}
    for beside in (found.get("metadata"), found.get("meta"), found):
        whole |= beside or {}
    return whole


def _kind(config: Mapping[str, Any]) -> tuple[Any, int | None]:
    """Kind and k."""
    architecture = config.get("architecture", "standard")
    function = config.get("activation_fn_str", config.get("activation_fn", "relu"))
    if architecture == "standard" and function == "topk":
        architecture = "topk"
    require(
        architecture in _KINDS,
        "This architecture of sparse autoencoder is not supported.",
        value=f"architecture: {architecture!r}",
        expected="standard, topk or jumprelu (batchtopk is saved as jumprelu)",
        fix="load another one",
    )
    require(
        function in ("relu", "topk"),
        "This activation function of a sparse autoencoder is not supported.",
        value=f"activation_fn_str: {function!r}",
        expected="relu or topk",
        fix="load another one",
    )
    if architecture != "topk":
        return _KINDS[architecture], None
    beside = config.get("activation_fn_kwargs") or {}
    return "topk", int(config.get("k", beside.get("k", 0)))


def _refuse_other(config: Mapping[str, Any]) -> None:
    """Raise where something else changes the codes."""
    plain = {
        "normalize_activations": ("none", None),
        "reshape_activations": ("none", "hook_z", None),
        "finetuning_scaling_factor": (False, None),
        "seqpos_slice": (None, [None], (None,)),
    }
    for field, known in plain.items():
        value = config.get(field)
        value = value if value != [] else None
        require(
            value in known,
            "This setting of a sparse autoencoder is not supported.",
            value=f"{field}: {value!r}",
            expected=f"{field}: {known[0]!r}",
            fix="sae.fold_activation_norm_scaling_factor(...) in SAELens, then save it again"
            if value == "expected_average_only_in"
            else "load another one",
        )


def _weights(folder: Path, kind: str) -> dict[str, Any]:
    try:
        found = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise _no_folder(folder, error) from error
    wanted = {"W_enc", "b_enc", "W_dec", "b_dec"} | ({"threshold"} if kind == "jumprelu" else set())
    require(
        set(found) == wanted,
        f"{WEIGHTS} has other arrays than this architecture.",
        value=sorted(found),
        expected=", ".join(sorted(wanted)),
        fix="check architecture in cfg.json",
    )
    return dict(found)


def _unit_decoder(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Codes counted in the length of their decoder row, which is the same reconstruction."""
    norms = weights["W_dec"].norm(dim=-1)
    scaled = {"W_enc": weights["W_enc"] * norms, "W_dec": weights["W_dec"] / norms[:, None]}
    scaled |= {name: weights[name] * norms for name in ("b_enc", "threshold") if name in weights}
    return {**weights, **scaled}


def _site(config: Mapping[str, Any]) -> Site:
    hook = str(config.get("hook_name", config.get("hook_point", "")))
    match = re.fullmatch(r"blocks\.(\d+)\.(.+)", hook)
    mediator, further = _HOOKS.get(match[2], ("", 0)) if match else ("", 0)
    head = config.get("hook_head_index")
    if match is None or not mediator or (mediator == "head") != (head is not None):
        raise MediationError(
            "This hook is no site that is known.",
            value=f"hook_name: {hook!r}, hook_head_index: {head!r}",
            expected="blocks.N. and one of "
            + ", ".join(_HOOKS)
            + "; attn.hook_z with a hook_head_index",
            fix="mw.features.load(path, site=mw.Site('residual', layer=3))",
        )
    return Site(mediator, int(match[1]) + further, head=head)


def _no_folder(folder: Path, error: Exception) -> MediationError:
    return MediationError(
        "No sparse autoencoder could be read there.",
        value=f"{folder}: {type(error).__name__}: {str(error).splitlines()[0]}",
        expected=f"a folder with {CONFIG} and {WEIGHTS}, as SAELens writes it",
        fix="mw.features.teaching() needs no file",
    )


# --- writing ------------------------------------------------------------------------------------


def _config_of(sae: SAE, dtype: Any) -> dict[str, Any]:
    names = {kind: architecture for architecture, kind in _KINDS.items()}
    hooks = {mediator: hook for hook, (mediator, further) in _HOOKS.items() if not further}
    require(
        sae.site.mediator in hooks,
        "SAELens has no name for this site.",
        value=sae.site,
        expected=", ".join(hooks),
        fix="an autoencoder of the residual stream",
    )
    return {
        "architecture": names[sae.kind],
        "d_in": sae.width,
        "d_sae": sae.n_features,
        "dtype": str(dtype).removeprefix("torch."),
        "device": "cpu",
        "apply_b_dec_to_input": sae.centred,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **({} if sae.k is None else {"k": sae.k}),
        "metadata": {
            "hook_name": f"blocks.{sae.site.layer}.{hooks[sae.site.mediator]}",
            "hook_head_index": sae.site.head,
        },
    }
