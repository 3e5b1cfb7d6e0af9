"""A model without its weights: its modules, its tokenizer, and what names it on a server."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..errors import MediationError

if TYPE_CHECKING:
    from ..lm import LM

_TASKS = {
    "AutoModelForCausalLM": "text-generation",
    "AutoModelForMaskedLM": "fill-mask",
    "AutoModelForSequenceClassification": "text-classification",
}
"""What a server calls a model that is loaded as this class."""


@dataclass(frozen=True)
class Served:
    """What a loopback server knows a model by, whose folder a client loads.

    Attributes:
        name, revision: in the words of the server; a folder that is of no loopback says neither.
        origin: where the same model is saved with its weights, if it is.
    """

    name: str = ""
    revision: str | None = None
    origin: str | None = None

    _FILE = "loopback.json"

    @classmethod
    def of(cls, place: str | Path) -> Served:
        """What stands in a folder."""
        path = Path(place) / cls._FILE
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else cls()

    def save(self, place: str | Path) -> None:
        """Write it into a folder."""
        (Path(place) / self._FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")


def weightless(
    place: str | Path,
    loader: type,
    tokenizer: Any,
    *,
    revision: str | None,
    dtype: torch.dtype | None,
) -> Any:
    """The modules of a model on torch's meta device, as nnsight sees them, with a model key.

    Args:
        place: a folder, or the name on the hub.
        loader: the class of transformers that loads it.
        tokenizer: the model's.
        revision: of a hub name.
        dtype: default what its config says.

    Raises:
        MediationError: a model that runs here alone.
        OSError: no config there.
    """
    from nnsight.modeling.transformers import TransformersModel

    task = _TASKS.get(loader.__name__)
    if task is None:
        raise _of_two_texts(str(place))
    options = {} if dtype is None else {"dtype": dtype}
    with quiet():
        model = TransformersModel(
            str(place),
            revision=revision,
            task=task,
            # Its own copy: nnsight pads on the left with it, and sets a token for that.
            tokenizer=copy.deepcopy(tokenizer),
            **options,
        )
    served = Served.of(place)
    if served.name:
        model.repo_id, model.revision = served.name, served.revision
    _name(model, served.name or str(place), known=bool(served.name))
    module: nn.Module = model._module  # noqa: SLF001 - as its backends do
    module.eval().requires_grad_(requires_grad=False)
    return model


def written_for_a_server(lm: LM) -> None:
    """Run every request of a model here as a server would: written down, and read again."""
    from nnsight.intervention.backends.local import LocalSimulationBackend
    from nnsight.modeling.transformers import TransformersModel

    if lm.encodes:
        raise _of_two_texts(lm.name)
    task = "text-classification" if lm.classifies else "fill-mask" if lm.fills_mask else None
    with quiet():
        model = TransformersModel(
            lm.hf,
            tokenizer=copy.deepcopy(lm.tokenizer),
            task=task or "text-generation",
            device=lm.device,
        )
    lm.traced, lm.backend = model, lambda: LocalSimulationBackend(model)


def stamp(model: Any) -> tuple[str, ...]:
    """What tells a model's weights from those that went by its name before, as far as one sees.

    The commit that the hub gave its config from; of a folder the size and the time of its files.
    """
    place = Path(model.repo_id)
    if not place.is_dir():
        from huggingface_hub import try_to_load_from_cache

        config = try_to_load_from_cache(model.repo_id, "config.json", revision=model.revision)
        # The folder that it lies in is called as the commit.
        return (Path(config).parent.name,) if isinstance(config, str) else ()
    found = ((path.name, path.stat()) for path in sorted(place.iterdir()) if path.is_file())
    return tuple(f"{name} {file.st_size} {file.st_mtime_ns}" for name, file in found)


@contextmanager
def quiet() -> Iterator[None]:
    """That nnsight renames a module called "output" is no news here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Module .* has a submodule named")
        yield


def _of_two_texts(name: str) -> MediationError:
    return MediationError(
        "A model that reads one text and writes another runs here alone.",
        value=name,
        expected="a decoder, or a model that fills a mask or classifies a text",
        fix="mw.load(name), without remote",
    )


def _name(model: Any, place: str, *, known: bool) -> None:
    """Find out how the hub spells a name, for the server goes by that."""
    from httpx import HTTPError
    from nnsight.modeling import huggingface

    names: dict[str, str] = huggingface._ID_CACHE  # noqa: SLF001 - else a folder is looked up
    if known or Path(place).is_dir():
        names[place] = place
    try:
        model.to_model_key()
    except (OSError, HTTPError):
        # The hub is away, and the config was here: the name as it was given will do.
        names[place] = place


__all__ = ["Served", "quiet", "stamp", "weightless", "written_for_a_server"]
