"""A learned lens: an affine map per layer that foretells what the rest of the model does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import MediationError, require
from ..lm import LM

NAMES = ("weight", "bias")


@dataclass(frozen=True, eq=False)
class TunedLens:
    """x + x A + b, layer by layer, before the model's own final norm and unembedding.

    Attributes:
        weight: (layer, d_model, d_model), A, 0 for the plain logit lens.
        bias: (layer, d_model), b.

    Source: Belrose et al. 2023, "Eliciting latent predictions from transformers with the tuned
    lens".
    """

    weight: Tensor
    bias: Tensor

    def moved(self, layer: int, stream: Tensor) -> Tensor:
        """The stream before a block as it is foretold behind the last: (..., d_model).

        Behind the last block there is nothing to foretell: it stays.

        Args:
            layer: the number of the block that the stream comes before; that of blocks: behind the
                last.
            stream: (..., d_model) residual stream.
        """
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
        """Write it as safetensors; returns the path."""
        save_file({"weight": self.weight.contiguous(), "bias": self.bias.contiguous()}, path)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> TunedLens:
        """The inverse of ``save``.

        Raises:
            MediationError: no such file.
        """
        try:
            found = load_file(path)
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


def _no_lens(path: str | Path, value: str) -> MediationError:
    return MediationError(
        "This is no lens that was saved.",
        value=f"{path}: {value[:200]}",
        expected="weight (layer, d_model, d_model) and bias (layer, d_model)",
        fix="mw.lenses.tuned_lens(lm, prompts).save('lens.safetensors')",
    )
