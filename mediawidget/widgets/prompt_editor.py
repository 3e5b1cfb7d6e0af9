"""PromptEditor: the prompts of a study, tokens aligned as they are typed."""

from __future__ import annotations

from typing import ClassVar

from ._base import View
from ._editor import Editor
from ._page import front_end
from ._parts import Part, Written


class PromptEditor(View):
    """Both prompts and both answers as fields, and what the model reads in them.

    Answers can be picked from the model's own predictions. Applying changes the study, so every
    linked view follows; a mistake is said beside the field that has it and changes nothing.

    Args:
        study: whose prompts are edited; all views of it are linked.

    Raises:
        MediationError: what ``View`` raises.

    Example:
        >>> mw.PromptEditor(study)
    """

    _esm, _css = front_end("prompt_editor")
    PANELS: ClassVar[tuple[str, ...]] = ()
    PARTS: ClassVar[tuple[type[Part], ...]] = (Editor,)
    OPEN: ClassVar[tuple[str, ...]] = ("editor",)

    editor = Written().tag(sync=True)
