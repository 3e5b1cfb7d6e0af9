"""Small sparse autoencoders of random numbers, and what theirs are by definition."""

from __future__ import annotations

from typing import Any

import numpy as np

import mediawidget as mw
from mediawidget.features import SAE

KINDS = ("relu", "topk", "jumprelu")


def made(
    kind: Any, width: int, n: int = 11, site: mw.Site | None = None, seed: int = 0, **more: Any
) -> SAE:
    """An autoencoder of random numbers, some of whose codes are 0."""
    rng = np.random.default_rng(seed)
    w_enc, b_enc, w_dec, b_dec = (
        rng.normal(size=shape) for shape in ((width, n), n, (n, width), width)
    )
    more |= {"k": 4} if kind == "topk" else {}
    more |= {"threshold": rng.uniform(0.1, 1.0, n)} if kind == "jumprelu" else {}
    place = site or mw.Site("residual", 1)
    return SAE(0.4 * w_enc, b_enc, w_dec, b_dec, kind=kind, site=place, **more)


def by_definition(sae: SAE, x: np.ndarray) -> np.ndarray:
    """The codes of one activation (width,), feature by feature."""
    inside = x - sae.b_dec if sae.centred else x
    pre = [float((inside * sae.w_enc[:, i]).sum() + sae.b_enc[i]) for i in range(sae.n_features)]
    codes = np.zeros(sae.n_features)
    kept = sorted(range(len(pre)), key=lambda i: -pre[i])[: sae.k]
    for i in kept:
        above = sae.threshold is None or pre[i] > sae.threshold[i]
        codes[i] = pre[i] if pre[i] > 0 and above else 0.0
    return codes


def set_by_hand(
    sae: SAE, old: np.ndarray, codes: np.ndarray, units: Any, rest: np.ndarray | None
) -> np.ndarray:
    """An activation with other codes of some units, and another error unless ``rest`` is None."""
    own = by_definition(sae, old)
    new = old.copy()
    for unit in units:
        new = new + (codes[unit] - own[unit]) * sae.w_dec[unit]
    if rest is not None:
        error = old - sae.b_dec - sum(own[i] * sae.w_dec[i] for i in range(sae.n_features))
        new = new + rest - error
    return new
