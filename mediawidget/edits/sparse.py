"""A sparse autoencoder of one site: an activation as a sum of few features and an error.

Sources: Bricken et al. 2023; Cunningham et al. 2023 (ReLU); Gao et al. 2024 (TopK); Rajamanoharan
et al. 2024 (JumpReLU).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import MediationError, reading, require
from ..mediators import mediator_named
from ..sites import Position, Site
from .base import holds_no_numbers
from .part import Arrays

Kind = Literal["relu", "topk", "jumprelu"]
Array = NDArray[Any]

_INDEXED = {"neuron", "mlp_unit", "embedding_unit"}


@dataclass(frozen=True, eq=False, repr=False)
class SAE:
    """Features of one site: x = decode(encode(x)) + error(x), exactly.

    With ``pre = (x - b_dec) @ w_enc + b_enc`` (``x`` alone unless ``centred``) the codes are
    max(pre, 0); under "topk" only the ``k`` largest of them, under "jumprelu" only those whose pre
    is above ``threshold``. ``decode(codes)`` is ``codes @ w_dec + b_dec``.

    It is a value: two of the same numbers at the same site are equal.

    Args:
        w_enc: (width, feature) weights of the encoder.
        b_enc: (feature,) its bias.
        w_dec: (feature, width) weights of the decoder.
        b_dec: (width,) its bias.
        kind: "relu", "topk" or "jumprelu".
        site: whose value it takes apart, without a position.
        threshold: (feature,) of "jumprelu": how large a pre is that counts.
        k: of "topk": how many codes are kept.
        centred: whether b_dec is taken off before encoding.
        name: what it is called.

    Raises:
        MediationError: arrays that do not fit each other, no such kind, a site of a single number.

    Example:
        >>> sae = mw.features.teaching()
        >>> x = study.activations(sae.at(position=14)).array
        >>> bool(np.allclose(sae.decode(sae.encode(x)) + sae.error(x), x))
        True
    """

    w_enc: Array
    b_enc: Array
    w_dec: Array
    b_dec: Array
    kind: Kind = "relu"
    site: Site = Site("residual", 0)  # noqa: RUF009 - frozen
    threshold: Array | None = None
    k: int | None = None
    centred: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        for name in ("w_enc", "b_enc", "w_dec", "b_dec", "threshold"):
            if name != "threshold" or self.threshold is not None:
                object.__setattr__(self, name, _numbers(getattr(self, name), name))
        self._check_words()
        object.__setattr__(self, "centred", bool(self.centred))
        self._check_shapes()
        self._check_kind()
        self._check_site()

    # --- what it is -----------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """How many numbers a value of the site has."""
        return int(self.w_enc.shape[0])

    @property
    def n_features(self) -> int:
        """How many features there are."""
        return int(self.w_enc.shape[1])

    @cached_property
    def digest(self) -> str:
        """Of all that decides its codes and its error, and of the site."""
        found = hashlib.blake2b(digest_size=16)
        found.update(repr((self.kind, self.site, self.k, self.centred)).encode())
        for name, array in self.arrays.items():
            found.update(f"{name}{array.dtype}{array.shape}".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    @property
    def arrays(self) -> dict[str, Array]:
        """Its arrays by name, of the shapes above; ``threshold`` where it has one."""
        found = {name: getattr(self, name) for name in ("w_enc", "b_enc", "w_dec", "b_dec")}
        return found if self.threshold is None else {**found, "threshold": self.threshold}

    def at(self, position: Position = None) -> Site:
        """Its site at some positions; all of them by default."""
        given = self.site
        return Site(given.mediator, given.layer, head=given.head, position=position)

    def label(self, unit: int | None) -> str:
        """A feature's name, ``L3F12``; of None that of the error, ``L3 error``."""
        where = self.site.label()
        return f"{where} error" if unit is None else f"{where}F{unit}"

    # --- what it does ---------------------------------------------------------------------------

    def encode(self, x: Any) -> Any:
        """(..., width) to codes (..., feature), in the precision of ``x``: arrays or tensors.

        Raises:
            MediationError: values of another width, or no numbers.
        """
        x = self._given(x, self.width, "An activation")
        if hasattr(x, "new_tensor"):
            return encoded(x, self._like(x))
        arrays = {name: array.astype(x.dtype) for name, array in self.shared.items()}
        pre = x @ arrays["w_enc"] + arrays["b_enc"]
        codes = np.maximum(pre, 0) * (pre > arrays["threshold"])
        if self.k is None:
            return codes
        best = np.argpartition(-codes, self.k - 1, axis=-1)[..., : self.k]
        kept = np.zeros_like(codes)
        np.put_along_axis(kept, best, np.take_along_axis(codes, best, -1), -1)
        return kept

    def decode(self, codes: Any) -> Any:
        """(..., feature) to (..., width).

        Raises:
            MediationError: not as many codes as features, or no numbers.
        """
        codes = self._given(codes, self.n_features, "A code")
        if hasattr(codes, "new_tensor"):
            return decoded(codes, self._like(codes))
        return codes @ self.w_dec.astype(codes.dtype) + self.b_dec.astype(codes.dtype)

    def error(self, x: Any) -> Any:
        """What ``decode(encode(x))`` leaves out of ``x``: (..., width).

        Raises:
            MediationError: what ``encode`` raises.
        """
        x = self._given(x, self.width, "An activation")
        return x - self.decode(self.encode(x))

    @cached_property
    def shared(self) -> dict[str, Array]:
        """What ``encoded`` and ``decoded`` read, by name; ``kept``, of "topk", has shape (k,)."""
        zeros = np.zeros_like(self.b_enc)
        found = {
            "w_enc": self.w_enc,
            "b_enc": self.b_enc - self.b_dec @ self.w_enc if self.centred else self.b_enc,
            "w_dec": self.w_dec,
            "b_dec": self.b_dec,
            "threshold": zeros if self.threshold is None else self.threshold,
        }
        # How long it is says how many codes are kept.
        return found if self.k is None else {**found, "kept": np.ones(self.k, self.b_enc.dtype)}

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``SAE.from_json`` reads back, numbers and all."""
        arrays = {name: _packed(array) for name, array in self.arrays.items()}
        beside = {"kind": self.kind, "k": self.k, "centred": self.centred, "name": self.name}
        return {**beside, "site": self.site.to_json(), "arrays": arrays}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SAE:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved autoencoder, or one that could not be made anew.
        """
        with reading("sparse autoencoder", data):
            given = dict(data)
            site, packed = Site.from_json(given.pop("site")), given.pop("arrays")
            arrays: dict[str, Any] = {name: _unpacked(one) for name, one in packed.items()}
            return cls(**given, **arrays, site=site)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SAE) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        kept = f", k={self.k}" if self.k else ""
        where = self.site.label()
        named = f"{self.name}: " if self.name else ""
        return f"SAE({named}{self.n_features} features of {where}, {self.kind}{kept})"

    # --- inside ---------------------------------------------------------------------------------

    def _given(self, x: Any, width: int, what: str) -> Any:
        x = x if hasattr(x, "new_tensor") else _numbers(x, what)
        require(
            x.ndim > 0 and x.shape[-1] == width,
            f"{what} of {self!r} has another width.",
            value=tuple(x.shape),
            expected=f"(..., {width})",
            fix="study.activations(sae.at(position=0)).array",
        )
        return x

    def _like(self, x: Any) -> dict[str, Any]:
        """The arrays as tensors, where and as precise as ``x``."""
        return {name: x.new_tensor(array) for name, array in self.shared.items()}

    def _check_words(self) -> None:
        centred: object = self.centred
        name: object = self.name
        require(
            isinstance(centred, bool | np.bool_) and isinstance(name, str),
            "An autoencoder is centred or not, and has a name.",
            value=f"centred={centred!r}, name={name!r}",
            expected="True or False, and a text",
            fix="SAE(..., centred=False, name='mine')",
        )

    def _check_shapes(self) -> None:
        width, n = self.w_enc.shape if self.w_enc.ndim == 2 else (0, 0)
        wanted = {"w_enc": (width, n), "b_enc": (n,), "w_dec": (n, width), "b_dec": (width,)}
        wanted |= {} if self.threshold is None else {"threshold": (n,)}
        found = {name: getattr(self, name).shape for name in wanted}
        require(
            found == wanted and width > 0 and n > 0,
            "The arrays of a sparse autoencoder do not fit each other.",
            value=found,
            expected="w_enc (width, feature), b_enc (feature,), w_dec (feature, width), "
            "b_dec (width,), threshold (feature,)",
            fix="transpose what is (feature, width) in your file's w_enc",
        )

    def _check_kind(self) -> None:
        whole = isinstance(self.k, int) and not isinstance(self.k, bool)
        has_k = whole and 0 < int(self.k or 0) <= self.n_features
        fits = {
            "relu": self.k is None and self.threshold is None,
            "topk": has_k and self.threshold is None,
            "jumprelu": self.k is None and self.threshold is not None,
        }
        given: object = self.kind
        require(
            isinstance(given, str) and fits.get(self.kind, False),
            "This is no kind of sparse autoencoder.",
            value=f"kind={self.kind!r}, k={self.k!r}, threshold "
            f"{'none' if self.threshold is None else 'given'}",
            expected=f"one of {', '.join(get_args(Kind))}; k of topk alone, from 1 to "
            f"{self.n_features}, threshold of jumprelu alone",
            fix="SAE(..., kind='topk', k=16)",
        )

    def _check_site(self) -> None:
        given: object = self.site
        if isinstance(given, Site) and given.position is None and given.mediator not in _INDEXED:
            mediator = mediator_named(given.mediator)
            if mediator.point != "pattern" and (mediator.index is None or given.head is not None):
                return
        raise MediationError(
            "A sparse autoencoder takes apart the value of one component.",
            value=repr(given),
            expected="a site without a position: residual, attn_out, mlp_out, one head",
            fix="Site('residual', layer=3)",
        )


