"""Which weights a model has: whether they changed, and where they were loaded from."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from nnsight import NNsight
from torch import nn

from .capabilities import Capabilities
from .identity import Contents, digest, take_up_classes

if TYPE_CHECKING:
    from .remote.connection import Remote


def traced(module: nn.Module) -> NNsight:
    """The module as nnsight sees it; that it renames a module called "output" is no news here."""
    take_up_classes(module)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Module .* has a submodule named")
        return NNsight(module)


class Weights(Capabilities):
    """The part of an ``LM`` that tells its weights from others.

    Attributes:
        traced: the model as nnsight sees it.
        origin: what it was loaded from; None where the model or the tokenizer was given.
        remote: who runs it, where the weights are on a server; else None.
    """

    traced: Any
    origin: tuple[str, str | None] | None
    remote: Remote | None
    _contents: Contents
    _loaded: int | None

    def version(self) -> tuple[int, ...]:
        """Changes when a module, parameter or buffer is replaced, moved or written in place.

        Also when a module is given another class, or a class another ``forward``.
        """
        if self._contents.moved():
            self._contents = Contents(self.hf)
            if self.backend is None:
                self.traced = traced(self.hf)
        return self._contents.version()

    def fingerprint(self) -> tuple[Any, ...] | None:
        """Changes also when a weight is written behind its version counter, or a setting is.

        None where nobody can tell: the model has hooks, a ``forward`` of the user's, or weights
        that are packed or on a server. It reads every weight once, a quarter to a half of a forward
        pass over a short prompt on a CPU.
        """
        version = self.version()
        state = self._contents.state() if self.remote is None else None
        return None if state is None else (version, *state)

    def identity(self) -> str | None:
        """The same for the same weights in every process; of a server's model what it is asked by.

        None where nobody can tell.
        """
        return digest(self.hf) if self.remote is None else self.remote.model_key

    def set_origin(self, place: str, revision: str | None) -> None:
        """Keep where the model was loaded from, and what its weights are now.

        Args:
            place: the folder, or the name on the hub.
            revision: of it; None for the newest.
        """
        self.origin, self._loaded = (place, revision), self._contents.weights()

    @property
    def as_loaded(self) -> bool:
        """Whether the weights are those that are at the origin, and nobody's code runs in a pass.

        Of weights that cannot be read nobody can tell, and they are taken for unchanged.
        """
        self.version()
        return self.origin is not None and self._contents.weights() == self._loaded
