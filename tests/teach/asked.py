"""A lesson on the pair of the first notebook, for tests."""

from __future__ import annotations

import mediawidget as mw
from mediawidget.loading import load
from mediawidget.teach.lesson import Lesson

CLEAN = "When Mary and John went to the store, John gave a book to"


def swapped_names() -> mw.Study:
    """One pair, on the embedded model."""
    corrupt = CLEAN.replace(", John", ", Mary")
    return mw.Study(
        load(), mw.PromptPair(clean=CLEAN, corrupt=corrupt, answer="Mary", wrong="John")
    )


def lesson_of_all(study: mw.Study, **options: object) -> Lesson:
    """A question of every kind: 1, the total effect, the strongest head, a sentence, a click."""
    lesson = Lesson("All kinds", **options)  # type: ignore[arg-type]
    lesson.choice("sum", "Do they sum?", ["yes", "no"], lambda: 1, hints=["one", "two"])
    lesson.number("total", "How large?", lambda: study.total["TE"], unit="logits", within=0.5)
    lesson.pick("best", "Which head?", study, misconception="shares")
    lesson.text("own", "What did you see?", least=20, after="A relay.")
    lesson.do("click", "Click two.", study, lambda it: len(it.selection) == 2)
    return lesson
