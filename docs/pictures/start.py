"""Pictures of docs/start.md and docs/concepts/effects.md: `python docs/pictures/start.py`.

Writes heads.svg and mediation.svg beside itself, from runs of the embedded model.
"""

from pathlib import Path

import mediawidget as mw

HERE = Path(__file__).parent

lm = mw.load()
pair = mw.PromptPair(
    clean="When Mary and John went to the store, John gave a book to",
    corrupt="When Mary and John went to the store, Mary gave a book to",
    answer="Mary",
    wrong="John",
)
study = mw.Study(lm, pair)
study.sweep("head", progress=False)
mw.HeadGrid(study).snapshot(HERE / "heads.svg")
study.intervene(mw.Site("head", 3, head=1))
mw.MediationDiagram(study).snapshot(HERE / "mediation.svg")
