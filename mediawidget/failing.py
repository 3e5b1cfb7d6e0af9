"""What a model's own code raises in a pass, said in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import MediationError
from .memory import out_of_memory


def own_words(error: BaseException) -> str:
    """An error's type and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


@contextmanager
def a_pass(name: str) -> Iterator[None]:
    """Whatever fails inside says that the model does not run as a pass of runs has to.

    Want of memory stays what it is, for smaller chunks may fit, and so does what this package
    raises itself, to say what is wrong or to end a pass.

    Args:
        name: what fails, for the message.
    """
    try:
        yield
    except Exception as error:
        # A forward is anybody's code, and so are its hooks.
        ours = type(error).__module__.partition(".")[0] == __package__
        if ours or out_of_memory(error):
            raise
        raise MediationError(
            "The model's own code fails in a pass of runs.",
            value=f"{name}: {own_words(error)}",
            expected="blocks that take more rows than there are prompts, and modules that all run, "
            "each once and in the order in which they stand in the block",
            fix="lm.hf(ids): does it run as it is, without hooks? If so, look for a setting of the "
            "config that leaves modules out or fixes the size of a batch, and at paths=",
        ) from error
