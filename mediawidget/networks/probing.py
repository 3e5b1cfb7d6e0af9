"""Finding a network's points on inputs of one shape: one look, by a plain forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import MediationError
from .anatomy import Anatomy, Spot, Tap
from .hooks import looking
from .points import Layout, Point, Side, layout_of
from .unrolled import Unrolled

_KINDS: Mapping[str, tuple[str, ...]] = {
    "maps": ("layer", "channel"),
    "time": ("layer", "unit"),
    "flat": ("layer", "unit"),
    "hidden": ("hidden", "hidden_unit"),
    "cell": ("cell", "cell_unit"),
}
"""Which kinds of component there are at a point that lies like that, or is a state."""


def anatomy_of(module: nn.Module, points: Mapping[str, Point], inputs: Tensor) -> Anatomy:
    """Run the network once more and see where its points are.

    Args:
        module: with its recurrent layers unrolled.
        points: by name.
        inputs: (row, ...), at least two rows; the module gets copies, which it may write over.

    Raises:
        MediationError: an output of another shape than (row, class); a point that is never
            called, or called several times, or gives no tensor with an axis of rows.
    """
    with torch.no_grad():
        module(inputs.clone())  # which makes the steps of recurrent layers
    places = dict(_places(module, points))
    seen: dict[Any, list[Any]] = {place: [] for place in places}
    order: list[Any] = []

    def look(place: Any) -> Any:
        def see(value: Any) -> Any:
            seen[place].append(value)
            order.append(place)
            return value

        return see

    with ExitStack() as hooks, torch.no_grad():
        size = hooks.enter_context(_weighed(module))
        for place in places:
            hooks.enter_context(looking(module.get_submodule(place[0]), place[1], look(place)))
        out = module(inputs.clone())
    _refuse_no_classes(out, inputs)
    # A longer input's steps are there, and are not called.
    seen = {place: values for place, values in seen.items() if values or not places[place][2]}
    for place, values in seen.items():
        _refuse_no_value(places[place][0], values, len(inputs))
    ordered = sorted(seen, key=order.index)
    taps = tuple(_tap(place, places[place], seen[place][0]) for place in ordered)
    spots = _spots([places[place] for place in ordered], taps)
    cut = _complete_cut(module, [s for s in spots if "layer" in s.kinds], taps, inputs)
    return Anatomy(taps, spots, size[0] // len(inputs), out.shape[1], cut)


_At = tuple[str, str, int, Layout | None]
"""The point's name, its family, the position there, its layout as it was given."""


def _places(
    module: nn.Module, points: Mapping[str, Point]
) -> Iterator[tuple[tuple[str, Side], _At]]:
    for name, point in points.items():
        found = module.get_submodule(point.path)
        if not isinstance(found, Unrolled) or point.side == "input":
            yield (point.path, point.side), (name, "", 0, point.layout)
            continue
        start = f"{point.path}." if point.path else ""
        for t, step in enumerate(found.steps):
            for family in ("hidden", "cell"):
                for layer in range(len(getattr(step, family))):
                    own = f"{name}.{family[0]}" + (str(layer) if found.n_layers > 1 else "")
                    path = f"{start}steps.{t}.{family}.{layer}"
                    yield (path, "output"), (own, family, t, "flat")


def _tap(place: tuple[str, Side], at: _At, value: Tensor) -> Tap:
    name, _, position, given = at
    layout = layout_of(value, given)
    if layout is None:
        raise MediationError(
            "A point's value does not lie as it was said to.",
            value=f"{name!r}: shape {tuple(value.shape)}, layout {given!r}",
            expected="(row, feature) for flat, (row, time, feature) for time, (row, channel, "
            "location) for maps",
            fix="Point('path.of.module') takes the layout from the shape",
        )
    return Tap(*place, layout, tuple(value.shape[1:]), position)


def _spots(places: Sequence[_At], taps: tuple[Tap, ...]) -> tuple[Spot, ...]:
    found: dict[str, list[int]] = {}
    for index, at in enumerate(places):
        found.setdefault(at[0], []).append(index)
    spots = []
    for name, members in found.items():
        first = taps[members[0]]
        n = sum(taps[i].n_positions for i in members)
        location = first.tail[1:] if first.layout == "maps" else ()
        family = places[members[0]][1] or first.layout
        spots.append(Spot(name, _KINDS[family], tuple(members), n, first.width, location))
    return tuple(spots)


