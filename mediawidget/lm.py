"""A language model made ready for interventions."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from nnsight import NNsight
from torch import nn

from .architectures import ModulePaths, follow, module_paths
from .encoding import Encoder, TokenPair
from .errors import MediationError
from .mediators import POINTS, Mediator, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH_DEPENDENT_ROPE = ("dynamic", "longrope")

TEACHING_MODEL = Path(__file__).parent / "models" / "teaching"


class LM:
    """A causal language model, its tokenizer and the paths to what can be edited in it.

    Made by ``load``. All traces of one model go through ``lock``, one at a time.

    Attributes:
        hf: the torch module; its weights are never changed here.
        tokenizer: of transformers.
        name: for people.
        n_layers, n_heads, n_kv_heads, d_model, d_head: its sizes.
        device, dtype: of its weights.
    """

    def __init__(
        self, module: nn.Module, tokenizer: Any, *, name: str, paths: ModulePaths | None = None
    ) -> None:
        if tokenizer is None:
            raise MediationError(
                "A model comes with its tokenizer.",
                value="tokenizer=None",
                expected="the tokenizer the model was trained with",
                fix="load(model, tokenizer=AutoTokenizer.from_pretrained(...))",
            )
        self.hf = module.eval()
        self.tokenizer = tokenizer
        self.name = name
        self.paths = module_paths(module, paths)
        self.lock = threading.RLock()
        self._modules = list(module.modules())
        self._children = self._child_ids()
        self.traced = NNsight(module)
        config: Any = getattr(module, "config", None)
        self._config = config
        self.n_layers = len(follow(module, self.paths.blocks))
        self.n_heads = int(config.num_attention_heads)
        self.n_kv_heads = int(getattr(config, "num_key_value_heads", None) or self.n_heads)
        self.d_model = int(config.hidden_size)
        self.d_mlp = _mlp_width(config, self.d_model)
        self.vocabulary = int(getattr(config, "vocab_size", None) or len(tokenizer))
        weight = next(module.parameters())
        self.device, self.dtype = weight.device, weight.dtype
        self.d_head = self._attention_width() // self.n_heads
        self._check_width()
        limit = getattr(config, "max_position_embeddings", None)
        self.encoder = Encoder(tokenizer, limit)

    # --- text -------------------------------------------------------------------------------

    def tokens(self, text: str) -> list[str]:
        """The text as the model's tokens, a string each, the start token included."""
        return self.encoder.tokens(text)

    # --- shape ------------------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """The sizes that sites are checked against."""
        return Shape(self.n_layers, self.n_heads)

    @property
    def sliding_window(self) -> int | None:
        """The shortest attention window of any layer; None where all positions are seen."""
        if not getattr(self._config, "use_sliding_window", True):
            return None
        window = getattr(self._config, "sliding_window", None)
        return int(window) if window else None

    @property
    def lends_prefix(self) -> bool:
        """Whether keys and values of a shared prefix hold for any longer prompt.

        Not where attention takes none from a cache, nor where the rotary frequencies depend on
        the prompt's length.
        """
        rope = getattr(self._config, "rope_parameters", None) or {}
        return self.paths.caches and rope.get("rope_type") not in _LENGTH_DEPENDENT_ROPE

    def refuse_training_mode(self) -> None:
        """Raise where dropout would make two equal runs differ."""
        if self.hf.training:
            raise MediationError(
                "The model is in training mode, so its dropout is random.",
                value=f"{self.name}.training is True",
                expected="a model in evaluation mode",
                fix="lm.hf.eval()",
            )

    def refuse_missing(self, mediator: Mediator) -> None:
        """Raise unless the model has the module behind ``mediator``."""
        if mediator.point == "mlp_out" and self.paths.mlp is None:
            raise MediationError(
                f"This model has no module for the mediator {mediator.name!r}.",
                value=f"{self.name}: {type(self.hf).__name__}",
                expected="a mediator that the model has: head, attn_out, residual",
                fix="sweep another mediator, or pass paths=ModulePaths(mlp=...) to load",
            )

    def envoys(self) -> dict[str, list[Any]]:
        """The traced modules behind each point, a list over layers (blocks: and the norm)."""
        blocks = list(follow(self.traced, self.paths.blocks))
        proj = [follow(block, self.paths.attn_proj) for block in blocks]
        mlp = [follow(block, self.paths.mlp) for block in blocks] if self.paths.mlp else []
        by_point = dict(
            zip(
                POINTS,
                ([*blocks, follow(self.traced, self.paths.final_norm)], proj, proj, mlp),
                strict=True,
            )
        )
        return {str(point): envoys for point, envoys in by_point.items()}

    # --- identity ---------------------------------------------------------------------------

    def version(self) -> tuple[int, ...]:
        """Changes when a module, parameter or buffer is replaced, moved or written in place."""
        if self._children != self._child_ids():
            self._modules = list(self.hf.modules())
            self._children = self._child_ids()
            self.traced = NNsight(self.hf)
        marks = list(self._children)
        for module in self._modules:
            # The public iterators walk the whole tree by name, which takes as long as a click.
            for tensors in (module._parameters, module._buffers):  # noqa: SLF001
                for t in tensors.values():
                    if t is not None:
                        marks += (id(t), t.data_ptr(), t._version)  # noqa: SLF001
        return tuple(marks)

    def _child_ids(self) -> list[int]:
        return [id(child) for m in self._modules for child in m._modules.values()]  # noqa: SLF001

    def describe(self) -> str:
        """What is loaded, in a few lines."""
        count = sum(p.numel() for p in self.hf.parameters())
        return (
            f"{self.name}: {type(self.hf).__name__}, {count:,} parameters\n"
            f"{self.n_layers} layers x {self.n_heads} heads of width {self.d_head} "
            f"({self.n_kv_heads} key-value heads), residual width {self.d_model}\n"
            f"{self.tokenizer.vocab_size:,} tokens, {self.dtype} on {self.device}"
        )

    def __repr__(self) -> str:
        return f"LM({self.name!r}, {self.n_layers} layers x {self.n_heads} heads)"

    # --- inside -----------------------------------------------------------------------------

    def encode(self, pairs: Sequence[Any]) -> list[TokenPair]:
        """Every pair as token ids; the first mistake names its pair."""
        encoded = []
        for index, pair in enumerate(pairs):
            try:
                encoded.append(self.encoder.pair(pair))
            except MediationError as error:
                if len(pairs) == 1:
                    raise
                raise MediationError(
                    f"Pair {index}: {error.message}",
                    value=error.value,
                    expected=error.expected,
                    fix=error.fix,
                ) from error
        return encoded

    def _attention_width(self) -> int:
        """The width of all heads' z together: the input width of the output projection."""
        block = follow(self.hf, self.paths.blocks)[0]
        weight = follow(block, self.paths.attn_proj).weight
        # GPT-2's Conv1D keeps (in, out), a Linear (out, in).
        conv = type(follow(block, self.paths.attn_proj)).__name__ == "Conv1D"
        return int(weight.shape[0 if conv else 1])

    def _check_width(self) -> None:
        if self._attention_width() % self.n_heads:
            raise MediationError(
                "The attention width is no multiple of the number of heads.",
                value=f"width {self._attention_width()}, {self.n_heads} heads",
                expected="heads of equal width",
                fix="pass paths=ModulePaths(attn_proj=...) naming the attention's output map",
            )


