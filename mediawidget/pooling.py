"""Which position of a prompt a classifier answers at, where it looks for its last token itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import MediationError

if TYPE_CHECKING:
    from .lm import LM

_NO_TOKEN = -1
"""An id that no token has."""


def pad_token(module: object) -> int | None:
    """The token that a model takes for padding, by its config; None without one."""
    found = getattr(_config(module), "pad_token_id", None)
    return found if isinstance(found, int) else None


def pooled_at(ids: Sequence[int], pad: int | None) -> int:
    """The position at which a decoder that classifies answers: its last token but padding.

    Args:
        ids: of one prompt.
        pad: the token that it takes for padding, wherever that stands; None for none.

    Example:
        >>> pooled_at([5, 6, 0, 7, 0, 0], 0)
        3
    """
    if pad is None:
        return len(ids) - 1
    # Of nothing but padding the models of transformers read the first.
    return max((i for i, token in enumerate(ids) if token != pad), default=0)


@contextmanager
def rows_classified(lm: LM) -> Iterator[None]:
    """Let a classifier without a pad token answer several prompts in a pass, as it does each.

    The models of transformers refuse them, for they could not tell where a padded one ends; ours
    are of one length. With a pad token that stands nowhere they read the last position of each,
    as without one. To be entered where the model's lock is held; afterwards there is none again.
    """
    config = _config(lm.hf)
    if not (lm.pools_last and hasattr(config, "pad_token_id")):
        yield
        return
    before = config.pad_token_id
    if before is None:
        config.pad_token_id = _NO_TOKEN
    try:
        yield
    finally:
        config.pad_token_id = before


def refuse_no_padding(lm: LM) -> None:
    """Raise where a server's classifier could not be asked about several prompts at once.

    Raises:
        MediationError: it reads the last token of a prompt, and its config names no pad token.
    """
    if lm.pools_last and pad_token(lm.hf) is None:
        raise MediationError(
            "This classifier takes one prompt a pass on a server, for it has no pad token.",
            value=f"{lm.name}: config.pad_token_id is None",
            expected="a model whose config names its pad token",
            fix="model.config.pad_token_id = tokenizer.pad_token_id in what the server has, or "
            "load the model without remote=",
        )


def refuse_no_score(lm: LM) -> None:
    """Raise where the paths of a classifier of transformers leave out where its rows end.

    What comes after its head takes as many rows as there are prompts, and runs are rows beside.

    Raises:
        MediationError: paths without the head of a classifier that reads the last token.
    """
    ours = type(lm.hf).__module__.startswith("transformers.")
    if lm.pools_last and ours and lm.paths.head is None:
        raise MediationError(
            "The labels of this classifier are read off its head.",
            value=f"ModulePaths(head=None) of a {type(lm.hf).__name__}",
            expected="the module that makes its labels",
            fix="ModulePaths(head='score', ...)",
        )


def _config(module: object) -> Any:
    """The config of the text, where a model has several."""
    config = getattr(module, "config", None)
    own = getattr(config, "get_text_config", None)
    return own() if callable(own) else config