@contextmanager
def _weighed(module: nn.Module) -> Iterator[list[int]]:
    """Bytes of all that modules without parts give in a pass, in a list of one number."""
    size = [0]

    def weigh(value: Any) -> Any:
        if isinstance(value, Tensor):
            size[0] += value.numel() * value.element_size()
        return value

    with ExitStack() as hooks:
        for part in module.modules():
            if not list(part.children()):
                hooks.enter_context(looking(part, "output", weigh))
        yield size


def _complete_cut(
    module: nn.Module, spots: Sequence[Spot], taps: tuple[Tap, ...], inputs: Tensor
) -> str | None:
    """The middle one of the points that all ways from the input to the output go through.

    Read off the graph of gradients: cut there, nothing of the input is left in it. And tried, for
    a threshold lets no gradient through: with another input's value there, the output is its own.
    """
    if not inputs.is_floating_point():
        return None
    wanted = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        for parameter in wanted:
            parameter.requires_grad = False
        if not _reaches(module, None, inputs):
            return None
        cuts = [
            spot.name
            for spot, tap in ((spot, taps[spot.taps[0]]) for spot in spots)
            if not _reaches(module, tap, inputs) and _decides(module, tap, inputs)
        ]
    finally:
        for parameter in wanted:
            parameter.requires_grad = True
    return cuts[len(cuts) // 2] if cuts else None


def _reaches(module: nn.Module, cut: Tap | None, inputs: Tensor) -> bool:
    with ExitStack() as hooks, torch.inference_mode(mode=False), torch.enable_grad():
        if cut is not None:
            part = module.get_submodule(cut.path)
            hooks.enter_context(looking(part, cut.side, lambda value: value.detach()))
        # Not a leaf of the graph, which may not be written over.
        out = module(inputs.clone().requires_grad_() * 1)
    return bool(out.requires_grad)


def _decides(module: nn.Module, cut: Tap, inputs: Tensor) -> bool:
    """Whether the output is another input's as soon as the value there is."""
    part = module.get_submodule(cut.path)
    kept: list[Tensor] = []
    draw = torch.rand(inputs.shape, generator=torch.Generator().manual_seed(0)).to(inputs)
    low, high = inputs.aminmax()
    other = low + (high - low + (high == low)) * draw

    def keep(value: Tensor) -> Tensor:
        kept.append(value.clone())
        return value

    with torch.no_grad():
        with looking(part, cut.side, keep):
            wanted = module(other)
        with looking(part, cut.side, lambda _: kept[0]):
            found = module(inputs.clone())
    return bool((found - wanted).abs().max() <= 1e-3 * wanted.abs().max())


def _refuse_no_classes(out: object, inputs: Tensor) -> None:
    if isinstance(out, Tensor) and out.dim() == 2 and len(out) == len(inputs) and out.shape[1] > 1:
        return
    raise MediationError(
        "A network gives a number for each class.",
        value=tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__,
        expected=f"a tensor (row, class) for {len(inputs)} rows, of two classes or more",
        fix="wrap the network in a module whose forward returns that, e.g. the last time step's",
    )


def _refuse_no_value(name: str, values: Sequence[Any], n_rows: int) -> None:
    if len(values) != 1:
        raise MediationError(
            "A point's module is called once in a forward pass.",
            value=f"{name!r} is called {len(values)} times",
            expected="a module that the forward pass calls, and calls once",
            fix="make another module a point; a module that is used twice can be made two",
        )
    value = values[0]
    if not isinstance(value, Tensor) or value.dim() < 2 or len(value) != n_rows:
        shown = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise MediationError(
            "A point's value is a tensor with an axis of rows before its others.",
            value=f"{name!r}: {shown}",
            expected=f"({n_rows}, ...) for {n_rows} rows",
            fix="make a module that gives one tensor the point; for an LSTM or a GRU its own path",
        )