def refuse_no_sae(sae: object) -> None:
    """Raise where something else stands for an autoencoder."""
    require(
        isinstance(sae, SAE),
        "Features are those of a sparse autoencoder.",
        value=sae,
        expected="an mw.features.SAE",
        fix="sae = mw.features.teaching()",
    )


def encoded(x: Any, arrays: Arrays) -> Any:
    """Codes of tensors (..., width)."""
    pre = x @ arrays["w_enc"] + arrays["b_enc"]
    codes = pre.clamp_min(0) * (pre > arrays["threshold"])
    if "kept" in arrays:
        best = codes.topk(arrays["kept"].shape[0], dim=-1)
        codes = codes.new_zeros(codes.shape).scatter(-1, best.indices, best.values)
    return codes


def decoded(codes: Any, arrays: Arrays) -> Any:
    """What codes (..., feature) stand for."""
    return codes @ arrays["w_dec"] + arrays["b_dec"]


def _numbers(given: Any, name: str) -> Array:
    """Finite floating point numbers; half precision becomes single."""
    listed = given.detach().cpu() if hasattr(given, "detach") else given
    if str(getattr(listed, "dtype", "")) == "torch.bfloat16":
        listed = listed.float()
    try:
        array = np.asarray(listed)
        array = np.array(np.nan) if holds_no_numbers(array) else array
        array = array if array.dtype.kind == "f" else array.astype(np.float64)
    except (OverflowError, TypeError, ValueError):
        array = np.array(np.nan)
    require(
        bool(np.isfinite(array).all()),
        f"{name} is made of finite numbers.",
        value=np.shape(array),
        expected="an array or tensor of numbers, no NaN",
        fix="check the file that it comes from",
    )
    return np.ascontiguousarray(array, np.float32 if array.dtype == np.float16 else array.dtype)


def _packed(array: Array) -> dict[str, Any]:
    """Numbers as text, in half precision where they are the same in it: shipped ones are."""
    with np.errstate(over="ignore"):
        half = array.astype("<f2")
    stored = half if np.array_equal(half.astype(array.dtype), array) else array
    return {
        "dtype": array.dtype.str,
        "stored": stored.dtype.str,
        "shape": list(array.shape),
        "bytes": base64.b64encode(stored.tobytes()).decode("ascii"),
    }


def _unpacked(packed: Mapping[str, Any]) -> Array:
    flat = np.frombuffer(base64.b64decode(packed["bytes"]), packed["stored"])
    return flat.reshape(packed["shape"]).astype(packed["dtype"])
