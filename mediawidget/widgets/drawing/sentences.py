"""The sentence of a result, in the words of the page (js/src/sentences.ts)."""

from __future__ import annotations

from ...status import Status
from .reading import Corners, Reading, Sheet
from .text import percent, plain, raw

_LONG = 160
_HALF, _TENTH = 0.5, 0.1

_STEP = 0.05
"""Percent below which a share is told as 0.0%, which is no step in either direction."""


def sentence(sheet: Sheet, reading: Reading) -> str:
    """What was done, what moved, from where to where, by how much, and how sure it is."""
    label = plain(reading.label, _LONG)
    if reading.status == Status.FAILED:
        return f"{label} failed a check, so it has no number."
    if reading.status == Status.IMPOSSIBLE:
        patched = reading.edit["corners"]
        why = "has no partner in the other prompt" if patched else "cannot be set to this value"
        return f"{label} {why}."
    if not reading.shown:
        return f"{label} was not run."
    told = _Told(sheet, reading, label)
    body = told.patched() if reading.edit["corners"] else told.constant()
    return " ".join([body, *told.sureness()])


class _Told:
    """The words of one reading."""

    def __init__(self, sheet: Sheet, reading: Reading, label: str) -> None:
        self.reading, self.label = reading, label
        self.direction = sheet.direction
        self.metric = plain(sheet.view["metric"]["label"], _LONG)
        self.unit = plain(str(sheet.view["metric"]["unit"]))
        self.near = not sheet.base().normalizable
        self.c: Corners = reading.corners

    def share(self, value: float) -> float:
        """Percent of the total effect."""
        return 100 * value / self.c.total

    def size(self, value: float) -> str:
        """The size of a share: a percentage with a minus alone."""
        return percent(self.share(value), sign=False)

    @property
    def is_loss(self) -> bool:
        """A constant's effect on the corrupt run, whose sign is the opposite of a patch's gain."""
        return self.direction == "restore" and not self.reading.edit["corners"]

    def opposes(self, value: float) -> bool:
        """Whether an effect is told as one against the clean answer."""
        share = self.share(value)
        return (share if self.is_loss else -share) >= _STEP

    def told(self, value: float) -> str:
        """The size of a share whose sign the words beside it say."""
        return percent(abs(self.share(value)), sign=False)

    def bare(self, value: float) -> str:
        """What stands where there is no percentage."""
        return (
            f"{raw(value)} {self.unit}. The total effect is near 0, so there is no percentage"
            if self.near
            else ""
        )

    def patched(self) -> str:
        """A patch between the two prompts."""
        c, what = self.c, f"Patching {plain(self.reading.edit['part'], _LONG)}{self.label}"
        pie, tie = (float(c.effect(d, patch=True)) for d in ("restore", "break"))
        if self.direction == "restore":
            moved = f"from clean into corrupt moves {self.metric} from {raw(c.y00)} to {raw(c.y01)}"
            start = f"{what} {moved}"
            if self.near:
                return f"{start}: {self.bare(pie)}."
            end = "further from the clean answer" if self.opposes(pie) else "of the total effect"
            return f"{start}: {self.told(pie)}% {end}."
        if self.direction == "break":
            moved = f"from corrupt into clean moves {self.metric} from {raw(c.y11)} to {raw(c.y10)}"
            start = f"{what} {moved}"
            if self.near:
                return f"{start}: {self.bare(-tie)}."
            return f"{start}: {self._lost(tie)}."
        return self._gate(pie, tie, float(c.effect("difference", patch=True)))

    def _lost(self, value: float) -> str:
        if self.opposes(value):
            return f"{self.told(value)}% added; it opposes the clean answer"
        return f"{self.told(value)}% of the total effect lost"

    def _gate(self, pie: float, tie: float, interaction: float) -> str:
        gate = _gate_words(pie, tie, interaction)
        if self.near:
            gains = f"restoring gains {raw(pie, sign=False)}, breaking loses {raw(tie, sign=False)}"
            told = f"{self.label}: {gains} {self.unit}: interaction {raw(interaction)}."
            return f"{told} The total effect is near 0.{gate}"
        gains = f"Restoring gains {self.size(pie)}%, breaking loses {self.size(tie)}%"
        return f"{gains}: interaction {percent(self.share(interaction))}%.{gate}"

    def constant(self) -> str:
        """An edit that does not give a run the other prompt's value."""
        c = self.c
        clean, corrupt = (float(c.effect(d, patch=False)) for d in ("break", "restore"))
        what = f"Setting {self.label} {plain(self.reading.edit['goal'], _LONG)}"
        near = ". The total effect is near 0, so there is no percentage" if self.near else ""
        if self.direction == "break":
            start = f"{what} in the clean run moves {self.metric} from {raw(c.y11)} to {raw(c.y10)}"
            return f"{start}{near}." if near else f"{start}: {self._lost(clean)}."
        if self.direction == "restore":
            moved = f"moves {self.metric} from {raw(c.y00)} to {raw(c.y01)}"
            start = f"{what} in the corrupt run {moved}"
            if near:
                return f"{start}{near}."
            toward = "of the total effect toward the clean answer"
            end = "further from the clean answer" if self.opposes(corrupt) else toward
            return f"{start}: {self.told(corrupt)}% {end}."
        difference = float(c.effect("difference", patch=False))
        told = raw(difference) if self.near else f"{percent(self.share(difference))}%"
        costs = f"{self._amount(clean)} on clean and {self._amount(corrupt)} on corrupt"
        return f"{what} costs {costs}: difference {told}."

    def _amount(self, value: float) -> str:
        return f"{raw(value, sign=False)} {self.unit}" if self.near else f"{self.size(value)}%"

    def sureness(self) -> list[str]:
        """How sure it is."""
        reading, out = self.reading, []
        if reading.status == Status.IMPLIED_ZERO:
            constant = reading.edit["kind"] in ("zero", "mean")
            equal = "" if constant else "both prompts have the same value here, or "
            why = f"{equal}nothing that is read comes after it"
            out.append(f"Zero by construction, so nothing was run: {why}.")
        if reading.n > 1:
            out.append(f"Mean of {reading.n} pairs{self._interval()}.")
        if reading.status == Status.ESTIMATE:
            out.append("\N{ALMOST EQUAL TO} estimate.")
        if reading.stale:
            out.append("Out of date.")
        return out

    def _interval(self) -> str:
        patch = bool(self.reading.edit["corners"])
        keys = ("PIE", "TIE", "INT") if patch else ("corrupt", "clean", "difference")
        key = keys[("restore", "break", "difference").index(self.direction)]
        ends = (self.reading.ci or {}).get(key if self.near else f"{key}%")
        if not ends:
            return ""
        if self.near:
            return f", 95% CI {raw(ends[0])} to {raw(ends[1])}"
        # A share is told by its size, in the direction of its words ("27% added"); so is this.
        turned = self.opposes(float(self.c.effect(self.direction, patch=patch))) != self.is_loss
        turn = -1.0 if turned and self.direction != "difference" else 1.0
        low, high = sorted(turn * end for end in ends)
        return f", 95% CI {percent(low, sign=False)}% to {percent(high, sign=False)}%"


def _gate_words(pie: float, tie: float, interaction: float) -> str:
    """Which gate the two effects look like."""
    larger = max(abs(pie), abs(tie))
    if not abs(interaction) > _HALF * larger:
        return ""
    if pie * tie < 0 and min(abs(pie), abs(tie)) > _TENTH * larger:
        return " Its effect changes sign with the rest."
    if abs(tie) >= abs(pie):
        return " It matters more when the rest is clean (AND-like)."
    return " It matters more when the rest is corrupt (OR-like)."
