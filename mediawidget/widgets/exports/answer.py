"""What the page gets when it asks for an export: a file's name, its kind, and its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import require
from .leaving import writers_of
from .pictures import Look

if TYPE_CHECKING:
    from .._base import View

KINDS = {
    "svg": "image/svg+xml",
    "csv": "text/csv",
    "json": "application/json",
    "html": "text/html",
}
"""Forms that are text. A PNG is painted by the page itself, from the SVG."""


def export_answer(view: View, request: Mapping[str, Any]) -> dict[str, str]:
    """The view in the form that is asked for, in the page's unit and palette.

    Args:
        view: what is exported.
        request: {format, unit, palette}.

    Raises:
        MediationError: an unknown form, unit or palette.
    """
    form = request.get("format")
    require(
        form in KINDS,
        "A view cannot be exported in this form.",
        value=form,
        expected="one of " + ", ".join(KINDS),
        fix="view.export('figure.svg')",
    )
    look = Look(request.get("unit", "percent"), request.get("palette", "rdbu"))
    text = writers_of(view, look)[f".{form}"]()
    assert isinstance(text, str)
    return {"name": f"{file_name(view)}.{form}", "type": KINDS[str(form)], "text": text}


def file_name(view: View) -> str:
    """A name of plain letters: what is shown, of which contrast or model."""
    of = view.study.contrast.name or view.study.lm.name
    words = re.findall(r"[A-Za-z0-9]+", f"{type(view).__name__} {of}")
    return "-".join(words).lower()[:80]
