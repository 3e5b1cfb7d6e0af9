"""Parts of a view that have a trait of their own: what they draw, take, and follow.

What every view draws travels in `view` and `result`. What only some draw, and what costs a pass of
its own (a head's attention, the logit lens), is a part: its trait is written while somebody looks.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import traitlets as t

from ..edits import Edit
from ..errors import MediationError, error_fields
from ..jobs import BREATH
from ..sites import Site
from ..turns import in_kernel, running_loop
from ..workers import beside

if TYPE_CHECKING:
    from ..study import Study
    from ._base import View

_log = logging.getLogger(__name__)

Request = Mapping[str, Any]
Action = Callable[[Request], Any]
"""Does a request. What it returns, plain data, travels back with the answer; a job is run, and the
page hears of its progress."""


class Written(t.Dict):
    """A trait that the view alone writes; setting it raises.

    A part that waits to be drawn is drawn when its trait is read; of a model on a server, what was
    drawn last is read.
    """

    def get(self, obj: Any, cls: Any = None) -> Any:
        """What was written last, and is still so."""
        later = getattr(obj, "later", None)
        if later is not None:
            later.settle(self.name)
        return super().get(obj, cls)

    def set(self, obj: Any, value: Any) -> None:
        """Refuse what does not come from the view."""
        if not getattr(obj, "_writing", True):
            raise t.TraitError(
                f"{self.name!r} is written by the view itself; change the study instead: "
                "study.intervene(...), study.edit = ..., view.pair = ..."
            )
        super().set(obj, value)


class Cells(Protocol):
    """What can be clicked: which site each cell is, and what a click sets it to."""

    @property
    def key(self) -> str:
        """Its name in messages."""

    def sites(self, study: Study) -> Sequence[Site]:
        """The site of every cell, in the order of their indices."""

    def index(self, study: Study, site: Site) -> int | None:
        """The cell of a site; None where there is none."""

    def edit(self, study: Study) -> Edit:
        """What a click sets a cell to."""


def is_below(value: object, n: int) -> bool:
    """Whether what the page sent is a whole number from 0 to n - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < n


class Part(ABC):
    """A part of a view.

    Attributes:
        NAME: of its trait, of the request that opens it, and of its module in js/src.
        FOLLOWS: the news after which it is drawn anew: the study's events ("grid" is any grid,
            "grid:head" that one and those of some of its layers), and "pair", another pair.
        open: whether somebody looks; a part that nobody looks at costs nothing.
    """

    NAME: ClassVar[str]
    FOLLOWS: ClassVar[tuple[str, ...]] = ("prompts", "result", "pair")

    def __init__(self, view: View) -> None:
        self.view = view
        self.open = False

    @property
    def study(self) -> Study:
        """What is looked at."""
        return self.view.study

    @property
    def cells(self) -> Cells | None:
        """What can be clicked in it."""
        return None

    def actions(self) -> Mapping[str, Action]:
        """What the page may ask of it, by the name of the request."""
        return {}

    @abstractmethod
    def payload(self) -> dict[str, Any]:
        """Plain data and bytes: what the page draws."""

    def draw(self) -> None:
        """Write the trait anew: the payload, or the error in its stead, whatever it is."""
        if not self.open:
            return
        try:
            payload = self.payload()  # which may find that the weights are others
            payload |= {"revision": self.study.revision, "of_pair": self.view.pair}
        except Exception as error:  # noqa: BLE001 - the other parts are drawn all the same
            if not isinstance(error, MediationError):
                _log.warning("the part %r could not be drawn", self.NAME, exc_info=True)
            payload = {"revision": self.study.revision, "error": error_fields(error)}
        if not self.view.later.waits(self):  # a newer one is to come, if cells went on meanwhile
            self.view.write(self.NAME, payload)

    def follow(self, event: str) -> None:
        """There is news."""
        if self.open and any(event == one or event.startswith(f"{one}:") for one in self.FOLLOWS):
            self.view.later.draw(self)

    def show(self) -> None:
        """Somebody looks."""
        self.open = True
        self.draw()

    def hide(self) -> None:
        """Nobody looks any more."""
        self.open = False


class Later:
    """Parts that wait to be drawn: on the kernel's loop, after the answer to the click.

    One at a time, so that the next click gets in between, and each once, however much news there
    was. Without a running loop they are drawn at once.
    """

    def __init__(self) -> None:
        self._due: list[Part] = []
        self._waiting = False

    def draw(self, part: Part) -> None:
        """Draw a part as soon as what runs now is done."""
        in_kernel(lambda: self._draw(part))

    def waits(self, part: Part) -> bool:
        """Whether a part is still to be drawn."""
        return part in self._due

    def _draw(self, part: Part) -> None:
        loop = running_loop()
        if loop is None:
            part.draw()
            return
        if part not in self._due:
            self._due.append(part)
        if not self._waiting:
            self._waiting = True
            loop.call_soon(self._next, loop)

    def settle(self, name: str) -> None:
        """Draw the part of this name now, if it waits and no server must be waited for."""
        for part in [part for part in self._due if name == part.NAME]:
            if part.study.lm.worker is None:
                self._due.remove(part)
                part.draw()

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._due:
            beside(self._due[0].study.lm.worker, lambda: self._draw_one(loop))
        else:
            self._waiting = False

    def _draw_one(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            if self._due:
                self._due.pop(0).draw()
        finally:
            self._waiting = bool(self._due)
            if self._waiting:
                in_kernel(lambda: loop.call_later(BREATH, self._next, loop))