def load(
    source: str | Path | nn.Module | None = None,
    *,
    tokenizer: Any = None,
    paths: ModulePaths | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    revision: str | None = None,
) -> LM:
    """Load a model for interventions.

    Args:
        source: None for the embedded teaching model (no network); a folder or a hub name; or an
            instantiated model.
        tokenizer: needed with an instantiated model.
        paths: where the modules are, for an architecture that is not in the table.
        device: default: a GPU if there is one, for a named model; an instantiated model stays.
        dtype: default float32 for a named model.
        revision: of a hub name.

    Raises:
        MediationError: no tokenizer, no such model, or an architecture whose modules are not
            known.
    """
    if isinstance(source, nn.Module):
        module = source.to(device=device, dtype=dtype) if device or dtype else source
        return LM(module, tokenizer, name=_module_name(module), paths=paths)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = source or TEACHING_MODEL
    options: dict[str, Any] = {"revision": revision}
    if Path(place).exists():
        options["local_files_only"] = True
    try:
        with _quiet_loading():
            loader: Callable[..., Any] = AutoModelForCausalLM.from_pretrained
            module = loader(place, dtype=dtype or torch.float32, **options)
            tokenizer = tokenizer or AutoTokenizer.from_pretrained(place, **options)
    except OSError as error:
        raise MediationError(
            "The model could not be loaded.",
            value=f"{source!r}: {str(error).splitlines()[0]}",
            expected="a folder with a transformers model, or the name of one on the hub",
            fix="check the name and the network; mw.load() needs neither",
        ) from error
    # The teaching model answers sooner on a CPU than a kernel launch takes.
    default = "cuda" if source and torch.cuda.is_available() else "cpu"
    module.to(device or default)
    return LM(module, tokenizer, name=str(source) if source else "teaching model", paths=paths)


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """No bar for reading weights: a notebook would keep it as output."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _mlp_width(config: Any, d_model: int) -> int:
    """The widest activation of an MLP, by whichever name the architecture has for it."""
    named = (getattr(config, name, None) for name in ("intermediate_size", "n_inner"))
    return int(next((width for width in named if width), 4 * d_model))


def _module_name(module: nn.Module) -> str:
    path = getattr(getattr(module, "config", None), "_name_or_path", "")
    return path or type(module).__name__
