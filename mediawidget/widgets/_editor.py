"""The prompts as they are typed: read by the model's tokenizer, applied, or loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from .. import tasks
from ..drafts import ANSWERS, PROMPTS, Draft, as_typed, next_tokens, read_draft
from ..errors import MediationError, error_fields, require
from ..prompts import Contrast, PromptPair, as_contrast, settled
from ..tasks.files import from_text
from ._parts import Action, Part, Request
from .panels import LONGEST_TOKEN
from .payload import SHORT_TOKEN

if TYPE_CHECKING:
    from ._base import View

TASKS = tuple(name for name in tasks.__all__ if not name.startswith("from_"))
MOST_PAIRS = 500
LONGEST_TEXT = 20_000
"""Characters of a prompt: the tokenizer reads it anew with every key."""


class Editor(Part):
    """Edits the pair that is shown; the others of a contrast stay."""

    NAME: ClassVar[str] = "editor"
    FOLLOWS: ClassVar[tuple[str, ...]] = ("prompts", "pair")

    def __init__(self, view: View) -> None:
        super().__init__(view)
        # What each change replaced, and what it put there: it is undone while that is there.
        self._replaced: list[tuple[Contrast, Contrast]] = []

    def actions(self) -> Mapping[str, Action]:
        """What the page may ask: read a draft, what comes next, and the ways to other prompts."""
        return {
            "draft": self._draft,
            "predict": self._predict,
            "commit": self._commit,
            "task": self._task,
            "file": self._file,
            "back": self._back,
        }

    def payload(self) -> dict[str, Any]:
        """The shown pair as text, and what can be loaded."""
        return {
            "draft": asdict(Draft.of(self.study.contrast[self._shown])),
            "index": self._shown,
            "n": len(self.study.contrast),
            "tasks": list(TASKS),
            "undo": self._before is not None,
        }

    @property
    def _shown(self) -> int:
        return self.view.pair or 0

    @property
    def _before(self) -> Contrast | None:
        """What the last change replaced; None where other prompts came after it."""
        before, after = self._replaced[-1] if self._replaced else (None, None)
        return before if after is self.study.contrast else None

    def _change(self, pairs: PromptPair | Sequence[PromptPair]) -> None:
        after = settled(as_contrast(pairs))
        known = self._replaced if self._before else []
        self._set(after, [*known, (self.study.contrast, after)])

    def _back(self, _request: Request) -> None:
        before = self._before
        if before is None:
            raise MediationError(
                "There are no prompts to go back to.",
                value=self.study.contrast.name,
                expected="prompts that were applied or loaded here",
                fix="apply an edit, or load a task or a file",
            )
        self._set(before, self._replaced[:-1])

    def _set(self, contrast: Contrast, replaced: list[tuple[Contrast, Contrast]]) -> None:
        known, self._replaced = self._replaced, replaced
        try:
            # The page hears of the new prompts, and of the way back, while they are set.
            self.study.contrast = contrast
        except BaseException:
            self._replaced = known
            raise

    def _reading(self, request: Request) -> Any:
        texts = {name: request.get(name) for name in (*PROMPTS, *ANSWERS)}
        wrong = [name for name, text in texts.items() if not _is_text(text)]
        require(
            not wrong,
            "A draft is made of four texts.",
            value=[texts[name] for name in wrong],
            expected=f"texts of at most {LONGEST_TEXT} characters",
            fix="shorten it",
        )
        study = self.study
        draft = Draft(**{name: str(text) for name, text in texts.items()})
        return read_draft(study.lm, draft, study.contrast[self._shown], study.readout)

    def _draft(self, request: Request) -> dict[str, Any]:
        reading = self._reading(request)
        tokens = {
            name: [text[:LONGEST_TOKEN] for text in texts] for name, texts in reading.tokens.items()
        }
        return {
            **tokens,
            "columns": [list(column) for column in reading.columns],
            "problems": {name: error_fields(e) for name, e in reading.problems.items()},
            "notes": dict(reading.notes),
            "ok": reading.pair is not None,
        }

    def _predict(self, request: Request) -> dict[str, Any]:
        """The likeliest next tokens of both prompts, as typed; none where one cannot be read."""
        found: dict[str, Any] = {}
        for name in PROMPTS:
            prompt = str(request.get(name, ""))[:LONGEST_TEXT]
            try:
                top = next_tokens(self.study.lm, prompt)
            except MediationError:
                top = []  # what is wrong with the text stands beside its field
            found[name] = [
                {"token": as_typed(prompt, text)[:SHORT_TOKEN], "p": p} for text, p in top
            ]
        return found

    def _commit(self, request: Request) -> None:
        meant = (request.get("revision"), request.get("index"))
        require(
            meant == (self.study.revision, self._shown),
            "Another pair is shown now than the one that was edited.",
            value=f"revision {meant[0]}, pair {meant[1]}",
            expected=f"revision {self.study.revision}, pair {self._shown}",
            fix="do it again on the pair that is shown",
        )
        reading = self._reading(request)
        if reading.pair is None:
            raise next(iter(reading.problems.values()))
        contrast = self.study.contrast
        pairs = list(contrast)
        if pairs[self._shown] == reading.pair:
            return
        pairs[self._shown] = reading.pair
        name = contrast.name if len(pairs) > 1 else ""
        self._change(Contrast(pairs, name, contrast.dropped))

    def _task(self, request: Request) -> None:
        name, n = request.get("name"), request.get("n")
        require(
            name in TASKS,
            "There is no such task.",
            value=name,
            expected="one of " + ", ".join(TASKS),
            fix="choose another",
        )
        require(
            isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= MOST_PAIRS,
            "A task has a number of pairs.",
            value=n,
            expected=f"1 to {MOST_PAIRS}",
            fix="16; mw.tasks makes more of them in Python",
        )
        self._change(getattr(tasks, str(name))(self.study.lm, n=n))

    def _file(self, request: Request) -> None:
        self._change(from_text(str(request.get("text", "")), str(request.get("name", ""))))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT
