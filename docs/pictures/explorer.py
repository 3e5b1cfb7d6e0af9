"""Make the README's picture: the Explorer after a sweep, with the two name movers chosen.

    python docs/pictures/explorer.py

writes explorer.png beside this file, what `view.snapshot` draws of the view as it is, and
explorer.svg, the same as text. The README shows the first: it is as wide in every browser's fonts.
"""

from __future__ import annotations

from pathlib import Path

import mediawidget as mw


def explorer() -> mw.Explorer:
    """The view in the picture."""
    pair = mw.PromptPair(
        clean="When Mary and John went to the store, John gave a book to",
        corrupt="When Mary and John went to the store, Mary gave a book to",
        answer="Mary",
        wrong="John",
    )
    study = mw.Study(mw.load(), pair)
    study.sweep("head", progress=False)
    study.sweep("mlp_out", progress=False)
    study.sweep("residual", by="position", progress=False)
    study.intervene([mw.Site("head", 3, head=0), mw.Site("head", 3, head=1)])
    return mw.Explorer(study)


if __name__ == "__main__":
    view = explorer()
    for ending in (".svg", ".png"):
        view.snapshot(Path(__file__).with_suffix(ending))
