"""A notebook as one page of slides."""

from __future__ import annotations

from pathlib import Path

from ..teach.slides import slides


def main(notebook: Path, out: Path | None = None) -> int:
    """Run the notebook, write the page beside it or where asked; return the exit status."""
    path = slides(notebook, notebook.with_suffix(".html") if out is None else out)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, opens in any browser")
    return 0
