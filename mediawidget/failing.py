"""What a model's own code raises in a pass, with words beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .memory import out_of_memory

ASKED = (
    "A pass of runs asks of a model: blocks that take more rows than there are prompts, and "
    "modules that all run, each once and in the order in which they stand in the block. If "
    "lm.hf(ids) runs as it is, look for a setting of the config that leaves modules out or fixes "
    "the size of a batch, and at what was said in paths=."
)


@contextmanager
def noting_what_a_pass_asks() -> Iterator[None]:
    """Whatever fails inside stays what it is, with a note of what a pass asks of a model.

    None at want of memory, nor at what this package raises itself, which says what is wrong.
    """
    try:
        yield
    except Exception as error:
        ours = type(error).__module__.partition(".")[0] == __package__
        known = ASKED in getattr(error, "__notes__", ())
        if not (ours or known or out_of_memory(error)):
            error.add_note(ASKED)
        raise
