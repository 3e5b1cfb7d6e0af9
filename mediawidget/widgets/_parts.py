"""Parts of a view that have a trait of their own: what they draw, take, and follow.

What every view draws travels in `view` and `result`. What only some draw, and what costs a pass of
its own (a head's attention, the logit lens), is a part: its trait is written while somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import traitlets as t

from ..edits import Edit
from ..errors import MediationError, error_fields
from ..sites import Site

if TYPE_CHECKING:
    from ..study import Study
    from ._base import View

Request = Mapping[str, Any]
Action = Callable[[Request], Any]
"""Does a request. What it returns, plain data, travels back with the answer; a job is run, and the
page hears of its progress."""


class Written(t.Dict):
    """A trait that the view alone writes; setting it raises."""

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


class Part:
    """A part of a view.

    Attributes:
        NAME: of its trait, of the request that opens it, and of its module in js/src.
        FOLLOWS: the news after which it is drawn anew: the study's events ("grid" is any grid), and
            "pair", another pair.
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

    def payload(self) -> dict[str, Any]:
        """Plain data and bytes: what the page draws."""
        raise NotImplementedError

    def draw(self) -> None:
        """Write the trait anew: the payload, or the error in its stead."""
        if not self.open:
            return
        try:
            payload = {"revision": self.study.revision, **self.payload()}
        except MediationError as error:
            payload = {"revision": self.study.revision, "error": error_fields(error)}
        self.view.write(self.NAME, payload)

    def follow(self, event: str) -> None:
        """There is news."""
        if event.partition(":")[0] in self.FOLLOWS:
            self.draw()

    def show(self) -> None:
        """Somebody looks."""
        self.open = True
        self.draw()

    def hide(self) -> None:
        """Nobody looks any more."""
        self.open = False
