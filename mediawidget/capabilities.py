"""What a model can do and what it has, which sites, views and shortcuts ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from .errors import MediationError
from .identity import Contents
from .known_paths import CLASSIFIERS
from .mediators import Mediator, Point, Shape
from .paths import ModulePaths
from .taps import module_path, no_module

_LENGTH_DEPENDENT_ROPE = ("dynamic", "longrope")


class Capabilities:
    """The part of an ``LM`` that says what may be taken for granted of it."""

    hf: nn.Module
    name: str
    paths: ModulePaths
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_mlp: int
    d_mixer: int
    backend: Callable[[], Any] | None
    _config: Any
    _contents: Contents

    @property
    def shape(self) -> Shape:
        """The sizes that sites are checked against."""
        return Shape(
            self.n_layers,
            self.n_heads,
            self.n_kv_heads,
            self.d_model,
            self.d_mlp,
            self.paths.qkv,
            self.d_mixer,
            self.causal,
        )

    @property
    def causal(self) -> bool:
        """Whether a token sees itself and the tokens before it alone.

        What asks for this: that a patch changes nothing before the first difference of two
        prompts, that nothing behind the last position that is read matters, keys and values lent
        to longer prompts, attention edges that go backwards only.
        """
        return self.paths.causal

    @property
    def encodes(self) -> bool:
        """Whether it writes a text of its own about another text, which an encoder reads.

        Positions are those of the decoder; of what the encoder made every block reads anew.
        """
        return self.paths.cross is not None

    @property
    def fills_mask(self) -> bool:
        """Whether it says what stands in the place of a masked token, not what comes next."""
        return not self.causal and not self.classifies

    @property
    def lends_prefix(self) -> bool:
        """Whether keys and values of a shared prefix hold for any longer prompt.

        Not where attention takes none from a cache, nor where the rotary frequencies depend on
        the prompt's length, nor where somebody's own code counts positions from the first one.
        """
        rope = getattr(self._config, "rope_parameters", None) or {}
        # One for all layers, or one for each type of layer.
        ropes = [rope, *(some for some in rope.values() if isinstance(some, dict))]
        return (
            self.backend is None
            and self.causal
            and self.paths.caches
            and not self.runs_own_code
            and not any(some.get("rope_type") in _LENGTH_DEPENDENT_ROPE for some in ropes)
        )

    @property
    def runs_own_code(self) -> bool:
        """Whether hooks, functions in place of methods, or parts put into it run in its passes.

        They see what the model computes, so no prefix is lent, every position goes up to the logits
        and rows begin where a block does.
        """
        return self.backend is None and self._contents.others_code()

    @property
    def classifies(self) -> bool:
        """Whether the logits are of labels (a sequence classifier), not of tokens."""
        return type(self.hf).__name__.endswith("ForSequenceClassification")

    @property
    def pools_last(self) -> bool:
        """Whether it is a classifier that answers at the last token of a prompt but padding."""
        first = getattr(self._config, "model_type", None) in CLASSIFIERS
        return self.classifies and self.causal and not first

    @property
    def trims_head(self) -> bool:
        """Whether the map to the logits may be given the positions that are read alone.

        A classifier looks for its last token among them by itself, so it gets them all; so does
        somebody's own code.
        """
        return self.paths.head is not None and not (self.classifies or self.runs_own_code)

    @property
    def late_stages(self) -> range:
        """The stages within which a run may be born: not the last block, which drops positions.

        None on a server: such a run rests on who reads which tensor, and there are copies there.
        None where somebody's own code runs: what it makes of a block's output such a run never was.
        """
        inside = self.paths.adds_in_turn and self.backend is None and not self.runs_own_code
        return range(1, self.n_layers if inside else 1)

    @property
    def logits_place(self) -> tuple[str | None, bool]:
        """Whose output the logits are (None: the model's own), and whether of all positions."""
        # A classifier's own output is of the last token that it takes for no padding.
        path = self.paths.head if self.classifies else None
        return path, not self.trims_head

    def refuse_training_mode(self) -> None:
        """Raise where dropout would make two equal runs differ.

        Raises:
            MediationError: the model is in training mode.
        """
        if self.hf.training:
            raise MediationError(
                "The model is in training mode, so its dropout is random.",
                value=f"{self.name}.training is True",
                expected="a model in evaluation mode",
                fix="lm.hf.eval()",
            )

    def has(self, mediator: Mediator, point: Point | None = None) -> bool:
        """Whether the model has the module behind ``mediator``, and it is known.

        Args:
            mediator: a kind of component.
            point: the point that is asked about; default: the kind's own.
        """
        if mediator.mixes not in (None, self.paths.mixes):
            return False
        return module_path(self.paths, 1, self.n_layers, point or self._point(mediator)) is not None

    def refuse_missing(self, mediator: Mediator, point: Point | None = None) -> None:
        """Raise unless the model has the module behind ``mediator``, or a point of its own.

        Args:
            mediator: a kind of component.
            point: the point that is asked about; default: the kind's own.

        Raises:
            MediationError: the model has no such module, its path is not known, or its blocks mix
                positions in another way (attention, scan).
        """
        point = point or self._point(mediator)
        if mediator.mixes not in (None, self.paths.mixes):
            raise self._mixes_otherwise(mediator)
        if not self.has(mediator, point):
            raise no_module(point, mediator.name, f"{self.name}: {type(self.hf).__name__}")

    def _mixes_otherwise(self, mediator: Mediator) -> MediationError:
        """What to say of heads in a network without attention, and of the reverse."""
        scans = self.paths.mixes == "scan"
        own = ("a scan instead of attention, so it has no heads", "mixer_out, mixer_channel")
        return MediationError(
            f"This model has no {mediator.title.lower()}.",
            value=f"{mediator.name!r} in {self.name}: its blocks mix positions by "
            f"{own[0] if scans else 'attention'}",
            expected=f"residual, {own[1] if scans else 'head, attn_out, mlp_out'}",
            fix=f"study.sweep({'mixer_out' if scans else 'attn_out'!r}), or "
            "study.sweep('residual', by='position')",
        )

    def _point(self, mediator: Mediator) -> Point:
        return mediator.cut(self.shape, 0)[0] if mediator.cut else mediator.point
