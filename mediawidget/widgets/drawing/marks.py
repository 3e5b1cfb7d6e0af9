"""How each state of a cell looks: like no other, also without colours."""

from __future__ import annotations

from ...status import Status
from .canvas import Canvas, number
from .colours import AMBER, HATCH, INK, LINE, SURFACE

BLANK = 255
"""The status of a place that is no cell."""
HATCHED = "url(#mw-hatch)"
DEFS = (
    '<pattern id="mw-hatch" width="5" height="5" patternUnits="userSpaceOnUse" '
    f'patternTransform="rotate(45)"><path d="M0 0v5" stroke="{HATCH}" stroke-width="2"/></pattern>'
)


def draw_state(
    canvas: Canvas, status: int, fill: str, x: float, y: float, w: float, h: float
) -> None:
    """A cell without its number: each state of it looks like no other, also without colours."""
    if status in (Status.IMPLIED_ZERO, BLANK):
        return
    if status == Status.ESTIMATE:
        canvas.rect(x, y, w, h, fill=fill)
        style = {"stroke": INK, "stroke_width": "2", "stroke_dasharray": "0 4"}
        canvas.path(box(x + 1, y + 1, w - 2, h - 2), fill="none", stroke_linecap="round", **style)
        return
    canvas.path(box(x + 0.5, y + 0.5, w - 1, h - 1), **style_of(status, fill))
    if status == Status.FAILED:
        a, b, c, d = (number(v) for v in (x + 1, y + 1, x + w - 1, y + h - 1))
        cross = f"M{a} {b}L{c} {d}M{c} {b}L{a} {d}"
        canvas.path(cross, stroke=AMBER, stroke_width="1.5", fill="none")


def box(x: float, y: float, w: float, h: float) -> str:
    """The outline of a cell, as the data of a path."""
    return f"M{number(x)} {number(y)}h{number(w)}v{number(h)}h{number(-w)}z"


MARKED = (Status.NOT_RUN, Status.ESTIMATE, Status.FAILED, Status.IMPOSSIBLE, Status.IMPLIED_ZERO)


def style_of(status: int, fill: str) -> dict[str, str]:
    """Fill and outline of a cell of a state."""
    match status:
        case Status.NOT_RUN:
            return {"fill": HATCHED, "stroke": LINE}
        case Status.FAILED:
            return {"fill": SURFACE, "stroke": AMBER}
        case Status.IMPOSSIBLE:
            return {"fill": SURFACE, "stroke": HATCH, "stroke_dasharray": "4 3"}
        case Status.ESTIMATE:
            return {"fill": fill, "stroke": INK, "stroke_dasharray": "1 2"}
        case Status.IMPLIED_ZERO:
            return {"fill": SURFACE}
        case _:
            return {"fill": fill, "stroke": LINE}
