"""The embedded model with its heads in another order for every student.

Heads of one layer are added up, so their order is a name and nothing else: the model answers as
before while "the name mover is head 0 of layer 3" is true for one student and not for the next.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import require
from ..sites import Site

if TYPE_CHECKING:
    from ..lm import LM

PER_HEAD = frozenset({"head", "query", "key", "value", "pattern", "edge"})
"""Mediators whose sites have a head."""

SIZES = (6, 4)
"""Layers of the embedded model, and heads in each."""

ROLES: dict[str, tuple[tuple[int, int], ...]] = {
    "previous token": ((0, 0),),
    "duplicate token": ((0, 1),),
    "induction": ((1, 0),),
    "S-inhibition": ((2, 0), (2, 1)),
    "name movers": ((3, 0), (3, 1)),
    "backup name movers": ((4, 0), (4, 1)),
    "negative name mover": ((5, 0),),
    "landmark": ((2, 2),),
    "person": ((2, 3),),
    "year": ((3, 2),),
    "subject": ((3, 3),),
}
"""What the heads of the embedded model were taught, as (layer, head) of its files.

The last four look from the last word at the word of that name, for facts, pronouns, years and
agreement. models/teaching/README.md tells how they were taught.
"""

_students: WeakKeyDictionary[LM, str] = WeakKeyDictionary()


class Shuffle:
    """A permutation of the heads within each layer, by a student's name.

    The same name gives the same order in every process. Case, space around and between words,
    and the way in which a character is composed do not matter.

    Args:
        student: a name; an empty one leaves the heads as they are.
        n_layers: of the model.
        n_heads: in each of its layers.

    Attributes:
        student: the name as it is read: no case, single spaces.
        places: per layer, where each head of the files went to.

    Raises:
        MediationError: no text, or sizes that no model has.

    Example:
        >>> ada = mw.teach.Shuffle("Ada", 6, 4)
        >>> ada.canonical(ada.theirs(mw.Site("head", 3, head=1))).label()
        'L3H1'
    """

    def __init__(self, student: str, n_layers: int, n_heads: int) -> None:
        self.student = plain_name(student)
        require(
            min(n_layers, n_heads) > 0,
            "Heads are shuffled in a model that has some.",
            value=(n_layers, n_heads),
            expected="the number of layers and of heads in each, at least 1",
            fix="Shuffle(student, lm.n_layers, lm.n_heads)",
        )
        self.places = tuple(_places(self.student, layer, n_heads) for layer in range(n_layers))

    def theirs(self, site: Site) -> Site:
        """A site of the model's files as the student's labels name it.

        Raises:
            MediationError: a head that the model does not have.
        """
        return self._moved(site, back=False)

    def canonical(self, site: Site) -> Site:
        """A site in the student's labels as the model's files name it.

        Raises:
            MediationError: a head that the model does not have.
        """
        return self._moved(site, back=True)

    def _moved(self, site: Site, *, back: bool) -> Site:
        if site.mediator not in PER_HEAD or site.head is None:
            return site
        known = 0 <= site.layer < len(self.places) and 0 <= site.head < len(self.places[0])
        require(
            known,
            "The model has no such head.",
            value=site.label(),
            expected=f"L0 to L{len(self.places) - 1}, H0 to H{len(self.places[0]) - 1}",
            fix=f"{Site(site.mediator, 0, head=0)!r}",
        )
        places = self.places[site.layer]
        return replace(site, head=places.index(site.head) if back else places[site.head])


def plain_name(student: str) -> str:
    """A name as it is read: composed (NFKC), no case, single spaces, nothing invisible.

    Raises:
        MediationError: no text.
    """
    given: object = student
    require(
        isinstance(given, str),
        "A student's name is a text.",
        value=student,
        expected='a name such as "ada", or "" for none',
        fix='mw.teach.load("ada")',
    )
    folded = unicodedata.normalize("NFKC", student).casefold()
    seen = "".join(c for c in folded if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf"))
    # Folding can undo the composition, as for a dotted capital I.
    return unicodedata.normalize("NFKC", " ".join(seen.split()))


def load(student: str = "") -> LM:
    """The embedded teaching model with its heads in this student's order.

    All outputs and all that is not per head stay as they are, to rounding; the head grid of a
    sweep has the same values in other places.

    Args:
        student: a name; an empty one gives ``mw.load()``.

    Raises:
        MediationError: no text.

    Example:
        >>> mw.teach.load("ada").n_heads
        4
    """
    from ..loading import load as load_model

    name = plain_name(student)
    lm = load_model()
    if name:
        shuffle = Shuffle(name, lm.n_layers, lm.n_heads)
        for places, block in zip(shuffle.places, lm.hf.transformer.h, strict=True):  # type: ignore[union-attr, arg-type]
            _permute(block.attn, places)
    _students[lm] = name
    return lm


def student_of(lm: LM) -> str:
    """Whose order of heads a model has, as ``plain_name``; "" for the embedded model as it is.

    Raises:
        MediationError: another model, whose heads were never shuffled.
    """
    from ..lm import LM
    from ..loading import TEACHING_MODEL

    given: object = lm
    known = isinstance(given, LM) and (
        given in _students or (given.origin or ("",))[0] == str(TEACHING_MODEL)
    )
    require(
        known,
        "Roles are known of the embedded teaching model alone.",
        value=lm,
        expected="a student's name, or what mw.teach.load or mw.load gave",
        fix='mw.teach.roles("ada")',
    )
    return whose(lm)


def whose(lm: LM) -> str:
    """The student to whom ``load`` gave a model; "" where it was given to nobody."""
    return _students.get(lm, "")


def refuse_another_order(lm: LM, student: str) -> None:
    """Refuse a model of another student's: what is answered on it would be judged by wrong labels.

    Raises:
        MediationError: ``load`` gave the model to somebody else than this student.
    """
    require(
        lm not in _students or whose(lm) == plain_name(student),
        "The model and the lesson are of two students.",
        value=f"mw.teach.load({whose(lm)!r}), Lesson(student={student!r})",
        expected="one name for both",
        fix="lm = mw.teach.load(student), then mw.teach.Lesson(..., student=student)",
    )


def order_of(lm: LM, student: str) -> Shuffle:
    """How a student's notebook names a model's heads: only what ``load`` gave is shuffled."""
    return Shuffle(student if lm in _students else "", lm.n_layers, lm.n_heads)


def roles(lm_or_student: LM | str = "") -> dict[str, list[Site]]:
    """What the heads of the embedded model were taught to do, in a student's labels.

    Args:
        lm_or_student: a student's name, or the model that ``load`` gave.

    Raises:
        MediationError: neither a name nor the embedded model.

    Example:
        >>> [site.label() for site in mw.teach.roles()["name movers"]]
        ['L3H0', 'L3H1']
    """
    given = lm_or_student
    student = given if isinstance(given, str) else student_of(given)
    shuffle = Shuffle(student, *SIZES)
    return {
        role: [shuffle.theirs(Site("head", layer, head=head)) for layer, head in heads]
        for role, heads in ROLES.items()
    }


def _places(name: str, layer: int, n_heads: int) -> tuple[int, ...]:
    """Where each head goes: the rank of its hash, which no library's random numbers change."""
    if not name:
        return tuple(range(n_heads))

    def drawn(head: int) -> bytes:
        # Half a surrogate pair, which a name from a broken file may have, is hashed too.
        text = f"{layer}/{head}/{name}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).digest()

    order = sorted(range(n_heads), key=drawn)
    return tuple(order.index(head) for head in range(n_heads))


def _permute(attention: Any, places: tuple[int, ...]) -> None:
    """Move the heads of a GPT-2 attention: q, k, v columns of c_attn, z rows of c_proj."""
    import torch

    n_heads = len(places)
    come = torch.tensor([places.index(head) for head in range(n_heads)])
    into, out = attention.c_attn, attention.c_proj
    with torch.no_grad():
        for tensor in (into.weight, into.bias):
            parts = tensor.unflatten(-1, (3, n_heads, -1))
            tensor.copy_(parts[..., come, :].flatten(-3))
        out.weight.copy_(out.weight.unflatten(0, (n_heads, -1))[come].flatten(0, 1))
