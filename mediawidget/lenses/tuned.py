"""A learned lens: an affine map per layer that foretells what the rest of the model does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, is_tensor

from ..effect_files import as_path, writing
from ..errors import MediationError, require
from ..lm import LM
from ..statistics.resampling import whole

NAMES = ("weight", "bias")


@dataclass(frozen=True, eq=False)
class TunedLens:
    """x + x A + b, layer by layer, before the model's own final norm and unembedding.

    Attributes:
        weight: (layer, d_model, d_model), A, 0 for the plain logit lens.
        bias: (layer, d_model), b.

    Raises:
        MediationError: tensors of other shapes.

    Source: Belrose et al. 2023, "Eliciting latent predictions from transformers with the tuned
    lens".
    """

    weight: Tensor
    bias: Tensor

    def __post_init__(self) -> None:
        given: tuple[Any, Any] = (self.weight, self.bias)
        shapes = [tuple(one.shape) if is_tensor(one) else () for one in given]
        n, d = shapes[1] if len(shapes[1]) == 2 else (0, 0)
        require(
            shapes == [(n, d, d), (n, d)],
            "A lens has a map for every layer.",
            value=shapes,
            expected="tensors: weight (layer, d_model, d_model) and bias (layer, d_model)",
            fix="mw.lenses.tuned_lens(lm, prompts)",
        )

    def moved(self, layer: int, stream: Tensor) -> Tensor:
        """The stream before a block as it is foretold behind the last: (..., d_model).

        Behind the last block there is nothing to foretell: it stays.

        Args:
            layer: the number of the block that the stream comes before; that of blocks: behind the
                last.
            stream: (..., d_model) residual stream.

        Raises:
            MediationError: no such layer, or a stream of another width.
        """
        n, width = self.bias.shape
        given: Any = stream
        require(
            whole(layer, 0) and layer <= n,
            "A lens reads the stream before a block, or behind the last.",
            value=layer,
            expected=f"an int from 0 to {n}",
            fix="lens.moved(0, stream)",
        )
        require(
            is_tensor(given) and given.shape[-1:] == (width,) and given.is_floating_point(),
            "A lens moves a residual stream.",
            value=given,
            expected=f"a tensor of shape (..., {width}), of floats",
            fix="torch.from_numpy(study.activations(mw.Site('residual', 0)).array)",
        )
        if layer == len(self.weight):
            return stream
        return stream + stream @ self.weight[layer].to(stream) + self.bias[layer].to(stream)

    def refuse_other(self, lm: LM) -> None:
        """Raise unless it is of a model of these sizes.

        Raises:
            MediationError: of another one.
        """
        shape = (lm.n_layers, lm.d_model)
        require(
            tuple(self.bias.shape) == shape,
            "A lens is of the model that it was trained on.",
            value=tuple(self.bias.shape),
            expected=f"{shape}, the layers and the width of {lm.name}",
            fix="mw.lenses.tuned_lens(lm, prompts)",
        )

    def save(self, path: str | Path) -> Path:
        """Write it as safetensors; returns the path.

        Raises:
            MediationError: what is no path, or a place that cannot be written to.
        """
        place, arrays = _as_path(path), {"weight": self.weight, "bias": self.bias}
        with writing(place, "The lens", "lens.save('lens.safetensors')", also=(SafetensorError,)):
            save_file({name: array.contiguous() for name, array in arrays.items()}, place)
        return place

    @classmethod
    def load(cls, path: str | Path) -> TunedLens:
        """The inverse of ``save``.

        Raises:
            MediationError: no such file.
        """
        place = _as_path(path)
        try:
            found = load_file(place)
        except (OSError, SafetensorError) as error:
            raise _no_lens(path, str(error)) from error
        shapes = [tuple(found[name].shape) for name in NAMES if name in found]
        n, d = shapes[-1] if len(shapes) == 2 and len(shapes[-1]) == 2 else (0, 0)
        if shapes != [(n, d, d), (n, d)]:
            raise _no_lens(path, f"{ {name: tuple(t.shape) for name, t in found.items()} }")
        return cls(found["weight"], found["bias"])

    def __repr__(self) -> str:
        n, d = self.bias.shape
        return f"TunedLens({n} layers, width {d})"


def refuse_no_lens(lens: object) -> None:
    """Raise where something else stands for a lens that was learned."""
    require(
        isinstance(lens, TunedLens),
        "This is no lens.",
        value=lens,
        expected="a TunedLens, or None for the logit lens",
        fix="lens=mw.lenses.tuned_lens(lm, prompts)",
    )


def _as_path(path: object) -> Path:
    return as_path(path, "A lens", "a path", "lens.save('lens.safetensors')")


def _no_lens(path: str | Path, value: str) -> MediationError:
    return MediationError(
        "This is no lens that was saved.",
        value=f"{path}: {value[:200]}",
        expected="weight (layer, d_model, d_model) and bias (layer, d_model)",
        fix="mw.lenses.tuned_lens(lm, prompts).save('lens.safetensors')",
    )
