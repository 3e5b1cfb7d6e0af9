"""Where a site is in a traced model, as text: a module's input or output, and a slice of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..edits import Edit, Knockout
from ..lm import LM
from ..mediators import POINTS, Point, mediator_named
from ..mediators.base import positions_of
from ..sites import Site
from ..taps import module_path
from .refusals import cannot

Roles = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Spot:
    """One site as it stands in a script.

    Attributes:
        edit: what it is set to.
        place: the tensor.
        index: the part of it, in square brackets.
        label: for people, with the numbers of positions.
        order: when a forward pass meets it.
    """

    edit: Edit
    place: str
    index: str
    label: str
    order: tuple[int, int, bool]

    @property
    def inside(self) -> bool:
        """Whether it stands inside a module's forward, between its parts."""
        return ".source." in self.place

    @property
    def text(self) -> str:
        """The tensor's part."""
        return self.place + self.index


def spots_of(
    edits: Mapping[Site, Edit], lm: LM, n_positions: Sequence[int], roles: Sequence[Roles]
) -> list[Spot]:
    """Every site in the order in which a forward pass meets them.

    Args:
        edits: site -> edit.
        lm: whose modules they are.
        n_positions: of each pair's prompts.
        roles: of each pair.

    Raises:
        MediationError: a role that is elsewhere in another pair.
    """
    spots = [_spot(site, edit, lm, n_positions, roles) for site, edit in edits.items()]
    return sorted(spots, key=lambda spot: spot.order)


def _spot(
    site: Site, edit: Edit, lm: LM, n_positions: Sequence[int], roles: Sequence[Roles]
) -> Spot:
    mediator = mediator_named(site.mediator)
    place = mediator.place(site, lm.shape)
    rows = _common(site, "position", n_positions, roles)
    # What enters a softmax comes before what leaves it.
    order = (place.stage, POINTS.index(place.point), not isinstance(edit, Knockout))
    if place.point == "pattern":
        tensor = _attention(lm, place.stage, inside=isinstance(edit, Knockout))
        keys = _common(site, "key", n_positions, roles) if mediator.keyed else None
        index = _index(":", ":" if site.head is None else str(site.head), _part(rows), _part(keys))
        if index.count("[") > 2:
            raise cannot("edges between scattered positions", site, "one of them, or a range")
        return Spot(edit, tensor, index, _safe(site.label()), order)
    width = lm.width_at(place.point, max(n_positions)) // place.n_units
    start = place.unit * width
    part = ":" if place.n_units == 1 else _part(tuple(range(start, start + width)))
    flat = lm.paths.flat_mlp and place.point in ("mid", "neurons", "mlp_out")
    index = _index(*([] if flat else [":"]), _part(rows), part)
    tensor = _tensor(lm, place.stage, place.point)
    return Spot(edit, tensor, index, _safe(site.label()), order)


def _safe(label: str) -> str:
    """A label that ends no comment, whatever a role is called."""
    return "".join(c if c.isprintable() else "?" for c in label)


def _common(
    site: Site, name: str, n_positions: Sequence[int], roles: Sequence[Roles]
) -> tuple[int, ...] | None:
    """The positions of a site, the same in every pair; None for all."""
    given = getattr(site, name)
    if given is None:
        return None
    found = {positions_of(given, n, own) for n, own in zip(n_positions, roles, strict=True)}
    if len(found) > 1:
        raise cannot("a role that is at other positions in other pairs", given, "position numbers")
    return found.pop()


def _tensor(lm: LM, stage: int, point: Point) -> str:
    path = module_path(lm.paths, stage, lm.n_layers, point)
    assert path is not None
    if point == "embed" or stage > lm.n_layers:
        return f"model.{path}." + ("output" if point == "embed" else "input")
    side = "input" if point in ("block_in", "attn_z", "mid", "neurons") else "output"
    return ".".join(part for part in (f"model.{lm.paths.blocks}[{stage - 1}]", path, side) if part)


def _attention(lm: LM, stage: int, *, inside: bool) -> str:
    """The attention pattern, (row, head, query, key); ``inside``: the scores before the softmax."""
    if lm.paths.pattern is None:
        raise cannot("the attention of this architecture", type(lm.hf).__name__, "other sites")
    steps = "".join(f".source.{name}" for name in lm.paths.pattern)
    side = "input" if inside else "output"
    return f"model.{lm.paths.blocks}[{stage - 1}].{lm.paths.attention}{steps}.{side}"


def _part(numbers: tuple[int, ...] | None) -> str:
    """Numbers as an index: all, one, a range, or a list."""
    if numbers is None:
        return ":"
    first, last = numbers[0], numbers[-1]
    if len(numbers) == 1:
        return str(first)
    if numbers == tuple(range(first, last + 1)):
        return f"{first}:{last + 1}"
    return str(list(numbers))


def _index(*parts: str) -> str:
    """Parts in brackets, without those at the end that name everything."""
    kept = list(parts)
    while len(kept) > 1 and kept[-1] == ":":
        kept.pop()
    return f"[{', '.join(kept)}]"
