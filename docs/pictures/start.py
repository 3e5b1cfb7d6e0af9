"""Pictures of docs/start.md and docs/concepts/effects.md: `python docs/pictures/start.py`.

Writes heads.png and mediation.png beside itself, from runs of the embedded model, and the same as
text (.svg). The pages show the first: it is as wide in every browser's fonts.
"""

from __future__ import annotations

from pathlib import Path

import mediawidget as mw


def views() -> dict[str, mw.HeadGrid | mw.MediationDiagram]:
    """The views in the pictures, by the names of their files."""
    lm = mw.load()
    pair = mw.PromptPair(
        clean="When Mary and John went to the store, John gave a book to",
        corrupt="When Mary and John went to the store, Mary gave a book to",
        answer="Mary",
        wrong="John",
    )
    swept, clicked = mw.Study(lm, pair), mw.Study(lm, pair)
    swept.sweep("head", progress=False)
    clicked.intervene(mw.Site("head", 3, head=1))
    return {"heads": mw.HeadGrid(swept), "mediation": mw.MediationDiagram(clicked)}


if __name__ == "__main__":
    for name, view in views().items():
        for ending in (".svg", ".png"):
            view.snapshot(Path(__file__).with_name(name + ending))
